"""Made-up people with all fields of a person. A person is a row of `patient`, by its columns. PURE."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from officepro.demo.names import Region

Person = dict[str, Any]

MAIL_HOSTS = ("example.com", "example.org", "example.net")
# Age of the record in days: for patients it exceeds the days of the calendar before today.
PATIENTS_KNOWN_DAYS = (90, 1200)
PROSPECTS_KNOWN_DAYS = (1, 89)
OLDEST_YEARS = 92

# Minimum age in years of each life stage, and its percentage among the people of a dermatology practice.
LIFE_STAGES = (
    ("Infant", 0, 1), ("Toddler", 1, 2), ("Child", 4, 6), ("Adolescent", 13, 9), ("EarlyAdult", 18, 16),
    ("Adult", 26, 50), ("Senior", 65, 16),
)  # fmt: skip
STAGES_OF_AGE = frozenset({"EarlyAdult", "Adult", "Senior"})

NOTES = (
    "Prefers mornings.", "Prefers to be called, not written to.", "Allergic to lidocaine.", "Sensitive skin.",
    "Referred by a friend.", "Came by the website.", "Asks for the same provider each time.", "Needs step-free access.",
)  # fmt: skip


def make_people(
    chance: Random, region: Region, ids: Iterable[int], provider_ids: Sequence[int], now: datetime
) -> list[Person]:
    """Return made-up people. A third of them are prospects, with fewer fields than patients."""
    return [_make_person(chance, region, patient_id, provider_ids, now) for patient_id in ids]


def life_stage_of(dob: date, today: date) -> str:
    """Return the life stage at this date."""
    age_years = today.year - dob.year - ((today.month, today.day) < (dob.month, dob.day))
    return next(stage for stage, least_age, _ in reversed(LIFE_STAGES) if age_years >= least_age)


def is_of_age(person: Person) -> bool:
    """True if the person is an adult."""
    return person["life_stage"] in STAGES_OF_AGE


def _make_person(chance: Random, region: Region, patient_id: int, provider_ids: Sequence[int], now: datetime) -> Person:
    is_prospect = patient_id % 3 == 0
    who = _identity(chance, region, now.date())
    known_days = chance.randint(*PROSPECTS_KNOWN_DAYS if is_prospect else PATIENTS_KNOWN_DAYS)
    known_at = now - timedelta(days=known_days, minutes=chance.randint(0, 480))
    home = _home(chance, region)
    person = {
        "patient_id": patient_id,
        "prospect": int(is_prospect),
        "provider_id": chance.choice(provider_ids),
        "notes": chance.choice(NOTES) if chance.random() < 0.25 else None,
        "created_at": known_at,
        "updated_at": known_at + (now - known_at) * chance.random(),
        **who,
        **_reach(chance, region, patient_id, who["first_name"], who["last_name"]),
        **home,
        **_shipping(chance, region, home, f"{who['first_name']} {who['last_name']}"),
    }
    return person | _NOT_YET_KNOWN if is_prospect else person


# Fields that a practice requests at the first visit.
_NOT_YET_KNOWN: Person = dict.fromkeys(
    (
        "mi", "dob", "life_stage", "sexual_identity", "provider_id", "address", "unit",
        "sh_name", "sh_address", "sh_unit", "sh_city", "sh_state", "sh_zip", "sh_country",
    )
)  # fmt: skip


def _identity(chance: Random, region: Region, today: date) -> Person:
    gender = chance.choices("fmou", (66, 30, 2, 2))[0]
    first_name = chance.choice({"f": region.female, "m": region.male}.get(gender, region.female + region.male))
    dob = _date_of_birth(chance, today)
    life_stage = life_stage_of(dob, today)
    of_age = life_stage in STAGES_OF_AGE
    pronouns = {"f": "she/her", "m": "he/him", "o": "they/them"}.get(gender)
    return {
        "first_name": first_name,
        "mi": chance.choice("ABCDEFGHJKLMNPRSTW") if chance.random() < 0.3 else None,
        "last_name": chance.choice(region.surnames),
        "nick_name": region.nicknames.get(first_name) if chance.random() < 0.5 else None,
        "gender": gender,
        "dob": dob,
        "life_stage": life_stage,
        "pronouns": pronouns if chance.random() < 0.6 else None,
        "sexual_identity": _sexual_identity(chance) if of_age else None,
        "primary_language": region.language if chance.random() < 0.8 else chance.choice(region.other_languages),
        "type": chance.choices(("Patient", "Insurance", "Cash", "Guarantor"), (50, 25, 20, 5))[0]
        if of_age
        else "Child",
    }


def _date_of_birth(chance: Random, today: date) -> date:
    """Return a random date of birth: first a life stage, then a day in it."""
    stage = chance.choices(range(len(LIFE_STAGES)), [share for _, _, share in LIFE_STAGES])[0]
    least_years = LIFE_STAGES[stage][1]
    most_years = LIFE_STAGES[stage + 1][1] if stage + 1 < len(LIFE_STAGES) else OLDEST_YEARS
    return today - timedelta(days=chance.randint(int(least_years * 365.25) + 1, int(most_years * 365.25) - 1))


def _sexual_identity(chance: Random) -> str | None:
    identities = (None, "Straight", "Gay", "Lesbian", "Bisexual", "Prefer not to say")
    return chance.choices(identities, (60, 26, 3, 3, 4, 4))[0]


def _reach(chance: Random, region: Region, patient_id: int, first_name: str, last_name: str) -> Person:
    """Return telephone numbers and e-mail: everybody has a telephone, nine in ten have an e-mail address."""
    cell_phone = _phone(chance, region)
    at_home = _phone(chance, region) if chance.random() < 0.4 else None
    mailbox = f"{_letters(first_name)}.{_letters(last_name)}"
    if chance.random() < 0.5:
        mailbox += str(patient_id % 100)
    return {
        "phone": at_home or cell_phone,
        "cell_phone": cell_phone,
        "sms_phone": cell_phone if chance.random() < 0.7 else None,
        "email": f"{mailbox}@{chance.choice(MAIL_HOSTS)}" if chance.random() < 0.9 else None,
    }


def _phone(chance: Random, region: Region) -> str:
    return f"{chance.choice(region.phone_beginnings)}{chance.randrange(100):02}"


def _letters(name: str) -> str:
    """Return the name as in an e-mail address: `O'Neil` is oneil, `Müller` is muller."""
    plain = unicodedata.normalize("NFKD", name.casefold()).replace("ı", "i")
    return "".join(letter for letter in plain if "a" <= letter <= "z")


def _home(chance: Random, region: Region) -> Person:
    city, state, zip_code = chance.choice(region.places)
    units = ("Apt {}{}", "Unit {}", "Floor {}") if region.number_first else ("Hinterhaus", "{}. OG", "EG")
    unit = chance.choice(units).format(chance.randint(1, 12), chance.choice("ABCD"))
    return {
        "address": _street(chance, region),
        "unit": unit if chance.random() < 0.4 else None,
        "city": city,
        "state": state,
        "zip": zip_code,
        "country": region.country,
    }


def _street(chance: Random, region: Region) -> str:
    street, number = chance.choice(region.streets), chance.randint(1, 480)
    return f"{number} {street}" if region.number_first else f"{street} {number}"


def _shipping(chance: Random, region: Region, home: Person, name: str) -> Person:
    """Return a shipping address for one in three people: mostly the home address, sometimes another."""
    chosen = chance.choices(("nowhere", "home", "work"), (66, 26, 8))[0]
    if chosen == "nowhere":
        there: Person = dict.fromkeys(home)
        name_there = None
    else:
        there = home if chosen == "home" else _home(chance, region)
        name_there = name
    return {"sh_name": name_there, **{f"sh_{part}": text for part, text in there.items()}}
