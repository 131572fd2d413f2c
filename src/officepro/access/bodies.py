"""Bodies on their way in: each has so long to come, and when the house is full, the one that has been awaited longest
makes room. So callers that send a byte now and then keep nobody out. (Slowloris)
"""

import asyncio

from litestar.types import HTTPReceiveMessage, Receive

from officepro.foundation.errors import OfficeProError

LONGEST_SECONDS = 30.0  # from the request's beginning to its body's end
PATIENCE_SECONDS = 1.0  # nobody who has been awaited for less makes room


class TooSlow(OfficeProError):
    """The body did not come in time; send it again."""

    status = 408
    code = "too_slow"

    headers = {"Connection": "close"}  # noqa: RUF012


class ClientDisconnected(Exception):
    """The client closed the connection, or sent what is no HTTP, before its body was complete."""


class Bodies:
    """Those that are awaited just now, by one worker."""

    def __init__(self) -> None:
        self._awaited: dict[asyncio.Timeout, float] = {}  # since when, in the loop's time; the longest first

    @property
    def number(self) -> int:
        return len(self._awaited)

    def awaited(self, receive: Receive) -> Receive:
        """As `receive`, which raises TooSlow when its time is up, and ClientDisconnected."""
        began = asyncio.get_running_loop().time()
        is_complete = False

        async def receive_in_time() -> HTTPReceiveMessage:
            nonlocal is_complete
            timeout = asyncio.timeout_at(began + LONGEST_SECONDS)
            try:
                async with timeout:
                    self._awaited[timeout] = began
                    message: HTTPReceiveMessage = await receive()  # type: ignore[assignment]  # there is HTTP alone
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
        """Whether somebody had to go."""
        now = asyncio.get_running_loop().time()
        for timeout, began in self._awaited.items():
            if now - began < PATIENCE_SECONDS:
                return False
            del self._awaited[timeout]
            timeout.reschedule(now)
            return True
        return False
