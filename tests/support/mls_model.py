"""What a model of a group knows about its members, and about those who are none."""

from dataclasses import dataclass, field

import pytest

from e2ecore.errors import PeerError
from e2ecore.mls.group import Group
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.rows import MemoryRows
from tests.support.mls_groups import Device


@dataclass(frozen=True)
class Text:
    """An application message on its way."""

    sender: str
    epoch: int
    generation: int
    message: bytes


@dataclass
class Outsider:
    """A device that is not, or no longer, part of what the others agree on."""

    device: Device
    epoch: int


@dataclass
class Reader:
    """A device and what the model knows about it."""

    device: Device
    joined_epoch: int
    cursor: int
    mailbox: list[Text] = field(default_factory=list)
    done: list[Text] = field(default_factory=list)
    heads: dict[tuple[int, str], int] = field(default_factory=dict)
    removed: bool = False

    @property
    def epoch(self) -> int:
        return self.device.group.epoch


def refused(device: Device, message: bytes) -> None:
    """Nothing of a message is accepted, whatever epoch it claims to be of, and nothing changes."""
    device.save()
    before = dict(device.disk.rows)
    private = decode_message(message)
    assert isinstance(private, PrivateMessage)
    for epoch in {private.epoch, device.group.epoch}:
        with pytest.raises(PeerError):
            device.group.receive(encode_message(private._replace(epoch=epoch)), now_ms=None)
    assert device.group.take_changes() == {}
    assert device.disk.rows == before


def ghost(device: Device) -> Outsider:
    """Return a copy of a device that ignores its removal."""
    device.save()
    copy = Device(device.name, device.suite, MemoryRows())
    copy.disk.rows.update(device.disk.rows)
    copy._group = Group.load(copy.disk)
    return Outsider(copy, copy.group.epoch)
