"""IANA time zones, and suggestions for misspelled names."""

import difflib
from functools import lru_cache
from zoneinfo import available_timezones

SUGGESTIONS = 3
_NO_PLACES = frozenset({"localtime", "Factory", "posixrules"})  # machine-dependent or meaningless


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of all supported IANA time zones."""
    return frozenset(available_timezones() - _NO_PLACES)


def fault_of(zone: str) -> str | None:
    """Return an error text with suggestions for an invalid time zone name; None for a valid one."""
    if zone in known_zones():
        return None
    near = suggestions(zone)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"must be an IANA time zone such as America/New_York{hint}"


def suggestions(zone: str) -> list[str]:
    """Return similar zone names: by the whole name, ignoring case, otherwise by the city."""
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
