"""A stand-in for Citus: the catalogue and the functions that `officepro distribute` uses, which keep a record of what
they are asked for and refuse what Citus refuses. It spreads nothing; what is asked of it is what counts here.

What it refuses was read in Citus' own create_distributed_table.c, foreign_constraint.c and policy.c.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

INSTALL = """
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (
    logicalrel regclass PRIMARY KEY, partmethod "char" NOT NULL, colocationid integer NOT NULL, repmodel "char" NOT NULL
);
CREATE TABLE pg_catalog.pg_dist_node (groupid integer, nodename text);
INSERT INTO pg_catalog.pg_dist_node VALUES (0, 'coordinator'), (1, 'worker-1'), (2, 'worker-2');
GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_node TO PUBLIC;
CREATE SEQUENCE pg_catalog.stand_in_colocation;
CREATE TABLE pg_catalog.stand_in_calls (number bigserial, call text);

CREATE FUNCTION pg_catalog.stand_in_refuses(tab regclass, distributed_by text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found record;
    has_rows boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrel = tab) THEN
        RAISE EXCEPTION 'table "%" is already distributed', tab;
    END IF;
    IF (SELECT relispartition FROM pg_class WHERE oid = tab) THEN
        RAISE EXCEPTION 'cannot distribute relation "%" which is partition', tab;
    END IF;
    IF distributed_by IS NULL AND (SELECT relkind FROM pg_class WHERE oid = tab) = 'p' THEN
        RAISE EXCEPTION 'distributing partitioned tables in only supported for hash-distributed tables';
    END IF;
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tab AND NOT tgisinternal) THEN
        RAISE EXCEPTION 'cannot distribute relation "%" because it has triggers', tab;
    END IF;
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = tab AND attidentity <> '') THEN
        RAISE EXCEPTION 'cannot distribute relation "%": it has identity columns', tab;
    END IF;
    FOR found IN
        SELECT conname, conrelid, confrelid FROM pg_constraint
        WHERE contype = 'f' AND conparentid = 0 AND (conrelid = tab OR confrelid = tab)
    LOOP
        RAISE EXCEPTION 'cannot create foreign key constraint %: a side of it is not distributed', found.conname;
    END LOOP;
    FOR found IN
        SELECT i.indexrelid::regclass AS name FROM pg_index i
        WHERE i.indrelid = tab AND (i.indisunique OR i.indisexclusion) AND distributed_by IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = tab AND a.attname = distributed_by
            AND a.attnum = ANY (i.indkey::int2[]))
    LOOP
        RAISE EXCEPTION 'cannot create constraint %: it does not include the distribution column', found.name;
    END LOOP;
    FOR found IN
        SELECT polname FROM pg_policy WHERE polrelid = tab
        AND (pg_get_expr(polqual, polrelid) ~* 'select' OR pg_get_expr(polwithcheck, polrelid) ~* 'select')
    LOOP
        RAISE EXCEPTION 'cannot create policy %: Subqueries are not supported in policies', found.polname;
    END LOOP;
    EXECUTE format('SELECT true FROM %s LIMIT 1', tab) INTO has_rows;
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE has_rows AND c.relforcerowsecurity
          AND (c.oid = tab OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = tab))
    LOOP  -- only for an owner who is no superuser, but ours may be one
        RAISE EXCEPTION 'COPY FROM not supported with row-level security: %', found.name;
    END LOOP;
END $$;

CREATE FUNCTION pg_catalog.create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stand_in_refuses(table_name, NULL);
    INSERT INTO pg_dist_partition VALUES (table_name, 'n', 1, 't');
    INSERT INTO stand_in_calls (call) VALUES ('reference ' || table_name);
END $$;

