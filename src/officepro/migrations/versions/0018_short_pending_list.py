"""Smaller pending list of the GIN index of disclosed patients, to shorten its flushes.

A GIN index collects new entries in a pending list, and the insert that exceeds its limit flushes it. With PostgreSQL's
default of 4 MB a flush takes 60 ms or more, every four thousand rows, and blocks the disclosure logs of all practices
in that statement. At 256 kB a flush has a sixteenth of the entries.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER INDEX disclosure_of_patient SET (gin_pending_list_limit = 256)")  # kB


def downgrade() -> None:
    op.execute("ALTER INDEX disclosure_of_patient RESET (gin_pending_list_limit)")
