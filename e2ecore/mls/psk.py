"""Pre-shared keys: how they are named, and how several become one secret.

Spec: RFC 9420 §8.4 (Pre-Shared Keys)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from e2ecore.crypto.hkdf import extract
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import Reader, opaque, u8, u16, u64
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.labels import expand_with_label


class PskType(IntEnum):
    """Where a pre-shared key comes from."""

    EXTERNAL = 1
    RESUMPTION = 2


class ResumptionUsage(IntEnum):
    """What a resumption key is used for."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


class Psk(Secret):
    """One pre-shared key, external or of a past epoch."""


class PskSecret(Secret):
    """All pre-shared keys of one commit, chained. All zero where there are none."""


@dataclass(frozen=True, slots=True)
class ExternalPskId:
    """Names a key that the application provides."""

    psk_id: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """Return the PreSharedKeyID."""
        return u8(PskType.EXTERNAL) + opaque(self.psk_id) + opaque(self.nonce)


@dataclass(frozen=True, slots=True)
class ResumptionPskId:
    """Names the resumption key of an epoch of a group."""

    usage: ResumptionUsage
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        """Return the PreSharedKeyID."""
        return (
            u8(PskType.RESUMPTION)
            + u8(self.usage)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.nonce)
        )


PskId = ExternalPskId | ResumptionPskId


def external_psk_id(suite: CipherSuite, psk_id: bytes, rng: Rng) -> ExternalPskId:
    """Name a key that the application provides, for one use."""
    return ExternalPskId(psk_id, rng(suite.nh))


def resumption_psk_id(
    suite: CipherSuite,
    group_id: bytes,
    epoch: int,
    rng: Rng,
    usage: ResumptionUsage = ResumptionUsage.APPLICATION,
) -> ResumptionPskId:
    """Name the resumption key of an epoch, for one use. ``suite`` is of the group that uses it."""
    return ResumptionPskId(usage, group_id, epoch, rng(suite.nh))


def read_psk_id(reader: Reader) -> PskId:
    """Read one PreSharedKeyID."""
    match reader.u8():
        case PskType.EXTERNAL:
            return ExternalPskId(reader.opaque(), reader.opaque())
        case PskType.RESUMPTION:
            usage = reader.u8()
            if usage not in _USAGES:
                raise MalformedMessageError("unknown use of a resumption key")
            return ResumptionPskId(
                ResumptionUsage(usage), reader.opaque(), reader.u64(), reader.opaque()
            )
        case _:
            raise MalformedMessageError("unknown type of pre-shared key")


_USAGES = frozenset(ResumptionUsage)


@dataclass(frozen=True, slots=True)
class NamedPsk:
    """A key together with the name under which a commit or Welcome injects it."""

    id: PskId
    psk: Psk


def psk_secret(suite: CipherSuite, psks: Sequence[NamedPsk]) -> PskSecret:
    """Chain the keys of one commit, in the order in which it lists them."""
    zero = bytes(suite.nh)
    secret = zero
    for index, named in enumerate(psks):
        label = named.id.encode() + u16(index) + u16(len(psks))
        extracted = extract(zero, named.psk.raw, suite.hash)
        secret = extract(
            expand_with_label(suite, extracted, "derived psk", label, suite.nh), secret, suite.hash
        )
    return PskSecret(secret)


class ResumptionSource(Protocol):
    """A group of ours, as far as its resumption keys are concerned."""

    def resumption_psk(self, group_id: bytes, epoch: int, /) -> Psk | None:
        """Return the key of one of its epochs, or None if it is another group or not kept."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class PskStore:
    """The pre-shared keys at hand. A key that is not here is an error, never a default.

    Attributes:
        external: External keys by their ids. It is asked for those that a message names, no others.
        groups: Where resumption keys come from.
    """

    external: Mapping[bytes, bytes]
    groups: Sequence[ResumptionSource] = ()

    def find(self, psk_id: PskId) -> Psk | None:
        """Return the key with this name, or None."""
        if isinstance(psk_id, ExternalPskId):
            value = self.external.get(psk_id.psk_id)
            return None if value is None else Psk(value)
        for group in self.groups:
            psk = group.resumption_psk(psk_id.group_id, psk_id.epoch)
            if psk is not None:
                return psk
        return None
