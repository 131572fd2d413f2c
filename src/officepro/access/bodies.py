"""Deadline for receiving request bodies: 30 s, then 408.

At the worker's concurrency limit the request that has waited longest for its body is aborted. Guards against slow-body
clients (slowloris)."""

import asyncio

from litestar.types import HTTPReceiveMessage, Receive

from officepro.foundation.errors import OfficeProError

LONGEST_SECONDS = 30.0  # from the start of the request to the end of its body
PATIENCE_SECONDS = 1.0  # a request that has waited for less is not aborted


class TooSlow(OfficeProError):
    """The request body was not received within 30 seconds. Retry the request."""

    status = 408
    code = "too_slow"

    headers = {"Connection": "close"}  # noqa: RUF012


class ClientDisconnected(Exception):
    """The client closed the connection, or sent invalid HTTP, before its request body was complete."""


class Bodies:
    """The requests of one worker that wait for their body."""

    def __init__(self) -> None:
        self._awaited: dict[asyncio.Timeout, float] = {}  # since when, by the event loop's clock; oldest first

    @property
    def number(self) -> int:
        """Number of requests that wait for their body."""
        return len(self._awaited)

    def awaited(self, receive: Receive) -> Receive:
        """Return `receive` with the deadline applied: it raises TooSlow after LONGEST_SECONDS, and
        ClientDisconnected."""
        began = asyncio.get_running_loop().time()
        is_complete = False

        async def receive_in_time() -> HTTPReceiveMessage:
            nonlocal is_complete
            timeout = asyncio.timeout_at(began + LONGEST_SECONDS)
            try:
                async with timeout:
                    self._awaited[timeout] = began
                    message: HTTPReceiveMessage = await receive()  # type: ignore[assignment]  # the scope is HTTP
            except TimeoutError:
                raise TooSlow from None
            finally:
                self._awaited.pop(timeout, None)
            if message["type"] == "http.disconnect" and not is_complete:
                raise ClientDisconnected
            is_complete = message["type"] == "http.request" and not message["more_body"]
            return message

        return receive_in_time

    def make_room(self) -> bool:
        """Abort the request that has waited longest for its body. Return whether one could be aborted."""
        now = asyncio.get_running_loop().time()
        for timeout, began in self._awaited.items():
            if now - began < PATIENCE_SECONDS:
                return False
            del self._awaited[timeout]
            timeout.reschedule(now)
            return True
        return False
