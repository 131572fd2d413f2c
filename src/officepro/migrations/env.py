"""Alembic environment: runs the revisions on the connection passed by `run.py`, one transaction each."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
