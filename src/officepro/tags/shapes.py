"""Request and response bodies of tags. (source API specification: Tags)"""

import msgspec

from officepro.foundation.wire import RecordId


class Tag(msgspec.Struct):
    """A label of the practice."""

    tag_id: int = msgspec.field(name="TagID")
    tag: str = msgspec.field(name="Tag")


class AssignTag(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The tag to assign."""

    tag_id: RecordId


class Assigned(msgspec.Struct):
    """The tag assigned to a prospect."""

    patient_id: int = msgspec.field(name="PatientID")
    tag_id: int = msgspec.field(name="TagID")


class Removed(msgspec.Struct):
    """The number of tags removed from a prospect."""

    patient_id: int = msgspec.field(name="PatientID")
    removed: int = msgspec.field(name="Removed")
