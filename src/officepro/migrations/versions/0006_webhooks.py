"""Webhook subscriptions, deliveries, and the SQL function by which an EMR appends events.

A delivery's states:

    queued ──> sending ──> delivered
      ^  ^        │ │ └──> failed      the last attempt, or the only one of a manual delivery
      │  │        │ └────> pending ──> sending   until its next attempt is due
      │  └────────┘  released, or its lease expired before the first attempt was stored
      └── pending    its subscription was paused meanwhile
    queued, pending ──> cancelled      its subscription or replay has ended
"""

from alembic import op

revision = "0006"
down_revision = "0005"

SUBSCRIPTIONS = """
-- A subscription belongs to a key; where the key was replaced, to the newest of its line.
CREATE INDEX api_key_replaces ON api_key (replaced_by) WHERE replaced_by IS NOT NULL;

CREATE SEQUENCE webhook_subscription_id_seq;
CREATE TABLE webhook_subscription (
    subscription_id bigint DEFAULT nextval('webhook_subscription_id_seq')
        CONSTRAINT webhook_subscription_key PRIMARY KEY,
    api_key_id bigint NOT NULL CONSTRAINT webhook_subscription_api_key REFERENCES api_key
        CONSTRAINT webhook_subscription_one_per_key UNIQUE,
    practice_id bigint CONSTRAINT webhook_subscription_practice REFERENCES practice,  -- NULL: every practice
    hook_url text NOT NULL CONSTRAINT webhook_subscription_hook_url CHECK (length(hook_url) BETWEEN 1 AND 2048),
    scopes text[] NOT NULL CONSTRAINT webhook_subscription_scopes CHECK (cardinality(scopes) BETWEEN 1 AND 5
        AND scopes <@ ARRAY['Patients', 'Encounters', 'Claims', 'Payments', 'Documents']),
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT webhook_subscription_status CHECK (status IN ('active', 'paused', 'disabled')),
    secret text NOT NULL,  -- encrypted, as `kid.base64`
    previous_secret text,  -- signs as well, until its end
    previous_secret_until timestamptz,
    failing_since timestamptz,  -- the first failure after the latest success
    warned_at timestamptz,
    disabled_at timestamptz,
    disabled_reason text
        CONSTRAINT webhook_subscription_reason CHECK (disabled_reason IN ('gone', 'failing')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_subscription_secrets CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)),
    CONSTRAINT webhook_subscription_warned CHECK (warned_at IS NULL OR failing_since IS NOT NULL),
    CONSTRAINT webhook_subscription_disabled CHECK (
        (status = 'disabled') = (disabled_at IS NOT NULL) AND (disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhook_subscription_of_practice ON webhook_subscription (practice_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_subscription TO officepro_system;
GRANT USAGE ON SEQUENCE webhook_subscription_id_seq TO officepro_system;
"""

