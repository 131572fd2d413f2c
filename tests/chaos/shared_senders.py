"""Control of the harmful-endpoints drill: a worker whose endpoints share a few senders, as in many job queues."""

import asyncio

from officepro.cli import main
from officepro.webhooks.dispatcher import Dispatcher

SENDERS = asyncio.Semaphore(2)


if __name__ == "__main__":
    Dispatcher._slots_of = lambda *_: SENDERS  # type: ignore[method-assign]  # the fault
    main()
