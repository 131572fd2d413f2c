"""The OpenAPI document tells all of the application and nothing else; every route says who may come in."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from officepro import app as application
from officepro.access.guards import PageGuard
from officepro.documentation.document import document, handlers
from officepro.documentation.errors import every_error, every_error_class
from officepro.documentation.introduction import TAGS
from officepro.documentation.operations import guards_of
from officepro.foundation.documented import documented_of
from officepro.foundation.errors import NotFound
from officepro.settings import Settings

Json = dict[str, Any]
BASE = "https://officepro.test/openapi.json"


def routes() -> list[tuple[str, str, HTTPRouteHandler]]:
    return [(route.path_format, method, handler) for route, method, handler in handlers(_app)]


def operations() -> Iterator[tuple[str, str, Json]]:
    for path, methods in _document["paths"].items():
        for method, described in methods.items():
            yield path, method, described


def names(all_of_them: Any) -> Any:
    return [f"{method.upper()} {path}" for path, method, *_ in all_of_them]


# No database is asked for what a route says of itself.
_app: Litestar = application.create_inner_app(
    Settings.from_environment({"OFFICEPRO_DATA_DIR": "nowhere", "OFFICEPRO_PORT": "0"})
)
_document = document(_app)
every_route = pytest.mark.parametrize(("path", "method", "handler"), routes(), ids=names(routes()))
every_operation = pytest.mark.parametrize(("path", "method", "described"), list(operations()), ids=names(operations()))


def resolved(part: Json) -> Json:
    """A part of the document, or what it refers to."""
    while "$ref" in part:
        found: Any = _document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


@every_route
def test_a_route_is_guarded_or_says_that_it_is_open(path: str, method: str, handler: HTTPRouteHandler) -> None:
    guards: list[object] = list(handler.resolve_guards())
    of_pages = [guard for guard in guards if isinstance(guard, PageGuard)]
    assert len(guards_of(handler)) + len(of_pages) == 1


@every_route
def test_a_route_of_the_api_is_in_the_document(path: str, method: str, handler: HTTPRouteHandler) -> None:
    assert handler.resolve_include_in_schema() or not path.startswith("/v1/")


@every_route
def test_a_route_that_names_a_record_says_how_it_misses_it(path: str, method: str, handler: HTTPRouteHandler) -> None:
    """Such as `opt=documented(errors=[UnknownProspect])`."""
    if re.search(r"\{\w+_id\}", path) and handler.resolve_include_in_schema():
        assert any(issubclass(error, NotFound) for error in documented_of(handler).errors)


def test_no_two_routes_have_one_operation_id() -> None:
    ids = [described["operationId"] for _, _, described in operations()]
    assert sorted(ids) == sorted(set(ids))


def test_no_two_handlers_have_one_address() -> None:
    """Two path formats that read alike in the seeds' words would hide each other."""
    told = [(path, method) for path, method, _ in operations()]
    ours = [(path, method) for path, method, handler in routes() if handler.resolve_include_in_schema()]
    assert len(told) == len(ours)


@every_operation
def test_an_operation_says_all_of_itself(path: str, method: str, described: Json) -> None:
    assert described["summary"]
    assert len(described["description"].split("\n\n")) > 1, "the handler has no docstring"
    assert len(described["tags"]) == 1
    assert described["tags"][0] in TAGS
    parameters = [(parameter["in"], parameter["name"]) for parameter in described.get("parameters", [])]
    assert len(parameters) == len(set(parameters))
    in_path = [name for place, name in parameters if place == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", path)


@every_operation
def test_an_operation_tells_its_success_and_its_errors(path: str, method: str, described: Json) -> None:
    answers = described["responses"]
    successes = [status for status in answers if status.startswith("2")]
    assert successes
    for status in successes:
        assert status == "204" or all("schema" in content for content in answers[status]["content"].values())
    expected = {"400", "503"}
    if described["security"]:
        expected |= {"401", "429"}
    if "bearerAuth" in str(described["security"]) and ("{PPass}" in path or "x-required-scope" in described):
        expected.add("403")
    if "requestBody" in described:
        expected |= {"413", "415"}
    assert expected <= answers.keys()


@every_operation
def test_an_operation_s_error_codes_are_in_the_reference(path: str, method: str, described: Json) -> None:
    known = {(error.status, error.code) for error in every_error()}
    for status, answer in described["responses"].items():
        for content in resolved(answer).get("content", {}).values():
            for code in (
                content["schema"].get("allOf", [{}, {}])[1].get("properties", {}).get("code", {}).get("enum", [])
            ):
                assert (int(status), code) in known


@every_operation
def test_an_operation_s_examples_are_true(path: str, method: str, described: Json) -> None:
    for place, schema, example in examples(described):
        faults = [error.message for error in validator(schema).iter_errors(example)]
        assert not faults, f"{place}: {faults}"


def examples(described: Json) -> Iterator[tuple[str, Json, Any]]:
    bodies = [("request", described.get("requestBody", {}))]
    bodies += [(f"answer {status}", resolved(answer)) for status, answer in described["responses"].items()]
    for place, body in bodies:
        for content in body.get("content", {}).values():
            if "example" in content:
                yield place, content["schema"], content["example"]
    for parameter in described.get("parameters", []):
        if "example" in parameter:
            yield parameter["name"], parameter["schema"], parameter["example"]


def validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    whole = {"components": _document["components"], "allOf": [schema]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@pytest.mark.parametrize("name", _document["components"]["schemas"])
def test_a_shape_of_the_document_is_a_schema_of_2020_12(name: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
    jsonschema_rs.meta.validate(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **_document["components"]["schemas"][name]}
    )


def test_every_reference_of_the_document_leads_somewhere() -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            part = list(part.values())
        if isinstance(part, list):
            for item in part:
                yield from references(item)

    for reference in set(references(_document)):
        assert resolved({"$ref": reference})


def test_every_error_says_what_it_means() -> None:
    for error in every_error_class():
        assert error.__doc__, error
        assert re.fullmatch(r"[a-z_]+", error.code), error
