"""Validate the constraints that 0020 added as NOT VALID."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE api_key VALIDATE CONSTRAINT api_key_purpose")
    op.execute("ALTER TABLE disclosure VALIDATE CONSTRAINT disclosure_recipient")


def downgrade() -> None:
    """A validated constraint holds for the previous version too."""
