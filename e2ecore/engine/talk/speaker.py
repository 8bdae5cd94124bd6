"""Who says something of a message."""

from typing import NamedTuple


class Speaker(NamedTuple):
    """Who says something, on which device, and as its how-manieth message."""

    account_id: bytes
    device_id: bytes
    counter: int
    is_self: bool = False
    seq: int = 0
    """The relay's number of it; 0: it has none yet."""
