"""One timer for many: each is cut off in its own time, and nobody else's cancellation is mistaken for it."""

import asyncio
import time

import pytest

from officepro.foundation.outbound.deadline import Deadline

SECONDS = 0.1


async def test_each_is_cut_off_in_its_own_time() -> None:
    deadline = Deadline(SECONDS, asyncio.get_running_loop())

    async def hang(pause_seconds: float) -> float:
        await asyncio.sleep(pause_seconds)
        began = time.monotonic()
        with pytest.raises(TimeoutError), deadline.begun():
            await asyncio.sleep(10)
        return time.monotonic() - began

    taken = await asyncio.gather(*(hang(number / 50) for number in range(10)))
    assert all(SECONDS * 0.9 < each < SECONDS + 0.1 for each in taken), taken
    assert deadline._timer is None


async def test_who_is_done_in_time_goes_on_undisturbed() -> None:
    deadline = Deadline(SECONDS, asyncio.get_running_loop())
    with deadline.begun():
        await asyncio.sleep(SECONDS / 2)
    await asyncio.sleep(SECONDS)
    with deadline.begun():
        await asyncio.sleep(SECONDS / 2)

    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    deadline = Deadline(SECONDS, asyncio.get_running_loop())

    async def hang() -> None:
        with deadline.begun():
            await asyncio.sleep(10)

    task = asyncio.create_task(hang())
    await asyncio.sleep(SECONDS / 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cut_off_and_cancelled_at_once_is_cancelled() -> None:
    deadline = Deadline(SECONDS, asyncio.get_running_loop())

    async def hang() -> None:
        with deadline.begun() as running:
            running.cut_off()
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(10)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(hang())


async def test_a_failure_of_its_own_stays_what_it_is() -> None:
    deadline = Deadline(SECONDS, asyncio.get_running_loop())
    with pytest.raises(KeyError), deadline.begun():
        raise KeyError
