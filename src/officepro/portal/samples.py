"""PURE: sample requests in curl, Python and JavaScript, from an operation of the OpenAPI document."""

import json
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

Json = dict[str, Any]

WEEKS_AHEAD = 10  # week of the visit in an example, since visits can only be booked for the future


class Samples(msgspec.Struct, frozen=True):
    """One request in three languages."""

    curl: str
    python: str
    javascript: str


class Call(msgspec.Struct, frozen=True):
    """One request, filled in with the examples of the document."""

    method: str
    address: str
    headers: dict[str, str]
    body: Any  # None: no body
    answers_json: bool


def call_of(base: str, path: str, method: str, operation: Json, practicepass: str, today: date) -> Call:
    """Return the sample request of an operation."""
    filled = path
    query = {}
    for parameter in operation.get("parameters", []):
        example = practicepass if parameter["name"] == "PPass" else example_of(parameter)
        if parameter["in"] == "path":
            filled = filled.replace("{" + parameter["name"] + "}", quote(str(example), safe=""))
        elif parameter["in"] == "query" and (parameter.get("required") or "example" in parameter):
            query[parameter["name"]] = _text(example)
    headers = {}
    if "x-required-scope" in operation or _asks(operation, "bearerAuth"):
        headers["Authorization"] = "Bearer YOUR_TOKEN"
    elif _asks(operation, "adminSecret"):
        headers["X-Admin-Secret"] = "YOUR_ADMIN_SECRET"
    body = _ahead(_body_of(operation), today)
    if body is not None:
        headers["Content-Type"] = "application/json"
    address = f"{base}{filled}{'?' + urlencode(query, doseq=True) if query else ''}"
    return Call(method.upper(), address, headers, body, _answers_json(operation))


def example_of(parameter: Json) -> Any:
    """Return an example value of a parameter."""
    schema = parameter.get("schema", {})
    for candidate in (parameter.get("example"), *schema.get("examples", []), schema.get("default")):
        if candidate is not None:
            return candidate
    if schema.get("enum"):
        return schema["enum"][0]
    return schema.get("minimum", 1) if schema.get("type") == "integer" else "text"


def samples(call: Call) -> Samples:
    """Return the request in curl, Python and JavaScript."""
    return Samples(_curl(call), _python(call), _javascript(call))


def _body_of(operation: Json) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else content.get("example", {})


def _ahead(body: Any, today: date) -> Any:
    """Move the date of a visit to WEEKS_AHEAD weeks from now, keeping the weekday."""
    if not isinstance(body, dict) or "VisitDate" not in body:
        return body
    day = date.fromisoformat(body["VisitDate"])
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=WEEKS_AHEAD)
    return {**body, "VisitDate": (monday + timedelta(days=day.weekday())).isoformat()}


def _answers_json(operation: Json) -> bool:
    answers = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
    return all("json" in kind for answer in answers for kind in answer.get("content", {}))


def _asks(operation: Json, scheme: str) -> bool:
    return any(scheme in one for one in operation.get("security", []))


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _curl(call: Call) -> str:
    method = "" if call.method == "GET" else f"-X {call.method} "
    lines = [f"curl -sS {method}'{call.address}'"]
    lines += [f"  -H '{name}: {value}'" for name, value in call.headers.items()]
    if call.body is not None:
        quoted = json.dumps(call.body, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines.append(f"  -d '{quoted}'")
    return " \\\n".join(lines)


def _python(call: Call) -> str:
    arguments = [repr(call.address), f"method={call.method!r}"]
    arguments += [f"headers={_literal(call.headers, 4)}"] if call.headers else []
    arguments += [f"data=json.dumps({_literal(call.body, 4)}).encode()"] if call.body is not None else []
    needs_json = call.answers_json or call.body is not None
    return (
        f"{'import json' + chr(10) if needs_json else ''}import urllib.request\n\n"
        f"request = urllib.request.Request(\n{''.join(f'    {one},{chr(10)}' for one in arguments)})\n"
        "with urllib.request.urlopen(request) as answer:\n"
        f"    print({'json.load(answer)' if call.answers_json else 'answer.read().decode()'})"
    )


def _literal(value: Any, indent: int) -> str:
    """Return a Python literal of JSON. Its first line is not indented."""
    inside, end = "\n" + " " * (indent + 4), "\n" + " " * indent
    if isinstance(value, dict) and value:
        parts = [f"{name!r}: {_literal(each, indent + 4)}," for name, each in value.items()]
        return "{" + "".join(inside + part for part in parts) + end + "}"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        return "[" + "".join(f"{inside}{_literal(each, indent + 4)}," for each in value) + end + "]"
    return repr(value)


def _javascript(call: Call) -> str:
    options: Json = {"method": call.method} if call.method != "GET" else {}
    options |= {"headers": call.headers} if call.headers else {}
    parts = [f"  {name}: {_indented(value)}," for name, value in options.items()]
    if call.body is not None:
        parts.append(f"  body: JSON.stringify({_indented(call.body)}),")
    given = ", {\n" + "\n".join(parts) + "\n}" if parts else ""
    return (
        f"const answer = await fetch({json.dumps(call.address)}{given});\n"
        f"console.log(answer.status, await answer.{'json' if call.answers_json else 'text'}());"
    )


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")
