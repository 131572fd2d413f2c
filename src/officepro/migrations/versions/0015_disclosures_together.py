"""Insert disclosures of several practices by a single INSERT, at half the cost."""

from alembic import op

revision = "0015"
down_revision = "0014"

DISCLOSURES = """
-- Appends one row for each answer, as append_disclosures does, of several practices, and answers how many. They come in
-- ascending order, so that nobody waits for somebody who waits for him, and the wall holds each row to its practice.
-- Times and hashes are made practice by practice, while its head is ours; the rows are written at the end, since what
-- an INSERT has to find out about its table costs more than a row.
CREATE FUNCTION append_disclosures_together(
    practices bigint[], keys bigint[], partners bigint[], methods text[], endpoints text[], requests text[],
    patients text[]
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
            at := clock_timestamp();  -- read once it is our turn, so that times run as the numbers do
        END IF;
        newest := newest + 1;
        hash := sha256(hash || convert_to(concat_ws(
            E'\\n', bound_to, newest, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), keys[i],
            partners[i], methods[i], endpoints[i], requests[i], array_to_string(patients[i]::bigint[], ',')), 'UTF8'));
        numbers[i] := newest;
        moments[i] := at;
        hashes[i] := hash;
    END LOOP;
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = bound_to;
    INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                            patient_ids, sha256)
    SELECT this.practice_id, row.number, row.happened_at, row.api_key_id, row.partner_id, row.method, row.endpoint,
           row.request_id, row.patient_ids::bigint[], row.sha256
    FROM unnest(practices, numbers, moments, keys, partners, methods, endpoints, requests, patients, hashes)
             AS row (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                     patient_ids, sha256),
         LATERAL (SELECT set_config('app.practice', row.practice_id::text, true)::bigint AS practice_id) AS this;
    RETURN cardinality(practices);
END $$;
REVOKE ALL ON FUNCTION append_disclosures_together FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_disclosures_together TO officepro_app;
"""


def upgrade() -> None:
    op.execute(DISCLOSURES)


def downgrade() -> None:
    op.execute("DROP FUNCTION append_disclosures_together")
