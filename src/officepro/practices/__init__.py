"""Practices: the tenants, and the set-up of each: providers and their hours, rooms, visit types, tags."""
