"""A worker and endpoints, for the page of webhooks."""

from tests.webhooks.conftest import other_receiver, receiver, running, worker

__all__ = ["other_receiver", "receiver", "running", "worker"]
