"""Making ops and taking those of others: numbers, links, signatures.

A device's ops are a chain: numbered from 1 on, each naming the hash of the one before. What is
overwritten may be missing from it, so a gap proves nothing by itself; two ops in one place, or
neighbours that are not linked, prove that the device has gone two ways.

Spec: protocol/spec/75-own-devices.md, [OPL-1] to [OPL-25]
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.sync import hlc
from e2ecore.sync.errors import ForkedDeviceError
from e2ecore.sync.hlc import NEVER, Hlc
from e2ecore.sync.merging import seen_in
from e2ecore_protocol.chain import device_id_of
from e2ecore_protocol.content.op_bodies import OpBody, Rule, rule_of
from e2ecore_protocol.content.ops import NO_OP, Op, Seen


@dataclass(frozen=True, slots=True)
class Author:
    """Where a device stands in its own list of ops. To be stored with each op that it writes."""

    device_id: bytes
    number: int = 0
    """Of its last op; 0: it has written none."""
    prev_hash: bytes = NO_OP
    """Hash of its last op."""
    time: Hlc = NEVER
    """The greatest time that it has written or received."""

    def write(
        self,
        subject: bytes,
        body: OpBody,
        kept: Iterable[Op],
        *,
        now_ms: int,
        sign: Callable[[Op], Op],
    ) -> tuple[Self, Op]:
        """Return where the device stands next, and the new op.

        Args:
            subject: What the op is about.
            body: What it says.
            kept: What is kept of the same kind and subject.
            now_ms: The relay's clock as far as it is known, else this device's.
            sign: ``lambda op: op.signed(account_id, device_key.sign)``.
        """
        time = hlc.tick(self.time, now_ms)
        op = sign(
            Op(
                *(self.device_id, self.number + 1, self.prev_hash, time, body.KIND, subject),
                seen=_seen(body.KIND, kept, self.device_id),
                value=body.to_fields(),
            )
        )
        op.check()
        return replace(self, number=op.number, prev_hash=op.hash(), time=time), op

    def hear(self, op: Op, now_ms: int) -> Self:
        """Return where the device stands after it took an op.

        Its database may have been set back. Then others name ops of its own that it does not have
        any more, and it goes on after those: to use a number again would void what it says.
        """
        heard = replace(self, time=hlc.heard(self.time, op.time, now_ms))
        named = dict(op.seen) | {op.device_id: op.number}
        if named.get(self.device_id, 0) <= self.number:
            return heard
        return replace(heard, number=named[self.device_id], prev_hash=op.hash())


def verify(op: Op, account_id: bytes, device_key: bytes) -> None:
    """Return only if an op was signed by a device for an account.

    Args:
        op: As it was decoded.
        account_id: The account whose ops these are.
        device_key: The device's key, from the account's chain.

    Raises:
        SignatureError: It was not, or it names another device.
    """
    if op.device_id != device_id_of(device_key):
        raise SignatureError("the op names another device")
    ED25519.verify(device_key, op.signed_message(account_id), op.signature)


def check_links(op: Op, neighbours: Iterable[Op]) -> None:
    """Return only if an op fits those of its device that are kept and near it.

    What does not fit counts all the same, or devices would not come to agree: this is for the
    person to know.

    Args:
        op: The new one.
        neighbours: Kept ops of the same device; those with the number before, the same, and the one
            after matter.

    Raises:
        ForkedDeviceError: One contradicts another.
    """
    for other in neighbours:
        first, second = sorted((op, other), key=lambda one: one.number)
        same = first.number == second.number and first.hash() != second.hash()
        next_to = first.number + 1 == second.number and second.prev_hash != first.hash()
        if same or next_to:
            raise ForkedDeviceError(first, second)


def _seen(kind: int, kept: Iterable[Op], device_id: bytes) -> tuple[Seen, ...]:
    overwrites = rule_of(kind) in (Rule.REGISTER, Rule.VALUES, Rule.FLAG)
    return seen_in(kept, device_id) if overwrites else ()
