"""The configuration of a practice as one immutable value, and each worker's cache of it. (docs/decisions/0002)

Openings are computed from the configuration and the visits. The configuration rarely changes, so each worker caches it
and queries, together with the visits, only its version: `practice_setup.version`, which every configuration write
increments in its own transaction.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import date

import msgspec

from officepro.foundation.database import Connection
from officepro.practices.queries import UnknownPractice

PAST_DAYS = 31  # time off and extra openings that ended earlier are not loaded
REMEMBERED_PRACTICES = 1000  # per worker

# Minutes of day; an end above 1440 is on the next day. Weekday 0 is Monday; both validity dates are inclusive.
WeeklyHours = tuple[int, int, int, date | None, date | None]  # weekday, starts, ends, valid from, valid until
ExtraHours = tuple[date, int, int]  # the day, starts, ends
TimeOff = tuple[int, int]  # starts, ends in epoch seconds


class Provider(msgspec.Struct, frozen=True):
    """A provider with all working time."""

    provider_id: int
    name: str
    title: str
    specialty: str
    active: bool
    weekly: tuple[WeeklyHours, ...]
    extra: tuple[ExtraHours, ...]
    time_off: tuple[TimeOff, ...]


class Room(msgspec.Struct, frozen=True):
    """A room of the practice."""

    room_id: int
    name: str
    active: bool = True


class VisitType(msgspec.Struct, frozen=True):
    """A visit type, also with its inactive providers and rooms. Notice and horizon are resolved: its own or the
    practice's."""

    visit_type: str
    active: bool
    provider_ids: tuple[int, ...]
    room_ids: tuple[int, ...]  # empty: no room needed
    duration_minutes: int  # default duration
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    booking_horizon_days: int | None  # None: no limit


class Setup(msgspec.Struct, frozen=True):
    """The configuration of a practice at one version; providers and rooms by id, visit types by name, in this order."""

    practice_id: int
    version: int
    practicepass: str
    active: bool
    zone: str  # IANA name
    slot_minutes: int
    minimum_notice_minutes: int
    booking_horizon_days: int | None
    providers: Mapping[int, Provider]
    rooms: Mapping[int, Room]
    visit_types: Mapping[str, VisitType]


_decoder = msgspec.json.Decoder(Setup)

_LOAD = """
    SELECT json_build_object(
        'practice_id', practice.practice_id,
        'version', practice_setup.version,
        'practicepass', practicepass,
        'active', practice.active,
        'zone', time_zone,
        'slot_minutes', slot_minutes,
        'minimum_notice_minutes', practice.minimum_notice_minutes,
        'booking_horizon_days', practice.booking_horizon_days,
        'providers', coalesce((
            SELECT json_object_agg(provider_id, json_build_object(
                'provider_id', provider_id,
                'name', name,
                'title', title,
                'specialty', specialty,
                'active', active,
                'weekly', coalesce((
                    SELECT json_agg(json_build_array(weekday, starts_minute, ends_minute, valid_from, valid_until)
                                    ORDER BY weekday, starts_minute, working_hours_id)
                    FROM working_hours WHERE practice_id = $1 AND provider_id = provider.provider_id), '[]'),
                'extra', coalesce((
                    SELECT json_agg(json_build_array(day, starts_minute, ends_minute)
                                    ORDER BY day, starts_minute, extra_opening_id)
                    FROM extra_opening WHERE practice_id = $1 AND provider_id = provider.provider_id
                    AND day >= current_date - ($2 + 1)), '[]'),
                'time_off', coalesce((
                    SELECT json_agg(json_build_array(
                               floor(extract(epoch FROM starts_at))::bigint, ceil(extract(epoch FROM ends_at))::bigint)
                                    ORDER BY starts_at, time_off_id)
                    FROM time_off WHERE practice_id = $1 AND provider_id = provider.provider_id
                    AND ends_at >= now() - make_interval(days => $2)), '[]')
            ) ORDER BY provider_id) FROM provider WHERE practice_id = $1), '{}'),
        'rooms', coalesce((
            SELECT json_object_agg(room_id, json_build_object('room_id', room_id, 'name', name, 'active', active)
                                   ORDER BY room_id)
            FROM room WHERE practice_id = $1), '{}'),
        'visit_types', coalesce((
            SELECT json_object_agg(visit_type, json_build_object(
                'visit_type', visit_type,
                'active', active,
                'provider_ids', ARRAY(SELECT provider_id FROM visit_type_provider allowed WHERE practice_id = $1
                                      AND allowed.visit_type = visit_type.visit_type ORDER BY provider_id),
                'room_ids', ARRAY(SELECT room_id FROM visit_type_room allowed WHERE practice_id = $1
                                  AND allowed.visit_type = visit_type.visit_type ORDER BY room_id),
                'duration_minutes', duration_minutes,
                'buffer_before_minutes', buffer_before_minutes,
                'buffer_after_minutes', buffer_after_minutes,
                'minimum_notice_minutes',
                    coalesce(visit_type.minimum_notice_minutes, practice.minimum_notice_minutes),
                'booking_horizon_days', coalesce(visit_type.booking_horizon_days, practice.booking_horizon_days)
            ) ORDER BY visit_type) FROM visit_type WHERE practice_id = $1), '{}')
    )::text
    FROM practice JOIN practice_setup USING (practice_id) WHERE practice_id = $1
"""


async def load(db: Connection, practice_id: int) -> Setup:
    """Load the configuration in one statement, so that version and content are consistent. Raises UnknownPractice."""
    text: str | None = await db.fetchval(_LOAD, practice_id, PAST_DAYS)
    if text is None:
        raise UnknownPractice
    return _decoder.decode(text)


class Setups:
    """LRU cache of practice configurations, one per worker."""

    def __init__(self, capacity: int = REMEMBERED_PRACTICES) -> None:
        self._capacity = capacity
        self._setups: OrderedDict[int, Setup] = OrderedDict()

    def known(self, practice_id: int) -> Setup | None:
        """Return the cached configuration, or None. It may be stale: compare its version with the database first."""
        setup = self._setups.get(practice_id)
        if setup is not None:
            self._setups.move_to_end(practice_id)
        return setup

    def remember(self, setup: Setup) -> None:
        """Cache the configuration, unless a newer version is cached."""
        known = self._setups.get(setup.practice_id)
        if known is None or known.version <= setup.version:
            self._setups[setup.practice_id] = setup
        self._setups.move_to_end(setup.practice_id)
        if len(self._setups) > self._capacity:
            self._setups.popitem(last=False)
