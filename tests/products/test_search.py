"""GET /v1/products"""

import pytest

from tests.world import Office

NAMES = {"AB-12/5": "Crème de la Mer", "P002": "Vitamin C Serum 30 ml", "P003": "Serum of Zinc"}


@pytest.fixture
async def vendor(demo_office: Office) -> str:
    vendor_code = f"S-{demo_office.practicepass}"
    rows = [
        {"VendorCode": vendor_code, "ProductCode": code, "Product": name, "RetailPrice": 1}
        for code, name in NAMES.items()
    ]
    answer = await demo_office.partner_global.post("/products", json={"products": rows})
    assert answer.status_code == 200, answer.text
    return vendor_code


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("creme", ["AB-12/5"]),
        ("CRÈME mer", ["AB-12/5"]),
        ("ab-12", ["AB-12/5"]),
        ("ab125", ["AB-12/5"]),
        ("ser", ["P002", "P003"]),
        ("serum vit", ["P002"]),
        ("p00", ["P002", "P003"]),
        ("erum", []),
        ("'):* | zz", []),
        ("***", []),
        ("\\", []),
    ],
)
async def test_a_product_is_found_by_the_beginning_of_any_word(
    demo_office: Office, vendor: str, search: str, found: list[str]
) -> None:
    answer = await demo_office.partner_global.get("/products", params={"search": search, "vendorCode": vendor})

    assert answer.status_code == 200, answer.text
    assert [one["ProductCode"] for one in answer.json()["data"]] == found
    assert answer.json()["total"] == answer.json()["count"] == len(found)


async def test_pages_and_cursor_go_through_all_of_them_once(demo_office: Office, vendor: str) -> None:
    parameters: dict[str, str | int] = {"vendorCode": vendor, "limit": 1}
    pages = [
        (await demo_office.partner_global.get("/products", params=parameters | {"page": page})).json()
        for page in (1, 2, 3, 4)
    ]
    assert [[one["ProductCode"] for one in page["data"]] for page in pages] == [["AB-12/5"], ["P002"], ["P003"], []]
    assert [page["total"] for page in pages] == [3, 3, 3, 3]

    seen, cursor = ["AB-12/5"], pages[0]["nextCursor"]
    while cursor:
        page = (await demo_office.partner_global.get("/products", params=parameters | {"cursor": cursor})).json()
        seen += [one["ProductCode"] for one in page["data"]]
        cursor = page["nextCursor"]
    assert seen == sorted(NAMES)


async def test_what_is_not_active_is_shown_to_those_who_ask_for_it(demo_office: Office, vendor: str) -> None:
    row = {"VendorCode": vendor, "ProductCode": "P002", "Product": "Gone", "RetailPrice": 1, "Active": False}
    await demo_office.partner_global.post("/products", json={"products": [row]})

    shown = await demo_office.partner_global.get("/products", params={"vendorCode": vendor})
    everything = await demo_office.partner_global.get(
        "/products", params={"vendorCode": vendor, "includeInactive": "true"}
    )

    assert (shown.json()["total"], everything.json()["total"]) == (2, 3)


@pytest.mark.parametrize(
    "parameters",
    [
        {"cursor": "nonsense!"},
        {"cursor": "bnVsbA"},
        {"cursor": "\u00fc"},
        {"page": 2, "cursor": "WyJhIiwiYiJd"},
        {"page": 500, "limit": 100},
        {"limit": 101},
        {"vendorCode": ""},
        {"search": "a\0b"},
        {"vendor": "V001"},
    ],
)
async def test_a_bad_question_is_refused(demo_office: Office, parameters: dict[str, str]) -> None:
    answer = await demo_office.partner_global.get("/products", params=parameters)

    assert answer.status_code == 400, answer.text


async def test_the_scope_is_named_when_it_is_missing(demo_office: Office) -> None:
    headers = {"Authorization": f"Bearer {await demo_office.token('newcomer')}"}
    answer = await demo_office.house.stranger.get("/v1/products", headers=headers)

    assert (answer.status_code, answer.json()["scope"]) == (403, "ProductPro.Products")
