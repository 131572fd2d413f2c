"""Base schema: roles, practices and their configuration, partners and keys, patients, tags, visits, event log.

Every tenant table has `practice_id` first in its primary key and in every foreign key, unique and exclusion
constraint, so that the schema can be distributed by practice. Ids use `DEFAULT nextval(...)`, and forced
row-level security restricts every statement of the application to one practice.
"""

from alembic import op

revision = "0001"
down_revision = None

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'officepro_app') THEN
        CREATE ROLE officepro_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'officepro_system') THEN
        CREATE ROLE officepro_system NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of the same server is being migrated at this moment
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO officepro_app, officepro_system;
GRANT SELECT ON alembic_version TO officepro_app, officepro_system;
CREATE EXTENSION IF NOT EXISTS btree_gist;
"""

WALL = """
-- The second wall: what a tenant table needs, in one call. The application sees the practice that its connection is
-- bound to, and no row at all when it is bound to none; `system` says what the cross-practice role may do.
CREATE FUNCTION raise_wall(tenant_table regclass, app text, system text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format($sql$CREATE POLICY own_practice ON %s TO officepro_app
        USING (practice_id = nullif(current_setting('app.practice', true), '')::bigint)$sql$, tenant_table);
    EXECUTE format('GRANT %s ON %s TO officepro_app', app, tenant_table);
    IF system IS NOT NULL THEN
        EXECUTE format('CREATE POLICY every_practice ON %s TO officepro_system USING (true)', tenant_table);
        EXECUTE format('GRANT %s ON %s TO officepro_system', system, tenant_table);
    END IF;
END $$;

-- Makes the partitions of a time-partitioned table that are missing, from the given day's on.
-- SECURITY DEFINER because only the owner may add a partition; the list of tables is closed.
CREATE FUNCTION add_partitions(parent text, unit text, first timestamptz, how_many integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET TimeZone = 'UTC' AS $$
DECLARE
    starts timestamptz := date_trunc(unit, first);
    ends timestamptz;
    partition text;
    made integer := 0;
BEGIN
    IF parent NOT IN ('log', 'webhook_delivery', 'request_log', 'disclosure') OR unit NOT IN ('day', 'month') THEN
        RAISE EXCEPTION 'not a partitioned table of ours: % by %', parent, unit;
    END IF;
    FOR i IN 1..how_many LOOP
        ends := starts + ('1 ' || unit)::interval;
        partition := parent || to_char(starts, CASE unit WHEN 'day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END);
        IF to_regclass(partition) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           partition, parent, starts, ends);
            IF (SELECT relforcerowsecurity FROM pg_class WHERE oid = parent::regclass) THEN
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
                EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
            END IF;
            made := made + 1;
        END IF;
        starts := ends;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of ours that end at or before the given moment.
CREATE FUNCTION drop_partitions(parent text, before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET TimeZone = 'UTC' AS $$
DECLARE
    partition record;
    dropped integer := 0;
BEGIN
    IF parent NOT IN ('log', 'webhook_delivery', 'request_log', 'disclosure') THEN
        RAISE EXCEPTION 'not a partitioned table of ours: %', parent;
    END IF;
    FOR partition IN
        SELECT child.relname AS name,
               substring(pg_get_expr(child.relpartbound, child.oid)
                         FROM $re$TO \\('([^']+)'\\)$re$)::timestamptz AS ends
        FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = parent::regclass AND pg_get_expr(child.relpartbound, child.oid) <> 'DEFAULT'
    LOOP
        IF partition.ends <= before THEN
            EXECUTE format('DROP TABLE %I', partition.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION raise_wall, add_partitions, drop_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_partitions, drop_partitions TO officepro_system;
"""

GLOBAL = """
CREATE SEQUENCE practice_id_seq;
CREATE TABLE practice (
    practice_id bigint DEFAULT nextval('practice_id_seq') CONSTRAINT practice_key PRIMARY KEY,
    practicepass text NOT NULL CONSTRAINT practice_practicepass UNIQUE
        CONSTRAINT practice_practicepass_form CHECK (practicepass ~ '^[A-Za-z][A-Za-z0-9_-]{1,63}$'),
    name text NOT NULL CONSTRAINT practice_name_length CHECK (length(name) BETWEEN 1 AND 200),
    time_zone text NOT NULL,
    slot_minutes integer NOT NULL DEFAULT 15
        CONSTRAINT practice_slot_minutes CHECK (slot_minutes BETWEEN 1 AND 1440),
    minimum_notice_minutes integer NOT NULL DEFAULT 0
        CONSTRAINT practice_minimum_notice CHECK (minimum_notice_minutes BETWEEN 0 AND 525600),
    booking_horizon_days integer
        CONSTRAINT practice_booking_horizon CHECK (booking_horizon_days BETWEEN 1 AND 3650),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON practice TO officepro_app;
GRANT SELECT, INSERT, UPDATE ON practice TO officepro_system;
GRANT USAGE ON SEQUENCE practice_id_seq TO officepro_system;

CREATE SEQUENCE partner_id_seq;
CREATE TABLE partner (
    partner_id bigint DEFAULT nextval('partner_id_seq') CONSTRAINT partner_key PRIMARY KEY,
    company text NOT NULL CONSTRAINT partner_company_length CHECK (length(company) BETWEEN 1 AND 200),
    contact text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    website text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON partner TO officepro_system;
GRANT USAGE ON SEQUENCE partner_id_seq TO officepro_system;

CREATE SEQUENCE api_key_id_seq;
CREATE TABLE api_key (
    api_key_id bigint DEFAULT nextval('api_key_id_seq') CONSTRAINT api_key_key PRIMARY KEY,
    partner_id bigint NOT NULL CONSTRAINT api_key_partner REFERENCES partner,
    practice_id bigint CONSTRAINT api_key_practice REFERENCES practice,  -- NULL: every practice
    name text NOT NULL CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 200),
    secret_sha256 bytea NOT NULL CONSTRAINT api_key_secret UNIQUE
        CONSTRAINT api_key_secret_length CHECK (length(secret_sha256) = 32),
    scopes text[] NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    replaced_by bigint CONSTRAINT api_key_replaced_by REFERENCES api_key,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_key_of_partner ON api_key (partner_id);
GRANT SELECT, INSERT, UPDATE ON api_key TO officepro_system;
GRANT USAGE ON SEQUENCE api_key_id_seq TO officepro_system;
"""

SET_UP = """
CREATE TABLE provider (
    practice_id bigint NOT NULL CONSTRAINT provider_practice REFERENCES practice,
    provider_id bigint NOT NULL CONSTRAINT provider_id_positive CHECK (provider_id > 0),
    name text NOT NULL CONSTRAINT provider_name_length CHECK (length(name) BETWEEN 1 AND 200),
    title text NOT NULL DEFAULT '',
    specialty text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT provider_key PRIMARY KEY (practice_id, provider_id)
);
SELECT raise_wall('provider', 'SELECT, INSERT, UPDATE');

CREATE SEQUENCE working_hours_id_seq;
CREATE TABLE working_hours (
    practice_id bigint NOT NULL,
    working_hours_id bigint NOT NULL DEFAULT nextval('working_hours_id_seq'),
    provider_id bigint NOT NULL,
    weekday smallint NOT NULL CONSTRAINT working_hours_weekday CHECK (weekday BETWEEN 0 AND 6),  -- 0 is Monday
    starts_minute integer NOT NULL CONSTRAINT working_hours_start CHECK (starts_minute BETWEEN 0 AND 1439),
    ends_minute integer NOT NULL,  -- over 1440: the span runs over midnight
    valid_from date CONSTRAINT working_hours_from_finite CHECK (isfinite(valid_from)),
    valid_until date CONSTRAINT working_hours_until_finite CHECK (isfinite(valid_until)),  -- the last day, inclusive
    CONSTRAINT working_hours_key PRIMARY KEY (practice_id, working_hours_id),
    CONSTRAINT working_hours_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider,
    CONSTRAINT working_hours_span CHECK (ends_minute > starts_minute AND ends_minute - starts_minute <= 1440),
    CONSTRAINT working_hours_validity CHECK (valid_from <= valid_until)
);
CREATE INDEX working_hours_of_provider ON working_hours (practice_id, provider_id);
SELECT raise_wall('working_hours', 'SELECT, INSERT, DELETE');

CREATE SEQUENCE extra_opening_id_seq;
CREATE TABLE extra_opening (
    practice_id bigint NOT NULL,
    extra_opening_id bigint NOT NULL DEFAULT nextval('extra_opening_id_seq'),
    provider_id bigint NOT NULL,
    day date NOT NULL CONSTRAINT extra_opening_day_finite CHECK (isfinite(day)),
    starts_minute integer NOT NULL CONSTRAINT extra_opening_start CHECK (starts_minute BETWEEN 0 AND 1439),
    ends_minute integer NOT NULL,
    CONSTRAINT extra_opening_key PRIMARY KEY (practice_id, extra_opening_id),
    CONSTRAINT extra_opening_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider,
    CONSTRAINT extra_opening_span CHECK (ends_minute > starts_minute AND ends_minute - starts_minute <= 1440)
);
CREATE INDEX extra_opening_of_provider ON extra_opening (practice_id, provider_id, day);
SELECT raise_wall('extra_opening', 'SELECT, INSERT, DELETE');

CREATE SEQUENCE time_off_id_seq;
CREATE TABLE time_off (
    practice_id bigint NOT NULL,
    time_off_id bigint NOT NULL DEFAULT nextval('time_off_id_seq'),
    provider_id bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    CONSTRAINT time_off_key PRIMARY KEY (practice_id, time_off_id),
    CONSTRAINT time_off_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider,
    CONSTRAINT time_off_span CHECK (starts_at < ends_at AND isfinite(starts_at) AND isfinite(ends_at))
);
CREATE INDEX time_off_of_provider ON time_off (practice_id, provider_id, ends_at);
SELECT raise_wall('time_off', 'SELECT, INSERT, DELETE');

CREATE TABLE room (
    practice_id bigint NOT NULL CONSTRAINT room_practice REFERENCES practice,
    room_id bigint NOT NULL CONSTRAINT room_id_positive CHECK (room_id > 0),
    name text NOT NULL CONSTRAINT room_name_length CHECK (length(name) BETWEEN 1 AND 200),
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT room_key PRIMARY KEY (practice_id, room_id)
);
SELECT raise_wall('room', 'SELECT, INSERT, UPDATE');

CREATE TABLE visit_type (
    practice_id bigint NOT NULL CONSTRAINT visit_type_practice REFERENCES practice,
    visit_type text NOT NULL CONSTRAINT visit_type_length CHECK (length(visit_type) BETWEEN 1 AND 100),
    active boolean NOT NULL DEFAULT true,
    buffer_before_minutes integer NOT NULL DEFAULT 0
        CONSTRAINT visit_type_buffer_before CHECK (buffer_before_minutes BETWEEN 0 AND 240),
    buffer_after_minutes integer NOT NULL DEFAULT 0
        CONSTRAINT visit_type_buffer_after CHECK (buffer_after_minutes BETWEEN 0 AND 240),
    minimum_notice_minutes integer  -- NULL: as the practice says
        CONSTRAINT visit_type_minimum_notice CHECK (minimum_notice_minutes BETWEEN 0 AND 525600),
    booking_horizon_days integer
        CONSTRAINT visit_type_booking_horizon CHECK (booking_horizon_days BETWEEN 1 AND 3650),
    CONSTRAINT visit_type_key PRIMARY KEY (practice_id, visit_type)
);
SELECT raise_wall('visit_type', 'SELECT, INSERT, UPDATE');

CREATE TABLE visit_type_provider (
    practice_id bigint NOT NULL,
    visit_type text NOT NULL,
    provider_id bigint NOT NULL,
    CONSTRAINT visit_type_provider_key PRIMARY KEY (practice_id, visit_type, provider_id),
    CONSTRAINT visit_type_provider_type FOREIGN KEY (practice_id, visit_type) REFERENCES visit_type,
    CONSTRAINT visit_type_provider_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider
);
SELECT raise_wall('visit_type_provider', 'SELECT, INSERT, DELETE');

CREATE TABLE visit_type_room (
    practice_id bigint NOT NULL,
    visit_type text NOT NULL,
    room_id bigint NOT NULL,
    CONSTRAINT visit_type_room_key PRIMARY KEY (practice_id, visit_type, room_id),
    CONSTRAINT visit_type_room_type FOREIGN KEY (practice_id, visit_type) REFERENCES visit_type,
    CONSTRAINT visit_type_room_room FOREIGN KEY (practice_id, room_id) REFERENCES room
);
SELECT raise_wall('visit_type_room', 'SELECT, INSERT, DELETE');
GRANT USAGE ON SEQUENCE working_hours_id_seq, extra_opening_id_seq, time_off_id_seq TO officepro_app;
"""

PEOPLE = """
CREATE SEQUENCE patient_id_seq START 1000001;
CREATE TABLE patient (
    practice_id bigint NOT NULL CONSTRAINT patient_practice REFERENCES practice,
    patient_id bigint NOT NULL DEFAULT nextval('patient_id_seq'),
    first_name text, mi text, last_name text, full_name text, nick_name text,
    gender text CONSTRAINT patient_gender CHECK (gender IN ('m', 'f', 'o', 'u')),
    dob date CONSTRAINT patient_dob_finite CHECK (isfinite(dob)),
    life_stage text CONSTRAINT patient_life_stage CHECK (life_stage IN
        ('Infant', 'Toddler', 'Child', 'Adolescent', 'EarlyAdult', 'Adult', 'AllAdults', 'Senior')),
    pronouns text, sexual_identity text, primary_language text,
    type text CONSTRAINT patient_type CHECK (type IN ('Patient', 'Child', 'Cash', 'Insurance', 'Guarantor')),
    phone text, cell_phone text, sms_phone text, email text,
    address text, unit text, city text, state text, zip text, country text,
    provider_id bigint,
    prospect smallint NOT NULL DEFAULT 1 CONSTRAINT patient_prospect CHECK (prospect IN (0, 1)),
    sh_name text, sh_address text, sh_unit text, sh_city text, sh_state text, sh_zip text, sh_country text,
    notes text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_key PRIMARY KEY (practice_id, patient_id),
    CONSTRAINT patient_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider
);
CREATE INDEX patient_updated ON patient (practice_id, updated_at, patient_id);
SELECT raise_wall('patient', 'SELECT, INSERT, UPDATE');
GRANT USAGE ON SEQUENCE patient_id_seq TO officepro_app;

-- The picture lives apart, so that lists and searches never drag it along.
CREATE TABLE patient_picture (
    practice_id bigint NOT NULL,
    patient_id bigint NOT NULL,
    picture bytea NOT NULL CONSTRAINT patient_picture_size CHECK (length(picture) <= 1048576),
    CONSTRAINT patient_picture_key PRIMARY KEY (practice_id, patient_id),
    CONSTRAINT patient_picture_patient FOREIGN KEY (practice_id, patient_id) REFERENCES patient
);
SELECT raise_wall('patient_picture', 'SELECT, INSERT, UPDATE, DELETE');

-- What a person is found by: lower-case words of the names, the e-mail, the digits of the phones. Prefixes of it
-- are ranges of a B-tree, which stays usable under row-level security (ILIKE, %, @@ do not).
CREATE TABLE patient_token (
    practice_id bigint NOT NULL,
    token text COLLATE "C" NOT NULL,
    patient_id bigint NOT NULL,
    CONSTRAINT patient_token_key PRIMARY KEY (practice_id, token, patient_id),
    CONSTRAINT patient_token_patient FOREIGN KEY (practice_id, patient_id) REFERENCES patient
);
CREATE INDEX patient_token_of_patient ON patient_token (practice_id, patient_id);
SELECT raise_wall('patient_token', 'SELECT, INSERT, DELETE');

CREATE TABLE tag (
    practice_id bigint NOT NULL CONSTRAINT tag_practice REFERENCES practice,
    tag_id bigint NOT NULL CONSTRAINT tag_id_positive CHECK (tag_id > 0),
    tag text NOT NULL CONSTRAINT tag_length CHECK (length(tag) BETWEEN 1 AND 100),
    CONSTRAINT tag_key PRIMARY KEY (practice_id, tag_id),
    CONSTRAINT tag_name UNIQUE (practice_id, tag)
);
SELECT raise_wall('tag', 'SELECT, INSERT, UPDATE');

CREATE TABLE patient_tag (
    practice_id bigint NOT NULL,
    patient_id bigint NOT NULL,
    tag_id bigint NOT NULL,
    CONSTRAINT patient_tag_key PRIMARY KEY (practice_id, patient_id, tag_id),
    CONSTRAINT patient_tag_patient FOREIGN KEY (practice_id, patient_id) REFERENCES patient,
    CONSTRAINT patient_tag_tag FOREIGN KEY (practice_id, tag_id) REFERENCES tag
);
CREATE INDEX patient_tag_of_tag ON patient_tag (practice_id, tag_id, patient_id);
SELECT raise_wall('patient_tag', 'SELECT, INSERT, DELETE');
"""

VISITS = """
CREATE SEQUENCE visit_id_seq START 1000001;
CREATE TABLE visit (
    practice_id bigint NOT NULL CONSTRAINT visit_practice REFERENCES practice,
    visit_id bigint NOT NULL DEFAULT nextval('visit_id_seq'),
    patient_id bigint,  -- a hold has none
    provider_id bigint NOT NULL,
    room_id bigint,
    needs_room boolean NOT NULL,
    visit_type text NOT NULL,
    status text NOT NULL
        CONSTRAINT visit_status CHECK (status IN ('held', 'booked', 'cancelled', 'completed', 'noshow')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    provider_starts_at timestamptz NOT NULL,
    provider_ends_at timestamptz NOT NULL,
    -- The provider's part with the visit type's buffers around it: what the provider is busy for.
    busy_starts_at timestamptz NOT NULL,
    busy_ends_at timestamptz NOT NULL,
    held_until timestamptz,
    complaint text,
    notes text,
    cancel_reason text,
    api_key_id bigint,  -- who booked or holds it; NULL: the practice itself
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT visit_key PRIMARY KEY (practice_id, visit_id),
    CONSTRAINT visit_patient FOREIGN KEY (practice_id, patient_id) REFERENCES patient,
    CONSTRAINT visit_provider FOREIGN KEY (practice_id, provider_id) REFERENCES provider,
    CONSTRAINT visit_room FOREIGN KEY (practice_id, room_id) REFERENCES room,
    CONSTRAINT visit_visit_type FOREIGN KEY (practice_id, visit_type) REFERENCES visit_type,
    -- An empty range or a NULL passes an exclusion constraint silently; these do not let one come about.
    CONSTRAINT visit_times CHECK (
        isfinite(starts_at) AND isfinite(ends_at) AND isfinite(busy_starts_at) AND isfinite(busy_ends_at)
        AND starts_at < ends_at AND provider_starts_at < provider_ends_at
        AND starts_at <= provider_starts_at AND provider_ends_at <= ends_at
        AND busy_starts_at <= provider_starts_at AND provider_ends_at <= busy_ends_at),
    CONSTRAINT visit_room_needed CHECK (NOT needs_room OR room_id IS NOT NULL),
    CONSTRAINT visit_held_has_limit CHECK ((status = 'held') = (held_until IS NOT NULL)),
    CONSTRAINT visit_has_patient CHECK (status = 'held' OR status = 'cancelled' OR patient_id IS NOT NULL),
    CONSTRAINT visit_provider_free EXCLUDE USING gist (practice_id WITH =, provider_id WITH =,
        tstzrange(busy_starts_at, busy_ends_at) WITH &&) WHERE (status IN ('booked', 'held')),
    CONSTRAINT visit_room_free EXCLUDE USING gist (practice_id WITH =, room_id WITH =,
        tstzrange(starts_at, ends_at) WITH &&) WHERE (status IN ('booked', 'held'))
);
-- Ranges cannot use the exclusion constraints' indexes under row-level security; these B-trees serve the reads.
CREATE INDEX visit_of_provider ON visit (practice_id, provider_id, starts_at) WHERE status <> 'cancelled';
CREATE INDEX visit_of_room ON visit (practice_id, room_id, starts_at) WHERE status IN ('booked', 'held');
CREATE INDEX visit_of_patient ON visit (practice_id, patient_id, starts_at);
CREATE INDEX visit_by_start ON visit (practice_id, starts_at, visit_id);
CREATE INDEX visit_held ON visit (practice_id, held_until) WHERE status = 'held';
SELECT raise_wall('visit', 'SELECT, INSERT, UPDATE, DELETE');
GRANT USAGE ON SEQUENCE visit_id_seq TO officepro_app;
"""

LOG = """
-- The counter that makes the log gapless and in commit order: locked by the writer until its commit.
CREATE TABLE log_head (
    practice_id bigint NOT NULL CONSTRAINT log_head_key PRIMARY KEY
        CONSTRAINT log_head_practice REFERENCES practice,
    last bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
SELECT raise_wall('log_head', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT');

CREATE TABLE log (
    practice_id bigint NOT NULL,
    log_id bigint NOT NULL,
    scope text NOT NULL
        CONSTRAINT log_scope CHECK (scope IN ('Patients', 'Encounters', 'Claims', 'Payments', 'Documents')),
    event text NOT NULL CONSTRAINT log_event CHECK (event ~ '^[a-z_]{1,50}[.][a-z_]{1,50}$'),
    entity_id bigint,
    data jsonb NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT log_key PRIMARY KEY (practice_id, log_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
SELECT raise_wall('log', 'SELECT, INSERT', 'SELECT');
CREATE TABLE log_default PARTITION OF log DEFAULT;
ALTER TABLE log_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_default FORCE ROW LEVEL SECURITY;
SELECT add_partitions('log', 'month', now() - interval '1 month', 5);
"""


def upgrade() -> None:
    for part in (ROLES, WALL, GLOBAL, SET_UP, PEOPLE, VISITS, LOG):
        op.execute(part)


def downgrade() -> None:
    raise NotImplementedError("the ground is not taken away; restore a backup instead")
