"""Whose leaf is it? One counts only if the account's own chain vouches for its key.

Leaf identity: 20 bytes of account id, then 16 bytes of device id. The leaf's signature key must be
the key that the account chain gives to that device, and the device must be live when it is added.
"""

from typing import Final, NamedTuple, Protocol

from e2ecore.errors import PeerError
from e2ecore.ids import AccountId, DeviceId

ACCOUNT_ID_BYTES: Final = 20
DEVICE_ID_BYTES: Final = 16
IDENTITY_BYTES: Final = ACCOUNT_ID_BYTES + DEVICE_ID_BYTES


class ForeignLeafError(PeerError):
    """Somebody tried to put a key into a conversation that its account does not vouch for.

    It was refused.
    """


class BadIdentityError(PeerError):
    """A leaf names no account and device. It was refused."""


class LeafIdentity(NamedTuple):
    """Who a leaf says it is."""

    account_id: AccountId
    device_id: DeviceId


class DeviceDirectory(Protocol):
    """What is known of one account: the part of its chain's state that this check needs."""

    def live_device_key(self, device_id: bytes, /) -> bytes | None:
        """Return the signature key of a device that is live now, else None."""
        ...


def encode_identity(account_id: bytes, device_id: bytes) -> bytes:
    """Return the 36 bytes that a leaf credential carries."""
    return account_id + device_id


def decode_identity(identity: bytes) -> LeafIdentity:
    """Split a leaf credential's identity.

    Raises:
        BadIdentityError: It has not 36 bytes.
    """
    if len(identity) != IDENTITY_BYTES:
        raise BadIdentityError(f"an identity of {len(identity)} bytes")
    return LeafIdentity(
        AccountId(identity[:ACCOUNT_ID_BYTES]), DeviceId(identity[ACCOUNT_ID_BYTES:])
    )


def check_leaf(identity: bytes, signature_key: bytes, directory: DeviceDirectory) -> LeafIdentity:
    """Check a new or changed leaf against its account's chain.

    Raises:
        BadIdentityError: The identity cannot be read.
        ForeignLeafError: The chain has no such live device, or gives it another key.
    """
    who = decode_identity(identity)
    if directory.live_device_key(who.device_id) != signature_key:
        raise ForeignLeafError("the account chain does not vouch for this key")
    return who
