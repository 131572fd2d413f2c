"""Client's request id in the request log; NULL if there is none, or none that may be stored."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("ALTER TABLE request_log ADD COLUMN client_request_id text")


def downgrade() -> None:
    op.execute("ALTER TABLE request_log DROP COLUMN client_request_id")