CREATE FUNCTION pg_catalog.create_distributed_table(
    table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
    colocate_with text DEFAULT 'default', shard_count integer DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    colocation integer;
BEGIN
    PERFORM stand_in_refuses(table_name, distribution_column);
    IF colocate_with = 'none' THEN
        colocation := nextval('stand_in_colocation') + 1;
    ELSE
        SELECT colocationid INTO STRICT colocation FROM pg_dist_partition
        WHERE logicalrel = colocate_with::regclass AND partmethod = 'h';
    END IF;
    INSERT INTO pg_dist_partition SELECT table_name, 'h', colocation, 's'
    UNION ALL SELECT inhrelid, 'h', colocation, 's' FROM pg_inherits WHERE inhparent = table_name;
    INSERT INTO stand_in_calls (call) VALUES ('distributed ' || table_name);
END $$;

CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(function_table_name regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrel = function_table_name) THEN
        RAISE EXCEPTION 'supplied parameter is not a distributed relation';
    END IF;
    INSERT INTO stand_in_calls (call) VALUES ('truncated ' || function_table_name);
END $$;

CREATE FUNCTION pg_catalog.stand_in_looks_at_foreign_keys() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT f.conname, own.partmethod AS own, other.partmethod AS other,
               own.colocationid = other.colocationid AS near,
               array_position(f.conkey, (SELECT attnum FROM pg_attribute
                                         WHERE attrelid = f.conrelid AND attname = 'practice_id'))
               = array_position(f.confkey, (SELECT attnum FROM pg_attribute
                                            WHERE attrelid = f.confrelid AND attname = 'practice_id')) AS by_practice
        FROM pg_constraint f
        LEFT JOIN pg_dist_partition own ON own.logicalrel = f.conrelid
        LEFT JOIN pg_dist_partition other ON other.logicalrel = f.confrelid
        WHERE f.contype = 'f' AND f.conparentid = 0 AND (own.partmethod IS NOT NULL OR other.partmethod IS NOT NULL)
    LOOP
        IF found.own IS NULL OR found.other IS NULL THEN
            RAISE EXCEPTION 'cannot create foreign key constraint %: a side of it is not distributed', found.conname;
        ELSIF found.own = 'n' AND found.other = 'h' THEN
            RAISE EXCEPTION '%: from a reference table to a distributed one', found.conname;
        ELSIF found.own = 'h' AND found.other = 'h' AND NOT (found.near AND coalesce(found.by_practice, false)) THEN
            RAISE EXCEPTION '%: relations are not colocated or not by the distribution column', found.conname;
        END IF;
    END LOOP;
END $$;
CREATE EVENT TRIGGER stand_in_foreign_keys ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE')
    EXECUTE FUNCTION pg_catalog.stand_in_looks_at_foreign_keys();
RESET allow_system_table_mods;
"""

REMOVE = """
SET allow_system_table_mods = on;
DROP EVENT TRIGGER stand_in_foreign_keys;
DROP FUNCTION pg_catalog.stand_in_looks_at_foreign_keys, pg_catalog.truncate_local_data_after_distributing_table,
    pg_catalog.create_distributed_table, pg_catalog.create_reference_table, pg_catalog.stand_in_refuses;
DROP TABLE pg_catalog.stand_in_calls, pg_catalog.pg_dist_node, pg_catalog.pg_dist_partition;
DROP SEQUENCE pg_catalog.stand_in_colocation;
RESET allow_system_table_mods;
"""

# As if everything were where it belongs.
PRETEND = """
INSERT INTO pg_dist_partition
SELECT c.oid, CASE WHEN p.polname IS NULL THEN 'n' ELSE 'h' END, CASE WHEN p.polname IS NULL THEN 1 ELSE 2 END,
       CASE WHEN p.polname IS NULL THEN 't' ELSE 's' END
FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'own_practice'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname NOT IN ('alembic_version', 'maintenance_clock', 'maintenance_job', 'request_log',
                        'request_log_unsummed', 'request_day', 'request_day_duration')
"""


@asynccontextmanager
async def stand_in(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """In this database, which is not distributed yet."""
    await owner.execute(INSTALL)
    try:
        yield
    finally:
        await owner.execute(REMOVE)


@asynccontextmanager
async def looking_distributed(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """With everything where it belongs."""
    async with stand_in(owner):
        await owner.execute(PRETEND)
        yield
