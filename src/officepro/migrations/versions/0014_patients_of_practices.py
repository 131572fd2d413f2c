"""Create patients of several practices in one statement, and so in one commit, each with its disclosure."""

from alembic import op

revision = "0014"
down_revision = "0013"

COLUMNS = (
    "first_name, mi, last_name, full_name, nick_name, gender, dob, life_stage, pronouns, sexual_identity, "
    "primary_language, type, phone, cell_phone, sms_phone, email, address, unit, city, state, zip, country, "
    "provider_id, prospect, sh_name, sh_address, sh_unit, sh_city, sh_state, sh_zip, sh_country, notes"
)

PATIENTS = f"""
-- Creates one person after the other, each as the statement of prospects/queries.py would, and puts on record that it
-- was told. `people` is a list of objects: whose practice, who asks and where, what the person is found by, and in
-- `person` the columns by their names. The wall holds each to its practice. They come in ascending order of practices,
-- so that nobody waits for somebody who waits for him. One that meets a constraint is left out, and so is, of several,
-- one whose practice is at work for long: then `refused_by` is the constraint's name or `busy`, and nothing stays.
CREATE FUNCTION create_patients(people json)
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
            tokens text[], person json)
    LOOP
        IF bound_to IS DISTINCT FROM wanted.practice_id THEN
            bound_to := wanted.practice_id;
            PERFORM set_config('app.practice', bound_to::text, true);
        END IF;
        refused_by := NULL;
        BEGIN
            UPDATE log_head SET last = last + 1 WHERE practice_id = wanted.practice_id
                RETURNING last INTO STRICT number;
            create_patients.created_at := clock_timestamp();  -- read when the counter is ours: see queries.update
            WITH created AS (
                INSERT INTO patient (practice_id, created_at, updated_at, {COLUMNS})
                SELECT wanted.practice_id, create_patients.created_at, create_patients.created_at, {COLUMNS}
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
                INTO STRICT create_patients.patient_id, create_patients.full_name FROM created;
            PERFORM append_disclosures(
                wanted.practice_id, ARRAY[wanted.api_key_id], ARRAY[wanted.partner_id], ARRAY[wanted.method],
                ARRAY[wanted.endpoint], ARRAY[wanted.request_id], ARRAY['{{' || create_patients.patient_id || '}}']);
        EXCEPTION
            WHEN integrity_constraint_violation THEN
                GET STACKED DIAGNOSTICS refused_by = CONSTRAINT_NAME;
            WHEN lock_not_available THEN
                IF NOT several THEN
                    RAISE;
                END IF;
                refused_by := 'busy';
                PERFORM set_config('lock_timeout', '1ms', true);  -- those behind it have waited enough
        END;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION create_patients FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_patients TO officepro_app;
"""


def upgrade() -> None:
    op.execute(PATIENTS)


def downgrade() -> None:
    op.execute("DROP FUNCTION create_patients")
