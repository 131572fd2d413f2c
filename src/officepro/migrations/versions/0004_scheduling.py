"""History of visits, the maximum duration of a visit, and the default duration of a visit type."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE SEQUENCE visit_history_id_seq;
        CREATE TABLE visit_history (
            practice_id bigint NOT NULL,
            visit_history_id bigint NOT NULL DEFAULT nextval('visit_history_id_seq'),
            visit_id bigint NOT NULL,
            from_status text,  -- NULL: the visit came about
            to_status text NOT NULL,
            from_starts_at timestamptz,
            to_starts_at timestamptz NOT NULL,
            api_key_id bigint,  -- NULL: the practice itself
            reason text,
            happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT visit_history_key PRIMARY KEY (practice_id, visit_history_id),
            CONSTRAINT visit_history_visit FOREIGN KEY (practice_id, visit_id) REFERENCES visit
        );
        CREATE INDEX visit_history_of_visit ON visit_history (practice_id, visit_id);
        SELECT raise_wall('visit_history', 'SELECT, INSERT');
        GRANT USAGE ON SEQUENCE visit_history_id_seq TO officepro_app;

        -- Whoever looks for what is in the way finds visits by a window on starts_at: nothing reaches further.
        ALTER TABLE visit ADD CONSTRAINT visit_reach CHECK (
            ends_at - starts_at <= interval '24 hours' AND provider_starts_at - busy_starts_at <= interval '4 hours'
            AND busy_ends_at - provider_ends_at <= interval '4 hours');

        ALTER TABLE visit_type ADD COLUMN duration_minutes integer NOT NULL DEFAULT 30
            CONSTRAINT visit_type_duration CHECK (duration_minutes BETWEEN 1 AND 1440);
    """)
