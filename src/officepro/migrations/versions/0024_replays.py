"""One replay at a time per subscription, whose deliveries the worker creates in batches."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE webhook_replay (
            practice_id bigint NOT NULL,
            subscription_id bigint NOT NULL,  -- no foreign key: the record outlives the subscription
            from_log_id bigint NOT NULL CONSTRAINT webhook_replay_from CHECK (from_log_id >= 1),
            to_log_id bigint NOT NULL,
            next_log_id bigint NOT NULL,  -- deliveries of all before it have been created
            scopes text[] NOT NULL,
            deliveries integer NOT NULL,  -- events of these scopes in the range, when it was requested
            created integer NOT NULL DEFAULT 0,  -- deliveries created so far
            state text NOT NULL
                CONSTRAINT webhook_replay_state CHECK (state IN ('running', 'completed', 'cancelled')),
            requested_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz,
            CONSTRAINT webhook_replay_key PRIMARY KEY (practice_id, subscription_id),
            CONSTRAINT webhook_replay_range CHECK (next_log_id BETWEEN from_log_id AND to_log_id + 1),
            CONSTRAINT webhook_replay_ended CHECK ((state = 'running') = (ended_at IS NULL))
        );
        CREATE INDEX webhook_replay_of_subscription ON webhook_replay (subscription_id);
        SELECT raise_wall('webhook_replay', 'SELECT', 'SELECT, INSERT, UPDATE');
        SELECT spread_table('webhook_replay');
    """)


def downgrade() -> None:
    op.execute("DROP TABLE webhook_replay")
