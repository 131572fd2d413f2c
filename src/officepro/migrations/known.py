"""Revisions of this version, read from file names: run.py, which can run them, takes 32 MB of each process."""

from pathlib import Path


def revisions() -> list[str]:
    """Return the revisions, newest first."""
    return sorted((file.name[:4] for file in (Path(__file__).parent / "versions").glob("[0-9]*.py")), reverse=True)
