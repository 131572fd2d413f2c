"""PURE: a call of the API in curl, Python and JavaScript, from its part of the OpenAPI document."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

Json = dict[str, Any]


class Samples(msgspec.Struct, frozen=True):
    curl: str
    python: str
    javascript: str


class Call(msgspec.Struct, frozen=True):
    """What is sent, filled in with the examples of the document."""

    method: str
    address: str
    headers: dict[str, str]
    body: Any  # None: there is none


def call_of(base: str, path: str, method: str, operation: Json, practicepass: str) -> Call:
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
    body = body_of(operation)
    if body is not None:
        headers["Content-Type"] = "application/json"
    return Call(method.upper(), f"{base}{filled}{'?' + urlencode(query, doseq=True) if query else ''}", headers, body)


def body_of(operation: Json) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else content.get("example", {})


def example_of(parameter: Json) -> Any:
    schema = parameter.get("schema", {})
    for candidate in (parameter.get("example"), *schema.get("examples", []), schema.get("default")):
        if candidate is not None:
            return candidate
    if schema.get("enum"):
        return schema["enum"][0]
    return schema.get("minimum", 1) if schema.get("type") == "integer" else "text"


def samples(call: Call) -> Samples:
    return Samples(_curl(call), _python(call), _javascript(call))


def _asks(operation: Json, scheme: str) -> bool:
    return any(scheme in one for one in operation.get("security", []))


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _curl(call: Call) -> str:
    lines = [f"curl -s -X {call.method} '{call.address}'"]
    lines += [f"  -H '{name}: {value}'" for name, value in call.headers.items()]
    if call.body is not None:
        quoted = json.dumps(call.body, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines.append(f"  -d '{quoted}'")
    return " \\\n".join(lines)


def _python(call: Call) -> str:
    body = "None" if call.body is None else f"json.dumps({_indented(call.body)}).encode()"
    return (
        "import json\nimport urllib.request\n\n"
        f"request = urllib.request.Request(\n    {call.address!r},\n    method={call.method!r},\n"
        f"    headers={call.headers!r},\n    data={body},\n)\n"
        "with urllib.request.urlopen(request) as answer:\n    print(json.load(answer))"
    )


def _indented(value: Any) -> str:
    """A Python literal of JSON."""
    text = json.dumps(value, indent=4, ensure_ascii=False).replace("\n", "\n    ")
    for word, literal in ((": true", ": True"), (": false", ": False"), (": null", ": None")):
        text = text.replace(word, literal)
    return text


def _javascript(call: Call) -> str:
    options: Json = {"method": call.method, "headers": call.headers}
    text = json.dumps(options, indent=2)[:-2]
    if call.body is not None:
        text += ',\n  "body": JSON.stringify(' + json.dumps(call.body, ensure_ascii=False) + ")"
    return f"const answer = await fetch({json.dumps(call.address)}, {text}\n}});\nconsole.log(await answer.json());"
