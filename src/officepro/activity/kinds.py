"""Which kinds of fields a response discloses about its patients, by route: what 45 CFR 164.528(b)(2)(iii) calls a brief
description of the information disclosed.

    identity      PatientID, names
    contact       phone numbers, e-mail and postal addresses, also those of the emergency contact
    demographics  date of birth, gender, pronouns, language, life stage
    appointments  visits: time, provider, room, type, status
    notes         free text: Notes, VisitNotes, VisitComplaint, CancelReason
    photo         PtImg
    tags          tags of the practice
    events        that something was changed, and when

The words are stored in each row of the disclosure log and are part of its hash, so their meaning never changes.
"""

from collections.abc import Mapping

_RECORD = "identity,contact,demographics,notes,tags"
_RECORD_WITH_PHOTO = f"{_RECORD},photo"
_BOOKING = "identity,appointments"
_VISIT = "identity,appointments,notes"
_TAGS = "identity,tags"

KINDS: Mapping[tuple[str, str], str] = {
    ("GET", "/v1/{PPass}/prospects"): _RECORD,
    ("POST", "/v1/{PPass}/prospects/search"): _RECORD,
    ("GET", "/v1/{PPass}/prospects/{id}"): _RECORD_WITH_PHOTO,
    ("POST", "/v1/{PPass}/prospects"): _RECORD_WITH_PHOTO,
    ("PUT", "/v1/{PPass}/prospects/{id}"): _RECORD_WITH_PHOTO,
    ("POST", "/v1/{PPass}/tags/prospects/{id}"): _TAGS,
    ("DELETE", "/v1/{PPass}/tags/prospects/{id}"): _TAGS,
    ("DELETE", "/v1/{PPass}/tags/prospects/{id}/{tagId}"): _TAGS,
    ("GET", "/v1/{PPass}/visits"): _VISIT,
    ("GET", "/v1/{PPass}/visits/{id}"): _VISIT,
    ("POST", "/v1/{PPass}/visits/book"): _BOOKING,
    ("PATCH", "/v1/{PPass}/visits/{id}"): _VISIT,
    ("POST", "/v1/{PPass}/visits/{id}/cancel"): _VISIT,
    ("GET", "/v1/{PPass}/events"): "identity,events",
}


def kinds_of(method: str, endpoint: str) -> str:
    """Return the kinds of fields, separated by commas; empty for a route that is not listed, which a convention test
    refuses."""
    return KINDS.get((method, endpoint), "")
