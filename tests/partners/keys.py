"""What the tests of keys ask for again and again."""

from typing import Any

import httpx

from tests.world import House, Office

ADDRESS = "/v1/admin/keys"


async def make_partner(house: House, company: str = "Booking Site") -> int:
    answer = await house.admin.post(
        "/v1/admin/partners", json={"company": company, "contact": "Anna", "email": "anna@booking.example"}
    )
    partner_id: int = answer.json()["data"]["partnerId"]
    return partner_id


async def issue(office: Office, **given: Any) -> dict[str, Any]:
    """A key of a partner of its own in this practice."""
    partner_id = given.pop("partnerId", None) or await make_partner(office.house)
    answer = await office.house.admin.post(
        ADDRESS, json={"partnerId": partner_id, "practicepass": office.practicepass, "name": "key"} | given
    )
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()["data"]
    return key


async def exchange(office: Office, api_key: str) -> httpx.Response:
    return await office.house.stranger.post(f"{office.path}/auth/token", json={"apiKey": api_key})
