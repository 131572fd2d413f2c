"""Responses to POST requests with an Idempotency-Key, stored for a day and returned to retries."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE idempotency (
            practice_id bigint NOT NULL,  -- 0: the request belongs to no practice
            api_key_id bigint NOT NULL,  -- 0: the admin
            route text NOT NULL,
            idempotency_key text NOT NULL
                CONSTRAINT idempotency_key_length CHECK (length(idempotency_key) BETWEEN 1 AND 255),
            request_sha256 bytea NOT NULL,
            status smallint NOT NULL,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT idempotency_once PRIMARY KEY (practice_id, api_key_id, route, idempotency_key)
        );
        CREATE INDEX idempotency_by_age ON idempotency (practice_id, created_at);
        SELECT raise_wall('idempotency', 'SELECT, INSERT, UPDATE, DELETE');
        -- Answers are kept as they were, people and all: the role over all practices sees only what belongs to none.
        CREATE POLICY no_practice ON idempotency TO officepro_system USING (practice_id = 0);
        GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO officepro_system;
    """)
