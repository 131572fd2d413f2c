"""Batch loader for one-word searches: concurrent searches, in any practices, share one statement, which also writes
their disclosures. Each response waits for one round trip and shares the commit. (docs/decisions/0016)

Beginnings of one or two letters run the same statement alone. `queries.some` and the disclosure log are used instead
where a statement may concern only one practice, and for several words, a tag, or `updatedSince`.
"""

from collections.abc import Sequence
from typing import Any

from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.activity.asked import Disclosures
from officepro.foundation.database import Database, Row, each_asked
from officepro.foundation.errors import Unavailable
from officepro.foundation.joining import Joined, write_together
from officepro.foundation.paging import Page
from officepro.prospects.queries import MAXIMUM_MATCHES, Filter, range_of
from officepro.prospects.telling import Told, telling, told_in
from officepro.prospects.tokens import MAXIMUM_TOKENS

MOST_TOGETHER = 16  # searches per statement: all wait for the slowest
LEAST_JOINED = 3  # characters: shorter beginnings match too many people to be batched with others

_ASKED = {
    "practice_id": "bigint", "api_key_id": "bigint", "partner_id": "bigint", "method": "text", "endpoint": "text",
    "request_id": "text", "recipient": "text", "beginning": "text", "ending": "text", "only_prospects": "boolean",
    "most": "int", "before": "int",
}  # fmt: skip

_DISCLOSED = list(_ASKED)[:7]

# Matches of a search by position: a person matched by several tokens of the range is listed several times.
SEARCH = f"""
    WITH found AS MATERIALIZED (
        SELECT place, matching.total, told.*, {", ".join(f"asked.{name}" for name in _DISCLOSED)}
        FROM {each_asked(_ASKED)},
             LATERAL (
                 SELECT ARRAY(
                     SELECT token.patient_id FROM patient_token token
                     WHERE token.practice_id = this.practice_id
                     AND token.token >= asked.beginning AND token.token < asked.ending
                     ORDER BY token.token, token.patient_id LIMIT {MAXIMUM_MATCHES}
                 ) AS patient_ids OFFSET 0
             ) AS found,
             LATERAL (
                 SELECT CASE WHEN asked.only_prospects THEN ARRAY(
                     SELECT one.patient_id FROM unnest(found.patient_ids) WITH ORDINALITY AS one (patient_id, place)
                     JOIN patient p ON p.practice_id = this.practice_id AND p.patient_id = one.patient_id
                     WHERE p.prospect = 1 ORDER BY one.place
                 ) ELSE found.patient_ids END AS patient_ids OFFSET 0
             ) AS wanted,
             LATERAL (
                 SELECT (SELECT count(DISTINCT patient_id) FROM unnest(wanted.patient_ids) AS patient_id) AS total
                 OFFSET 0
             ) AS matching,
             LATERAL (
                 SELECT CASE WHEN matching.total = cardinality(wanted.patient_ids)
                 THEN wanted.patient_ids[asked.before + 1 : asked.before + asked.most]
                 ELSE ARRAY(
                     SELECT patient_id
                     FROM unnest(wanted.patient_ids[: (asked.before + asked.most) * {MAXIMUM_TOKENS}])
                              WITH ORDINALITY AS one (patient_id, place)
                     GROUP BY patient_id ORDER BY min(place) LIMIT asked.most OFFSET asked.before
                 ) END AS patient_ids OFFSET 0
             ) AS page,
             LATERAL ({telling("this.practice_id", "page.patient_ids")}) AS told
    ), recorded AS MATERIALIZED (
        SELECT append_disclosures_together(
                   {", ".join(f"array_agg({name} ORDER BY place)" for name in _DISCLOSED)},
                   array_agg(patient_ids::text ORDER BY place)) AS rows
        FROM found WHERE patient_ids IS NOT NULL HAVING count(*) > 0
    )
    SELECT total, patient_ids, people, last_updated_at, recorded.rows
    FROM found LEFT JOIN recorded ON true ORDER BY place
"""


class Searches:
    """Batch loader for one-word searches, one instance per worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._joined: Joined[dict[str, Any], Row] = Joined(self._find_all, MOST_TOGETHER)

    def may_find(self, wanted: Filter) -> bool:
        """True if the loader supports this filter."""
        return self._database.keeps_sessions and wanted.is_one_word

    async def find(self, wanted: Filter, page: Page, disclosures: Disclosures) -> Told:
        """Return a page as `queries.some` does, written to the disclosure log. Raises NotOnRecord."""
        assert wanted.beginnings is not None
        disclosure = disclosures.of()
        beginning, ending = range_of(wanted.beginnings[0])
        asked = {
            **disclosure.request(),
            "beginning": beginning,
            "ending": ending,
            "only_prospects": wanted.only_prospects,
            "most": page.limit,
            "before": page.offset,
        }
        finding = self._joined.do if len(wanted.beginnings[0]) >= LEAST_JOINED else self._find_alone
        try:
            found = await finding(asked)
        except Unavailable:
            raise
        except Exception as failure:
            raise disclosures.not_kept(failure) from failure
        if found["patient_ids"]:
            disclosures.kept(disclosure)
        return told_in(found)

    async def _find_alone(self, asked: dict[str, Any]) -> Row:
        (found,) = await self._find_all([asked])
        return found

    async def _find_all(self, several: Sequence[dict[str, Any]]) -> list[Row]:
        async with self._database.unbound() as db:
            return await write_together(db, SEARCH, several)


TheSearches = NamedDependency[Searches]  # handler dependency for batched searches


def provide_searches(scope: Scope) -> Any:
    """Return the worker's Searches for a handler."""
    return scope["litestar_app"].state.searches
