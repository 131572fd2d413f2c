"""Daily figures of all keys together, as practice, partner and key -1: the dashboard's first view reads a few rows per
day, for any number of keys."""

from alembic import op

revision = "0010"
down_revision = "0009"

EVERYBODY = """
INSERT INTO request_day
    SELECT day, -1, -1, -1, method, endpoint, sum(calls), sum(caller_errors), sum(own_errors),
           sum(duration_microseconds) FROM request_day GROUP BY day, method, endpoint;
INSERT INTO request_day_duration
    SELECT day, -1, -1, -1, bucket, sum(calls) FROM request_day_duration GROUP BY day, bucket;
"""


def upgrade() -> None:
    op.execute(EVERYBODY)


def downgrade() -> None:
    op.execute(
        "DELETE FROM request_day WHERE practice_id = -1; DELETE FROM request_day_duration WHERE practice_id = -1"
    )
