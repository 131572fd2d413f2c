"""Examples for the OpenAPI document, after the source API specification. (Providers, Visit Scheduling)"""

from typing import Any

Json = dict[str, Any]

PROVIDER: Json = {"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics"}
SCHEDULE: Json = {
    "provider": PROVIDER,
    "startDate": "2026-03-09",
    "endDate": "2026-03-15",
    "schedule": {
        "2026-03-09": [{"VisitID": 101, "time": "09:00:00", "duration": 30, "type": "FOLLOWUP", "booked": True}]
    },
    "totalVisits": 1,
}
CHECKED: Json = {"ProviderID": 1, "Date": "2026-03-09", "Time": "10:15:00", "Duration": 30, "Available": True}
SLOTS: Json = {
    "ProviderID": 1,
    "Date": "2026-03-09",
    "Duration": 30,
    "Slots": ["09:00:00", "11:30:00", "14:00:00"],
    "Count": 3,
    "TimeZone": "America/New_York",
    "SlotDetails": [
        {"start": "2026-03-09T09:00:00-04:00", "end": "2026-03-09T09:30:00-04:00"},
        {"start": "2026-03-09T11:30:00-04:00", "end": "2026-03-09T12:00:00-04:00"},
        {"start": "2026-03-09T14:00:00-04:00", "end": "2026-03-09T14:30:00-04:00"},
    ],
}
NEXT_SLOT: Json = {
    "ProviderID": 1,
    "Duration": 30,
    "SearchWindowDays": 30,
    "TheNextSlot": {"ProviderID": "1", "Date": "2026-03-10", "Time": "09:00:00"},
}
OPENINGS: Json = {
    "VisitType": "Consult",
    "StartDate": "2026-03-09",
    "EndDate": "2026-03-15",
    "Duration": 30,
    "TimeZone": "America/New_York",
    "Slots": [
        {
            "ProviderID": 2,
            "Date": "2026-03-09",
            "Time": "09:00:00",
            "Start": "2026-03-09T09:00:00-04:00",
            "End": "2026-03-09T09:30:00-04:00",
        }
    ],
    "Count": 1,
}
NEXT_OPENING: Json = {
    "VisitType": "Consult",
    "Duration": 30,
    "SearchWindowDays": 30,
    "TheNextSlot": {"ProviderID": "2", "Date": "2026-03-09", "Time": "09:00:00"},
}

VISIT_TYPE: Json = {"VisitType": "Consult", "Active": True, "Providers": [1, 2], "Resources": [101, 102]}
_TIME: Json = {
    "ProviderID": 2,
    "VisitType": "Consult",
    "VisitDate": "2026-03-12",
    "VisitTime": "10:00:00",
    "VisitDuration": 30,
}
_PROVIDERS_PART: Json = {"ProviderTime": "10:00:00", "ProviderDuration": 30}
BOOK: Json = {
    "PatientID": 1001,
    **_TIME,
    "VisitComplaint": "Follow-up",
    **_PROVIDERS_PART,
    "VisitNotes": "Booked via API",
}
BOOKED: Json = {"VisitID": 555, "PatientID": 1001, **_TIME, **_PROVIDERS_PART, "RoomID": 102}
HOLD: Json = {**_TIME, "VisitTime": "14:00:00", "ttlSeconds": 300}
HELD: Json = {
    "HoldID": 556,
    **_TIME,
    "VisitTime": "14:00:00",
    "ProviderTime": "14:00:00",
    "ProviderDuration": 30,
    "RoomID": 102,
    "HeldUntil": "2026-03-09T14:15:00.000Z",
}
VISIT: Json = {
    **BOOKED,
    "VisitComplaint": "Follow-up",
    "VisitNotes": "Booked via API",
    "Status": "Booked",
    "CancelReason": None,
    "TimeZone": "America/New_York",
    "Start": "2026-03-12T10:00:00-04:00",
    "End": "2026-03-12T10:30:00-04:00",
    "CreatedAt": "2026-03-09T14:10:00.000Z",
    "UpdatedAt": "2026-03-09T14:10:00.000Z",
}
HISTORY: list[Json] = [
    {
        "At": "2026-03-09T14:10:00.000Z",
        "KeyID": 7,
        "From": None,
        "To": "Booked",
        "FromStart": None,
        "ToStart": "2026-03-12T10:00:00-04:00",
        "Reason": None,
    }
]
MOVED: Json = {
    **VISIT,
    "VisitDate": "2026-03-13",
    "VisitTime": "11:30:00",
    "ProviderTime": "11:30:00",
    "Start": "2026-03-13T11:30:00-04:00",
    "End": "2026-03-13T12:00:00-04:00",
}
CANCELLED: Json = {**VISIT, "Status": "Cancelled", "CancelReason": "Patient called"}
