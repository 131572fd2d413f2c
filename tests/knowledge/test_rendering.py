"""knowledge/rendering.py: whatever an article says, its HTML harms nobody."""

import pytest

from officepro.knowledge.rendering import render


def test_markdown_becomes_html() -> None:
    html = render("# Steps\n\n1. *Call* the **payer**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[us](https://example.com)")

    for part in ("<h1>Steps</h1>", "<ol>", "<em>Call</em>", "<strong>payer</strong>", "<td>1</td>"):
        assert part in html
    assert '<a href="https://example.com" rel="noopener noreferrer nofollow">us</a>' in html


@pytest.mark.parametrize(
    "article",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://tracker.example/pixel.png)",
        '[x](https://a.example "\\" onmouseover=\\"alert(1)")',
        "<svg/onload=alert(1)>",
        "<iframe src=//evil.example></iframe>",
        "`<script>`",
        "<a href='vbscript:x'>x</a>",
        "<style>*{display:none}</style>",
    ],
)
def test_nothing_in_it_runs_or_calls_home(article: str) -> None:
    html = render(article).lower()

    for tag in ("<script", "<img", "<svg", "<iframe", "<style"):
        assert tag not in html
    for scheme in ('href="javascript', 'href="data', 'href="vbscript'):
        assert scheme not in html
    assert " onmouseover=" not in html.replace("&quot;", "")[: html.find(">")] or "title=" in html
