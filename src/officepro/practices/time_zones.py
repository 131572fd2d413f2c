"""Which time zones there are, and which one somebody may have meant."""

import difflib
from functools import lru_cache
from zoneinfo import available_timezones

SUGGESTIONS = 3
_NO_PLACES = frozenset({"localtime", "Factory", "posixrules"})  # they differ from machine to machine, or mean nothing


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_PLACES)


def fault_of(zone: str) -> str | None:
    """What is wrong with a zone's name, with a suggestion where one is near; None for an IANA zone."""
    if zone in known_zones():
        return None
    near = suggestions(zone)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"must be an IANA time zone such as America/New_York{hint}"


def suggestions(zone: str) -> list[str]:
    """By the whole name, however it is written, else by the city alone."""
    wanted = zone.strip().lower().replace(" ", "_")
    whole = {known.lower(): known for known in sorted(known_zones())}
    if wanted in whole:
        return [whole[wanted]]
    cities: dict[str, str] = {}
    for name, known in whole.items():
        if name.count("/") and not name.startswith(("etc/", "us/")):
            cities.setdefault(name.rpartition("/")[2], known)
    city = wanted.rpartition("/")[2]
    if city in cities:
        return [cities[city]]
    near = [whole[name] for name in difflib.get_close_matches(wanted, whole, n=SUGGESTIONS, cutoff=0.75)]
    return near or [cities[name] for name in difflib.get_close_matches(city, cities, n=SUGGESTIONS, cutoff=0.8)]
