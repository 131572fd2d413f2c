"""Invalid input gets a clear error: a hand-made corpus against a body and a query string. (PROOF.md)"""

import json
import re
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from officepro.foundation import json_body
from officepro.foundation.errors import MAXIMUM_FAULTS, Fault, Invalid
from officepro.foundation.json_body import read_body
from officepro.foundation.wire import LocalDate, LocalTime, Moment, Name, RecordId, Text20
from officepro.prospects.shapes import ProspectFields
from tests.world import Office

# Internal words that must not appear in messages.
OF_OURS = re.compile(r"`\w+`,|Expected|regex|msgspec|\bstr\b|\bint\b|\bdict\b|NoneType|\\[sdx]|\[\^|Traceback|Error\b")


def assert_is_a_clear_refusal(answer: httpx.Response, *, location: str | None = None) -> None:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["requestId"] == answer.headers["X-Request-Id"]
    if answer.status_code == 400:
        assert problem["errors"]
        assert (
            f"{len(problem['errors'])} validation error" in problem["detail"]
            or len(problem["errors"]) == MAXIMUM_FAULTS
        )
        for fault in problem["errors"]:
            assert re.match(r"(body|query|path|header)\b", fault["location"]), fault
            assert fault["message"]
            assert not OF_OURS.search(fault["message"]), fault
    if location is not None:
        assert location in [fault["location"] for fault in problem["errors"]], problem


def named(value: bytes) -> bytes:
    return b'{"FirstName": ' + value + b"}"


# The body, and the location that must be named.
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "body"),
    "a space": (b" ", "body"),
    "a list": (b"[]", "body"),
    "a list of objects": (b'[{"FirstName": "Ann"}]', "body"),
    "null": (b"null", "body"),
    "true": (b"true", "body"),
    "a number": (b"7", "body"),
    "text": (b'"Ann"', "body"),
    "truncated": (b'{"FirstName": "Ann"', "body"),
    "truncated in a word": (b'{"FirstName": "An', "body"),
    "truncated in an escape": (b'{"FirstName": "\\u00', "body"),
    "two documents": (b'{"FirstName": "Ann"}{}', "body"),
    "a comma too many": (b'{"FirstName": "Ann",}', "body"),
    "single quotes": (b"{'FirstName': 'Ann'}", "body"),
    "a comment": (b'{"FirstName": "Ann"} // a comment', "body"),
    "a byte order mark": (b'\xef\xbb\xbf{"FirstName": "Ann"}', "body"),
    "UTF-16": ('{"FirstName": "Ann"}'.encode("utf-16"), "body"),
    "UTF-16 without a mark": ('{"FirstName": "Ann"}'.encode("utf-16-le"), "body"),
    "Latin-1": ('{"FirstName": "Zoë"}'.encode("latin-1"), "body"),
    "overlong UTF-8": (named(b'"\xc0\xaf"'), "body"),
    "raw NUL": (named(b'"a\x00b"'), "body"),
    "escaped NUL": (named(b'"a\\u0000b"'), "body.FirstName"),
    "NUL in a name": (b'{"First\\u0000Name": "Ann"}', "body.First\x00Name"),
    "a raw lone surrogate": (named(b'"\xed\xa0\x80"'), "body"),
    "an escaped lone surrogate": (named(b'"\\ud800"'), "body"),
    "a lone low surrogate": (named(b'"\\udc00"'), "body"),
    "a turned pair of surrogates": (named(b'"\\udc00\\ud800"'), "body"),
    "a raw line break": (named(b'"a\nb"'), "body"),
    "NaN": (b'{"ProviderID": NaN}', "body"),
    "Infinity": (b'{"ProviderID": Infinity}', "body"),
    "-Infinity": (b'{"ProviderID": -Infinity}', "body"),
    "1e400": (b'{"ProviderID": 1e400}', "body"),
    "2^63": (b'{"ProviderID": 9223372036854775808}', "body.ProviderID"),
    "2^64": (b'{"ProviderID": 18446744073709551616}', "body.ProviderID"),
    "10^400": (b'{"ProviderID": 1' + b"0" * 400 + b"}", "body.ProviderID"),
    "10^5000": (b'{"ProviderID": 1' + b"0" * 5000 + b"}", "body"),
    "-1": (b'{"ProviderID": -1}', "body.ProviderID"),
    "1.0": (b'{"ProviderID": 1.0}', "body.ProviderID"),
    "a number with a leading zero": (b'{"ProviderID": 01}', "body"),
    "hexadecimal": (b'{"ProviderID": 0x1F}', "body"),
    "33 levels": (named(b"[" * 32 + b"]" * 32), "body"),
    "33 levels of objects": (named(b'{"a":' * 32 + b"1" + b"}" * 32), "body"),
    "100,000 levels": (named(b"[" * 100_000 + b"]" * 100_000), "body.FirstName"),
    "100,000 levels, truncated": (b"[" * 100_000, "body"),
    "100,000 levels of objects": (b'{"a":' * 100_000, "body"),
    "2026-02-29": (b'{"DOB": "2026-02-29"}', "body.DOB"),
    "infinity": (b'{"DOB": "infinity"}', "body.DOB"),
    "tomorrow": (b'{"DOB": "tomorrow"}', "body.DOB"),
    "the year 1899": (b'{"DOB": "1899-12-31"}', "body.DOB"),
    "the year 2101": (b'{"DOB": "2101-01-01"}', "body.DOB"),
    "the year 0": (b'{"DOB": "0000-01-01"}', "body.DOB"),
    "a date with a line break": (b'{"DOB": "1984-02-29\\n"}', "body.DOB"),
    "a thousand unknown fields": (json.dumps({f"field{n}": n for n in range(1000)}).encode(), "body.field99"),
    "the constructor": (b'{"__class__": "x", "__struct_fields__": []}', "body.__class__"),
    "a very long name": (b'{"' + b"x" * 100_000 + b'": 1}', "body." + "x" * 100 + "…"),
}


