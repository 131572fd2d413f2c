"""Made-up requests, right and wrong, against every operation of the document: it tells the truth, and nothing fails.

The application answers over real HTTP in this process, and each request comes from an address of its own, so that the
limit on failed attempts does not end the run after ten.
"""

import asyncio
import itertools
import json
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from officepro.documentation.document import document
from officepro.door import Door
from tests.world import Office

EXAMPLES_AN_OPERATION = 3

# Operations that also refuse, with 400, what JSON schema cannot rule out; all others take whatever fits their schema.
RULES_BEYOND_THE_SCHEMA = {
    "adminApproveAccessRequest": "moments are of our years",
    "adminAppendEvents": "data are not deep, not large, and without NUL",
    "adminChangePractice": "the time zone is one of the IANA's",
    "adminCreateKey": "moments are of our years",
    "adminCreatePractice": "the time zone is one of the IANA's",
    "adminListActivity": "a cursor is one that was given, moments are of our years, `to` lies after `from`",
    "adminListDisclosures": "moments are of our years, `to` lies after `from`",
    "adminMonitorWebhooks": "moments are of our years",
    "adminPutExtraHours": "the end lies after the start, ids are the provider's, no two are the same",
    "adminPutHours": "no two overlap",
    "adminPutProviders": "a new one has a name, no two are the same",
    "adminPutRooms": "a new one has a name, no two are the same",
    "adminPutTags": "no two are the same",
    "adminPutTimesOff": "the end lies after the start, ids are the provider's, no two are the same",
    "adminPutVisitTypes": "no two are the same",
    "bookVisit": "dryRun cannot be combined with HoldID",
    "createProspect": "a name, an e-mail or a phone says who it is",
    "listArticles": "highlights go with search",
    "listProducts": "a cursor is one that was given, and goes not with page",
    "listProspects": "a cursor is one that was given, and goes with neither search nor page",
    "listVisits": "the last day does not lie before the first",
    "listWebhookDeliveries": "moments are of our years",
    "replayWebhookEvents": "moments are of our years",
    "saveProducts": "no two are the same",
    "signUpForWebhooks": "the URL is one that may be called",
}
_addresses = itertools.count(1)


@pytest.mark.timeout(400)
async def test_what_the_document_says_is_true_of_requests_right_and_wrong(
    inner_app: Litestar, demo_office: Office
) -> None:
    await delete_deliveries(demo_office)
    described = described_for(inner_app, demo_office)
    bearer, secret = await demo_office.token(), demo_office.house.settings.admin_secret
    async with served(inner_app) as base_url:
        requests, faults = await asyncio.to_thread(explore, described, configuration(base_url, bearer, secret))

    assert not faults, "\n\n".join(faults)
    assert requests.total() > 5 * len(described["paths"])
    assert requests.keys() >= {"EXAMPLES", "COVERAGE", "FUZZING", "STATEFUL_TESTING"}, requests


async def delete_deliveries(office: Office) -> None:
    """No worker runs beside this test: the retry of a delivery that another test has left would wait 20 s for a
    result."""
    await office.house.owner.execute("DELETE FROM webhook_delivery")


def described_for(app: Litestar, office: Office) -> dict[str, Any]:
    """The document, with the office's own practice wherever there is one."""
    described: dict[str, Any] = json.loads(json.dumps(document(app)).replace("DemoOffice", office.practicepass))
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    for operation in operations:
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "PPass":
                parameter["schema"] = {"const": office.practicepass}
    assert RULES_BEYOND_THE_SCHEMA.keys() <= {operation["operationId"] for operation in operations}
    return described


def configuration(
    base_url: str, bearer: str, admin_secret: str, *, examples: int = EXAMPLES_AN_OPERATION, seed: int = 1
) -> dict[str, Any]:
    understood = ["2xx", "304", "401", "403", "404", "409", "412", "422"]  # the rest is up to the state of things
    return {
        "base-url": base_url,
        "seed": seed,
        "continue-on-failure": True,
        "generation": {"max-examples": examples, "deterministic": seed == 1, "database": "none"},
        "checks": {"positive_data_acceptance": {"expected-statuses": understood}},
        "operations": [
            {
                "include-operation-id": list(RULES_BEYOND_THE_SCHEMA),
                "checks": {"positive_data_acceptance": {"expected-statuses": [*understood, "400"]}},
            }
        ],
        "auth": {"openapi": {"bearerAuth": {"bearer": bearer}, "adminSecret": {"api_key": admin_secret}}},
    }


def explore(described: dict[str, Any], how: dict[str, Any]) -> tuple[Counter[str], list[str]]:
    """How many requests were made, by phase, and what was wrong with the answers."""
    schema = schemathesis.openapi.from_dict(described, config=SchemathesisConfig.from_dict(how))
    requests: Counter[str] = Counter()
    faults = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            requests[event.phase.name] += len(event.recorder.interactions)
            faults += [
                f"{event.recorder.label}: {check.name}: {check.failure_info.failure.title}\n"
                f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.status == Status.FAILURE and check.failure_info is not None and not _is_of_a_kind(check)
            ]
        elif isinstance(event, events.NonFatalError):
            faults.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return requests, faults


def _is_of_a_kind(check: Any) -> bool:
    """Two rules that no document can express. To JSON Schema 30.0 is a whole number as well as 30; the API requires 30.
    And a path that hides a slash, a backslash or a dot behind a percent sign belongs to no operation, so it is 404."""
    patterns = {"positive_data_acceptance": r": -?\d+\.0[,}]", "status_code_conformance": r"/v1/\S*%(?:2F|5C|2E)"}
    pattern = patterns.get(check.name)
    if check.name == "status_code_conformance" and "Received: 404" not in check.failure_info.failure.message:
        return False
    return pattern is not None and re.search(pattern, check.failure_info.code_sample) is not None


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[str]:
    """The base URL under which the application answers in this very event loop."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(
        _from_everywhere(Door(app)),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    await _listening(port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return await writer.wait_closed()


def _from_everywhere(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        number = next(_addresses)
        scope["client"] = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1)
        await app(scope, receive, send)

    return answer
