"""Writer of docs/capacity.md: replaces the tables between their markers, and leaves the text unchanged."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.capacity import day, drawing
from benchmarks.capacity.arithmetic import (
    Needs,
    bytes_a_day,
    cores_of_a_practice,
    gigabytes_after,
    needs,
    peak_hour,
    rows_a_day,
)

if TYPE_CHECKING:
    from benchmarks.capacity.__main__ import Found

SIZES = (100, 500, 1000, 2000, 5000)  # numbers of practices


def write_page(page: Path, found: "Found") -> None:
    """Replace the tables of the page and write its plots. Raises LookupError if a marker is missing."""
    weights = weights_of_rows(found)
    wanted = {size: needs(size, found.costs, weights) for size in SIZES}
    text = page.read_text()
    for name, lines in {
        "calls": calls(found),
        "rows": rows(weights),
        "machines": [*machines(wanted), "", carried(found)],
        "morning": morning(found),
    }.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        _, found_end, after = rest.partition(f"<!-- /{name} -->")
        if not found_end:
            raise LookupError(f"{page} has no markers for {name}")
        text = "\n".join([f"{before}<!-- {name} -->", *lines, f"<!-- /{name} -->{after}"])
    page.write_text(text)
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, drawn in plots(found, weights).items():
        (folder / f"{name}.svg").write_text(drawn)


def weights_of_rows(found: "Found") -> dict[str, float]:
    """Return the bytes of a row, including its share of the indexes, by table."""
    return {name: size / count for name, (count, size) in found.tables.items() if count and name in rows_a_day()}


def calls(found: "Found") -> Iterable[str]:
    """Yield the table of the costs of calls."""
    table = []
    for kind, cost in found.costs.items():
        figures = (cost.p50_ms, cost.api_ms, cost.worker_ms, cost.database_ms, cost.log_bytes / 1000)
        table.append([kind, f"{day.CALLS[kind]}", *(f"{figure:.2f}" for figure in figures)])
    every = sum(day.CALLS[kind] * cost.processor_ms for kind, cost in found.costs.items()) / 1000
    log = sum(day.CALLS[kind] * cost.log_bytes for kind, cost in found.costs.items()) / 1e6
    yield from _table(["call", "a day", "p50 ms", "API ms", "worker ms", "PostgreSQL ms", "WAL kB"], table)
    yield ""
    yield (
        f"One practice, one day: {day.calls_a_day()} calls, {day.events_a_day()} events, "
        f"{day.events_a_day() * day.SUBSCRIPTIONS} deliveries; {every:.1f} s of processor; {log:.1f} MB of WAL."
    )


def rows(weights: dict[str, float]) -> Iterable[str]:
    """Yield the table of rows per day."""
    a_day, sizes = rows_a_day(), bytes_a_day(weights)
    table = [
        [name, f"{count:g}", f"{weights[name]:,.0f}", f"{sizes[name] / 1000:,.1f}"] for name, count in a_day.items()
    ]
    table.append(["together", f"{sum(a_day.values()):,.0f}", "", f"{sum(sizes.values()) / 1000:,.1f}"])
    yield from _table(["table", "rows a day", "bytes a row, with indexes", "kB a day"], table)
    yield ""
    yield (
        f"A practice has {gigabytes_after(1, 1, weights) * 1000:,.0f} MB after a year and "
        f"{gigabytes_after(5, 1, weights) * 1000:,.0f} MB after five, without the patients of former years."
    )


def machines(wanted: dict[int, Needs]) -> Iterable[str]:
    """Yield the table of required machines."""
    yield from _table(
        [
            "practices",
            "calls/s",
            "writes/s",
            "API cores",
            "PostgreSQL cores",
            "WAL GB a day",
            "GB after 1 year",
            "after 5",
            "€ a month",
        ],
        [
            [
                f"{size:,}",
                f"{need.calls_a_second:,.0f}",
                f"{need.writes_a_second:,.0f}",
                f"{need.api_cores}",
                f"{need.database_cores}",
                f"{need.log_gigabytes_a_day:,.1f}",
                f"{need.gigabytes_a_year:,.0f}",
                f"{need.gigabytes_after_five_years:,.0f}",
                f"{need.money_a_month:,.0f}",
            ]
            for size, need in wanted.items()
        ],
    )


def carried(found: "Found") -> str:
    """Return the sentence about practices per core."""
    api, database = (int(day.BUSY_CORE / used) for used in cores_of_a_practice(found.costs))
    return (
        f"Half of a core's time in that hour is {api:,} practices' share of the API and the worker, and {database:,} "
        "practices' share of PostgreSQL."
    )


def morning(found: "Found") -> Iterable[str]:
    """Yield the table of the simulated hours."""
    yield from _table(
        ["hour", "calls/s", "p50 ms", "p99 ms", "booking p99 ms", "API and worker, cores", "PostgreSQL, cores"],
        [
            [
                f"{hour.hour:02}:00",
                f"{hour.calls_a_second:,.0f}",
                f"{hour.p50_ms:.1f}",
                f"{hour.p99_ms:.1f}",
                f"{hour.booking_p99_ms:.1f}",
                f"{hour.api_cores:.2f}",
                f"{hour.database_cores:.2f}",
            ]
            for hour in found.morning
        ],
    )
    yield ""
    yield (
        f"{found.practices:,} practices, {found.cores} cores for everything, {found.workers} API processes; "
        f"calls that failed: {told_of(found.failures)}; {found.deliveries:,} webhooks delivered in all."
    )


def told_of(failures: Sequence[str]) -> str:
    """Return the failures with their counts, or 0."""
    return ", ".join(f"{count} × {what}" for what, count in Counter(failures).items()) or "0"


def plots(found: "Found", weights: dict[str, float]) -> dict[str, str]:
    """Return the plots as SVG, by name."""
    hours = [f"{hour.hour:02}" for hour in found.morning]
    sizes = bytes_a_day(weights)
    kinds = list(found.costs)
    return {
        "rates": drawing.bars(
            f"{found.practices:,} practices on a busy day: calls a second by hour",
            hours,
            [hour.calls_a_second for hour in found.morning],
            "/s",
        ),
        "latency": drawing.lines(
            f"Answers on {found.cores} cores, callers included (peak at {peak_hour()}:00)",
            hours,
            {"p50": [h.p50_ms for h in found.morning], "p99": [h.p99_ms for h in found.morning]},
            "ms",
        ),
        "bytes": drawing.bars(
            "A practice's day on disk",
            [name.removeprefix("webhook_").replace("_", " ") for name in sizes],
            [s / 1000 for s in sizes.values()],
            "kB",
        ),
        "processor": drawing.bars(
            "Processor time of a call: API, worker and PostgreSQL",
            kinds,
            [found.costs[kind].processor_ms for kind in kinds],
            "ms",
        ),
    }


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in body:
        yield "| " + " | ".join(row) + " |"
