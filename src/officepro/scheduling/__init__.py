"""Scheduling: who is free when, and the visits that take that time."""
