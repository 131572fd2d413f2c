"""Documentation page, rendered from the OpenAPI document. (Source API specification: Introduction and following)"""

import json
import re
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get
from litestar.params import QueryParameter
from markupsafe import Markup

from officepro.access.asked import TheDatabase, TheSettings
from officepro.access.scopes import MEANINGS
from officepro.documentation.document import document
from officepro.foundation.clock import now
from officepro.foundation.prepared import Prepared, prepared, send_prepared
from officepro.foundation.wire import NO_NUL
from officepro.portal import queries
from officepro.portal.frame import PAGE_HEADERS, AnyRequest, SignedIn, fragment, open_page, page, visitor_of
from officepro.portal.samples import Call, Samples, call_of, samples
from officepro.practices.queries import PRACTICEPASS_FORM

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
DEMO_PRACTICE = "DemoOffice"
ANY_PRACTICE = "PPass-of-the-reader"  # placeholder in the cached text; replaced by the reader's practice

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]


class Field(msgspec.Struct, frozen=True):
    """A parameter, or a field of a body."""

    name: str
    place: str
    kind: str
    required: bool
    meaning: str


class Answer(msgspec.Struct, frozen=True):
    """A response of an operation."""

    status: str
    meaning: str
    codes: list[str]


class Operation(msgspec.Struct, frozen=True):
    """One operation, as displayed."""

    anchor: str
    method: str
    path: str
    title: str
    meaning: str
    scope: str | None
    fields: list[Field]
    samples: Samples
    example_answer: str | None
    answers: list[Answer]
    tried: str  # JSON: the request for "Try it"


class Section(msgspec.Struct, frozen=True):
    """Operations of one tag."""

    anchor: str
    name: str
    meaning: str
    operations: list[Operation]


@get("/portal/docs", guards=[SignedIn()])
async def show_documentation(
    request: AnyRequest, database: TheDatabase, settings: TheSettings, practice: Practice = ""
) -> Response[str]:
    """Return the documentation for a signed-in visitor."""
    visitor = visitor_of(request)
    async with database.system() as db:
        practices = [
            row["practicepass"]
            for row in await queries.practices(db, visitor.practicepass or practice)
            if visitor.practice_id in (None, row["practice_id"])
        ]
    chosen = practice if practice in practices else visitor.practicepass or (practices or [DEMO_PRACTICE])[0]
    if DEMO_PRACTICE in practices and not practice:
        chosen = DEMO_PRACTICE
    return _show(request, settings.base_url, chosen, practices)


@get("/docs/console", guards=[open_page])
async def show_console(request: AnyRequest, settings: TheSettings, practice: Practice = DEMO_PRACTICE) -> Response[Any]:
    """Return the documentation without a session: a key is needed only to try requests."""
    if practice != DEMO_PRACTICE and re.fullmatch(PRACTICEPASS_FORM, practice):
        return _show(request, settings.base_url, practice, [])
    made: tuple[date, Prepared] | None = request.app.state.get("console")
    if made is None or made[0] != now().date():
        text = _show(request, settings.base_url, DEMO_PRACTICE, []).content
        request.app.state.console = made = (now().date(), prepared(text.encode()))
    return send_prepared(request, made[1], "text/html", PAGE_HEADERS)


def _show(request: AnyRequest, base: str, practicepass: str, practices: list[str]) -> Response[str]:
    drawn = request.app.state.get("documentation")
    if drawn is None:
        drawn = request.app.state.documentation = msgspec.json.decode(msgspec.json.encode(document(request.app)))
    sections, operations = _operations(request, drawn, base)
    return page(
        request,
        "documentation.html",
        introduction=drawn["info"]["description"],
        sections=sections,
        operations=Markup(operations.replace(ANY_PRACTICE, practicepass)),  # noqa: S704 -- letters, digits, _ and -
        practicepass=practicepass,
        practices=practices,
        scopes=MEANINGS,
        address="/portal/docs" if practices else "/docs/console",
    )


