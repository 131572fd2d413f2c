"""The request log, its hourly figures, the disclosure ledger, and the portal's sessions."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
        CREATE SEQUENCE request_log_id_seq;
        CREATE TABLE request_log (
            request_log_id bigint NOT NULL DEFAULT nextval('request_log_id_seq'),
            happened_at timestamptz NOT NULL,
            method text NOT NULL,
            endpoint text NOT NULL,  -- the route's template: never a number of a record, never a query string
            status smallint NOT NULL,
            duration_microseconds integer NOT NULL,
            partner_id bigint,
            api_key_id bigint,
            practice_id bigint,
            address text NOT NULL,
            request_id text NOT NULL,
            CONSTRAINT request_log_key PRIMARY KEY (request_log_id, happened_at)
        ) PARTITION BY RANGE (happened_at);
        CREATE INDEX request_log_newest ON request_log (happened_at DESC, request_log_id DESC);
        CREATE INDEX request_log_of_practice ON request_log (practice_id, happened_at DESC, request_log_id DESC);
        CREATE INDEX request_log_of_partner ON request_log (partner_id, happened_at DESC, request_log_id DESC);
        CREATE TABLE request_log_default PARTITION OF request_log DEFAULT;
        SELECT add_partitions('request_log', 'day', now() - interval '1 day', 9);
        GRANT SELECT, INSERT ON request_log TO officepro_system;
        GRANT USAGE ON SEQUENCE request_log_id_seq TO officepro_system;

        -- What the dashboard reads, so that it costs the same with a thousand calls and with a hundred million.
        CREATE TABLE request_hour (
            hour timestamptz NOT NULL,
            practice_id bigint NOT NULL,  -- 0: none
            partner_id bigint NOT NULL,  -- 0: none
            api_key_id bigint NOT NULL,  -- 0: none
            method text NOT NULL,
            endpoint text NOT NULL,
            calls bigint NOT NULL,
            caller_errors bigint NOT NULL,  -- answered 4xx
            own_errors bigint NOT NULL,  -- answered 5xx
            duration_microseconds bigint NOT NULL,
            durations bigint[] NOT NULL,  -- calls by duration: bucket n holds those below 2^n microseconds
            CONSTRAINT request_hour_key PRIMARY KEY (hour, practice_id, partner_id, api_key_id, method, endpoint)
        );
        CREATE INDEX request_hour_of_practice ON request_hour (practice_id, hour);
        CREATE INDEX request_hour_of_partner ON request_hour (partner_id, hour);
        GRANT SELECT, INSERT, UPDATE, DELETE ON request_hour TO officepro_system;

        -- Who read whose record. A row is one answer; its hash covers the row before it, so that none can be changed,
        -- taken out or put elsewhere unseen, and the head says how many there must be.
        CREATE TABLE disclosure_head (
            practice_id bigint NOT NULL CONSTRAINT disclosure_head_key PRIMARY KEY
                CONSTRAINT disclosure_head_practice REFERENCES practice,
            last bigint NOT NULL DEFAULT 0,
            last_sha256 bytea NOT NULL DEFAULT '\\x'
        ) WITH (fillfactor = 20);
        SELECT raise_wall('disclosure_head', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT');
        INSERT INTO disclosure_head (practice_id) SELECT practice_id FROM practice;

        CREATE TABLE disclosure (
            practice_id bigint NOT NULL,
            number bigint NOT NULL,
            happened_at timestamptz NOT NULL,
            api_key_id bigint,
            partner_id bigint,
            endpoint text NOT NULL,
            request_id text NOT NULL,
            patient_ids bigint[] NOT NULL,
            sha256 bytea NOT NULL CONSTRAINT disclosure_sha256_length CHECK (length(sha256) = 32),
            CONSTRAINT disclosure_key PRIMARY KEY (practice_id, number)
        );
        CREATE INDEX disclosure_of_patient ON disclosure USING gin (patient_ids);
        CREATE INDEX disclosure_by_time ON disclosure (practice_id, happened_at);
        SELECT raise_wall('disclosure', 'SELECT, INSERT', 'SELECT');

        CREATE TABLE portal_session (
            session_sha256 bytea CONSTRAINT portal_session_key PRIMARY KEY,
            api_key_id bigint CONSTRAINT portal_session_api_key REFERENCES api_key,  -- NULL: the admin
            csrf_token text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            last_seen_at timestamptz NOT NULL DEFAULT now()
        );
        GRANT SELECT, INSERT, UPDATE, DELETE ON portal_session TO officepro_system;
    """)
