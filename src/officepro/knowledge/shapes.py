"""Request and response bodies of articles. (source API specification: Knowledge Base)"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import NO_NUL, Label, Name, Text500

MAXIMUM_ARTICLE_CHARACTERS = 50_000

ArticleText = Annotated[
    str, Meta(max_length=MAXIMUM_ARTICLE_CHARACTERS, pattern=NO_NUL, description="Markdown (CommonMark with tables).")
]


class NewArticle(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An article to create; active by default."""

    title: Name = msgspec.field(name="Title")
    article: ArticleText = msgspec.field(name="Article")
    category: Label = msgspec.field(name="Category")
    type: Label = msgspec.field(name="Type")
    tags: Text500 = msgspec.field(name="Tags", default="")
    active: bool = msgspec.field(name="Active", default=True)


class ArticleFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged."""

    title: Name | UnsetType = msgspec.field(name="Title", default=UNSET)
    article: ArticleText | UnsetType = msgspec.field(name="Article", default=UNSET)
    category: Label | UnsetType = msgspec.field(name="Category", default=UNSET)
    type: Label | UnsetType = msgspec.field(name="Type", default=UNSET)
    tags: Text500 | UnsetType = msgspec.field(name="Tags", default=UNSET)
    active: bool | UnsetType = msgspec.field(name="Active", default=UNSET)

    def columns(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}


class Article(msgspec.Struct):
    """An article. `Highlights` is included on request: passages of the article in Markdown, with matches in bold."""

    article_id: int = msgspec.field(name="KBID")
    title: str = msgspec.field(name="Title")
    article: str = msgspec.field(name="Article")
    category: str = msgspec.field(name="Category")
    type: str = msgspec.field(name="Type")
    tags: str = msgspec.field(name="Tags")
    active: bool = msgspec.field(name="Active")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
    highlights: str | UnsetType = msgspec.field(name="Highlights", default=UNSET)


class Revision(msgspec.Struct):
    """An article before a change. `UpdatedAt` is the time at which this revision was written."""

    version: int = msgspec.field(name="Version")
    title: str = msgspec.field(name="Title")
    article: str = msgspec.field(name="Article")
    category: str = msgspec.field(name="Category")
    type: str = msgspec.field(name="Type")
    tags: str = msgspec.field(name="Tags")
    active: bool = msgspec.field(name="Active")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