DELIVERIES = """
-- How far a practice's log has been fanned out. Who holds this row fans out and claims; `next_due_at` says when the
-- practice has to be looked at even if nothing new has happened.
CREATE TABLE dispatch_state (
    practice_id bigint NOT NULL CONSTRAINT dispatch_state_key PRIMARY KEY
        CONSTRAINT dispatch_state_practice REFERENCES practice,
    last_log_id bigint NOT NULL DEFAULT 0 CONSTRAINT dispatch_state_cursor CHECK (last_log_id >= 0),
    last_occurred_at timestamptz NOT NULL DEFAULT '-infinity',
    next_due_at timestamptz
) WITH (fillfactor = 20);
INSERT INTO dispatch_state (practice_id) SELECT practice_id FROM practice;  -- before the wall, which holds owners too
SELECT raise_wall('dispatch_state', 'SELECT', 'SELECT, INSERT, UPDATE');

CREATE SEQUENCE webhook_delivery_id_seq;
CREATE TABLE webhook_delivery (
    practice_id bigint NOT NULL,
    delivery_id bigint NOT NULL DEFAULT nextval('webhook_delivery_id_seq'),
    created_at timestamptz NOT NULL DEFAULT now(),
    subscription_id bigint NOT NULL,  -- no foreign key: the record outlives the subscription
    kind text NOT NULL CONSTRAINT webhook_delivery_kind CHECK (kind IN ('live', 'replay', 'manual')),
    event text NOT NULL,
    event_id text NOT NULL,
    log_id bigint,  -- NULL: an event of our own, such as webhook.test, whose data stand here
    occurred_at timestamptz NOT NULL,
    data jsonb,
    hook_url text NOT NULL,
    state text NOT NULL CONSTRAINT webhook_delivery_state
        CHECK (state IN ('queued', 'pending', 'sending', 'delivered', 'failed', 'cancelled')),
    attempts smallint NOT NULL DEFAULT 0 CONSTRAINT webhook_delivery_attempts CHECK (attempts BETWEEN 0 AND 10),
    due_at timestamptz,  -- pending: the next attempt; sending: the end of the lease
    leased_by bigint,  -- the worker that sends it
    attempted_at timestamptz,
    status_code smallint,
    error_code text,
    error_message text CONSTRAINT webhook_delivery_error_length CHECK (length(error_message) <= 1000),
    duration_ms integer,
    CONSTRAINT webhook_delivery_key PRIMARY KEY (practice_id, delivery_id, created_at),
    CONSTRAINT webhook_delivery_source CHECK ((log_id IS NULL) = (data IS NOT NULL)),
    CONSTRAINT webhook_delivery_due CHECK ((due_at IS NOT NULL) = (state IN ('pending', 'sending'))),
    CONSTRAINT webhook_delivery_lease CHECK ((leased_by IS NOT NULL) = (state = 'sending')),
    CONSTRAINT webhook_delivery_attempted CHECK ((attempts > 0) = (attempted_at IS NOT NULL)),
    CONSTRAINT webhook_delivery_waits CHECK (state <> 'pending' OR (attempts > 0 AND error_code IS NOT NULL)),
    CONSTRAINT webhook_delivery_delivered CHECK (
        (state = 'delivered') = (attempts > 0 AND error_code IS NULL)
        AND (state <> 'delivered' OR status_code BETWEEN 200 AND 299)),
    CONSTRAINT webhook_delivery_failed CHECK (state <> 'failed' OR attempts > 0)
) PARTITION BY RANGE (created_at);
CREATE INDEX webhook_delivery_by_id ON webhook_delivery (delivery_id);  -- the monitor, newest first
CREATE INDEX webhook_delivery_open ON webhook_delivery (practice_id, state, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_queue ON webhook_delivery (practice_id, subscription_id, kind, delivery_id)
    WHERE state = 'queued';
SELECT raise_wall('webhook_delivery', 'SELECT', 'SELECT, INSERT, UPDATE');
SELECT add_partitions('webhook_delivery', 'month', now(), 4);
GRANT USAGE ON SEQUENCE webhook_delivery_id_seq TO officepro_system;
"""

APPEND = """
-- For an EMR that writes straight to the database: GRANT officepro_emr TO its login, and call
--     SELECT append_to_log(7, 'Claims', 'claim.paid', 4711, '{"ClaimID": 4711}')
-- as the last statement before its commit. Answers the event's number; the same counter as for all others keeps the
-- numbers gapless and in commit order, so the EMR's transactions of one practice that append take turns.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'officepro_emr') THEN
        CREATE ROLE officepro_emr NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of the same server is being migrated at this moment
END $$;

-- SECURITY DEFINER works as the owner, whom the forced wall would hold as well.
CREATE POLICY appended_by_function ON log_head TO CURRENT_USER USING (true);
CREATE POLICY appended_by_function ON log FOR INSERT TO CURRENT_USER WITH CHECK (true);

CREATE FUNCTION append_to_log(practice_id bigint, scope text, event text, entity_id bigint, data jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    number bigint;
BEGIN
    IF data IS NULL OR jsonb_typeof(data) <> 'object' OR length(data::text) > 16384 THEN
        RAISE EXCEPTION 'data must be a JSON object of at most 16384 characters: ids and the kind of change';
    END IF;
    UPDATE log_head SET last = last + 1 WHERE log_head.practice_id = append_to_log.practice_id
        RETURNING last INTO number;
    IF number IS NULL THEN
        RAISE EXCEPTION 'there is no practice %', practice_id;
    END IF;
    INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
    VALUES (append_to_log.practice_id, number, scope, event, entity_id, data);
    RETURN number;
END $$;
REVOKE ALL ON FUNCTION append_to_log FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO officepro_emr;
GRANT EXECUTE ON FUNCTION append_to_log TO officepro_emr;
"""


def upgrade() -> None:
    for part in (SUBSCRIPTIONS, DELIVERIES, APPEND):
        op.execute(part)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION append_to_log;
        DROP POLICY appended_by_function ON log;
        DROP POLICY appended_by_function ON log_head;
        DROP TABLE webhook_delivery, dispatch_state, webhook_subscription;
        DROP SEQUENCE webhook_delivery_id_seq, webhook_subscription_id_seq;
        DROP INDEX api_key_replaces;
    """)
