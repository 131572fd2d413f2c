"""Articles on the wire. (seeds: Knowledge Base)"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import NO_NUL, Label, Name, Text500

MAXIMUM_ARTICLE_CHARACTERS = 50_000

ArticleText = Annotated[
    str, Meta(max_length=MAXIMUM_ARTICLE_CHARACTERS, pattern=NO_NUL, description="Markdown (CommonMark, and tables).")
]


class NewArticle(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An article to be created. It is active unless told otherwise."""

    title: Name = msgspec.field(name="Title")
    article: ArticleText = msgspec.field(name="Article")
    category: Label = msgspec.field(name="Category")
    type: Label = msgspec.field(name="Type")
    tags: Text500 = msgspec.field(name="Tags", default="")
    active: bool = msgspec.field(name="Active", default=True)


class ArticleFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be changed. A field that is not sent is left as it is."""

    title: Name | UnsetType = msgspec.field(name="Title", default=UNSET)
    article: ArticleText | UnsetType = msgspec.field(name="Article", default=UNSET)
    category: Label | UnsetType = msgspec.field(name="Category", default=UNSET)
    type: Label | UnsetType = msgspec.field(name="Type", default=UNSET)
    tags: Text500 | UnsetType = msgspec.field(name="Tags", default=UNSET)
    active: bool | UnsetType = msgspec.field(name="Active", default=UNSET)

    def columns(self) -> dict[str, Any]:
        """The columns that were sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}


class Article(msgspec.Struct):
    """An article. `Highlights` is given where it was asked for: passages of the article in Markdown, what was found in
    bold."""

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
    """What an article was before a change. `UpdatedAt` is when it had come to be so."""

    version: int = msgspec.field(name="Version")
    title: str = msgspec.field(name="Title")
    article: str = msgspec.field(name="Article")
    category: str = msgspec.field(name="Category")
    type: str = msgspec.field(name="Type")
    tags: str = msgspec.field(name="Tags")
    active: bool = msgspec.field(name="Active")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
