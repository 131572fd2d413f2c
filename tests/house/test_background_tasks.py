"""Every background task is known, with how its exceptions are seen: one that nobody awaits must not end unnoticed."""

import ast
from pathlib import Path

import officepro

SOURCE = Path(officepro.__file__).parent
STARTERS = {"create_task", "ensure_future", "run_in_executor"}

# By module and function, how often a task is started there, and what becomes of its exceptions.
KNOWN = {
    "activity.ledger.record": "each batch's failure is handed to the requests that wait for it",
    "activity.recorder.writing": "both loops log whatever is raised and go on",
    "app._lifespan": "the loop logs whatever is raised and goes on",
    "demo.big._in_lanes": "awaited by gather",
    "foundation.database.__init__": "asks and suppresses whatever is raised",
    "foundation.database.waiting": "asks again whatever is raised",
    "foundation.joining._start": "each batch's failure is handed to the requests that wait for it",
    "foundation.servers._first": "awaited, or discarded by a callback that looks at the exception",
    "metrics._leave_snapshots": "awaited",
    "metrics.keeping": "both loops log whatever is raised and go on",
    "webhooks.dispatcher._add": "logs whatever is raised and gives the deliveries back",
    "webhooks.dispatcher._until_signalled": "touches a file and suppresses OSError",
    "webhooks.dispatcher.dispatcher": "each maintenance job logs and counts whatever is raised",
    "webhooks.dispatcher.live": "the loop logs whatever is raised and goes on; the others wait for an event",
}


def started() -> set[str]:
    found = set()
    for path in SOURCE.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
                if any(isinstance(call, ast.Attribute) and call.attr in STARTERS for call in calls):
                    found.add(f"{module}.{function.name}")
    return found


def test_every_background_task_is_known() -> None:
    assert started() == set(KNOWN)
