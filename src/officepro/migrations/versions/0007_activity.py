"""Request log, its daily figures, disclosure log, and portal sessions."""

from alembic import op

revision = "0007"
down_revision = "0006"

REQUESTS = """
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
    CONSTRAINT request_log_key PRIMARY KEY (happened_at, request_log_id)
) PARTITION BY RANGE (happened_at);
CREATE INDEX request_log_of_practice ON request_log (practice_id, happened_at, request_log_id);
CREATE INDEX request_log_of_partner ON request_log (partner_id, happened_at, request_log_id);
CREATE INDEX request_log_of_endpoint ON request_log (endpoint, happened_at, request_log_id);
CREATE INDEX request_log_of_method ON request_log (method, happened_at, request_log_id);
CREATE INDEX request_log_errors ON request_log (happened_at, request_log_id) WHERE status >= 400;
CREATE INDEX request_log_own_errors ON request_log (happened_at, request_log_id) WHERE status >= 500;
CREATE TABLE request_log_default PARTITION OF request_log DEFAULT;
SELECT add_partitions('request_log', 'day', now() - interval '1 day', 9);
GRANT SELECT, INSERT ON request_log TO officepro_system;
GRANT SELECT, DELETE ON request_log_default TO officepro_system;
GRANT USAGE ON SEQUENCE request_log_id_seq TO officepro_system;

-- What the dashboard reads, so that it costs the same with a thousand calls and with a hundred million. By UTC day,
-- because everything that is drawn is drawn by day; durations apart, so that neither table's rows are wide. Integers,
-- because they are summed at half the cost of bigints: two thousand million calls a day, of one key at one endpoint.
CREATE TABLE request_day (
    day date NOT NULL,
    practice_id bigint NOT NULL,  -- 0: none
    partner_id bigint NOT NULL,  -- 0: none
    api_key_id bigint NOT NULL,  -- 0: none
    method text NOT NULL,
    endpoint text NOT NULL,
    calls integer NOT NULL,
    caller_errors integer NOT NULL,  -- answered 4xx
    own_errors integer NOT NULL,  -- answered 5xx
    duration_microseconds bigint NOT NULL,
    CONSTRAINT request_day_key PRIMARY KEY (day, practice_id, partner_id, api_key_id, method, endpoint)
) WITH (fillfactor = 50);
CREATE INDEX request_day_of_practice ON request_day (practice_id, day);
CREATE INDEX request_day_of_partner ON request_day (partner_id, day);
GRANT SELECT, INSERT, UPDATE ON request_day TO officepro_system;

CREATE TABLE request_day_duration (
    day date NOT NULL,
    practice_id bigint NOT NULL,
    partner_id bigint NOT NULL,
    api_key_id bigint NOT NULL,
    bucket smallint NOT NULL,  -- bucket n begins at 2^(n/4) microseconds
    calls integer NOT NULL,
    CONSTRAINT request_day_duration_key PRIMARY KEY (day, practice_id, partner_id, api_key_id, bucket)
) WITH (fillfactor = 50);
CREATE INDEX request_day_duration_of_practice ON request_day_duration (practice_id, day);
CREATE INDEX request_day_duration_of_partner ON request_day_duration (partner_id, day);
GRANT SELECT, INSERT, UPDATE ON request_day_duration TO officepro_system;
"""

DISCLOSURES = """
-- Who read whose record. A row is one answer; its hash covers the row before it, so that none can be changed, taken
-- out or put elsewhere unseen, and the head says how many there must be. Neither role may change or delete a row.
CREATE TABLE disclosure_head (
    practice_id bigint NOT NULL CONSTRAINT disclosure_head_key PRIMARY KEY
        CONSTRAINT disclosure_head_practice REFERENCES practice,
    last bigint NOT NULL DEFAULT 0,
    last_sha256 bytea NOT NULL DEFAULT '\\x'
) WITH (fillfactor = 20);
SELECT raise_wall('disclosure_head', 'SELECT, INSERT, UPDATE', 'SELECT');

CREATE TABLE disclosure (
    practice_id bigint NOT NULL,
    number bigint NOT NULL,
    happened_at timestamptz NOT NULL,
    api_key_id bigint NOT NULL,
    partner_id bigint NOT NULL,
    method text NOT NULL,
    endpoint text NOT NULL,
    request_id text NOT NULL,
    patient_ids bigint[] NOT NULL CONSTRAINT disclosure_of_somebody CHECK (cardinality(patient_ids) > 0),
    sha256 bytea NOT NULL CONSTRAINT disclosure_sha256_length CHECK (length(sha256) = 32),
    CONSTRAINT disclosure_key PRIMARY KEY (practice_id, number),
    -- The hash is taken of the columns one to a line, so that no two rows read alike.
    CONSTRAINT disclosure_lines CHECK (position(E'\\n' IN method || endpoint || request_id) = 0)
);
CREATE INDEX disclosure_of_patient ON disclosure USING gin (patient_ids);
CREATE INDEX disclosure_by_time ON disclosure (practice_id, happened_at);
CREATE INDEX disclosure_of_key ON disclosure (practice_id, api_key_id, number);
SELECT raise_wall('disclosure', 'SELECT, INSERT', 'SELECT');
"""

PORTAL = """
CREATE TABLE portal_session (
    session_sha256 bytea CONSTRAINT portal_session_key PRIMARY KEY,
    api_key_id bigint CONSTRAINT portal_session_api_key REFERENCES api_key,  -- NULL: the admin
    csrf_token text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON portal_session TO officepro_system;
"""


def upgrade() -> None:
    for part in (REQUESTS, DISCLOSURES, PORTAL):
        op.execute(part)
