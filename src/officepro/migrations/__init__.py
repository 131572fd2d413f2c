"""Database schema: Alembic revisions, each written as SQL."""
