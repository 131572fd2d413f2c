"""A rule of the house: every POST of the API does its work through `once`, so that an Idempotency-Key holds for it."""

from litestar import Litestar

from officepro.documentation.document import handlers

# Exchanging a key makes nothing: a repeat gets another token, and each is as good as the other.
# A search by a body changes nothing.
WITHOUT_A_TRACE = {"exchange_key", "search_prospects"}


def test_every_post_asks_for_once(inner_app: Litestar) -> None:
    posts = [
        handler for route, method, handler in handlers(inner_app) if method == "POST" and route.path.startswith("/v1/")
    ]
    assert len(posts) > 15
    without = {
        handler.fn.__name__
        for handler in posts
        if not {"once", "practice_once"} & handler.parsed_fn_signature.parameters.keys()
    }

    assert without == WITHOUT_A_TRACE
