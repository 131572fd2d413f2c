"""A practice's day, as we suppose it: nothing here is measured, and whoever knows better changes it.

Four providers, some sixty visits; partners (a booking site, a call centre, a CRM) look for free times about ten times
for each visit that they book, and two of them hear of every change.
"""

CALLS = {  # of partners, by kind
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
BUSY_DAY = 1.5  # a Monday after holidays, against the mean

# Percent of the day's calls in the hour that begins then.
HOURS = {6: 1, 7: 4, 8: 14, 9: 15, 10: 11, 11: 8, 12: 5, 13: 8, 14: 8, 15: 7, 16: 7, 17: 5, 18: 4, 19: 2, 20: 1}

# For the arithmetic of costs; list prices differ by more than a factor of two, so put in your own.
CORE_A_MONTH = 25.0  # of a server with 4 GB of memory to each core
GIGABYTE_A_MONTH = 0.12  # of fast replicated storage
BUSY_CORE = 0.5  # how much of a core is used at the peak, before another is added


def calls_a_day() -> int:
    return sum(CALLS.values())


def events_a_day() -> int:
    return sum(CALLS[kind] * number for kind, number in EVENTS.items())


def a_second(practices: int, hour: int, kind: str) -> float:
    """On a busy day."""
    return practices * CALLS[kind] * BUSY_DAY * HOURS[hour] / 100 / 3600
