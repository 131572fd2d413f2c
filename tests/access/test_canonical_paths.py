"""Paths are canonical: a path that a proxy could interpret differently from the application returns 404."""

from typing import Any
from urllib.parse import unquote

import pytest

from tests.world import Office

OTHER_FORMS = [
    "/metrics/", "//metrics", "/%6detrics", "/metrics/.", "/./metrics", "/x/../metrics", "/%2e/metrics", "/metrics%2f",
    "//v1/admin/practices", "/v1//admin/practices", "/v1/./admin/practices", "/v1/admin/practices/",
    "v1/admin/practices", "/v1/%61dmin/practices", "/v1/x/../admin/practices", "/v1/admin%2Fpractices",
    "/v1/admin/%70ractices",
    "/v1/x%5c..%5cadmin/practices", "/healthz/", "//openapi.json", "/v1/admin/pr%61ctices",
]  # fmt: skip


async def status_of(office: Office, method: str, path: str) -> int:
    """Return the status of an admin's request. Sent by hand, since HTTP clients make a path canonical themselves."""
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope: Any = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "scheme": "http", "client": ("192.0.2.1", 50_000), "server": ("officepro.test", 80),
        "headers": [(b"host", b"officepro.test"), (b"x-admin-secret", office.house.settings.admin_secret.encode())],
    }  # fmt: skip
    await office.house.app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("path", OTHER_FORMS)
async def test_another_form_of_a_path_is_not_found(demo_office: Office, path: str) -> None:
    assert [await status_of(demo_office, method, path) for method in ("GET", "POST")] == [404, 404]


@pytest.mark.parametrize("path", ["/metrics", "/v1/admin/practices", "/openapi.json", "/docs/console", "/healthz"])
async def test_the_canonical_form_is_found(demo_office: Office, path: str) -> None:
    assert await status_of(demo_office, "GET", path) == 200


async def test_a_page_with_a_slash_leads_to_the_page(demo_office: Office) -> None:
    answer = await demo_office.house.stranger.get("/docs/console/?practice=A")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/docs/console?practice=A")
    assert await status_of(demo_office, "POST", "/portal/login/") == 404
    assert await status_of(demo_office, "GET", "//portal/") == 404


async def test_what_must_be_encoded_is_taken(demo_office: Office) -> None:
    answer = await demo_office.house.admin.put("/v1/admin/vendors/a%20b%C3%A9%25", json={"partnerId": 2**62})
    assert answer.status_code == 422, answer.text


async def test_the_caller_s_request_id_stands_beside_ours(demo_office: Office) -> None:
    answer = await demo_office.partner.get("/tags", headers={"X-Request-Id": "a/request:of=mine"})
    assert answer.headers["X-Client-Request-Id"] == "a/request:of=mine"
    assert len(answer.headers["X-Request-Id"]) == 24

    for given in ("", "with a blank", "ünïcode", "x" * 129):
        answer = await demo_office.partner.get("/tags", headers={b"X-Request-Id": given.encode()})
        assert "X-Client-Request-Id" not in answer.headers
