"""Every response that may contain a PatientID is recorded as a disclosure before it is sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from officepro.activity.kinds import KINDS
from officepro.documentation.answers import returned
from officepro.documentation.components import Components
from officepro.foundation.input import template
from officepro.foundation.wire import encode
from tests.house.test_openapi import names, routes


def may_disclose(path: str, handler: HTTPRouteHandler) -> bool:
    """Whether its response's schema has a PatientID, or an object of any members, in which one may be."""
    components = Components()
    kind = returned(handler)
    if kind is None or not path.startswith("/v1/"):
        return False
    schema = [components.schema_of(kind), components.schemas]
    return b'"PatientID"' in encode(schema) or any(map(_is_free_form, _nodes(schema)))


def _is_free_form(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and not schema.keys() & {"properties", "additionalProperties"}


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for each in part:
            yield from _nodes(each)
    elif isinstance(part, dict):
        yield part
        for each in part.values():
            yield from _nodes(each)


@pytest.mark.parametrize(("path", "method", "handler"), routes(), ids=names(routes()))
def test_a_route_that_tells_of_a_person_asks_for_the_ledger(path: str, method: str, handler: HTTPRouteHandler) -> None:
    """That it also uses what it asks for, and for everybody, tests/activity/test_every_disclosing_route.py shows."""
    asks = "disclosures" in handler.parsed_fn_signature.parameters

    assert asks == may_disclose(path, handler)


# The kind of each field that a response about a patient may contain; None: says nothing about the patient.
KIND_OF_FIELD = {
    "identity": "PatientID FirstName MI LastName FullName NickName Sh_Name",
    "contact": "Phone CellPhone SMSPhone EMail Address Unit City State Zip Country Sh_Address Sh_Unit Sh_City Sh_State "
    "Sh_Zip Sh_Country",
    "demographics": "Gender DOB LifeStage Pronouns SexualIdentity PrimaryLanguage Type Prospect ProviderID",
    "appointments": "VisitID VisitType VisitDate VisitTime VisitDuration ProviderTime ProviderDuration RoomID Status "
    "TimeZone Start End History At From To FromStart ToStart",
    "notes": "Notes VisitComplaint VisitNotes CancelReason Reason",
    "photo": "PtImg",
    "tags": "Tags TagID Tag Removed",
    "events": "event eventId logId occurredAt scope",
    "": "data count page limit total nextCursor message CreatedAt UpdatedAt KeyID practicepass nextAfter firstLogId "
    "lastLogId",
}
KIND = {field: kind for kind, fields in KIND_OF_FIELD.items() for field in fields.split()}
LEFT_OUT_OF_LISTS = {
    ("GET", "/v1/{PPass}/prospects"): {"photo"},
    ("POST", "/v1/{PPass}/prospects/search"): {"photo"},
}
IN_VISITS = {"ProviderID": "appointments"}  # the one who sees the patient, not the one who is responsible for them


def kinds_in(handler: HTTPRouteHandler) -> set[str]:
    """The kinds of all fields in the response's schema."""
    components = Components()
    components.schema_of(returned(handler))
    nodes = _nodes([schema for name, schema in components.schemas.items() if name not in ("Problem", "Fault")])
    fields = {field for node in nodes for field in node.get("properties", {})}
    if any(map(_is_free_form, _nodes(components.schemas))):
        fields.add("PatientID")
    kind = KIND | (IN_VISITS if "VisitID" in fields else {})
    return {kind[field] for field in fields} - {""}


@pytest.mark.parametrize(("path", "method", "handler"), routes(), ids=names(routes()))
def test_each_disclosing_route_names_the_kinds_of_fields_in_its_schema(
    path: str, method: str, handler: HTTPRouteHandler
) -> None:
    route = (method, template(path))
    if not may_disclose(path, handler):
        assert route not in KINDS
        return

    assert set(KINDS[route].split(",")) == kinds_in(handler) - LEFT_OUT_OF_LISTS.get(route, set())


def test_there_are_such_routes() -> None:
    assert sum(may_disclose(path, handler) for path, _, handler in routes()) >= 13
