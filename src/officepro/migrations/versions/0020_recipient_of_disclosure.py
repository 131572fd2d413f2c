"""A disclosure names its recipient as of the disclosure: company, key name, network address, the key's purpose, and the
kinds of fields that were disclosed, all of them under the row's hash. (docs/decisions/0019)

Rows without these columns were written before this revision, or by the version before it, and keep the hash
that they have; the chain continues across both.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

COLUMNS = """
ALTER TABLE api_key ADD COLUMN purpose text NOT NULL DEFAULT 'other';
ALTER TABLE api_key ADD CONSTRAINT api_key_purpose
    CHECK (purpose IN ('treatment', 'payment', 'operations', 'other')) NOT VALID;
ALTER TABLE disclosure ADD COLUMN IF NOT EXISTS company text;
ALTER TABLE disclosure ADD COLUMN IF NOT EXISTS key_name text;
ALTER TABLE disclosure ADD COLUMN IF NOT EXISTS address text;
ALTER TABLE disclosure ADD COLUMN IF NOT EXISTS purpose text;
ALTER TABLE disclosure ADD COLUMN IF NOT EXISTS kinds text;  -- separated by commas: see officepro/activity/kinds.py
-- As disclosure_lines: the hash is taken of the columns one to a line. The five are all there, or none is.
ALTER TABLE disclosure ADD CONSTRAINT disclosure_recipient CHECK (
    num_nulls(company, key_name, address, purpose, kinds) IN (0, 5)
    AND position(E'\\n' IN coalesce(company || key_name || address || purpose || kinds, '')) = 0) NOT VALID;
"""

DISCLOSURES = """
-- The only SQL definition of a row's hash; `link` in disclosure_queries.py is the same in Python, for verification.
CREATE FUNCTION disclosure_sha256(
    before bytea, practice bigint, number bigint, at timestamptz, key bigint, partner bigint, method text,
    endpoint text, request text, patients bigint[], company text, key_name text, address text, purpose text, kinds text
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(before || convert_to(concat_ws(
        E'\\n', practice, number, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), key, partner, method,
        endpoint, request, array_to_string(patients, ','), company, key_name, address, purpose, kinds), 'UTF8'))
$$;
REVOKE ALL ON FUNCTION disclosure_sha256 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION disclosure_sha256 TO officepro_app;

