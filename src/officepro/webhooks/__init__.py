"""Webhooks: signed delivery of events to partners, with retries, in log order, isolated per subscription."""
