"""tickets/states.py: what a ticket's status may become."""

import itertools

from officepro.tickets.states import STATUSES, allowed_after, can_follow

ALLOWED = {
    ("Open", "In Progress"),
    ("Open", "Waiting"),
    ("Open", "Resolved"),
    ("Open", "Closed"),
    ("In Progress", "Open"),
    ("In Progress", "Waiting"),
    ("In Progress", "Resolved"),
    ("In Progress", "Closed"),
    ("Waiting", "Open"),
    ("Waiting", "In Progress"),
    ("Waiting", "Resolved"),
    ("Waiting", "Closed"),
    ("Resolved", "Open"),
    ("Resolved", "Closed"),
    ("Closed", "Open"),
}


def test_each_step_is_allowed_or_not() -> None:
    for status, wanted in itertools.product(STATUSES, STATUSES):
        assert can_follow(status, wanted) == (status == wanted or (status, wanted) in ALLOWED)
        assert (wanted in allowed_after(status)) == ((status, wanted) in ALLOWED)


def test_no_status_is_a_dead_end() -> None:
    assert all(allowed_after(status) for status in STATUSES)
