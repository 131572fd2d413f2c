"""Placement of tables in a distributed database (Citus), shared by `database.py` and the migrations.

tenant      tenant tables: distributed by practice_id, all in one colocation group
reference   global, and joined with or referenced by tenants' rows: a copy on every node
local       global, and written with every request or only by the worker: on the coordinator only
"""

DISTRIBUTION_COLUMN = "practice_id"
LOCAL_TABLES = frozenset(
    {
        "alembic_version",
        "maintenance_clock",
        "maintenance_job",
        "request_log",
        "request_log_unsummed",
        "request_day",
        "request_day_duration",
    }
)

# Table of the foreign keys that `officepro distribute` has dropped and not restored yet; while it exists, the
# distribution is unfinished.
UNFINISHED = "foreign_key_taken_off"

HAS_CITUS = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"
IS_UNFINISHED = f"SELECT to_regclass('public.{UNFINISHED}') IS NOT NULL"

_TABLES = """
    SELECT c.relname::text AS name, {distribution},
           EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'own_practice') AS is_tenant
    FROM pg_class c {join}
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> '{unfinished}'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
    ORDER BY c.relname
"""

# Every table of officepro except partitions, which follow their parents. `spread` is 'tenant' or 'reference', or NULL
# for one that is on the coordinator only.
TABLES = _TABLES.format(
    distribution="""CASE WHEN d.partmethod = 'h' THEN 'tenant'
                         WHEN d.partmethod = 'n' AND d.repmodel = 't' THEN 'reference' END AS spread,
           d.colocationid AS colocation""",
    join="LEFT JOIN pg_catalog.pg_dist_partition d ON d.logicalrel = c.oid",
    unfinished=UNFINISHED,
)
TABLES_WITHOUT_CITUS = _TABLES.format(
    distribution="NULL::text AS spread, NULL::integer AS colocation", join="", unfinished=UNFINISHED
)


def wanted(name: str, *, is_tenant: bool) -> str | None:
    """Return the required placement of a table, as in `spread`."""
    if is_tenant:
        return "tenant"
    return None if name in LOCAL_TABLES else "reference"
