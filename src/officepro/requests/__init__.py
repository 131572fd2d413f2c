"""Requests for access: who would like a key, and what an admin said to it."""
