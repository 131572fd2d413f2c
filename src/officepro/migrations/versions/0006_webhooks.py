"""Subscriptions to a practice's events, and their deliveries."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        SELECT 1;
    """)
