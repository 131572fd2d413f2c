import re
from datetime import UTC, date, datetime
from random import Random

import pytest

from officepro.demo.names import BERLIN, NEW_YORK
from officepro.demo.people import Person, life_stage_of, make_people

NOW = datetime(2028, 2, 29, 12, tzinfo=UTC)


@pytest.fixture(params=[NEW_YORK, BERLIN], ids=["New York", "Berlin"])
def people(request: pytest.FixtureRequest) -> list[Person]:
    return make_people(Random(1), request.param, range(1001, 1301), [1, 2], NOW)


def test_a_third_are_prospects_of_whom_no_address_is_known(people: list[Person]) -> None:
    prospects = [one for one in people if one["prospect"]]
    assert len(prospects) == 100
    assert {one["address"] for one in prospects} == {None}
    assert all(one["address"] for one in people if not one["prospect"])


def test_telephones_and_mailboxes_are_nobodys(people: list[Person]) -> None:
    for one in people:
        phones = [one[name] for name in ("phone", "cell_phone", "sms_phone") if one[name]]
        assert phones
        assert all(re.fullmatch(r"\d{3}-555-01\d\d|\+49 30 23125\d{3}", phone) for phone in phones)
        assert one["email"] is None or re.fullmatch(r"[a-z]+\.[a-z]+\d{0,2}@example\.(com|org|net)", one["email"])


def test_stage_of_life_fits_the_birthday(people: list[Person]) -> None:
    known = [one for one in people if one["dob"]]
    assert {one["life_stage"] for one in known} >= {"Child", "Adolescent", "EarlyAdult", "Adult", "Senior"}
    for one in known:
        assert one["dob"] < NOW.date()
        assert one["life_stage"] == life_stage_of(one["dob"], NOW.date())


@pytest.mark.parametrize(
    ("dob", "stage"),
    [
        (date(2028, 2, 28), "Infant"),
        (date(2027, 3, 1), "Infant"),
        (date(2027, 2, 28), "Toddler"),
        (date(2024, 2, 29), "Child"),
        (date(2015, 2, 28), "Adolescent"),
        (date(2010, 3, 1), "Adolescent"),
        (date(2010, 2, 28), "EarlyAdult"),
        (date(1963, 3, 1), "Adult"),
        (date(1963, 2, 28), "Senior"),
    ],
)
def test_stage_of_life_changes_on_the_birthday(dob: date, stage: str) -> None:
    assert life_stage_of(dob, NOW.date()) == stage


def test_nobody_was_changed_before_they_were_known(people: list[Person]) -> None:
    assert all(one["created_at"] <= one["updated_at"] <= NOW for one in people)
