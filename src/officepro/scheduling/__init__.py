"""Scheduling: availability of providers and rooms, visits and holds."""
