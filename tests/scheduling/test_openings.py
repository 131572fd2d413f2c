"""Slot computation by example. The practice is in New York unless a test states otherwise."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from officepro.scheduling.minutes import Ranges
from officepro.scheduling.openings import (
    BookingPeriod,
    Calendar,
    StartTimes,
    Visit,
    WeeklyHours,
    choose_room,
    has_room,
    reasons,
    roomless_starts,
    start_times,
)
from officepro.scheduling.wall_clock import LocalTime, NonexistentTime, local_time, resolve
from officepro.scheduling.window import make_window

NEW_YORK = "America/New_York"
MONDAY = date(2026, 1, 5)
SPRING = date(2026, 3, 8)  # a Sunday; 02:00 becomes 03:00 in New York
AUTUMN = date(2026, 11, 1)  # a Sunday; 02:00 becomes 01:00 in New York
ALWAYS = BookingPeriod(now=-(10**11))
HOUR = Visit(60)
NINE, NOON, FIVE = 9 * 60, 12 * 60, 17 * 60
EVERY_DAY = [(weekday, 0, 1440, None, None) for weekday in range(7)]


def seconds(text: str, zone: str = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def minute(text: str, zone: str = NEW_YORK) -> int:
    return seconds(text, zone) // 60


def span(day: date, starts: str, ends: str) -> tuple[int, int]:
    return seconds(f"{day} {starts}"), seconds(f"{day} {ends}")


def shown(starts: StartTimes) -> list[str]:
    """Return the local times as in an API response."""
    return [
        f"{minute_of_day // 60:02}:{minute_of_day % 60:02}"
        for day in starts.by_day().values()
        for _, minute_of_day in day
    ]


def offered(
    calendar: Calendar,
    visit: Visit = HOUR,
    day: date = MONDAY,
    *,
    last: date | None = None,
    zone: str = NEW_YORK,
    grid: int = 60,
    period: BookingPeriod = ALWAYS,
    rooms: list[Ranges] | None = None,
) -> list[str]:
    window = make_window(zone, day, last or day, grid)
    roomless = 0 if rooms is None else roomless_starts(window, visit, rooms)
    starts = start_times(window, visit, period, calendar, roomless)
    for start in range(window.begins, window.begins + window.length, 7):
        assert (start in starts) == (reasons(window, visit, period, calendar, start, roomless) == [])
        if rooms is not None:
            assert has_room(visit, start, rooms) != bool(roomless >> start - window.begins & 1)
    return shown(starts)


def refused(calendar: Calendar, start: str, period: BookingPeriod = ALWAYS) -> list[str]:
    window = make_window(NEW_YORK, MONDAY, MONDAY, 60)
    return list(reasons(window, HOUR, period, calendar, minute(f"{MONDAY} {start}")))


def mondays(starts: int, ends: int) -> list[tuple[int, int, int, None, None]]:
    return [(0, starts, ends, None, None)]


# Opening hours


def test_a_visit_ends_by_closing_time() -> None:
    assert offered(Calendar(mondays(NINE, NOON))) == ["09:00", "10:00", "11:00"]
    assert offered(Calendar(mondays(NINE, NOON)), Visit(61)) == ["09:00", "10:00"]


def test_without_hours_nothing_is_offered() -> None:
    assert offered(Calendar()) == []


def test_only_the_weekday_of_the_span_is_open() -> None:
    assert offered(Calendar(mondays(NINE, NOON)), day=MONDAY + timedelta(days=1)) == []


def test_a_visit_fits_into_each_of_several_spans_but_not_across_the_pause() -> None:
    hours = mondays(NINE, NOON) + mondays(NOON + 30, 15 * 60)
    morning, afternoon = ["09:00", "09:30", "10:00", "10:30", "11:00"], ["12:30", "13:00", "13:30", "14:00"]
    assert offered(Calendar(hours), grid=30) == morning + afternoon


def test_a_visit_runs_on_through_spans_that_touch_or_overlap() -> None:
    assert offered(Calendar(mondays(NINE, 600) + mondays(600, NOON)), Visit(180)) == ["09:00"]
    assert offered(Calendar(mondays(NINE, 650) + mondays(600, NOON)), Visit(180)) == ["09:00"]


def test_a_span_over_midnight_serves_the_night_on_both_days() -> None:
    night = Calendar(mondays(22 * 60, 26 * 60))
    assert offered(night, Visit(120)) == ["22:00", "23:00"]
    assert offered(night, Visit(120), MONDAY + timedelta(days=1)) == ["00:00"]


def test_a_visit_of_a_whole_day_needs_a_whole_day() -> None:
    assert offered(Calendar(mondays(NINE, NINE + 1440)), Visit(1440)) == ["09:00"]
    assert offered(Calendar(mondays(NINE, NINE + 1439)), Visit(1440)) == []


@pytest.mark.parametrize("duration", [1, 2, 3, 5, 17, 64, 479, 480])
def test_the_last_start_leaves_room_for_the_duration(duration: int) -> None:
    times = offered(Calendar(mondays(NINE, FIVE)), Visit(duration), grid=1)
    last = FIVE - duration
    assert (times[0], times[-1], len(times)) == ("09:00", f"{last // 60:02}:{last % 60:02}", last - NINE + 1)


def test_validity_dates_are_inclusive() -> None:
    hours = [(0, NINE, NINE + 60, date(2026, 1, 12), date(2026, 1, 19))]
    window = make_window(NEW_YORK, MONDAY, date(2026, 2, 28), 60)
    days = start_times(window, Visit(60), ALWAYS, Calendar(hours)).by_day()
    assert list(days) == [date(2026, 1, 12), date(2026, 1, 19)]


def test_validity_judges_the_day_on_which_the_span_begins() -> None:
    night = [(0, 22 * 60, 26 * 60, None, MONDAY)]
    assert offered(Calendar(night), day=MONDAY + timedelta(days=1)) == ["00:00", "01:00"]
    assert offered(Calendar([(0, 22 * 60, 26 * 60, MONDAY + timedelta(days=1), None)]), day=MONDAY) == []


def test_hours_may_change_in_the_middle_of_a_window() -> None:
    tuesday = MONDAY + timedelta(days=1)
    hours: list[WeeklyHours] = [(day, NINE, NINE + 60, None, MONDAY) for day in range(7)]
    hours += [(day, NOON, NOON + 60, tuesday, None) for day in range(7)]
    assert offered(Calendar(hours), last=MONDAY + timedelta(days=2)) == ["09:00", "12:00", "12:00"]


def test_a_year_repeats_every_week() -> None:
    window = make_window("Asia/Kolkata", date(2026, 1, 1), date(2026, 12, 31), 60)
    days = start_times(window, Visit(60), ALWAYS, Calendar(mondays(NINE, NINE + 60))).by_day()
    assert list(days) == [MONDAY + timedelta(weeks=week) for week in range(52)]
    assert {at for starts in days.values() for _, at in starts} == {NINE}


def test_extra_hours_open_one_date_besides_the_weekly_hours() -> None:
    saturday = date(2026, 1, 10)
    calendar = Calendar(mondays(NINE, NOON), extra=[(saturday, NINE, 600), (saturday, 1380, 1500)])
    assert offered(calendar, day=saturday) == ["09:00", "23:00"]
    assert offered(calendar, day=saturday + timedelta(days=1)) == ["00:00"]
    assert offered(calendar, day=saturday + timedelta(days=7)) == []


# Time off and busy time


def test_time_off_closes_weekly_and_extra_hours() -> None:
    calendar = Calendar(mondays(NINE, NOON), [(MONDAY, NOON, 780)], time_off=[span(MONDAY, "10:00", "12:30")])
    assert offered(calendar) == ["09:00"]


def test_a_second_of_time_off_or_busy_time_takes_its_minute() -> None:
    second = (seconds(f"{MONDAY} 10:00") - 1, seconds(f"{MONDAY} 10:00"))
    assert offered(Calendar(mondays(NINE, NOON), time_off=[second])) == ["10:00", "11:00"]
    assert offered(Calendar(mondays(NINE, NOON), busy=[second])) == ["10:00", "11:00"]
    assert offered(Calendar(mondays(NINE, NOON), busy=[(second[1], second[1] + 1)])) == ["09:00", "11:00"]


def test_visits_that_touch_do_not_collide() -> None:
    assert offered(Calendar(mondays(NINE, NOON), busy=[span(MONDAY, "10:00", "11:00")])) == ["09:00", "11:00"]
    assert offered(Calendar(mondays(NINE, NOON), held=[span(MONDAY, "10:00", "11:00")])) == ["09:00", "11:00"]


def test_busy_time_may_come_in_any_order_and_overlap() -> None:
    busy = [span(MONDAY, "11:00", "12:00"), span(MONDAY, "09:00", "10:00"), span(MONDAY, "09:15", "09:30")]
    assert offered(Calendar(mondays(NINE, NOON), busy=busy)) == ["10:00"]


def test_busy_time_may_reach_beyond_the_window_on_either_side() -> None:
    night = Calendar(EVERY_DAY, busy=[(0, seconds("2026-01-05 02:00")), (seconds("2026-01-05 22:00"), 10**11)])
    assert offered(night)[0] == "02:00"
    assert offered(night)[-1] == "21:00"
    assert offered(Calendar(EVERY_DAY, busy=[(0, 60), (10**11, 10**11 + 60)]))[0] == "00:00"


def test_a_visit_over_midnight_meets_what_is_busy_on_the_next_day() -> None:
    busy = [(seconds("2026-01-06 01:00"), seconds("2026-01-06 02:00"))]
    assert offered(Calendar(EVERY_DAY, busy=busy), Visit(120))[-1] == "23:00"
    assert offered(Calendar(EVERY_DAY, busy=busy), Visit(121))[-1] == "22:00"


def test_buffers_keep_their_distance_from_busy_time_only() -> None:
    calendar = Calendar(mondays(NINE, FIVE), busy=[span(MONDAY, "12:00", "13:00")])
    assert offered(calendar, Visit(60, buffer_before=1)) == ["09:00", "10:00", "11:00", "14:00", "15:00", "16:00"]
    assert offered(calendar, Visit(60, buffer_after=1)) == ["09:00", "10:00", "13:00", "14:00", "15:00", "16:00"]
    beside_midnight = Calendar(EVERY_DAY, busy=[(seconds("2026-01-04 22:00"), seconds("2026-01-04 23:00"))])
    assert offered(beside_midnight, Visit(60, buffer_before=121))[0] == "02:00"


# Slot interval


@pytest.mark.parametrize(
    ("grid", "times"),
    [
        (5, "09:00 09:05 09:10 09:15 09:20 09:25 09:30"),
        (10, "09:00 09:10 09:20 09:30"),
        (15, "09:00 09:15 09:30"),
        (20, "09:00 09:20"),
        (7, "09:06 09:13 09:20 09:27"),
        (1440, ""),
    ],
)
def test_the_grid_counts_from_local_midnight(grid: int, times: str) -> None:
    assert offered(Calendar(mondays(NINE, 600)), Visit(30), grid=grid) == times.split()


def test_a_grid_that_does_not_divide_the_day_begins_anew_at_midnight() -> None:
    times = offered(Calendar(EVERY_DAY), Visit(1), grid=700, last=MONDAY + timedelta(days=1))
    assert times == ["00:00", "11:40", "23:20"] * 2


def test_the_grid_follows_the_wall_clock_of_a_zone_with_odd_minutes() -> None:
    calendar = Calendar(mondays(NINE, NOON))
    assert offered(calendar, zone="Asia/Kathmandu") == ["09:00", "10:00", "11:00"]
    window = make_window("Asia/Kathmandu", MONDAY, MONDAY, 60)
    assert start_times(window, Visit(60), ALWAYS, calendar).first() == minute("2026-01-05 03:15", "UTC")


# Daylight-saving changes


def test_in_spring_the_skipped_hour_is_not_offered_and_a_visit_crosses_the_gap_in_real_minutes() -> None:
    calendar = Calendar(EVERY_DAY)
    assert offered(calendar, day=SPRING)[:4] == ["00:00", "01:00", "03:00", "04:00"]
    morning = Calendar([(6, 60, 240, None, None)])  # 01:00 to 04:00 are two real hours
    assert offered(morning, Visit(120), day=SPRING) == ["01:00"]
    assert offered(morning, Visit(121), day=SPRING) == []


def test_an_opening_hour_in_the_gap_means_the_moment_of_the_change() -> None:
    assert offered(Calendar([(6, 150, 240, None, None)]), day=SPRING) == ["03:00"]
    assert offered(Calendar([(6, 60, 150, None, None)]), day=SPRING) == ["01:00"]
    assert offered(Calendar([(6, 125, 175, None, None)]), Visit(1), day=SPRING, grid=1) == []


def test_in_autumn_the_repeated_hour_is_offered_once_and_its_real_minutes_count() -> None:
    assert offered(Calendar(EVERY_DAY), day=AUTUMN)[:4] == ["00:00", "01:00", "02:00", "03:00"]
    morning = Calendar([(6, 60, 120, None, None)])  # 01:00 to 02:00 are two real hours
    assert offered(morning, Visit(120), day=AUTUMN) == ["01:00"]
    assert offered(morning, Visit(121), day=AUTUMN) == []


def test_an_opening_hour_shown_twice_means_the_first() -> None:
    assert offered(Calendar([(6, 90, 150, None, None)]), Visit(120), day=AUTUMN, grid=30) == ["01:30"]
    assert offered(Calendar([(6, 60, 90, None, None)]), Visit(30), day=AUTUMN, grid=30) == ["01:00"]
    assert offered(Calendar([(6, 60, 90, None, None)]), Visit(31), day=AUTUMN, grid=30) == []


def test_the_second_showing_of_a_time_is_off_the_grid() -> None:
    window = make_window(NEW_YORK, AUTUMN, AUTUMN, 60)
    second = minute("2026-11-01 06:00", "UTC")
    assert local_time(NEW_YORK, second) == (AUTUMN, 60, -300)
    assert reasons(window, Visit(30), ALWAYS, Calendar(EVERY_DAY), second) == ["off_grid"]


def test_lord_howe_moves_its_clocks_by_half_an_hour() -> None:
    zone, spring, autumn = "Australia/Lord_Howe", date(2026, 10, 4), date(2026, 4, 5)
    assert offered(Calendar(EVERY_DAY), day=spring, zone=zone, grid=30)[3:6] == ["01:30", "02:30", "03:00"]
    assert offered(Calendar([(6, 90, 120, None, None)]), day=autumn, zone=zone, grid=30) == ["01:30"]
    with pytest.raises(NonexistentTime):
        resolve(zone, spring, 125)
    assert resolve(zone, autumn, 105) == minute("2026-04-04 14:45", "UTC")


def test_a_day_may_begin_after_midnight() -> None:
    assert offered(Calendar(EVERY_DAY), day=date(2026, 4, 24), zone="Africa/Cairo")[0] == "01:00"


def test_a_midnight_shown_twice_belongs_to_the_evening_before() -> None:
    zone, evening = "America/Santiago", date(2026, 4, 4)  # 24:00 becomes 23:00
    assert offered(Calendar(EVERY_DAY), day=evening, zone=zone)[-2:] == ["22:00", "23:00"]
    assert offered(Calendar([(5, 1380, 1440, None, None)]), Visit(120), day=evening, zone=zone) == ["23:00"]
    assert make_window(zone, evening, evening, 60).length == 25 * 60


def test_samoa_had_no_30_december_2011() -> None:
    skipped = date(2011, 12, 30)
    assert offered(Calendar(EVERY_DAY), day=skipped, zone="Pacific/Apia") == []
    window = make_window("Pacific/Apia", skipped - timedelta(days=1), skipped + timedelta(days=1), 720)
    starts = start_times(window, Visit(60), ALWAYS, Calendar(EVERY_DAY))
    assert list(starts.by_day()) == [date(2011, 12, 29), date(2011, 12, 31)]
    with pytest.raises(NonexistentTime):
        resolve("Pacific/Apia", skipped, NOON)


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Africa/Monrovia", "Pacific/Rarotonga"])
@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1936, 1, 15), date(2100, 12, 31)])
def test_the_years_1900_to_2100_are_served_in_whole_minutes(zone: str, day: date) -> None:
    window = make_window(zone, day, day, 60)
    starts = start_times(window, Visit(60), ALWAYS, Calendar(EVERY_DAY))
    assert [local_time(zone, start)[:2] for start in starts] == [(day, hour * 60) for hour in range(24)]
    assert [resolve(zone, *local_time(zone, start)[:2]) for start in starts] == list(starts)


# Booking notice and horizon


def test_a_visit_may_start_now_but_not_a_second_earlier() -> None:
    calendar = Calendar(mondays(NINE, NOON))
    at_ten = seconds(f"{MONDAY} 10:00")
    assert offered(calendar, period=BookingPeriod(at_ten)) == ["10:00", "11:00"]
    assert offered(calendar, period=BookingPeriod(at_ten + 1)) == ["11:00"]


def test_notice_counts_from_now() -> None:
    at_nine = seconds(f"{MONDAY} 09:00")
    assert offered(Calendar(mondays(NINE, NOON)), period=BookingPeriod(at_nine, 60)) == ["10:00", "11:00"]
    assert offered(Calendar(mondays(NINE, NOON)), period=BookingPeriod(at_nine, 61)) == ["11:00"]


def test_the_horizon_is_the_latest_start() -> None:
    at_ten = seconds(f"{MONDAY} 10:00")
    assert offered(Calendar(mondays(NINE, NOON)), period=BookingPeriod(0, latest=at_ten)) == ["09:00", "10:00"]
    assert offered(Calendar(mondays(NINE, NOON)), period=BookingPeriod(0, latest=at_ten - 1)) == ["09:00"]
    assert offered(Calendar(mondays(NINE, NOON)), period=BookingPeriod(0, latest=0)) == []


# Provider time and rooms


def test_only_the_providers_part_needs_opening_hours_and_free_time() -> None:
    middle = Visit(60, provider_after=15, provider_duration=30)
    calendar = Calendar(mondays(NINE + 15, NOON), busy=[span(MONDAY, "10:15", "10:30")])
    late = ["10:30", "10:45", "11:00", "11:15"]
    assert offered(calendar, middle, grid=15) == ["09:00", "09:15", "09:30", "10:15", *late]
    wide = Visit(60, provider_after=15, provider_duration=30, buffer_before=1, buffer_after=1)
    assert offered(calendar, wide, grid=15) == ["09:00", "09:15", *late]
    off = Calendar(mondays(NINE, NOON), time_off=[span(MONDAY, "10:15", "10:30")])
    assert offered(off, middle, grid=15)[2:5] == ["09:15", "09:30", "10:15"]


def test_one_room_must_be_free_for_the_whole_visit() -> None:
    calendar = Calendar(mondays(NINE, 13 * 60))
    first = [span(MONDAY, "09:00", "10:30")]
    second = [span(MONDAY, "10:30", "12:00")]
    assert offered(calendar, rooms=[first, second]) == ["09:00", "11:00", "12:00"]
    assert offered(calendar, rooms=[first]) == ["11:00", "12:00"]
    assert offered(calendar, rooms=[]) == []


def test_the_room_is_needed_longer_than_the_provider() -> None:
    visit = Visit(60, provider_duration=30)
    calendar = Calendar(mondays(NINE, NOON))
    assert offered(calendar, visit, rooms=[[span(MONDAY, "10:45", "11:00")]]) == ["09:00", "11:00"]


def test_the_room_with_the_tightest_gap_is_preferred_then_the_lowest_id() -> None:
    window = make_window(NEW_YORK, MONDAY, MONDAY, 15)
    tight = [span(MONDAY, "08:00", "10:00"), span(MONDAY, "11:00", "12:00")]
    taken = [span(MONDAY, "10:30", "10:45")]
    rooms: dict[int, Ranges] = {4: [], 3: tight, 2: taken, 1: []}
    assert choose_room(window, Visit(60), minute(f"{MONDAY} 10:00"), rooms) == [3, 1, 4]
    assert choose_room(window, Visit(60), minute(f"{MONDAY} 10:00"), {2: taken}) == []


def test_a_room_that_alone_keeps_an_opening_is_spared() -> None:
    """At 10:00, room 1 would lose 10:30, which no other room has; room 2 loses 9:30, which room 3 still has."""
    window = make_window(NEW_YORK, MONDAY, MONDAY, 30)
    rooms: dict[int, Ranges] = {
        1: [span(MONDAY, "00:00", "10:00"), span(MONDAY, "11:30", "23:59")],
        2: [span(MONDAY, "00:00", "09:30"), span(MONDAY, "11:00", "23:59")],
        3: [span(MONDAY, "00:00", "09:30"), span(MONDAY, "10:30", "23:59")],
    }
    assert choose_room(window, Visit(60), minute(f"{MONDAY} 10:00"), rooms) == [2, 1]


# Reasons


def test_every_rule_that_refuses_is_named() -> None:
    calendar = Calendar(
        mondays(NINE, FIVE),
        time_off=[span(MONDAY, "10:00", "11:00")],
        busy=[span(MONDAY, "11:00", "12:00")],
        held=[span(MONDAY, "12:00", "13:00")],
    )
    assert refused(calendar, "09:00") == []
    assert refused(calendar, "08:00") == ["outside_hours"]
    assert refused(calendar, "09:30") == ["off_grid", "time_off"]
    assert refused(calendar, "11:30") == ["off_grid", "provider_busy", "held"]
    assert refused(calendar, "12:00") == ["held"]
    at_two = BookingPeriod(seconds(f"{MONDAY} 14:00"), 60, seconds(f"{MONDAY} 15:00"))
    assert refused(calendar, "13:00", period=at_two) == ["past"]
    assert refused(calendar, "14:00", period=at_two) == ["too_soon"]
    assert refused(calendar, "15:00", period=at_two) == []
    assert refused(calendar, "16:00", period=at_two) == ["too_far"]


def test_a_full_house_is_no_room() -> None:
    window = make_window(NEW_YORK, MONDAY, MONDAY, 60)
    roomless = roomless_starts(window, Visit(60), [[span(MONDAY, "09:00", "10:00")]])
    hours = Calendar(mondays(NINE, NOON))
    assert reasons(window, Visit(60), ALWAYS, hours, minute(f"{MONDAY} 09:00"), roomless) == ["no_room"]
    assert reasons(window, Visit(60), ALWAYS, hours, minute(f"{MONDAY} 10:00"), roomless) == []


def test_a_start_on_another_day_is_the_callers_mistake() -> None:
    window = make_window(NEW_YORK, MONDAY, MONDAY, 60)
    for start in (window.begins - 1, window.begins + 1440):
        with pytest.raises(ValueError, match="none of the window's days"):
            reasons(window, Visit(60), ALWAYS, Calendar(), start)


# Start times and local time


def test_start_times_are_counted_listed_searched_and_found_first() -> None:
    window = make_window(NEW_YORK, MONDAY, MONDAY, 60)
    starts = start_times(window, Visit(60), ALWAYS, Calendar(mondays(NINE, 11 * 60)))
    nine, ten = minute(f"{MONDAY} 09:00"), minute(f"{MONDAY} 10:00")
    assert (list(starts), len(starts), bool(starts), starts.first()) == ([nine, ten], 2, True, nine)
    assert nine in starts
    assert nine + 1 not in starts
    assert window.begins - 10**6 not in starts
    assert starts.by_day() == {MONDAY: [(nine, NINE), (ten, 600)]}
    none = start_times(window, Visit(60), ALWAYS, Calendar())
    assert (list(none), bool(none), none.first(), none.by_day()) == ([], False, None, {})


def test_days_of_a_window_with_a_change_of_clocks_show_their_own_times() -> None:
    window = make_window(NEW_YORK, SPRING - timedelta(days=1), SPRING + timedelta(days=1), 60)
    hours = Calendar([(day, NINE, 600, None, None) for day in range(7)])
    days = start_times(window, Visit(60), ALWAYS, hours).by_day()
    assert [[at for _, at in starts] for starts in days.values()] == [[NINE]] * 3
    assert [window.local_time(starts[0][0]).utc_offset for starts in days.values()] == [-300, -240, -240]


def test_a_local_time_in_the_gap_does_not_exist() -> None:
    with pytest.raises(NonexistentTime, match="2026-03-08 02:30 does not exist in America/New_York"):
        resolve(NEW_YORK, SPRING, 150)
    assert resolve(NEW_YORK, SPRING, 180) == resolve(NEW_YORK, SPRING, 119) + 1


def test_a_local_time_shown_twice_means_the_first() -> None:
    assert resolve(NEW_YORK, AUTUMN, 90) == minute("2026-11-01 05:30", "UTC")
    assert local_time(NEW_YORK, minute("2026-11-01 06:30", "UTC")) == LocalTime(AUTUMN, 90, -300)
    assert local_time("Asia/Kathmandu", 0) == LocalTime(date(1970, 1, 1), 330, 330)


def test_new_year_is_a_night_like_any_other() -> None:
    eve = date(2026, 12, 31)
    times = offered(Calendar(EVERY_DAY), Visit(1440), eve, last=date(2027, 1, 1), grid=720)
    assert times == ["00:00", "12:00"] * 2
    assert resolve(NEW_YORK, eve, 1439) == int(datetime(2027, 1, 1, 4, 59, tzinfo=UTC).timestamp()) // 60


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: Visit(0),
        lambda: Visit(1441),
        lambda: Visit(30, provider_after=30),
        lambda: Visit(30, provider_after=10, provider_duration=21),
        lambda: Visit(30, provider_after=-1),
        lambda: Visit(30, provider_duration=0),
        lambda: Visit(30, buffer_before=241),
        lambda: Visit(30, buffer_after=-1),
        lambda: make_window(NEW_YORK, MONDAY, MONDAY - timedelta(days=1), 15),
        lambda: make_window(NEW_YORK, MONDAY, MONDAY + timedelta(days=366), 15),
        lambda: make_window(NEW_YORK, MONDAY, MONDAY, 0),
    ],
)
def test_impossible_visits_and_windows_are_refused(mistake: object) -> None:
    assert callable(mistake)
    with pytest.raises(ValueError, match=r"\."):
        mistake()
