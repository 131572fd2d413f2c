"""State machine test: after any sequence of book, hold, reschedule, cancel and expiry, the busy times equal those of a
plain list of intervals, and a request succeeds exactly if the list has a free room and provider. (PROOF.md, row 1)"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.scheduling.racer import caller_of
from tests.scheduling.test_slots import next_monday
from tests.world import House, make_office

Result = TypeVar("Result")
OPENS, CLOSES = 9 * 60, 17 * 60
ROOMS = {101, 102}
providers = st.sampled_from([1, 2])
starts = st.integers(OPENS // 15, OPENS // 15 + 11).map(lambda quarter: quarter * 15)
durations = st.sampled_from([15, 30, 60])
parts = st.sampled_from([(0, 15), (5, 10), (0, None)])  # the provider's part: minutes into the visit, and duration


@dataclass(frozen=True)
class Taken:
    provider: int
    room: int
    starts: int
    ends: int
    provider_starts: int
    provider_ends: int
    is_held: bool


def meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


async def test_the_calendar_is_what_a_list_of_intervals_says(house: House) -> None:  # noqa: C901 -- one rule each
    loop = asyncio.get_running_loop()

    async def done(work: Awaitable[Result]) -> Result:
        return await work

    def wait_for(work: Awaitable[Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(done(work), loop).result(30)

    class Calendar(RuleBasedStateMachine):
        booked, held = Bundle("booked"), Bundle("held")

        def __init__(self) -> None:
            super().__init__()
            self.office = wait_for(make_office(house, "Machine", "America/New_York"))
            self.call = caller_of(house.app, wait_for(self.office.token()), self.office.path)
            self.day = next_monday()
            self.model: dict[int, Taken] = {}

        def room_for(self, wish: Taken, but: int | None = None) -> set[int]:
            """Return the rooms available for a request; none if its provider is busy."""
            others = [taken for visit, taken in self.model.items() if visit != but]
            part = (wish.provider_starts, wish.provider_ends)
            if any(one.provider == wish.provider and meet((one.provider_starts, one.provider_ends), part)
                   for one in others):  # fmt: skip
                return set()
            return ROOMS - {one.room for one in others if meet((one.starts, one.ends), (wish.starts, wish.ends))}

        def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
            status, answer = wait_for(self.call(method, path, body))
            assert status < 500, answer
            return status, answer

        def wish(self, provider: int, start: int, duration: int, part: tuple[int, int | None]) -> tuple[Taken, Any]:
            after, minutes = part
            minutes = min(minutes or duration, duration - after)
            taken = Taken(provider, 0, start, start + duration, start + after, start + after + minutes, False)
            return taken, {
                "ProviderID": provider,
                "VisitType": "Consult",
                "VisitDate": self.day,
                "VisitTime": f"{start // 60:02}:{start % 60:02}:00",
                "VisitDuration": duration,
                "ProviderTime": f"{(start + after) // 60:02}:{(start + after) % 60:02}:00",
                "ProviderDuration": minutes,
            }

        def granted(self, status: int, answer: Any, wish: Taken, rooms: set[int], due: int) -> bool:
            assert (status == due) == bool(rooms), (status, answer, wish, rooms)
            if status == due:
                assert answer["data"]["RoomID"] in rooms, (answer, wish, rooms)
            else:
                assert (status, answer["code"]) == (409, "slot_unavailable")
            return status == due

        @rule(target=booked, provider=providers, start=starts, duration=durations, part=parts)
        def book(self, provider: int, start: int, duration: int, part: tuple[int, int | None]) -> Any:
            wish, body = self.wish(provider, start, duration, part)
            status, answer = self.send("POST", "/visits/book", {"PatientID": 1001, **body})
            if not self.granted(status, answer, wish, self.room_for(wish), 201):
                return multiple()
            self.model[answer["data"]["VisitID"]] = replace(wish, room=answer["data"]["RoomID"])
            return answer["data"]["VisitID"]

        @rule(target=held, provider=providers, start=starts, duration=durations, part=parts)
        def hold(self, provider: int, start: int, duration: int, part: tuple[int, int | None]) -> Any:
            wish, body = self.wish(provider, start, duration, part)
            status, answer = self.send("POST", "/visits/hold", body)
            if not self.granted(status, answer, wish, self.room_for(wish), 201):
                return multiple()
            self.model[answer["data"]["HoldID"]] = replace(wish, room=answer["data"]["RoomID"], is_held=True)
            return answer["data"]["HoldID"], body

        @rule(target=booked, hold=consumes(held))
        def book_what_is_held(self, hold: tuple[int, Any]) -> Any:
            number, body = hold
            status, answer = self.send("POST", "/visits/book", {"PatientID": 1001, "HoldID": number, **body})
            assert (status == 201) == (number in self.model), answer
            if status != 201:
                assert answer["code"] == "hold_expired"
                return multiple()
            self.model[number] = replace(self.model[number], is_held=False)
            return number

        @rule(hold=consumes(held))
        def release(self, hold: tuple[int, Any]) -> None:
            status, _ = self.send("DELETE", f"/visits/hold/{hold[0]}")
            assert (status == 200) == (hold[0] in self.model)
            self.model.pop(hold[0], None)

        @rule(hold=held)
        def let_expire(self, hold: tuple[int, Any]) -> None:
            ended = "UPDATE visit SET held_until = now() - interval '1 s' WHERE visit_id = $1 AND status = 'held'"
            wait_for(house.owner.execute(ended, hold[0]))
            self.model.pop(hold[0], None)

        @rule(visit=consumes(booked))
        def cancel(self, visit: int) -> None:
            status, answer = self.send("POST", f"/visits/{visit}/cancel", {"Reason": "machine"})
            assert status == 200, answer
            del self.model[visit]

        @rule(visit=booked, provider=providers, start=starts, duration=durations, part=parts)
        def move(self, visit: int, provider: int, start: int, duration: int, part: tuple[int, int | None]) -> None:
            wish, body = self.wish(provider, start, duration, part)
            had = self.model[visit]
            status, answer = self.send("PATCH", f"/visits/{visit}", body)
            if self.granted(status, answer, wish, self.room_for(wish, visit), 200):
                self.model[visit] = replace(wish, room=answer["data"]["RoomID"])
            else:
                assert self.model[visit] == had

        @invariant()
        def what_is_taken_is_what_the_model_says(self) -> None:
            assert wait_for(self.taken()) == self.model

        async def taken(self) -> dict[int, Taken]:
            minute = "(date_part('epoch', {} - ($2::text::timestamp AT TIME ZONE $3)) / 60)::int"
            moments = ("starts_at", "ends_at", "provider_starts_at", "provider_ends_at")
            rows = await house.owner.fetch(
                f"""
                SELECT provider_id, room_id, {", ".join(map(minute.format, moments))}, status = 'held', visit_id
                FROM visit WHERE practice_id = $1 AND (status = 'booked' OR status = 'held' AND held_until > now())
                """,
                self.office.practice_id,
                self.day,
                self.office.time_zone,
            )
            return {visit: Taken(*taken) for *taken, visit in rows}

    some = settings(
        max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    await asyncio.to_thread(run_state_machine_as_test, Calendar, settings=some)
