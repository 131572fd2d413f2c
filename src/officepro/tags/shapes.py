"""Tags on the wire. (seeds: Tags)"""

import msgspec

from officepro.foundation.wire import RecordId


class Tag(msgspec.Struct):
    """One of the practice's labels."""

    tag_id: int = msgspec.field(name="TagID")
    tag: str = msgspec.field(name="Tag")


class AssignTag(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which tag to put on."""

    tag_id: RecordId


class Assigned(msgspec.Struct):
    """Which tag a prospect now wears."""

    patient_id: int = msgspec.field(name="PatientID")
    tag_id: int = msgspec.field(name="TagID")


class Removed(msgspec.Struct):
    """How many tags came off a prospect."""

    patient_id: int = msgspec.field(name="PatientID")
    removed: int = msgspec.field(name="Removed")