-- Appends one row for each answer and returns the last one's number, like the function of this name without the
-- recipient, which the version before still calls.
CREATE FUNCTION append_disclosures(
    practice bigint, keys bigint[], partners bigint[], methods text[], endpoints text[], requests text[],
    companies text[], key_names text[], addresses text[], purposes text[], kinds text[], patients text[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
    hash bytea;
    at timestamptz;
BEGIN
    SELECT last, last_sha256 INTO newest, hash FROM disclosure_head WHERE practice_id = practice FOR UPDATE;
    IF newest IS NULL THEN  -- the practice's first disclosure
        INSERT INTO disclosure_head (practice_id) VALUES (practice) ON CONFLICT DO NOTHING;
        SELECT last, last_sha256 INTO newest, hash FROM disclosure_head WHERE practice_id = practice FOR UPDATE;
    END IF;
    at := clock_timestamp();  -- read under the head's lock, so that times ascend as the numbers do
    FOR i IN 1..cardinality(keys) LOOP
        newest := newest + 1;
        hash := disclosure_sha256(
            hash, practice, newest, at, keys[i], partners[i], methods[i], endpoints[i], requests[i],
            patients[i]::bigint[], companies[i], key_names[i], addresses[i], purposes[i], kinds[i]);
        INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                                patient_ids, company, key_name, address, purpose, kinds, sha256)
        VALUES (practice, newest, at, keys[i], partners[i], methods[i], endpoints[i], requests[i],
                patients[i]::bigint[], companies[i], key_names[i], addresses[i], purposes[i], kinds[i], hash);
    END LOOP;
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = practice;
    RETURN newest;
END $$;

-- Appends one row for each answer, of several practices, and returns how many. They come in ascending order of
-- practices, which prevents deadlocks, and row-level security holds each row to its practice. Times and hashes are made
-- practice by practice, under its head's lock; the rows are written at the end, since what an INSERT has to find out
-- about its table costs more than a row.
CREATE FUNCTION append_disclosures_together(
    practices bigint[], keys bigint[], partners bigint[], methods text[], endpoints text[], requests text[],
    companies text[], key_names text[], addresses text[], purposes text[], kinds text[], patients text[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    bound_to bigint;
    newest bigint;
    hash bytea;
    at timestamptz;
    numbers bigint[];
    moments timestamptz[];
    hashes bytea[];
BEGIN
    FOR i IN 1..cardinality(practices) LOOP
        IF bound_to IS DISTINCT FROM practices[i] THEN
            IF bound_to IS NOT NULL THEN
                UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = bound_to;
            END IF;
            bound_to := practices[i];
            PERFORM set_config('app.practice', bound_to::text, true);
            SELECT last, last_sha256 INTO newest, hash FROM disclosure_head WHERE practice_id = bound_to FOR UPDATE;
            IF newest IS NULL THEN  -- the practice's first disclosure
                INSERT INTO disclosure_head (practice_id) VALUES (bound_to) ON CONFLICT DO NOTHING;
                SELECT last, last_sha256 INTO newest, hash FROM disclosure_head WHERE practice_id = bound_to FOR UPDATE;
            END IF;
            at := clock_timestamp();  -- read under the head's lock, so that times ascend as the numbers do
        END IF;
        newest := newest + 1;
        hash := disclosure_sha256(
            hash, bound_to, newest, at, keys[i], partners[i], methods[i], endpoints[i], requests[i],
            patients[i]::bigint[], companies[i], key_names[i], addresses[i], purposes[i], kinds[i]);
        numbers[i] := newest;
        moments[i] := at;
        hashes[i] := hash;
    END LOOP;
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = bound_to;
    INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                            patient_ids, company, key_name, address, purpose, kinds, sha256)
    SELECT this.practice_id, row.number, row.happened_at, row.api_key_id, row.partner_id, row.method, row.endpoint,
           row.request_id, row.patient_ids::bigint[], row.company, row.key_name, row.address, row.purpose, row.kinds,
           row.sha256
    FROM unnest(practices, numbers, moments, keys, partners, methods, endpoints, requests, patients, companies,
                key_names, addresses, purposes, kinds, hashes)
             AS row (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                     patient_ids, company, key_name, address, purpose, kinds, sha256),
         LATERAL (SELECT set_config('app.practice', row.practice_id::text, true)::bigint AS practice_id) AS this;
    RETURN cardinality(practices);
END $$;
REVOKE ALL ON FUNCTION
    append_disclosures(
        bigint, bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[]),
    append_disclosures_together(
        bigint[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    append_disclosures(
        bigint, bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[]),
    append_disclosures_together(
        bigint[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[])
    TO officepro_app;
"""

BOOKINGS = """
-- book_visits, with a disclosure that names the recipient and the kinds of fields.
CREATE FUNCTION book_disclosed_visits(bookings json) RETURNS TABLE (visit_id bigint, room_id bigint, refused_by text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    several constant boolean := json_array_length(bookings) > 1;
    wanted record;
    bound_to bigint;
    number bigint;
BEGIN
    IF several THEN
        PERFORM set_config('lock_timeout', '50ms', true);
    END IF;
    FOR wanted IN
        SELECT * FROM json_to_recordset(bookings) AS one (
            practice_id bigint, api_key_id bigint, patient_id bigint, provider_id bigint, rooms bigint[],
            visit_type text, starts_at timestamptz, ends_at timestamptz, provider_starts_at timestamptz,
            provider_ends_at timestamptz, busy_starts_at timestamptz, busy_ends_at timestamptz, complaint text,
            notes text, partner_id bigint, method text, endpoint text, request_id text, company text, key_name text,
            address text, purpose text, kinds text)
    LOOP
        IF bound_to IS DISTINCT FROM wanted.practice_id THEN
            bound_to := wanted.practice_id;
            PERFORM set_config('app.practice', bound_to::text, true);
        END IF;
        refused_by := NULL;
        BEGIN
            -- The counter is locked from here on, and what other transactions have committed is visible.
            UPDATE log_head SET last = last + 1 WHERE practice_id = wanted.practice_id
                RETURNING last INTO STRICT number;
            -- Visits in a room never overlap: of those that begin before this one ends, the last one ends last.
            SELECT room INTO book_disclosed_visits.room_id
            FROM unnest(wanted.rooms) WITH ORDINALITY AS one (room, place)
            WHERE coalesce((
                SELECT ends_at FROM visit
                WHERE practice_id = wanted.practice_id AND room_id = room AND starts_at < wanted.ends_at
                AND status IN ('booked', 'held') ORDER BY starts_at DESC LIMIT 1) <= wanted.starts_at, true)
            ORDER BY place LIMIT 1;
            IF NOT FOUND THEN  -- the constraint refuses it
                book_disclosed_visits.room_id := wanted.rooms[1];
            END IF;
            WITH made AS (
                INSERT INTO visit (practice_id, api_key_id, patient_id, provider_id, room_id, needs_room, visit_type,
                                   status, starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at,
                                   busy_ends_at, complaint, notes)
                VALUES (wanted.practice_id, wanted.api_key_id, wanted.patient_id, wanted.provider_id,
                        book_disclosed_visits.room_id, wanted.rooms IS NOT NULL, wanted.visit_type, 'booked',
                        wanted.starts_at, wanted.ends_at, wanted.provider_starts_at, wanted.provider_ends_at,
                        wanted.busy_starts_at, wanted.busy_ends_at, wanted.complaint, wanted.notes)
                RETURNING visit_id
            ),
            history AS (
                INSERT INTO visit_history (practice_id, visit_id, from_status, to_status, from_starts_at, to_starts_at,
                                           api_key_id, reason)
                SELECT wanted.practice_id, made.visit_id, NULL, 'booked', NULL, wanted.starts_at, wanted.api_key_id,
                       NULL FROM made
            ),
            logged AS (
                INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
                SELECT wanted.practice_id, number, 'Encounters', 'visit.booked', made.visit_id, jsonb_build_object(
                    'VisitID', made.visit_id, 'PatientID', wanted.patient_id, 'ProviderID', wanted.provider_id)
                FROM made
            )
            SELECT made.visit_id INTO STRICT book_disclosed_visits.visit_id FROM made;
            PERFORM append_disclosures(
                wanted.practice_id, ARRAY[wanted.api_key_id], ARRAY[wanted.partner_id], ARRAY[wanted.method],
                ARRAY[wanted.endpoint], ARRAY[wanted.request_id], ARRAY[wanted.company], ARRAY[wanted.key_name],
                ARRAY[wanted.address], ARRAY[wanted.purpose], ARRAY[wanted.kinds],
                ARRAY['{' || wanted.patient_id || '}']);
        EXCEPTION
            WHEN integrity_constraint_violation THEN
                GET STACKED DIAGNOSTICS refused_by = CONSTRAINT_NAME;
            WHEN lock_not_available THEN
                IF NOT several THEN
                    RAISE;
                END IF;
                refused_by := 'busy';
                PERFORM set_config('lock_timeout', '1ms', true);  -- the requests behind it have waited long enough
        END;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION book_disclosed_visits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book_disclosed_visits TO officepro_app;
"""

PATIENT_COLUMNS = (
    "first_name, mi, last_name, full_name, nick_name, gender, dob, life_stage, pronouns, sexual_identity, "
    "primary_language, type, phone, cell_phone, sms_phone, email, address, unit, city, state, zip, country, "
    "provider_id, prospect, sh_name, sh_address, sh_unit, sh_city, sh_state, sh_zip, sh_country, notes"
)

PATIENTS = f"""
-- create_patients, with a disclosure that names the recipient and the kinds of fields.
CREATE FUNCTION create_disclosed_patients(people json)
RETURNS TABLE (patient_id bigint, full_name text, created_at timestamptz, refused_by text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    several constant boolean := json_array_length(people) > 1;
    wanted record;
    bound_to bigint;
    number bigint;
BEGIN
    IF several THEN
        PERFORM set_config('lock_timeout', '50ms', true);
    END IF;
    FOR wanted IN
        SELECT * FROM json_to_recordset(people) AS one (
            practice_id bigint, api_key_id bigint, partner_id bigint, method text, endpoint text, request_id text,
            company text, key_name text, address text, purpose text, kinds text, tokens text[], person json)
    LOOP
        IF bound_to IS DISTINCT FROM wanted.practice_id THEN
            bound_to := wanted.practice_id;
            PERFORM set_config('app.practice', bound_to::text, true);
        END IF;
        refused_by := NULL;
        BEGIN
            UPDATE log_head SET last = last + 1 WHERE practice_id = wanted.practice_id
                RETURNING last INTO STRICT number;
            -- Read under the counter's lock: see queries.update.
            create_disclosed_patients.created_at := clock_timestamp();
            WITH created AS (
                INSERT INTO patient (practice_id, created_at, updated_at, {PATIENT_COLUMNS})
                SELECT wanted.practice_id, create_disclosed_patients.created_at, create_disclosed_patients.created_at,
                       {PATIENT_COLUMNS}
                FROM json_populate_record(NULL::patient, wanted.person)
                RETURNING patient_id, full_name, first_name, mi, last_name
            ),
            found_by AS (
                INSERT INTO patient_token (practice_id, token, patient_id)
                SELECT wanted.practice_id, token, created.patient_id FROM created, unnest(wanted.tokens) AS token
            ),
            logged AS (
                INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
                SELECT wanted.practice_id, number, 'Patients', 'patient.created', created.patient_id,
                       jsonb_build_object('PatientID', created.patient_id) FROM created
            )
            SELECT created.patient_id,
                   coalesce(created.full_name, nullif(concat_ws(' ', first_name, mi, last_name), ''))
                INTO STRICT create_disclosed_patients.patient_id, create_disclosed_patients.full_name FROM created;
            PERFORM append_disclosures(
                wanted.practice_id, ARRAY[wanted.api_key_id], ARRAY[wanted.partner_id], ARRAY[wanted.method],
                ARRAY[wanted.endpoint], ARRAY[wanted.request_id], ARRAY[wanted.company], ARRAY[wanted.key_name],
                ARRAY[wanted.address], ARRAY[wanted.purpose], ARRAY[wanted.kinds],
                ARRAY['{{' || create_disclosed_patients.patient_id || '}}']);
        EXCEPTION
            WHEN integrity_constraint_violation THEN
                GET STACKED DIAGNOSTICS refused_by = CONSTRAINT_NAME;
            WHEN lock_not_available THEN
                IF NOT several THEN
                    RAISE;
                END IF;
                refused_by := 'busy';
                PERFORM set_config('lock_timeout', '1ms', true);  -- the requests behind it have waited long enough
        END;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION create_disclosed_patients FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_disclosed_patients TO officepro_app;
"""


def upgrade() -> None:
    for part in (COLUMNS, DISCLOSURES, BOOKINGS, PATIENTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION create_disclosed_patients;
        DROP FUNCTION book_disclosed_visits;
        DROP FUNCTION append_disclosures_together(
            bigint[], bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[]);
        DROP FUNCTION append_disclosures(
        bigint, bigint[], bigint[], text[], text[], text[], text[], text[], text[], text[], text[], text[]);
        DROP FUNCTION disclosure_sha256;
        ALTER TABLE api_key DROP COLUMN purpose;
        ALTER TABLE disclosure DROP CONSTRAINT disclosure_recipient;
    """)  # the columns of disclosure stay: they are part of the hashes of existing rows
