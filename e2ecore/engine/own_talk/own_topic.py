"""What our own devices tell each other about."""

from enum import IntEnum


class OwnTopic(IntEnum):
    """The topics. The numbers are on the wire: never change one."""

    OPS = 1
    """What all our devices agree about; see ``op_talk``."""
    HISTORY = 2
    """A part of a history is at the relay; see ``announced``."""
    IDENTITY_KEY = 3
    """A device was confirmed, and gets the account's own key; see ``handing``."""
