"""Tickets: support cases of a practice, shared with its partners."""
