"""The request log is written without its daily figures, which are aggregated from its rows once a second."""

from alembic import op

revision = "0017"
down_revision = "0016"

UNSUMMED = """
-- Which rows of the request log are not in the daily figures yet: one row here for each statement that wrote some, in
-- the same transaction; whoever sums them takes it out in the transaction that adds to the figures.
CREATE SEQUENCE request_log_unsummed_id_seq;
CREATE TABLE request_log_unsummed (
    request_log_unsummed_id bigint NOT NULL DEFAULT nextval('request_log_unsummed_id_seq'),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    request_log_ids bigint[] NOT NULL,
    CONSTRAINT request_log_unsummed_key PRIMARY KEY (request_log_unsummed_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON request_log_unsummed TO officepro_system;
GRANT USAGE ON SEQUENCE request_log_unsummed_id_seq TO officepro_system;
"""


def upgrade() -> None:
    op.execute(UNSUMMED)


def downgrade() -> None:
    op.execute("DROP TABLE request_log_unsummed; DROP SEQUENCE request_log_unsummed_id_seq")
