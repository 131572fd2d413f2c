"""Serialize prospects in PostgreSQL: SQL that builds the JSON of `Prospect`.

Most fields of a person are empty, and serializing each in Python costs several times as much as in the database.
(docs/decisions/0016)
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from officepro.foundation.answers import Paged
from officepro.foundation.database import Row
from officepro.foundation.paging import MAXIMUM_TOTAL, Page, paged
from officepro.prospects.shapes import Prospect

_NUMBERS = frozenset({"patient_id", "provider_id", "prospect"})
_MOMENTS = frozenset({"created_at", "updated_at"})
_LEFT_TO_OTHERS = frozenset({"tags", "picture"})


class Told(msgspec.Struct, frozen=True):
    """A page of serialized prospects."""

    patient_ids: Sequence[int]
    people: str  # `Prospect` JSON objects, comma-separated
    last_updated_at: datetime | None  # time of the latest change to one of them
    total: int  # records on all pages, counted up to MAXIMUM_TOTAL


def full_name(alias: str) -> str:
    """Return SQL for the full name; an empty one is composed of its parts."""
    return f"coalesce({alias}.full_name, nullif(concat_ws(' ', {alias}.first_name, {alias}.mi, {alias}.last_name), ''))"


def telling(practice: str, patient_ids: str) -> str:
    """Return SQL for the row that `told_in` reads, except the total: the people of an array, in its order. Both
    arguments are SQL."""
    return f"""
        SELECT array_agg(p.patient_id ORDER BY place) AS patient_ids,
               string_agg({_PERSON}, ',' ORDER BY place) AS people,
               max(p.updated_at) AS last_updated_at
        FROM unnest({patient_ids}) WITH ORDINALITY AS shown (patient_id, place)
        JOIN patient p ON p.practice_id = {practice} AND p.patient_id = shown.patient_id
        LEFT JOIN (
            SELECT pt.patient_id,
                   json_agg(json_build_object('TagID', t.tag_id, 'Tag', t.tag) ORDER BY t.tag, t.tag_id)::text AS tags
            FROM patient_tag pt JOIN tag t USING (practice_id, tag_id)
            WHERE pt.practice_id = {practice} AND pt.patient_id = ANY ({patient_ids})
            GROUP BY pt.patient_id
        ) AS worn ON worn.patient_id = p.patient_id
    """


def told_in(row: Row) -> Told:
    """Parse a row of `telling`, which also has the `total` of the search."""
    return Told(row["patient_ids"] or [], row["people"] or "", row["last_updated_at"], min(row["total"], MAXIMUM_TOTAL))


def page_of(told: Told, page: Page) -> Paged[Any]:
    """Return the response; the serialized prospects are inserted unchanged."""
    answer: Paged[Any] = paged([], page, told.total)
    answer.data, answer.count = Raw(f"[{told.people}]".encode()), len(told.patient_ids)
    return answer


def _written(field: str) -> str:
    if field in _NUMBERS:
        return f"p.{field}"
    if field in _MOMENTS:
        return rf"""to_char(p.{field} AT TIME ZONE 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"')"""
    return f"to_json({full_name('p') if field == 'full_name' else f'p.{field}'})::text"


def _person() -> str:
    """Return SQL for one person of the rows `p` and `worn`."""
    members: list[str] = []
    for field in msgspec.structs.fields(Prospect):
        if field.name not in _LEFT_TO_OTHERS:
            name = f'{"," if members else "{"}"{field.encode_name}":'
            members.append(f"coalesce('{name}' || {_written(field.name)}, '{name}null')")
    return f"""{" || ".join(members)} || ',"Tags":' || coalesce(worn.tags, '[]') || '}}'"""


_PERSON = _person()
