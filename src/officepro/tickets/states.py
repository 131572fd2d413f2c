"""PURE: what a ticket's status may become.

    ┌────────────────────────────────────────────────┐
    │  Open  <──────>  In Progress  <──────>  Waiting │   work: each of the three may follow each other
    └───┬──────────────────────────────────────────┬──┘
        │                                          │
        v                                          v
    Resolved  ──────────────────────────────>   Closed
        │                                          │
        └──────────> Open (reopened) <─────────────┘

What is resolved is either closed or opened again; what is closed can only be opened again.
"""

from typing import Literal, get_args

Status = Literal["Open", "In Progress", "Waiting", "Resolved", "Closed"]
Priority = Literal["Low", "Normal", "High", "Urgent"]

STATUSES: tuple[Status, ...] = get_args(Status)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

_FOLLOWS: dict[Status, tuple[Status, ...]] = {
    "Open": ("In Progress", "Waiting", "Resolved", "Closed"),
    "In Progress": ("Open", "Waiting", "Resolved", "Closed"),
    "Waiting": ("Open", "In Progress", "Resolved", "Closed"),
    "Resolved": ("Open", "Closed"),
    "Closed": ("Open",),
}


def allowed_after(status: Status) -> tuple[Status, ...]:
    """In the order of the work. To stay as it is is no step, and always allowed."""
    return _FOLLOWS[status]


def can_follow(status: Status, wanted: Status) -> bool:
    return wanted == status or wanted in _FOLLOWS[status]
