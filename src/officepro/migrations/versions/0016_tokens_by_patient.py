"""Index that answers whether a patient has a search token of a range: a search with several broad words checks that for
thousands of patients."""

from alembic import op

revision = "0016"
down_revision = "0015"

MAKE = "CREATE INDEX CONCURRENTLY {} ON patient_token ({})"
REMOVE = "DROP INDEX CONCURRENTLY IF EXISTS {}"


def upgrade() -> None:
    _replace("patient_token_of_patient", "patient_token_by_patient", "practice_id, patient_id, token")


def downgrade() -> None:
    _replace("patient_token_by_patient", "patient_token_of_patient", "practice_id, patient_id")


def _replace(before: str, after: str, columns: str) -> None:
    with op.get_context().autocommit_block():
        op.execute(REMOVE.format(after))
        op.execute(MAKE.format(after, columns))
        op.execute(REMOVE.format(before))
