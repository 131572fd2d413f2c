"""Queries for tags: the practice's labels, and their assignment to patients."""

from officepro.foundation.database import MEANING, Connection
from officepro.foundation.errors import Impossible, NotFound


class UnknownProspect(NotFound):
    """There is no such prospect in this practice."""

    code = "unknown_prospect"


class UnknownTag(Impossible):
    """There is no such tag in this practice; GET /tags lists them."""

    code = "unknown_tag"


MEANING["patient_tag_patient"] = UnknownProspect
MEANING["patient_tag_tag"] = UnknownTag


async def all_tags(db: Connection, practice_id: int) -> list[tuple[int, str]]:
    """Return id and name of all tags of the practice, by name."""
    rows = await db.fetch("SELECT tag_id, tag FROM tag WHERE practice_id = $1 ORDER BY tag, tag_id", practice_id)
    return [(row["tag_id"], row["tag"]) for row in rows]


async def assign(db: Connection, practice_id: int, patient_id: int, tag_id: int) -> bool:
    """Assign a tag to a patient; return True if the patient did not have it. Raises UnknownProspect, UnknownTag."""
    assigned = await db.fetchval(
        """
        INSERT INTO patient_tag (practice_id, patient_id, tag_id) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        practice_id,
        patient_id,
        tag_id,
    )
    return bool(assigned)


async def remove(db: Connection, practice_id: int, patient_id: int, tag_id: int | None = None) -> list[int]:
    """Remove one tag, or all tags if `tag_id` is None; return the ids removed. Raises UnknownProspect."""
    removed = await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM patient_tag
            WHERE practice_id = $1 AND patient_id = $2 AND tag_id = coalesce($3, tag_id) RETURNING tag_id
        )
        SELECT CASE WHEN EXISTS (SELECT FROM patient WHERE practice_id = $1 AND patient_id = $2)
               THEN ARRAY(SELECT tag_id FROM gone ORDER BY tag_id) END
        """,
        practice_id,
        patient_id,
        tag_id,
    )
    if removed is None:
        raise UnknownProspect
    return list(removed)
