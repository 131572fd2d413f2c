"""The version of the record that a kept answer tells of, so that a repeat has the ETag of its first run."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE idempotency ADD COLUMN version bigint")


def downgrade() -> None:
    op.execute("ALTER TABLE idempotency DROP COLUMN version")
