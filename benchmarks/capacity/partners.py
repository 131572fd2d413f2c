"""Simulated partners: each call is sent at its own time, without waiting for earlier responses (open loop)."""

import asyncio
import random
import time
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import aiohttp

from benchmarks.capacity.seeding import DAYS, FIRST_FREE, PATIENTS, PROVIDERS
from benchmarks.world import FIRST

HALF_HOURS = 20  # of a working day from eight to six


@dataclass
class Partners:
    """The calls of all partners, with latencies and failures."""

    base: str
    key: str
    practices: int
    session: aiohttp.ClientSession
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds, by kind
    failures: list[str] = field(default_factory=list)
    _tokens: dict[int, str] = field(default_factory=dict)
    _next: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # by practice: number of booked times
    _booked: deque[tuple[int, int]] = field(default_factory=deque)  # practice and visit

    async def call(self, kind: str, due: float | None = None) -> None:
        """Send a call. Latency counts from the time at which it was due, so that a delayed start counts too."""
        due = time.perf_counter() if due is None else due
        practice, method, path, body = self._wish(kind)
        headers = {"Authorization": f"Bearer {await self._token(practice)}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        try:
            async with self.session.request(
                method, f"{self.base}/v1/P{practice}{path}", json=body, headers=headers
            ) as answer:
                found = await answer.json()
                if answer.status >= 300:
                    self.failures.append(f"{kind} {answer.status} {found.get('code')}")
                    return
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(f"{kind} {type(error).__name__}")
            return
        self.latencies[kind].append(time.perf_counter() - due)
        if kind == "book":
            self._booked.append((practice, found["data"]["VisitID"]))

    async def _token(self, practice: int) -> str:
        """Return an access token, or an empty string if the exchange failed; the call then fails, and is counted."""
        if practice not in self._tokens:
            path = f"{self.base}/v1/P{practice}/auth/token"
            async with self.session.post(path, json={"apiKey": self.key}) as answer:
                if answer.status != HTTPStatus.OK:
                    self.failures.append(f"token {answer.status}")
                    return ""
                self._tokens[practice] = (await answer.json())["accessToken"]
        return self._tokens[practice]

    async def spread(self, kinds: dict[str, float], seconds: float) -> None:
        """Send calls at the given rates a second by kind, at random times."""
        start = time.perf_counter()
        moments = sorted(
            (start + self.dice.random() * seconds, kind)
            for kind, rate in kinds.items()
            for _ in range(self._whole(rate * seconds))
        )
        calls = []
        for due, kind in moments:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.append(asyncio.create_task(self.call(kind, due)))
        await asyncio.sleep(max(0.0, start + seconds - time.perf_counter()))
        await asyncio.gather(*calls)

    def _whole(self, number: float) -> int:
        return int(number) + (self.dice.random() < number % 1)

    def _wish(self, kind: str) -> tuple[int, str, str, Any]:
        practice = self.dice.randint(1, self.practices)
        match kind:
            case "create":
                return practice, "POST", "/prospects", self._person()
            case "update":
                return practice, "PUT", f"/prospects/{self._patient()}", {"City": f"City {self.dice.randrange(999)}"}
            case "book":
                return practice, "POST", "/visits/book", self._visit(practice)
            case "cancel":
                practice, visit = self._booked.popleft()
                return practice, "POST", f"/visits/{visit}/cancel", {"Reason": "Patient called"}
            case "move":
                practice, visit = self._booked.popleft()
                self._booked.append((practice, visit))
                place = self._visit(practice)
                moved = {name: place[name] for name in ("VisitDate", "VisitTime", "ProviderID")}
                return practice, "PATCH", f"/visits/{visit}", moved
        return practice, "GET", self._question(kind), None

    def _question(self, kind: str) -> str:
        provider = self.dice.randint(1, PROVIDERS)
        day = FIRST + timedelta(days=self.dice.randrange(DAYS))
        return {
            "slots": f"/availability/providers/{provider}/slots?date={day}&duration=30",
            "check": f"/availability/providers/{provider}/check?date={day}&time=13:30&duration=30",
            "openings": f"/availability/slots?visitType=Consult&startDate={FIRST}&endDate={FIRST + timedelta(days=13)}",
            "search": "/prospects?search=lovelace1&limit=25",
            "record": f"/prospects/{self._patient()}",
        }[kind]

    def _patient(self) -> int:
        return 1000 + self.dice.randint(1, PATIENTS)

    def _person(self) -> dict[str, Any]:
        name = f"Hopper{self.dice.getrandbits(40):x}"
        return {"FirstName": "Grace", "LastName": name, "EMail": f"{name}@example.com", "Phone": "555-0199"}

    def _visit(self, practice: int) -> dict[str, Any]:
        """Return a booking of a time that no other call uses."""
        number, provider = divmod(self._next[practice], PROVIDERS)
        self._next[practice] += 1
        day, half = divmod(number, HALF_HOURS)
        return {
            "PatientID": self._patient(),
            "ProviderID": provider + 1,
            "VisitType": "Consult",
            "VisitDate": (FIRST_FREE + timedelta(days=day)).isoformat(),
            "VisitTime": f"{8 + half // 2:02}:{half % 2 * 30:02}:00",
            "VisitDuration": 30,
        }