def _operations(request: AnyRequest, drawn: Json, base: str) -> tuple[list[Section], str]:
    """Return the sections, and their HTML for ANY_PRACTICE; cached for a day, since samples contain dates."""
    made: tuple[date, list[Section], str] | None = request.app.state.get("operations")
    if made is None or made[0] != now().date():
        sections = _sections(drawn, base, ANY_PRACTICE, now().date())
        request.app.state.operations = made = (
            now().date(),
            sections,
            fragment("documentation_operations.html", sections=sections),
        )
    return made[1], made[2]


def _sections(whole: Json, base: str, practicepass: str, today: date) -> list[Section]:
    """Return the operations by tag, in the order of the source API specification, with the reader's practice in the
    samples."""
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in whole["tags"]}
    for path, methods in whole["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                call = call_of(base, path, method, operation, practicepass, today)
                found[operation["tags"][0]].append(_operation(whole, path, operation, call))
    meanings = {tag["name"]: tag["description"] for tag in whole["tags"]}
    return [Section(_anchor(name), name, meanings[name], found[name]) for name in found]


def _operation(whole: Json, path: str, operation: Json, call: Call) -> Operation:
    success: Json = next((answer for status, answer in operation["responses"].items() if status.startswith("2")), {})
    content: Json = next(iter(success.get("content", {}).values()), {})
    tried = {"method": call.method, "address": call.address, "body": call.body, "auth": _auth(call.headers)}
    return Operation(
        anchor=operation["operationId"],
        method=call.method,
        path=path,
        title=operation["summary"],
        meaning=operation.get("description", ""),
        scope=operation.get("x-required-scope"),
        fields=[*_parameters(operation), *_body_fields(whole, operation)],
        samples=samples(call),
        example_answer=json.dumps(content["example"], indent=2, ensure_ascii=False) if "example" in content else None,
        answers=[_answer(whole, status, answer) for status, answer in operation["responses"].items()],
        tried=json.dumps(tried),
    )


def _auth(headers: dict[str, str]) -> str:
    return "bearer" if "Authorization" in headers else "admin" if "X-Admin-Secret" in headers else ""


def _parameters(operation: Json) -> list[Field]:
    return [
        Field(one["name"], one["in"], _kind(one["schema"]), one.get("required", False), one.get("description", ""))
        for one in operation.get("parameters", [])
    ]


def _body_fields(whole: Json, operation: Json) -> list[Field]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _resolved(whole, content.get("schema", {}))
    required = set(schema.get("required", []))
    return [
        Field(name, "body", _kind(_resolved(whole, one)), name in required, one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]


def _resolved(whole: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Json = whole["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _kind(schema: Json) -> str:
    """Return the type in words: `integer 1–1440`, `text ≤ 200`, `one of m, f, o, u`."""
    if schema.get("enum"):
        return "one of " + ", ".join(str(value) for value in schema["enum"] if value is not None)
    if alternatives := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(one) for one in alternatives if one.get("type") != "null"))
    kind = {"string": "text", "array": "list"}.get(schema.get("type", ""), schema.get("type", "any"))
    kind = schema.get("format", kind)
    if "maximum" in schema and schema["maximum"] < 2**53:
        return f"{kind} {schema.get('minimum', 0)}–{schema['maximum']}"
    return f"{kind} ≤ {schema['maxLength']}" if "maxLength" in schema else str(kind)


def _answer(whole: Json, status: str, answer: Json) -> Answer:
    if "$ref" in answer:
        answer = whole["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content: Json = next(iter(answer.get("content", {}).values()), {})
    codes = _codes(content.get("schema", {}))
    return Answer(status, answer.get("description", ""), codes)


def _codes(schema: Json) -> list[str]:
    """Return the error codes in the schema of an error response."""
    found: list[str] = []
    for part in (schema, *schema.get("allOf", [])):
        code = part.get("properties", {}).get("code", {})
        found += code.get("enum", []) or ([code["const"]] if "const" in code else [])
    return found


def _anchor(name: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in name.lower())


router = Router("/", route_handlers=[show_documentation, show_console])
