"""Bind sessions of the admin to the admin secret that was entered.

`admin_secret_hmac` is an HMAC of the session's name keyed with that secret; null for a key's session, and for sessions
that an earlier version of the service started.
"""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("ALTER TABLE portal_session ADD COLUMN admin_secret_hmac bytea")


def downgrade() -> None:
    op.execute("ALTER TABLE portal_session DROP COLUMN admin_secret_hmac")
