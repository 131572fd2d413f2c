"""GET /v1/{PPass}/prospects: what is found by what."""

import pytest

from tests.world import Office

PEOPLE = [
    {"FirstName": "Zoë", "LastName": "O'Neil-Smith", "EMail": "zoe.smith@example.org", "Phone": "+1 (212) 555-0147"},
    {"FirstName": "Jürgen", "LastName": "Groß", "NickName": "Jogi", "CellPhone": "+49 30 901820"},
    {"FullName": "Maria del Carmen", "SMSPhone": "555.0199", "Prospect": 0},
]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("zoe", ["Zoë"]),
        ("ZOË", ["Zoë"]),
        ("neil", ["Zoë"]),
        ("o'neil", ["Zoë"]),
        ("smi zo", ["Zoë"]),
        ("zoe.smith@exam", ["Zoë"]),
        ("zoe.smi", ["Zoë"]),
        ("212555", ["Zoë"]),
        ("(212) 555-0147", ["Zoë"]),
        ("555-0147", ["Zoë"]),
        ("0147", ["Zoë"]),
        ("gross", ["Jürgen"]),
        ("jogi", ["Jürgen"]),
        ("4930", ["Jürgen"]),
        ("carmen", [None]),
        ("oe", []),
        ("smith ada", []),
        ("***", []),
    ],
)
async def test_a_person_is_found_by_the_beginning_of_any_word(
    demo_office: Office, search: str, found: list[str | None]
) -> None:
    for person in PEOPLE:
        assert (await demo_office.partner.post("/prospects", json=person)).status_code == 201

    answer = await demo_office.partner.get("/prospects", params={"search": search})

    assert answer.status_code == 200, answer.text
    assert [person["FirstName"] for person in answer.json()["data"]] == found
    assert answer.json()["total"] == answer.json()["count"] == len(found)
