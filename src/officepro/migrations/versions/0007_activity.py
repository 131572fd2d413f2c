"""The request log, its statistics, the disclosure ledger, and the portal's sessions."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
        SELECT 1;
    """)
