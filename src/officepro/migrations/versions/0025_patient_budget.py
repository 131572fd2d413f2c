"""Daily patient budget per key; NULL means the setting's."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("ALTER TABLE api_key ADD COLUMN patient_budget_per_day integer")


def downgrade() -> None:
    op.execute("ALTER TABLE api_key DROP COLUMN patient_budget_per_day")
