"""Admin routes for the lists of a practice's configuration. (API.md: Admin endpoints)

Every PUT is an upsert of the items sent, and accepts the response of GET unchanged.
"""

from litestar import Router, get, put
from litestar.params import JSONBody

from officepro.access.asked import TheDatabase
from officepro.access.guards import requires_admin
from officepro.foundation.answers import Listed, Written, listed
from officepro.foundation.documented import documented
from officepro.practices import furnish
from officepro.practices.asked import PRACTICE_PROVIDED, ThePractice
from officepro.practices.furnish import (
    MAXIMUM_PROVIDERS,
    MAXIMUM_ROOMS,
    MAXIMUM_TAGS,
    MAXIMUM_VISIT_TYPES,
    TagNameTaken,
)
from officepro.practices.lists import ImpossibleSetUp
from officepro.practices.queries import UnknownPractice
from officepro.practices.shapes import (
    Provider,
    PutProvider,
    PutRoom,
    PutTag,
    PutVisitType,
    Room,
    Tag,
    VisitType,
    sent,
)


@get(
    "/providers",
    summary="List a practice's providers",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={
            "data": [{"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics", "active": True}],
            "count": 1,
        },
        errors=[UnknownPractice],
    ),
)
async def list_providers(practice: ThePractice, database: TheDatabase) -> Listed[Provider]:
    """All providers by id, including inactive providers."""
    async with database.practice(practice.practice_id) as db:
        return listed([Provider.of(one) for one in await furnish.providers(db, practice.practice_id)])


@put(
    "/providers",
    summary="Add and change providers",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        body_rules={"maxItems": MAXIMUM_PROVIDERS},
        example_request=[{"name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics"}],
        example_response={
            "message": "Providers saved successfully",
            "data": [{"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics", "active": True}],
        },
        errors=[UnknownPractice, ImpossibleSetUp],
    ),
)
async def put_providers(
    data: JSONBody[list[PutProvider]], practice: ThePractice, database: TheDatabase
) -> Written[list[Provider]]:
    """Providers that are not in the list are unchanged. `data` contains the providers sent, in their order, with their
    ids."""
    given = [sent(item, id="provider_id") for item in data]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await furnish.put_providers(db, practice.practice_id, given)
    return Written("Providers saved successfully", [Provider.of(one) for one in changed])


@get(
    "/rooms",
    summary="List a practice's rooms",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={"data": [{"id": 101, "name": "Room 1", "active": True}], "count": 1},
        errors=[UnknownPractice],
    ),
)
async def list_rooms(practice: ThePractice, database: TheDatabase) -> Listed[Room]:
    """All rooms by id, including inactive rooms."""
    async with database.practice(practice.practice_id) as db:
        return listed([Room.of(one) for one in await furnish.rooms(db, practice.practice_id)])


@put(
    "/rooms",
    summary="Add and change rooms",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        body_rules={"maxItems": MAXIMUM_ROOMS},
        example_request=[{"id": 101, "name": "Room 1"}],
        example_response={
            "message": "Rooms saved successfully",
            "data": [{"id": 101, "name": "Room 1", "active": True}],
        },
        errors=[UnknownPractice, ImpossibleSetUp],
    ),
)
async def put_rooms(data: JSONBody[list[PutRoom]], practice: ThePractice, database: TheDatabase) -> Written[list[Room]]:
    """Rooms that are not in the list are unchanged. `data` contains the rooms sent, in their order, with their ids."""
    given = [sent(item, id="room_id") for item in data]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await furnish.put_rooms(db, practice.practice_id, given)
    return Written("Rooms saved successfully", [Room.of(one) for one in changed])


@get(
    "/visit-types",
    summary="List a practice's visit types",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={
            "data": [
                {
                    "visitType": "Consult",
                    "active": True,
                    "providers": [1, 2],
                    "resources": [101, 102],
                    "durationMinutes": 30,
                    "bufferBeforeMinutes": 0,
                    "bufferAfterMinutes": 10,
                    "minimumNoticeMinutes": None,
                    "bookingHorizonDays": None,
                }
            ],
            "count": 1,
        },
        errors=[UnknownPractice],
    ),
)
async def list_visit_types(practice: ThePractice, database: TheDatabase) -> Listed[VisitType]:
    """All visit types by name, including inactive visit types."""
    async with database.practice(practice.practice_id) as db:
        return listed([VisitType.of(one) for one in await furnish.visit_types(db, practice.practice_id)])


@put(
    "/visit-types",
    summary="Add and change visit types",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        body_rules={"maxItems": MAXIMUM_VISIT_TYPES},
        example_request=[
            {"visitType": "Consult", "providers": [1, 2], "resources": [101, 102], "bufferAfterMinutes": 10}
        ],
        example_response={
            "message": "Visit types saved successfully",
            "data": [
                {
                    "visitType": "Consult",
                    "active": True,
                    "providers": [1, 2],
                    "resources": [101, 102],
                    "durationMinutes": 30,
                    "bufferBeforeMinutes": 0,
                    "bufferAfterMinutes": 10,
                    "minimumNoticeMinutes": None,
                    "bookingHorizonDays": None,
                }
            ],
        },
        errors=[UnknownPractice, ImpossibleSetUp],
    ),
)
async def put_visit_types(
    data: JSONBody[list[PutVisitType]], practice: ThePractice, database: TheDatabase
) -> Written[list[VisitType]]:
    """Visit types that are not in the list are unchanged. `data` contains the visit types sent, in their order."""
    given = [sent(item, providers="provider_ids", resources="room_ids") for item in data]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await furnish.put_visit_types(db, practice.practice_id, given)
    return Written("Visit types saved successfully", [VisitType.of(one) for one in changed])


@get(
    "/tags",
    summary="List a practice's tags",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_response={"data": [{"id": 123, "tag": "VIP"}], "count": 1},
        errors=[UnknownPractice],
    ),
)
async def list_tags(practice: ThePractice, database: TheDatabase) -> Listed[Tag]:
    """All tags of the practice, by name."""
    async with database.practice(practice.practice_id) as db:
        return listed([Tag.of(one) for one in await furnish.tags(db, practice.practice_id)])


@put(
    "/tags",
    summary="Add and rename tags",
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        body_rules={"maxItems": MAXIMUM_TAGS},
        example_request=[{"tag": "VIP"}],
        example_response={"message": "Tags saved successfully", "data": [{"id": 123, "tag": "VIP"}]},
        errors=[UnknownPractice, ImpossibleSetUp, TagNameTaken],
    ),
)
async def put_tags(data: JSONBody[list[PutTag]], practice: ThePractice, database: TheDatabase) -> Written[list[Tag]]:
    """Tags that are not in the list are unchanged. `data` contains the tags sent, in their order, with their ids."""
    given = [sent(item, id="tag_id") for item in data]
    async with database.practice_transaction(practice.practice_id) as db:
        changed = await furnish.put_tags(db, practice.practice_id, given)
    return Written("Tags saved successfully", [Tag.of(one) for one in changed])


router = Router(
    "/v1/admin/{practicepass:str}",
    guards=[requires_admin],
    dependencies=PRACTICE_PROVIDED,
    route_handlers=[
        list_providers,
        put_providers,
        list_rooms,
        put_rooms,
        list_visit_types,
        put_visit_types,
        list_tags,
        put_tags,
    ],
    tags=["Administration"],
)
