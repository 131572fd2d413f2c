"""Maintenance jobs: partitions, retention, and whatever else a worker does once an hour."""
