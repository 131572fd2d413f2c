"""Practices: the tenants, and the configuration of each: providers and their hours, rooms, visit types, tags."""
