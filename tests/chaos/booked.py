"""Check of stored bookings against the responses to their callers: each one is stored completely or not at all."""

from dataclasses import dataclass

import asyncpg

from officepro.activity.verification import verify
from officepro.foundation.database import Database
from tests.chaos.bookers import DOUBLES, UNKNOWN, Bookers

# The mark of a booking is the visit's complaint and the client address in its disclosure.
HALVES = """
SELECT (SELECT count(*) FROM visit v WHERE NOT (
            (SELECT count(*) FROM visit_history h WHERE h.practice_id = v.practice_id AND h.visit_id = v.visit_id
                                                    AND from_status IS NULL AND to_status = 'booked') = 1
            AND (SELECT count(*) FROM log l WHERE l.practice_id = v.practice_id AND event = 'visit.booked'
                                              AND entity_id = v.visit_id) = 1))
     + (SELECT count(*) FROM visit_history h WHERE NOT EXISTS (
            SELECT FROM visit v WHERE v.practice_id = h.practice_id AND v.visit_id = h.visit_id))
     + (SELECT count(*) FROM log l WHERE NOT EXISTS (
            SELECT FROM visit v WHERE v.practice_id = l.practice_id AND v.visit_id = l.entity_id))
     + (SELECT count(*) FROM idempotency i WHERE NOT EXISTS (
            SELECT FROM visit v WHERE v.practice_id = i.practice_id AND v.complaint = i.idempotency_key))
"""
DISCLOSED = """
SELECT coalesce(v.practice_id, d.practice_id) AS practice_id, coalesce(v.complaint, d.address) AS mark,
       v.number AS visits, d.number AS disclosures, i.idempotency_key IS NOT NULL AS has_key, v.visit_id
FROM (SELECT practice_id, complaint, count(*) AS number, max(visit_id) AS visit_id FROM visit GROUP BY 1, 2) v
FULL JOIN (SELECT practice_id, address, count(*) AS number FROM disclosure GROUP BY 1, 2) d
    ON v.practice_id = d.practice_id AND v.complaint = d.address
LEFT JOIN idempotency i ON v.practice_id = i.practice_id AND v.complaint = i.idempotency_key
"""
GAPS = """
SELECT (SELECT coalesce(sum(abs(last - (SELECT count(*) FROM log WHERE log.practice_id = head.practice_id))
                            + abs(last - (SELECT coalesce(max(log_id), 0) FROM log
                                          WHERE log.practice_id = head.practice_id))), 0) FROM log_head head)::int
"""


@dataclass
class Found:
    """Counts of errors, which must be 0, and of visits."""

    lost: int  # acknowledged, but not stored
    doubled: int  # further visits of the same booking
    doubles: int  # times that were booked twice
    halves: int  # visits without their history or event, and vice versa
    undisclosed: int  # visits without a disclosure, and disclosures without a visit
    gaps: int  # gaps in log numbers, and errors in the hash chains of disclosure logs
    contradicted: int  # stored, although the response said that nothing was done
    visits: int
    unknown: int  # bookings without an Idempotency-Key whose outcome the caller does not know
    of_these_made: int

    @property
    def faults(self) -> tuple[int, ...]:
        """Return the counts that must be 0."""
        return self.lost, self.doubled, self.doubles, self.halves, self.undisclosed, self.gaps, self.contradicted

    def __str__(self) -> str:
        return (
            f"{self.visits} visits: lost {self.lost}, doubled {self.doubled}, times given twice {self.doubles}, half "
            f"written {self.halves}, not with their disclosure {self.undisclosed}, gaps {self.gaps}, made against what "
            f"was said {self.contradicted}; unknown {self.unknown}, of which {self.of_these_made} were made"
        )


async def found(owner: asyncpg.Connection, database: Database, bookers: Bookers) -> Found:
    """Compare the database with the responses that the clients got."""
    by_mark = {row["mark"]: row for row in await owner.fetch(DISCLOSED)}
    unknown = {mark for mark, told in bookers.given_up.items() if told in UNKNOWN}
    made = {mark for mark, row in by_mark.items() if row["visits"]}
    return Found(
        lost=sum(
            mark not in made or (by_mark[mark]["practice_id"], by_mark[mark]["visit_id"]) != visit
            for mark, visit in bookers.acknowledged.items()
        ),
        doubled=sum(by_mark[mark]["visits"] > 1 for mark in made),
        doubles=await owner.fetchval(DOUBLES),
        halves=await owner.fetchval(HALVES),
        # A replayed response is another disclosure; only bookings with a key are retried.
        undisclosed=sum(
            row["visits"] is None or not row["disclosures"] or (row["disclosures"] > 1 and not row["has_key"])
            for row in by_mark.values()
        ),
        gaps=await owner.fetchval(GAPS) + sum([len(one.faults) async for one in verify(database)]),
        contradicted=len(made & (bookers.given_up.keys() - unknown)),
        visits=len(made),
        unknown=len(unknown),
        of_these_made=len(made & unknown),
    )
