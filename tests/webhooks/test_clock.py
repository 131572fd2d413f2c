"""A worker with a wrong or changed clock: no retry is too early, and no subscription is disabled too early."""

from datetime import timedelta

import pytest

from officepro.foundation import clock
from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import happen, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

REAL = clock.now


@pytest.mark.parametrize("jump", [timedelta(days=6), timedelta(days=30), -timedelta(hours=1), -timedelta(days=400)])
async def test_a_clock_that_jumps_changes_no_schedule(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    await sign_up(demo_office, receiver)
    receiver.secret = ""  # no verification: the signed timestamp would be too old
    receiver.statuses = [500, 500]
    await happen(demo_office)
    await worker.settle()
    monkeypatch.setattr(clock, "now", lambda: REAL() + jump)
    await happen(demo_office)
    await worker.settle()
    rows = await demo_office.house.owner.fetch(
        """
        SELECT d.state, extract(epoch FROM d.due_at - now())::float8 AS due, d.duration_ms,
               s.status, s.failing_since BETWEEN now() - interval '1 minute' AND now() AS has_failed_just_now
        FROM webhook_delivery d JOIN webhook_subscription s USING (subscription_id) WHERE d.practice_id = $1
        """,
        demo_office.practice_id,
    )

    assert len(rows) == len(receiver.received) == 2
    for row in rows:
        assert (row["state"], row["status"], row["has_failed_just_now"]) == ("pending", "active", True)
        assert 0 < row["due"] <= 6
        assert 0 <= row["duration_ms"] < 10_000


@pytest.mark.parametrize("jump", [timedelta(days=30), -timedelta(days=30)])
async def test_an_endpoint_that_cannot_be_reached_is_put_on_record_whatever_the_clock_does_meanwhile(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    """The clock changes between the start and the end of the attempt."""
    await sign_up(demo_office, receiver)
    await demo_office.house.owner.execute(
        "UPDATE webhook_subscription SET hook_url = 'http://127.0.0.1:9999/nobody' WHERE practice_id = $1",
        demo_office.practice_id,
    )
    await happen(demo_office)
    moments = iter([REAL()])
    monkeypatch.setattr(clock, "now", lambda: next(moments, REAL() + jump))
    await worker.settle()
    row = await demo_office.house.owner.fetchrow(
        "SELECT state, error_code, duration_ms FROM webhook_delivery WHERE practice_id = $1", demo_office.practice_id
    )

    assert row is not None
    assert (row["state"], row["error_code"]) == ("pending", "connection_refused")
    assert 0 <= row["duration_ms"] < 10_000
