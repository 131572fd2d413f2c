"""From an article's Markdown to HTML that may stand in a page, whoever wrote the article.

Articles are kept as they were written, so this is done wherever one is shown. Two locks: the parser lets no HTML
through, and what it makes is cleaned by an allow-list.
"""

import nh3
from markdown_it import MarkdownIt

TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
URL_SCHEMES = {"http", "https", "mailto", "tel"}

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def render(article: str) -> str:
    """Images are left out: they would tell a stranger's server who reads what, and when."""
    return nh3.clean(
        _markdown.render(article),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=URL_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
