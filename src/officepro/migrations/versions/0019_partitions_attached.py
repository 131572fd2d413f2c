"""Partitions are attached without holding up writers, default partitions are emptied, and nothing below its retention
floor is dropped; results of maintenance jobs are counted.

Every partitioned table has a default partition, so DETACH CONCURRENTLY is not possible (PostgreSQL: "cannot detach
partitions concurrently when a default partition exists"). Instead each lock has a timeout of 100 ms.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

TABLES = """
CREATE TABLE maintenance_job (
    job text CONSTRAINT maintenance_job_key PRIMARY KEY,
    succeeded bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,  -- the database's clock was not steady
    last_success_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON maintenance_job TO officepro_system;

-- One row: when a worker has last read the database's clock, and since when every reading followed the one before it.
CREATE TABLE maintenance_clock (
    is_only_row boolean NOT NULL DEFAULT true CONSTRAINT maintenance_clock_key PRIMARY KEY
        CONSTRAINT maintenance_clock_one_row CHECK (is_only_row),
    seen_at timestamptz NOT NULL DEFAULT now(),
    steady_since timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO maintenance_clock DEFAULT VALUES;
GRANT SELECT, UPDATE ON maintenance_clock TO officepro_system;
GRANT DELETE ON request_day, request_day_duration TO officepro_system;
"""

FUNCTIONS = """
-- The column that a table is partitioned by; NULL for a table that is not partitioned by time.
CREATE FUNCTION partition_key(parent text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE parent WHEN 'log' THEN 'occurred_at' WHEN 'webhook_delivery' THEN 'created_at'
                       WHEN 'request_log' THEN 'happened_at' WHEN 'disclosure' THEN 'happened_at' END
$$;

-- The least time for which rows are kept, whatever the settings say and whoever calls.
CREATE FUNCTION retention_floor(parent text) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE parent WHEN 'log' THEN interval '365 days' WHEN 'disclosure' THEN interval '6 years'
                       WHEN 'webhook_delivery' THEN interval '30 days' WHEN 'request_log' THEN interval '30 days' END
$$;

-- Add the partition that begins at `starts`, with its rows from the default partition; false where it is there already.
-- The table is created by itself and then attached, during which others read and write the parent; its CHECK spares the
-- attachment a scan. On a distributed database the partition is created in place, which Citus distributes.
CREATE FUNCTION add_partition(parent text, unit text, starts timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp SET TimeZone = 'UTC' SET lock_timeout = '100ms' AS $$
DECLARE
    ends timestamptz := starts + ('1 ' || unit)::interval;
    partition text := parent || to_char(starts, CASE unit WHEN 'day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END);
    default_partition text := parent || '_default';
    span text := format('%1$I >= %2$L AND %1$I < %3$L', partition_key(parent), starts, ends);
    bounds text := format('FOR VALUES FROM (%L) TO (%L)', starts, ends);
    is_distributed boolean := false;
    moving text;
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrel = parent::regclass)
        INTO is_distributed;
    END IF;
    IF is_distributed THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I %s', partition, parent, bounds);
    ELSE
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%s)', partition, partition || '_span', span);
        IF to_regclass(default_partition) IS NOT NULL THEN
            moving := format('WITH moved AS (DELETE FROM %I WHERE %s RETURNING *) INSERT INTO %I SELECT * FROM moved',
                             default_partition, span, partition);
            EXECUTE moving;  -- most of them, while others go on writing
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', default_partition);
            EXECUTE moving;  -- those that came meanwhile
        END IF;
    END IF;
    IF (SELECT relforcerowsecurity FROM pg_class WHERE oid = parent::regclass) THEN
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    END IF;
    IF NOT is_distributed THEN
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I %s', parent, partition, bounds);
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', partition, partition || '_span');
    END IF;
    RETURN true;
END $$;

-- Add a table's missing partitions from the given moment on; how many were added (0 while another session does so).
-- SECURITY DEFINER because only the owner may add a partition; the list of tables is closed.
CREATE OR REPLACE FUNCTION add_partitions(parent text, unit text, first timestamptz, how_many integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET TimeZone = 'UTC' SET lock_timeout = '100ms'
AS $$
DECLARE
    starts timestamptz := date_trunc(unit, first);
    made integer := 0;
BEGIN
    IF partition_key(parent) IS NULL OR unit NOT IN ('day', 'month') OR NOT how_many BETWEEN 1 AND 62 THEN
        RAISE EXCEPTION 'not a partitioned table, or not 1 to 62 partitions: % by %, %', parent, unit, how_many;
    END IF;
    IF NOT first BETWEEN now() - interval '20 years' AND now() + interval '1 year' THEN
        RAISE EXCEPTION 'clock_out_of_range: no partition of % is added for %, while the database''s clock says %',
            parent, first, now() USING ERRCODE = 'OP001';
    END IF;
    IF pg_try_advisory_xact_lock('add_partitions'::regproc::oid::integer, parent::regclass::oid::integer) THEN
        FOR i IN 1..how_many LOOP
            made := made + add_partition(parent, unit, starts)::integer;
            starts := starts + ('1 ' || unit)::interval;
        END LOOP;
    END IF;
    RETURN made;
END $$;

-- Move rows of the default partition into partitions of their own, of at most 31 days or months; how many were added.
CREATE FUNCTION empty_default_partition(parent text, unit text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET TimeZone = 'UTC' SET lock_timeout = '100ms'
AS $$
DECLARE
    starts timestamptz;
    found timestamptz[];
    made integer := 0;
BEGIN
    IF partition_key(parent) IS NULL OR unit NOT IN ('day', 'month') THEN
        RAISE EXCEPTION 'not a partitioned table: % by %', parent, unit;
    END IF;
    IF pg_try_advisory_xact_lock('add_partitions'::regproc::oid::integer, parent::regclass::oid::integer) THEN
        EXECUTE format('SELECT ARRAY(SELECT DISTINCT date_trunc(%L, %I) FROM %I ORDER BY 1 LIMIT 31)',
                       unit, partition_key(parent), parent || '_default') INTO found;
        FOREACH starts IN ARRAY found LOOP
            made := made + add_partition(parent, unit, starts)::integer;
        END LOOP;
    END IF;
    RETURN made;
END $$;

-- Drop the partitions that end at or before the given moment; how many were dropped.
CREATE OR REPLACE FUNCTION drop_partitions(parent text, before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET TimeZone = 'UTC' SET lock_timeout = '100ms'
AS $$
DECLARE
    partition record;
    dropped integer := 0;
BEGIN
    IF partition_key(parent) IS NULL THEN
        RAISE EXCEPTION 'not a partitioned table: %', parent;
    END IF;
    IF before > now() - retention_floor(parent) THEN
        RAISE EXCEPTION 'below_retention_floor: rows of % are kept for at least %, and are not dropped up to %',
            parent, retention_floor(parent), before USING ERRCODE = 'OP002';
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
REVOKE ALL ON FUNCTION partition_key, retention_floor, add_partition, empty_default_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION empty_default_partition TO officepro_system;
"""

DEFAULTS = """
-- The owner, as whom the functions work, is held by the forced policies too.
CREATE POLICY moved_by_function ON log_default TO CURRENT_USER USING (true);
CREATE TABLE webhook_delivery_default PARTITION OF webhook_delivery DEFAULT;
ALTER TABLE webhook_delivery_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery_default FORCE ROW LEVEL SECURITY;
CREATE POLICY moved_by_function ON webhook_delivery_default TO CURRENT_USER USING (true);
"""


def upgrade() -> None:
    for part in (TABLES, FUNCTIONS, DEFAULTS):
        op.execute(part)


def downgrade() -> None:
    raise NotImplementedError("rows of the default partition would be lost; restore a backup instead")
