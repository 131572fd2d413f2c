"""Every address of the set-up, of partners and of keys is the admin's alone."""

import pytest

from officepro.practices.list_routes import router as lists
from officepro.practices.provider_routes import router as provider
from tests.world import Office

PATHS = [
    ("GET", "/v1/admin/practices"),
    ("POST", "/v1/admin/practices"),
    ("GET", "/v1/admin/practices/{PPass}"),
    ("PATCH", "/v1/admin/practices/{PPass}"),
    *[(method, f"/v1/admin/{{PPass}}/{thing}") for method in ("GET", "PUT") for thing in
      ("providers", "rooms", "visit-types", "tags")],
    *[(method, f"/v1/admin/{{PPass}}/providers/1/{thing}") for method in ("GET", "PUT") for thing in
      ("hours", "time-off", "extra-hours")],
    ("DELETE", "/v1/admin/{PPass}/providers/1/time-off/1"),
    ("DELETE", "/v1/admin/{PPass}/providers/1/extra-hours/1"),
    ("GET", "/v1/admin/partners"),
    ("POST", "/v1/admin/partners"),
    ("GET", "/v1/admin/partners/1"),
    ("PATCH", "/v1/admin/partners/1"),
    ("GET", "/v1/admin/keys"),
    ("POST", "/v1/admin/keys"),
    ("POST", "/v1/admin/keys/1/revoke"),
    ("POST", "/v1/admin/keys/1/rotate"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_without_the_admin_secret_nothing_opens(demo_office: Office, method: str, path: str) -> None:
    address = path.replace("{PPass}", demo_office.practicepass)

    stranger = await demo_office.house.stranger.request(method, address)
    token = demo_office.partner.headers["Authorization"]
    partner = await demo_office.house.stranger.request(method, address, headers={"Authorization": token})

    assert (stranger.status_code, stranger.json()["code"]) == (401, "invalid_admin_secret")
    assert partner.status_code == 401


def test_the_list_above_is_complete() -> None:
    assert len(lists.routes) + len(provider.routes) == 9
