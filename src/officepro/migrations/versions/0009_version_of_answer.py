"""Version of the record in a stored response, so that a retry has the ETag of the first response."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE idempotency ADD COLUMN version bigint")


def downgrade() -> None:
    op.execute("ALTER TABLE idempotency DROP COLUMN version")
