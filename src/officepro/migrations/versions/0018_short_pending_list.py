"""Nobody waits long for the index of who was told of: it sorts in what came in small pieces.

A GIN index keeps what was inserted in a list, and whoever makes that longer than its limit sorts it in. At PostgreSQL's
4 MB that takes 60 ms and more, every four thousand lists of people, and in it the ledger of all practices that it holds
stands still. At 256 kB there is a sixteenth as much to sort.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER INDEX disclosure_of_patient SET (gin_pending_list_limit = 256)")  # kB


def downgrade() -> None:
    op.execute("ALTER INDEX disclosure_of_patient RESET (gin_pending_list_limit)")