@pytest.mark.parametrize("horror", BODIES)
async def test_a_horrible_body_is_refused_clearly(demo_office: Office, horror: str) -> None:
    body, location = BODIES[horror]
    for method, path in (("POST", "/prospects"), ("PUT", "/prospects/1001")):
        answer = await demo_office.partner.request(
            method, path, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
        assert_is_a_clear_refusal(answer, location=location)
    assert await demo_office.log() == []


async def test_of_a_name_given_twice_the_last_counts_as_everywhere(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/prospects", content=b'{"FirstName": "Ann", "FirstName": "Eve"}')

    assert (answer.status_code, answer.json()["data"]["FirstName"]) == (201, "Eve")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/msgpack",
        "application/x-msgpack",
        "application/xml",
        "application/jsonp",
        "image/svg+json+xml",
        "nonsense",
        "/",
        ";",
        "*/*",
    ],
)
@pytest.mark.parametrize(
    "body", [b'{"FirstName": "Ann"}', b"FirstName=Ann", b"--x\r\n\r\n--x--", b"\x81\xa1a\x01", b""]
)
async def test_another_kind_of_body_is_no_json(demo_office: Office, content_type: str, body: bytes) -> None:
    answer = await demo_office.partner.post("/prospects", content=body, headers={"Content-Type": content_type})

    assert_is_a_clear_refusal(answer)
    assert answer.status_code in ((415,) if body else (400, 415)), answer.text
    assert await demo_office.log() == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/vnd.x+json"],
)
async def test_json_by_any_of_its_names_is_taken(demo_office: Office, content_type: str) -> None:
    answer = await demo_office.partner.post(
        "/prospects", content=b'{"FirstName": "Ann"}', headers={"Content-Type": content_type}
    )

    assert answer.status_code == 201


