"""Hourly maintenance jobs of the worker: partitions, retention and others."""
