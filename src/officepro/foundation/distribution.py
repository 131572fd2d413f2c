"""What is where on a distributed database (Citus): the words that `database.py` and the migrations share.

tenant      behind a practice's wall: distributed by practice_id, all in one colocation group
reference   global, and joined with tenants' rows or referred to by them: a copy on every node
local       global, and written with every request or by the worker alone: on the coordinator alone
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

# Holds the foreign keys that `officepro distribute` has taken off and not put back yet; while it is there, the work is
# half done.
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

# Every table of ours but the partitions, which go with their parents. `spread` is 'tenant' or 'reference', or NULL for
# one that is on the coordinator alone.
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
    """Where a table belongs, as `spread` tells it."""
    if is_tenant:
        return "tenant"
    return None if name in LOCAL_TABLES else "reference"
