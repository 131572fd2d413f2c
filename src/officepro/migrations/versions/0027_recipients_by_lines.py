"""Pass the recipient of a disclosure to statements as one text, as it is hashed: company, name of the key, network
address, purpose and kinds, one to a line. Five columns fewer in each of their rows, which cost a search 7 % of its time
in PostgreSQL. (docs/decisions/0019)

Functions that the previous version calls stay, and `book_disclosed_visits` and `create_disclosed_patients` serve both.
"""

from alembic import op

revision = "0027"
down_revision = "0026"


DISCLOSURES = r"""
-- Appends the disclosure of one answer.
CREATE FUNCTION append_disclosure(
    practice bigint, key bigint, partner bigint, method text, endpoint text, request text, recipient text,
    patients bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
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
    newest := newest + 1;
    hash := sha256(hash || convert_to(concat_ws(
        E'\n', practice, newest, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), key, partner, method,
        endpoint, request, array_to_string(patients, ','), recipient), 'UTF8'));
    INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                            patient_ids, company, key_name, address, purpose, kinds, sha256)
    VALUES (practice, newest, at, key, partner, method, endpoint, request, patients, split_part(recipient, E'\n', 1),
            split_part(recipient, E'\n', 2), split_part(recipient, E'\n', 3), split_part(recipient, E'\n', 4),
            split_part(recipient, E'\n', 5), hash);
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = practice;
END $$;
REVOKE ALL ON FUNCTION append_disclosure FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_disclosure TO officepro_app;

-- Appends one row for each answer, of several practices, and returns how many. They come in ascending order of
-- practices, which prevents deadlocks, and row-level security holds each row to its practice. Times and hashes are made
-- practice by practice, under its head's lock; the rows are written at the end, since what an INSERT has to find out
-- about its table costs more than a row.
CREATE FUNCTION append_disclosures_together(
    practices bigint[], keys bigint[], partners bigint[], methods text[], endpoints text[], requests text[],
    recipients text[], patients text[]
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
        -- disclosure_sha256 ends with the five parts of the recipient, one to a line; here they are one text.
        hash := sha256(hash || convert_to(concat_ws(
            E'\n', bound_to, newest, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), keys[i], partners[i],
            methods[i], endpoints[i], requests[i], btrim(patients[i], '{}'), recipients[i]), 'UTF8'));
        numbers[i] := newest;
        moments[i] := at;
        hashes[i] := hash;
    END LOOP;
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = bound_to;
    INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                            patient_ids, company, key_name, address, purpose, kinds, sha256)
    SELECT this.practice_id, row.number, row.happened_at, row.api_key_id, row.partner_id, row.method, row.endpoint,
           row.request_id, row.patient_ids::bigint[], split_part(row.recipient, E'\n', 1),
           split_part(row.recipient, E'\n', 2), split_part(row.recipient, E'\n', 3),
           split_part(row.recipient, E'\n', 4), split_part(row.recipient, E'\n', 5), row.sha256
    FROM unnest(practices, numbers, moments, keys, partners, methods, endpoints, requests, patients, recipients, hashes)
             AS row (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                     patient_ids, recipient, sha256),
         LATERAL (SELECT set_config('app.practice', row.practice_id::text, true)::bigint AS practice_id) AS this;
    RETURN cardinality(practices);
END $$;
REVOKE ALL ON FUNCTION
    append_disclosures_together(bigint[], bigint[], bigint[], text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    append_disclosures_together(bigint[], bigint[], bigint[], text[], text[], text[], text[], text[]) TO officepro_app;
"""

BOOKINGS = r"""
-- book_visits, with a disclosure that names the recipient and the kinds of fields.
CREATE OR REPLACE FUNCTION book_disclosed_visits(bookings json)
RETURNS TABLE (visit_id bigint, room_id bigint, refused_by text) LANGUAGE plpgsql AS $$
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
            notes text, partner_id bigint, method text, endpoint text, request_id text, recipient text,
            company text, key_name text, address text, purpose text, kinds text)
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
            PERFORM append_disclosure(
                wanted.practice_id, wanted.api_key_id, wanted.partner_id, wanted.method, wanted.endpoint,
                wanted.request_id, coalesce(wanted.recipient, concat_ws(E'\n', wanted.company, wanted.key_name,
                wanted.address, wanted.purpose, wanted.kinds)), ARRAY[wanted.patient_id]);
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
"""

PATIENT_COLUMNS = (
    "first_name, mi, last_name, full_name, nick_name, gender, dob, life_stage, pronouns, sexual_identity, "
    "primary_language, type, phone, cell_phone, sms_phone, email, address, unit, city, state, zip, country, "
    "provider_id, prospect, sh_name, sh_address, sh_unit, sh_city, sh_state, sh_zip, sh_country, notes"
)

PATIENTS = rf"""
-- create_patients, with a disclosure that names the recipient and the kinds of fields.
CREATE OR REPLACE FUNCTION create_disclosed_patients(people json)
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
            recipient text, company text,
            key_name text, address text, purpose text, kinds text, tokens text[], person json)
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
            PERFORM append_disclosure(
                wanted.practice_id, wanted.api_key_id, wanted.partner_id, wanted.method, wanted.endpoint,
                wanted.request_id, coalesce(wanted.recipient, concat_ws(E'\n', wanted.company, wanted.key_name,
                wanted.address, wanted.purpose, wanted.kinds)), ARRAY[create_disclosed_patients.patient_id]);
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
"""


def upgrade() -> None:
    for part in (DISCLOSURES, BOOKINGS, PATIENTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION append_disclosures_together(
            bigint[], bigint[], bigint[], text[], text[], text[], text[], text[])
    """)  # the other functions stay, since they serve both versions