async def chunks(total: int, size: int = 65_536) -> AsyncIterator[bytes]:
    for _ in range(total // size):
        yield b" " * size


@pytest.mark.parametrize("path", ["/prospects", "/tags/prospects/1001", "/auth/token"])
async def test_a_body_of_three_megabytes_is_too_large_with_and_without_a_length(demo_office: Office, path: str) -> None:
    for content in (b" " * (3 << 20), chunks(3 << 20)):
        answer = await demo_office.partner.post(path, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert_is_a_clear_refusal(answer)


async def test_a_body_in_chunks_without_a_length_is_read_like_any_other(demo_office: Office) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in b'{"FirstName": "Ann"}':
            yield bytes([byte])

    headers = {"Content-Type": "application/json"}
    assert (await demo_office.partner.post("/prospects", content=pieces(), headers=headers)).status_code == 201

    async def broken() -> AsyncIterator[bytes]:
        yield b'{"FirstName": '

    assert_is_a_clear_refusal(
        await demo_office.partner.post("/prospects", content=broken(), headers=headers), location="body"
    )


HORRORS = [
    "%00", "a%00b", "24:00:00", "infinity", "-infinity", "tomorrow", "2026-02-29", "2026-02-29T00:00:00Z",
    "2026-03-09T24:00:00Z", "1899-12-31T00:00:00Z", "2101-01-01T00:00:00Z", "9223372036854775808",
    "-9223372036854775809", "1" + "0" * 400, "1e400", "NaN", "Infinity", "null", "undefined", "%F0%9F%98%80",
    "%ED%A0%80", "%FF", "%", "%zz", "'%20OR%201=1--", "{}", "[]", "1_000", "0x10", "+1", "1.0", "%D9%A1", "%20", "",
]  # fmt: skip
PARAMETERS = ["search", "page", "limit", "prospect", "tagId", "updatedSince", "cursor", "date", "a%00b", "%FF", ""]


@pytest.mark.parametrize("parameter", PARAMETERS)
async def test_a_horrible_query_is_answered_or_refused_clearly(demo_office: Office, parameter: str) -> None:
    for horror in HORRORS:
        answer = await demo_office.partner.get(f"/prospects?{parameter}={horror}")
        if answer.status_code != 200:
            assert answer.status_code == 400, (horror, answer.text)
            assert_is_a_clear_refusal(answer)
        else:
            assert parameter not in ("date", "a%00b", "%FF", ""), horror


@pytest.mark.parametrize(
    "path",
    [f"/prospects/{horror}" for horror in HORRORS if horror] + ["/tags/prospects/1001/%00", "/prospects/" + "9" * 5000],
)
async def test_a_horrible_address_is_refused_clearly(demo_office: Office, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await demo_office.partner.request(method, path, content=b"{}")
        assert_is_a_clear_refusal(answer)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=50))
async def test_any_text_at_all_can_be_searched_for(demo_office: Office, text: str) -> None:
    answer = await demo_office.partner.get(f"/prospects?search={quote(text, safe='')}")

    if "\x00" in text:
        assert_is_a_clear_refusal(answer, location="query.search")
    else:
        assert answer.status_code == 200, answer.text


# ---- The parser itself: for any JSON, either a value is returned or at least one validation error.


class Everything(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A field of every type."""

    name: Name
    count: RecordId
    mark: Text20 | None = None
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    is_open: bool = False
    day: LocalDate | None = None
    time: LocalTime | None = None
    moment: Moment | None = None
    kind: Literal["a", "b"] | None = None
    flag: Literal[0, 1] = 0
    numbers: Annotated[list[RecordId], Meta(max_length=3)] = []
    inner: "list[Everything] | None" = None
    code: Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["ABC"])] = "ABC"
    by_name: dict[str, int] = {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=25),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [*(field.encode_name for field in msgspec.structs.fields(Everything)), "unknown"]


@settings(max_examples=400, deadline=None)
@given(value=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=8) | json_values)
def test_whatever_the_json_it_is_read_or_its_faults_are_named(value: object) -> None:
    raw = msgspec.json.encode(value)
    faults = faults_of(raw, Everything)
    if faults is not None:
        assert faults, raw
        assert not [fault for fault in faults if OF_OURS.search(_without_quotes(fault.message, raw))], faults


def faults_of(raw: bytes, shape: type) -> list[Fault] | None:
    """Return the validation errors, None without any."""
    try:
        assert isinstance(read_body(raw, shape), shape)
    except Invalid as refusal:
        return refusal.faults
    return None


def _without_quotes(message: str, raw: bytes) -> str:
    """Remove names and values that the caller sent, which may be quoted."""
    return "" if any(word in raw for word in (b"`", b"Expected", b"str", b"int", b"\\")) else message


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({}, "body.name", "is required"),
        ({"name": 7}, "body.name", "must be text, not a whole number"),
        ({"name": None}, "body.name", "must be text, not null"),
        ({"name": ""}, "body.name", "must not be empty"),
        ({"name": " \t"}, "body.name", "must not be blank, and must not contain the NUL character"),
        ({"name": "x" * 201}, "body.name", "must be at most 200 characters long"),
        ({"count": "1"}, "body.count", "must be a whole number, not text"),
        ({"count": 1.5}, "body.count", "must be a whole number, not a number"),
        ({"count": 0}, "body.count", "must be a whole number of at least 1"),
        ({"count": 2**63}, "body.count", "must be a whole number of at most 9223372036854775807"),
        ({"share": 2}, "body.share", "must be at most 1.0"),
        ({"share": "half"}, "body.share", "must be a number, not text"),
        ({"isOpen": 1}, "body.isOpen", "must be true or false, not a whole number"),
        ({"mark": "\x00"}, "body.mark", "must not contain the NUL character"),
        ({"kind": "c"}, "body.kind", "must be one of a, b"),
        ({"kind": 1}, "body.kind", "must be text, not a whole number"),
        ({"flag": 2}, "body.flag", "must be one of 0, 1"),
        ({"numbers": 1}, "body.numbers", "must be a list, not a whole number"),
        ({"numbers": [1, 2, 3, 4]}, "body.numbers", "must have at most 3 items, not 4"),
        ({"numbers": [1, "x", 0]}, "body.numbers[1]", "must be a whole number, not text"),
        ({"numbers": [1, "x", 0]}, "body.numbers[2]", "must be a whole number of at least 1"),
        ({"inner": [{}, 7]}, "body.inner[0].name", "is required"),
        ({"inner": [{}, 7]}, "body.inner[1]", "must be an object"),
        ({"code": "abc"}, "body.code", "has the wrong format; example: ABC"),
        ({"byName": []}, "body.byName", "must be an object, not a list"),
        ({"day": "2026-02-29"}, "body.day", "2026-02-29 is not a calendar date"),
        ({"day": 7}, "body.day", "must be a date as YYYY-MM-DD"),
        ({"time": "24:00:00"}, "body.time", "must be a time of day as HH:MM:SS, 00:00:00 to 23:59:59"),
        (
            {"moment": "now"},
            "body.moment",
            "must be an RFC 3339 date and time with an offset, such as 2026-03-09T14:15:00Z",
        ),
        ({"nmae": "Ann"}, "body.nmae", "is not a field of this request; did you mean name?"),
    ],
)
def test_faults_are_told_in_plain_words(value: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_body(msgspec.json.encode(value), Everything)

    assert {fault.location: fault.message for fault in refusal.value.faults}[place] == message


def test_the_list_of_faults_has_an_end() -> None:
    with pytest.raises(Invalid) as refusal:
        read_body(msgspec.json.encode({f"field{number}": 1 for number in range(5000)}), ProspectFields)

    assert (len(refusal.value.faults), refusal.value.count) == (MAXIMUM_FAULTS, 5000)
    assert refusal.value.detail == "The request has 5,000 validation errors; the first 100 are listed."


class Many(msgspec.Struct):
    """A body that may contain many records."""

    records: Annotated[list[Everything], Meta(max_length=10_000)]


HUGE = {
    "empty records": b'{"records": [' + b"{}," * 2_700_000 + b"{}]}",
    "numbers": b'{"records": [' + b"1," * 4_000_000 + b"1]}",
    "lists in a value": b'{"records": [{"name": "a", "count": 1, "inner": [' + b"[]," * 2_600_000 + b"[]]}]}",
    "of no shape": b"[" + b"{}," * 2_700_000 + b"{}]",
    "not closed": b'{"records": [' + b"{}," * 2_700_000,
    "one long name": b'{"' + b"x" * (8 << 20) + b'": 1}',
    "one long text": b'{"records": "' + b"x" * (8 << 20) + b'"}',
    "digits": b'{"records": [' + b"9" * (8 << 20) + b"]}",
}


@pytest.mark.parametrize("kind", HUGE)
def test_eight_mebibytes_of_rubbish_are_refused_in_little_time_and_room(kind: str) -> None:
    """Decoding them to Python objects took 2.7 s and 300 MB."""
    raw = HUGE[kind]
    tracemalloc.start()
    began = time.thread_time()
    with pytest.raises(Invalid) as refusal:
        read_body(raw, Many)
    took, (_, room) = time.thread_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert refusal.value.faults
    assert sum(len(fault.location) + len(fault.message) for fault in refusal.value.faults) < 10_000
    assert (took < 1.0, room < 64 << 20) == (True, True), (took, room)


def test_a_bulk_has_every_bad_record_counted_and_the_first_hundred_named() -> None:
    records = [{"name": "a" * 50, "count": 0, "mark": "m", "kind": "a", "day": "2026-03-09"}] * 500
    records += [{"name": "a" * 50, "count": 1, "mark": "m", "kind": "a", "day": "2026-03-09"}] * 9500

    with pytest.raises(Invalid) as refusal:
        read_body(msgspec.json.encode({"records": records}), Many)

    assert refusal.value.count == 500
    assert [fault.location for fault in refusal.value.faults] == [
        f"body.records[{number}].count" for number in range(100)
    ]


ROWS: list[object] = [
    {"name": "a", "count": 1},
    {"name": 7, "count": 0, "nmae": "a"},
    {},
    [],
    7,
    {"name": "a", "count": 1, "inner": [{"name": ""}]},
    {"name": "a", "count": 1, "byName": {"a": "b"}},
    {"name": "\x00", "count": 2**70},
    {"name": "a", "count": 1, "inner": [[[[[[[]]]]]]]},
]
BULKS: dict[str, bytes] = {
    "rows of every kind": msgspec.json.encode({"records": ROWS}),
    "valid ones": msgspec.json.encode({"records": ROWS[:1] * 3}),
    "none": b'{"records": []}',
    "no list": b'{"records": {}}',
    "another name": b'{"recrods": []}',
    "no object": b"[]",
    "nothing": b" ",
    "cut off": b'{"records": [{"name": "a"',
    "too deep": b'{"records": [' + b"[" * 31 + b"]" * 31 + b"]}",
    "deeper than is read": b'{"records": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    "a row of rubbish": b'{"records": [{"name": "a", "count": 1}, {"name": nil}]}',
    "no UTF-8": b'{"records": [{"name": "\xff", "count": 1}]}',
    "half a pair": rb'{"records": [{"name": "\ud83d", "count": 1}]}',
}


@pytest.mark.parametrize("kind", BULKS)
def test_a_large_body_is_read_row_by_row_as_a_small_one_is_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome() -> tuple[object, ...]:
        try:
            return (read_body(BULKS[kind], Many),)
        except Invalid as refusal:
            messages = [(fault.location, fault.message.partition(":")[0]) for fault in refusal.faults]
            return refusal.code, refusal.count, messages

    at_once = outcome()
    monkeypatch.setattr(json_body, "SMALL_BYTES", 0)
    row_by_row = outcome()

    # The row is named rather than the body, or the value sent instead of an object.
    other_words = {"no UTF-8", "a row of rubbish", "half a pair", "another name", "too deep", "no object"}
    assert row_by_row == at_once or (kind in other_words and row_by_row[:2] == at_once[:2]), (at_once, row_by_row)
