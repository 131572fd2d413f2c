"""Changes for distributed databases: new tables are distributed when they are created, and a function computes the hash
chain of disclosures, because Citus supports no recursive statement that writes."""

from alembic import op

revision = "0008"
down_revision = "0007"

SPREAD = """
-- For revisions: after a new table's wall is raised, and before foreign keys tie it to others. Does nothing where the
-- database is not distributed.
CREATE FUNCTION spread_table(new_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrel = 'practice_setup'::regclass) THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_policy WHERE polrelid = new_table AND polname = 'own_practice') THEN
        PERFORM create_distributed_table(new_table, 'practice_id', colocate_with => 'practice_setup');
    ELSE
        PERFORM create_reference_table(new_table);
    END IF;
END $$;
REVOKE ALL ON FUNCTION spread_table FROM PUBLIC;
"""

DISCLOSURES = """
-- Appends one row for each answer, and answers the last one's number. A row's hash covers what stands here, one to a
-- line, and the hash of the row before it; `link` in disclosure_queries.py is the same in Python.
CREATE FUNCTION append_disclosures(
    practice bigint, keys bigint[], partners bigint[], methods text[], endpoints text[], requests text[],
    patients text[]
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
    at := clock_timestamp();  -- read once it is our turn, so that times run as the numbers do
    FOR i IN 1..cardinality(keys) LOOP
        newest := newest + 1;
        hash := sha256(hash || convert_to(concat_ws(
            E'\\n', practice, newest, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), keys[i],
            partners[i], methods[i], endpoints[i], requests[i], array_to_string(patients[i]::bigint[], ',')), 'UTF8'));
        INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint, request_id,
                                patient_ids, sha256)
        VALUES (practice, newest, at, keys[i], partners[i], methods[i], endpoints[i], requests[i],
                patients[i]::bigint[], hash);
    END LOOP;
    UPDATE disclosure_head SET last = newest, last_sha256 = hash WHERE practice_id = practice;
    RETURN newest;
END $$;
REVOKE ALL ON FUNCTION append_disclosures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_disclosures TO officepro_app;
"""


def upgrade() -> None:
    for part in (SPREAD, DISCLOSURES):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP FUNCTION append_disclosures; DROP FUNCTION spread_table")
