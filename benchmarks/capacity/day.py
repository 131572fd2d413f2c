"""Assumptions about a practice's day: nothing here is measured; change them to match your practices.

Four providers, some sixty visits; partners (a booking site, a call centre, a CRM) query availability about ten times
for each visit that they book, and two of them are subscribed to every change.
"""

CALLS = {  # by partners, by kind
    "slots": 400,
    "check": 60,
    "openings": 20,
    "search": 120,
    "record": 60,
    "create": 8,
    "update": 12,
    "book": 40,
    "move": 6,
    "cancel": 4,
}
EVENTS = {"create": 1, "update": 1, "book": 1, "move": 1, "cancel": 1}
SUBSCRIPTIONS = 2
WORKING_DAYS = 250  # a year
BUSY_DAY = 1.5  # a Monday after holidays, relative to the mean

# Percent of the day's calls in the hour that begins then.
HOURS = {6: 1, 7: 4, 8: 14, 9: 15, 10: 11, 11: 8, 12: 5, 13: 8, 14: 8, 15: 7, 16: 7, 17: 5, 18: 4, 19: 2, 20: 1}

# For the calculation of money; list prices differ by more than a factor of two, so enter your own.
CORE_A_MONTH = 25.0  # of a server with 4 GB of memory to each core
GIGABYTE_A_MONTH = 0.12  # of fast replicated storage
BUSY_CORE = 0.5  # utilisation of a core at the peak above which another is added


def calls_a_day() -> int:
    """Return a practice's calls per day."""
    return sum(CALLS.values())


def events_a_day() -> int:
    """Return a practice's events per day."""
    return sum(CALLS[kind] * number for kind, number in EVENTS.items())


def a_second(practices: int, hour: int, kind: str) -> float:
    """Return the calls a second of one kind in an hour of a busy day."""
    return practices * CALLS[kind] * BUSY_DAY * HOURS[hour] / 100 / 3600
