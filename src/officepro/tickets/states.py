"""Status transitions of tickets. PURE.

    ┌────────────────────────────────────────────────┐
    │  Open  <──────>  In Progress  <──────>  Waiting │   active: any order
    └───┬──────────────────────────────────────────┬──┘
        │                                          │
        v                                          v
    Resolved  ──────────────────────────────>   Closed
        │                                          │
        └──────────> Open (reopened) <─────────────┘

A resolved ticket can be closed or reopened; a closed ticket can only be reopened.
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
    """Return the statuses that may follow, in workflow order. Keeping the status is always allowed and not listed."""
    return _FOLLOWS[status]


def can_follow(status: Status, wanted: Status) -> bool:
    """True if a ticket of this status may change to the wanted one."""
    return wanted == status or wanted in _FOLLOWS[status]
