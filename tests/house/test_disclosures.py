"""An answer in whose shape a PatientID stands is on record before it leaves: its handler asks for the ledger."""

import pytest
from litestar.handlers import HTTPRouteHandler

from officepro.documentation.answers import returned
from officepro.documentation.components import Components
from officepro.foundation.wire import encode
from tests.house.test_openapi import names, routes


def tells_of_a_person(handler: HTTPRouteHandler) -> bool:
    components = Components()
    kind = returned(handler)
    return kind is not None and b'"PatientID"' in encode([components.schema_of(kind), components.schemas])


@pytest.mark.parametrize(("path", "method", "handler"), routes(), ids=names(routes()))
def test_a_route_that_tells_of_a_person_asks_for_the_ledger(path: str, method: str, handler: HTTPRouteHandler) -> None:
    """That it also uses what it asks for, and for everybody, tests/activity/test_every_disclosing_route.py shows."""
    asks = "disclosures" in handler.parsed_fn_signature.parameters

    assert asks == tells_of_a_person(handler)


def test_there_are_such_routes() -> None:
    assert sum(tells_of_a_person(handler) for _, _, handler in routes()) >= 12
