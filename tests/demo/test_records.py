"""demo/records.py"""

from officepro.demo.records import load_records
from officepro.foundation import clock
from officepro.foundation.database import Database
from officepro.tickets.states import Status, can_follow
from tests.world import House, Office


async def test_the_demo_s_records_are_there_once(demo_office: Office, house: House, database: Database) -> None:
    for table in ("product_change", "product", "vendor"):  # other tests send the documentation's example
        await house.owner.execute(f"DELETE FROM {table} WHERE vendor_code ~ '^V00[1-6]$'")
    me = (await demo_office.partner_global.get("/me")).json()["data"]
    for _ in range(2):
        await load_records(database, demo_office.practice_id, me["partnerId"], clock.now())

    products = (await demo_office.partner_global.get("/products", params={"vendorCode": "V001"})).json()
    example = {"VendorCode": "V001", "ProductCode": "P001", "Product": "Example Product", "RetailPrice": 99.99}
    assert products["data"][0] == products["data"][0] | example
    count = await house.owner.fetchval("SELECT count(*) FROM product WHERE vendor_code ~ '^V00[1-6]$'")
    assert count == 400
    article = (await demo_office.partner_global.get("/kb/12")).json()["data"]
    assert article == article | {
        "KBID": 12,
        "Title": "Insurance Verification Workflow",
        "Category": "Billing",
        "Type": "HowTo",
        "Tags": "insurance, verification",
        "Active": True,
    }
    assert await house.owner.fetchval("SELECT count(*) FROM article WHERE article_id <= 40") == 40
    tickets = (await demo_office.partner.get("/tickets", params={"limit": 100})).json()
    assert tickets["total"] == 60
    requests = await house.owner.fetch(
        "SELECT status FROM access_request WHERE email LIKE '%.example' AND purpose <> ''"
    )
    assert len([one for one in requests if one["status"] == "pending"]) >= 3


async def test_a_demo_ticket_has_a_history_that_could_have_been(demo_office: Office, database: Database) -> None:
    me = (await demo_office.partner_global.get("/me")).json()["data"]
    await load_records(database, demo_office.practice_id, me["partnerId"], clock.now())

    for ticket_id in range(1, 61):
        answer = await demo_office.partner.get(f"/ticket/{ticket_id}")
        ticket = answer.json()["data"]
        status: Status = "Open"
        for step in ticket["History"]:
            assert step["From"] == status
            assert can_follow(status, step["To"])
            status = step["To"]
        assert status == ticket["Status"]
        assert ticket["Comments"]
        assert answer.headers["ETag"] == f'"{1 + len(ticket["History"]) + len(ticket["Comments"])}"'
