"""A version number per practice configuration, by which workers invalidate their cache."""

from alembic import op

revision = "0002"
down_revision = "0001"

PRACTICE_SETUP = """
-- Every write to a practice's set-up moves its version in the same transaction, and by that takes its turn.
CREATE TABLE practice_setup (
    practice_id bigint NOT NULL CONSTRAINT practice_setup_key PRIMARY KEY
        CONSTRAINT practice_setup_practice REFERENCES practice,
    version bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 20);
INSERT INTO practice_setup (practice_id) SELECT practice_id FROM practice;  -- before the wall, which holds owners too
SELECT raise_wall('practice_setup', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE');
"""


def upgrade() -> None:
    op.execute(PRACTICE_SETUP)


def downgrade() -> None:
    op.execute("DROP TABLE practice_setup")
