"""Routes for tags: list, assign, remove. (source API specification: Tags)"""

from litestar import Router, delete, get, post
from litestar.params import JSONBody

from officepro import events
from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.caller import Caller
from officepro.access.guards import requires
from officepro.access.scopes import TAGS
from officepro.activity.asked import TheDisclosures
from officepro.foundation.answers import Listed, Written, listed
from officepro.foundation.database import Database
from officepro.foundation.documented import documented
from officepro.foundation.parameters import PathId
from officepro.tags import queries
from officepro.tags.queries import UnknownProspect, UnknownTag
from officepro.tags.shapes import Assigned, AssignTag, Removed, Tag


@get(
    "/",
    summary="List tags",
    opt=documented(example_response={"data": [{"TagID": 123, "Tag": "VIP"}], "count": 1}),
)
async def list_tags(caller: TheCaller, database: TheDatabase) -> Listed[Tag]:
    """All tags of the practice, by name."""
    async with database.practice(caller.practice_id) as db:
        return listed([Tag(*row) for row in await queries.all_tags(db, caller.practice_id)])


@post(
    "/prospects/{patient_id:str}",
    summary="Assign a tag to a prospect",
    status_code=200,
    opt=documented(
        path_example={"id": 1001},
        example_request={"tagId": 123},
        example_response={"message": "Tag assigned successfully", "data": {"PatientID": 1001, "TagID": 123}},
        errors=[UnknownProspect, UnknownTag],
    ),
)
async def assign_tag(
    patient_id: PathId, data: JSONBody[AssignTag], caller: TheCaller, once: TheOnce, disclosures: TheDisclosures
) -> Written[Assigned]:
    """Assigning a tag that the prospect already has is not an error and creates no event."""
    answer = Written("Tag assigned successfully", Assigned(patient_id, data.tag_id))
    async with once.transaction() as db:
        if await queries.assign(db, caller.practice_id, patient_id, data.tag_id):
            change = {"PatientID": patient_id, "TagID": data.tag_id}
            await events.record(db, caller.practice_id, "patient.tagged", patient_id, change)
        await once.settled(db, answer, status=200)
    await disclosures.record(patient_id)
    return answer


@delete(
    "/prospects/{patient_id:str}/{tag_id:str}",
    summary="Remove a tag from a prospect",
    status_code=200,
    opt=documented(
        path_example={"id": 1001, "tagId": 123},
        example_response={"message": "Tag removed successfully", "data": {"PatientID": 1001, "Removed": 1}},
        errors=[UnknownProspect],
    ),
)
async def remove_tag(
    patient_id: PathId, tag_id: PathId, caller: TheCaller, database: TheDatabase, disclosures: TheDisclosures
) -> Written[Removed]:
    """`Removed` is 0 if the prospect did not have the tag."""
    removed = await _remove(database, caller, patient_id, tag_id)
    await disclosures.record(patient_id)
    return Written("Tag removed successfully", removed)


@delete(
    "/prospects/{patient_id:str}",
    summary="Remove all tags from a prospect",
    status_code=200,
    opt=documented(
        path_example={"id": 1001},
        example_response={"message": "All tags removed successfully", "data": {"PatientID": 1001, "Removed": 2}},
        errors=[UnknownProspect],
    ),
)
async def remove_all_tags(
    patient_id: PathId, caller: TheCaller, database: TheDatabase, disclosures: TheDisclosures
) -> Written[Removed]:
    """`Removed` is the number of tags removed."""
    removed = await _remove(database, caller, patient_id)
    await disclosures.record(patient_id)
    return Written("All tags removed successfully", removed)


async def _remove(database: Database, caller: Caller, patient_id: int, tag_id: int | None = None) -> Removed:
    async with database.practice_transaction(caller.practice_id) as db:
        removed = await queries.remove(db, caller.practice_id, patient_id, tag_id)
        if removed:
            change = {"PatientID": patient_id, "TagIDs": removed}
            await events.record(db, caller.practice_id, "patient.untagged", patient_id, change)
    return Removed(patient_id, len(removed))


router = Router(
    "/v1/{practicepass:str}/tags",
    guards=[requires(TAGS)],
    route_handlers=[list_tags, assign_tag, remove_tag, remove_all_tags],
    tags=["Tags"],
)
