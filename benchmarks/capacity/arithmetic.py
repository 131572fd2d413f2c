"""Calculation of machines and cost from the measured costs and the assumed day. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from benchmarks.capacity import day

DAYS_KEPT = {"request_log": 90, "webhook_delivery": 90, "idempotency": 1}  # the settings' defaults; others stay


@dataclass(frozen=True)
class Cost:
    """Cost of one call, including its webhooks."""

    api_ms: float  # of a processor
    worker_ms: float
    database_ms: float
    log_bytes: float
    p50_ms: float  # latency for the caller, on a quiet machine

    @property
    def processor_ms(self) -> float:
        """Return the processor time of all processes together."""
        return self.api_ms + self.worker_ms + self.database_ms


@dataclass(frozen=True)
class Needs:
    """Machines, storage and money for a number of practices."""

    calls_a_second: float  # in the busiest hour of a busy day
    writes_a_second: float
    api_cores: int
    database_cores: int
    log_gigabytes_a_day: float
    gigabytes_a_year: float
    gigabytes_after_five_years: float
    money_a_month: float  # with a standby, and storage for five years


WRITES = tuple(day.EVENTS)


def rows_a_day() -> dict[str, float]:
    """Return a practice's new rows per day, by table."""
    events = day.events_a_day()
    people = day.CALLS["create"]
    return {
        "visit": day.CALLS["book"],
        "visit_history": day.CALLS["book"] + day.CALLS["move"] + day.CALLS["cancel"],
        "patient": people,
        "patient_token": people * 4,
        "log": events,
        "webhook_delivery": events * day.SUBSCRIPTIONS,
        "disclosure": sum(day.CALLS[kind] for kind in ("search", "record", *WRITES)),
        "request_log": day.calls_a_day(),
        "idempotency": people + day.CALLS["book"] + day.CALLS["move"] + day.CALLS["cancel"],
    }


def bytes_a_day(bytes_of_row: Mapping[str, float]) -> dict[str, float]:
    """Return a practice's new bytes per day, by table."""
    return {table: rows * bytes_of_row[table] for table, rows in rows_a_day().items()}


def gigabytes_after(years: float, practices: int, bytes_of_row: Mapping[str, float]) -> float:
    """Return the storage after some years, in GB, after retention."""
    total = 0.0
    for table, size in bytes_a_day(bytes_of_row).items():
        days = years * day.WORKING_DAYS
        total += size * min(days, DAYS_KEPT.get(table, days))
    return total * practices / 1e9


def peak_hour() -> int:
    """Return the hour with the most calls."""
    return max(day.HOURS, key=lambda hour: day.HOURS[hour])


def cores_of_a_practice(costs: Mapping[str, Cost]) -> tuple[float, float]:
    """Return a practice's share of cores in the busiest hour of a busy day: API and worker, and PostgreSQL."""
    rates = {kind: day.a_second(1, peak_hour(), kind) for kind in day.CALLS}
    api = sum(rate * (costs[kind].api_ms + costs[kind].worker_ms) for kind, rate in rates.items()) / 1000
    return api, sum(rate * costs[kind].database_ms for kind, rate in rates.items()) / 1000


def needs(practices: int, costs: Mapping[str, Cost], bytes_of_row: Mapping[str, float]) -> Needs:
    """Calculate the machines, storage and money for `practices`."""
    rates = {kind: day.a_second(practices, peak_hour(), kind) for kind in day.CALLS}
    api_cores, database_cores = (max(1, ceil(practices * used / day.BUSY_CORE)) for used in cores_of_a_practice(costs))
    disk = gigabytes_after(5, practices, bytes_of_row)
    cores = 2 * max(1, ceil(api_cores / 2)) + 2 * database_cores  # twice: every machine has a second one
    return Needs(
        calls_a_second=sum(rates.values()),
        writes_a_second=sum(rates[kind] for kind in WRITES),
        api_cores=api_cores,
        database_cores=database_cores,
        log_gigabytes_a_day=sum(day.CALLS[kind] * costs[kind].log_bytes for kind in day.CALLS) * practices / 1e9,
        gigabytes_a_year=gigabytes_after(1, practices, bytes_of_row),
        gigabytes_after_five_years=disk,
        money_a_month=cores * day.CORE_A_MONTH + 2 * disk * day.GIGABYTE_A_MONTH,
    )
