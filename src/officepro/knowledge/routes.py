"""Routes for the knowledge base: search, get, update; create for admins. (source API specification: Knowledge Base)"""

from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import JSONBody, QueryParameter

from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.guards import requires, requires_admin
from officepro.access.scopes import KNOWLEDGE
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.database import NO_PRACTICE, Row
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.errors import Invalid
from officepro.foundation.etags import etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathId, Search
from officepro.foundation.wire import NO_NUL
from officepro.knowledge import queries
from officepro.knowledge.beginnings import beginnings
from officepro.knowledge.queries import Filter, UnknownArticle
from officepro.knowledge.shapes import Article, ArticleFields, NewArticle, Revision

InCategory = Annotated[
    str | None, QueryParameter(name="category", max_length=100, pattern=NO_NUL, description="Filter by category.")
]
OfType = Annotated[
    str | None, QueryParameter(name="type", max_length=100, pattern=NO_NUL, description="Filter by type.")
]
IncludeInactive = Annotated[
    bool, QueryParameter(name="includeInactive", description="true: include inactive articles.")
]
WithHighlights = Annotated[
    bool, QueryParameter(name="highlights", description="true: include the passages that match `search`.")
]

_ARTICLE = {
    "Title": "Insurance Verification Workflow",
    "Article": "Step-by-step process...",
    "Category": "Billing",
    "Type": "HowTo",
    "Tags": "insurance, verification",
    "Active": True,
}
_EXAMPLE = {"KBID": 12, **_ARTICLE, "UpdatedAt": "2026-03-09T14:15:00.000Z"}
_ONE_PAGE = {"count": 1, "page": 1, "limit": 25, "total": 1}


@get(
    "/",
    summary="List and search KB articles",
    opt=documented(
        query_example={"search": "insurance verification", "category": "Billing", "type": "HowTo"},
        example_response={"data": [_EXAMPLE], **_ONE_PAGE},
    ),
)
async def list_articles(
    database: TheDatabase,
    search: Search = None,
    category: InCategory = None,
    of_type: OfType = None,
    include_inactive: IncludeInactive = False,
    highlights: WithHighlights = False,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[Article]:
    """Active articles by title; with `search`, by relevance in title, tags, category and text. A search also matches
    other forms of its words, and words beginning with them; "a phrase", -without and `or` are supported."""
    asked = (search or "").strip()
    if highlights and not asked:
        raise Invalid.at("query.highlights", "requires `search`")
    wanted = Filter(
        search=asked or None,
        beginnings=beginnings(asked),
        category=category,
        type=of_type,
        include_inactive=include_inactive,
        highlights=highlights,
    )
    async with database.practice(NO_PRACTICE) as db:
        rows, total = await queries.some(db, wanted, Page(page, limit))
    return paged([_found(row) for row in rows], Page(page, limit), total)


@get(
    "/{article_id:str}",
    summary="Get one KB article",
    opt=documented(
        path_example={"id": 12}, example_response={"data": _EXAMPLE}, errors=[UnknownArticle], answer_headers=ETAG
    ),
)
async def get_article(article_id: PathId, database: TheDatabase) -> Response[One[Article]]:
    """Inactive articles are returned too."""
    async with database.practice(NO_PRACTICE) as db:
        row = await queries.one(db, article_id)
    return Response(One(_article(row)), headers=etag(row["version"]))


@put(
    "/{article_id:str}",
    summary="Update a KB article",
    opt=documented(
        path_example={"id": 12},
        example_request={"Tags": "insurance, verification"},
        example_response={"message": "Article updated successfully", "data": _EXAMPLE},
        errors=[UnknownArticle],
    ),
)
async def update_article(
    article_id: PathId,
    data: JSONBody[ArticleFields],
    caller: TheCaller,
    database: TheDatabase,
    if_match: IfMatch = None,
) -> Response[Written[Article]]:
    """Changes the fields that are sent; omitted fields are unchanged. The former text is stored as a revision."""
    async with database.practice_transaction(NO_PRACTICE) as db:
        row = await queries.change(db, article_id, data.columns(), version_of(if_match), caller.key_id)
    return Response(Written("Article updated successfully", _article(row)), headers=etag(row["version"]))


@get(
    "/{article_id:str}/revisions",
    summary="List a KB article's former revisions",
    opt=documented(
        path_example={"id": 12},
        example_response={
            "data": [{"Version": 1, **_ARTICLE, "UpdatedAt": "2026-03-02T14:00:00.000Z"}],
            **_ONE_PAGE,
        },
        errors=[UnknownArticle],
    ),
)
async def list_revisions(
    article_id: PathId, database: TheDatabase, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT
) -> Paged[Revision]:
    """The article before each change, newest first; `Version` is the version of its ETag."""
    async with database.practice(NO_PRACTICE) as db:
        rows, total = await queries.revisions(db, article_id, Page(page, limit))
    return paged([Revision(*row.values()) for row in rows], Page(page, limit), total)


@post(
    "/",
    summary="Create a KB article",
    opt=documented(
        example_request=_ARTICLE,
        example_response={"message": "Article created successfully", "data": _EXAMPLE},
        answer_headers=ETAG,
    ),
)
async def create_article(data: JSONBody[NewArticle], once: TheOnce) -> Response[Written[Article]]:
    """The article is available to all practices and partners immediately, unless `Active` is false."""
    async with once.system_transaction() as db:
        row = await queries.create(db, msgspec.structs.asdict(data))
        answer = await once.settled(db, Written("Article created successfully", _article(row)), version=row["version"])
    return Response(answer, headers=etag(row["version"]))


@put(
    "/{article_id:str}",
    summary="Update or deactivate a KB article",
    opt=documented(
        path_example={"id": 12},
        example_request={"Active": False},
        example_response={"message": "Article updated successfully", "data": {**_EXAMPLE, "Active": False}},
        errors=[UnknownArticle],
    ),
)
async def administer_article(
    article_id: PathId, data: JSONBody[ArticleFields], database: TheDatabase, if_match: IfMatch = None
) -> Response[Written[Article]]:
    """Same as the partner's PUT. `Active` false removes the article from lists."""
    async with database.system_transaction() as db:
        row = await queries.change(db, article_id, data.columns(), version_of(if_match), key_id=None)
    return Response(Written("Article updated successfully", _article(row)), headers=etag(row["version"]))


def _found(row: Row) -> Article:
    article = _article(row)
    if row["highlights"] is not None:
        article.highlights = row["highlights"]
    return article


def _article(row: Row) -> Article:
    fields: list[Any] = list(row.values())[:8]
    return Article(*fields)


router = Router(
    "/v1/kb",
    guards=[requires(KNOWLEDGE)],
    route_handlers=[list_articles, get_article, update_article, list_revisions],
    tags=["Knowledge Base"],
)

administration = Router(
    "/v1/admin/kb",
    guards=[requires_admin],
    route_handlers=[create_article, administer_article],
    tags=["Administration"],
)
