"""Tickets: what a practice and its partners work off together."""
