"""The disclosures of several practices hand over each recipient as one text, as it is hashed: company, name of the key,
network address, purpose and kinds, one to a line. Five arrays fewer, which cost a search 5 % of its time.

The function with an array for each of them stays for the version before.
"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute(r"""
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
""")


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION append_disclosures_together(
            bigint[], bigint[], bigint[], text[], text[], text[], text[], text[])
    """)
