"""A client that speaks bare frames to a relay: no engine, no MLS, every misuse possible."""

import hashlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar

import nacl.bindings

from e2ecore_channel import Channel, client_context, connect
from e2ecore_protocol.chain.bodies import Body, DeviceAdded, Genesis
from e2ecore_protocol.chain.entry import (
    Entry,
    account_id_of,
    device_id_of,
    possession_message,
    sign_entry,
)
from e2ecore_protocol.frames import (
    Accepted,
    Ack,
    AcknowledgedLog,
    Authenticate,
    CaughtUp,
    Challenge,
    Commit,
    Committed,
    ConversationKind,
    Deliver,
    Delivery,
    DeviceAddress,
    Envelope,
    EnvelopeKind,
    Failed,
    Frame,
    GoAway,
    Ready,
    Refused,
    Register,
    Registered,
    ServerFrame,
    Submit,
    Submitted,
    authentication_message,
    decode_server_frame,
    direct_conversation_id,
    group_conversation_id,
    make_envelope_id,
)
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S, MAX_FRAME_BYTES

AnyFrame = TypeVar("AnyFrame", bound=Frame)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_envelope_id() -> bytes:
    return make_envelope_id(now_ms(), os.urandom(10))


@dataclass(frozen=True)
class KeyPair:
    """An Ed25519 key pair, for tests."""

    public: bytes
    private: bytes

    @classmethod
    def make(cls, seed: bytes | None = None) -> "KeyPair":
        public, private = nacl.bindings.crypto_sign_seed_keypair(seed or os.urandom(32))
        return cls(public, private)

    def sign(self, message: bytes) -> bytes:
        return nacl.bindings.crypto_sign(message, self.private)[:64]


@dataclass
class Person:
    """An account with one device."""

    handle: str | None = None
    identity: KeyPair = field(default_factory=KeyPair.make)
    device: KeyPair = field(default_factory=KeyPair.make)
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        genesis = sign_entry(
            b"", 0, b"", Genesis(self.identity.public), created_ms=1, sign=self.identity.sign
        )
        self.account_id = account_id_of(genesis)
        self.entries.append(genesis)
        self.entries.append(self.device_entry(self.device))

    def device_entry(self, device: KeyPair) -> Entry:
        """Return the entry that adds a device behind the head."""
        head = self.entries[-1]
        seq, prev = head.seq + 1, head.hash()
        proof = device.sign(possession_message(self.account_id, seq, prev, device.public))
        return self.entry(DeviceAdded(device.public, proof))

    def entry(self, body: Body) -> Entry:
        """Return an entry behind the head."""
        head = self.entries[-1]
        return sign_entry(
            self.account_id, head.seq + 1, head.hash(), body, created_ms=1, sign=self.identity.sign
        )

    def with_device(self, device: KeyPair) -> "Person":
        """The same person at another device: what one adds to the chain the other knows."""
        other = copy(self)
        other.device = device
        return other

    @property
    def device_id(self) -> bytes:
        return device_id_of(self.device.public)

    @property
    def address(self) -> DeviceAddress:
        return DeviceAddress(self.account_id, self.device_id)


class RawClient:
    """One connection."""

    def __init__(self, channel: Channel, person: Person) -> None:
        self.channel = channel
        self.person = person
        self.challenge: Challenge
        self.delivered: list[Delivery] = []
        self.auto_ack = True
        self.caught_up = 0
        self._request = 0
        self._frames: deque[ServerFrame] = deque()

    async def next(self) -> ServerFrame:
        """Return the next frame, whatever it is."""
        while not self._frames:
            for message in await self.channel.receive():
                self._frames.append(decode_server_frame(message))
        return self._frames.popleft()

    async def expect(self, kind: type[AnyFrame]) -> AnyFrame:
        """Return the next frame of a kind; keep deliveries on the way."""
        while True:
            frame = await self.next()
            if isinstance(frame, Deliver):
                await self._keep(frame)
            if isinstance(frame, CaughtUp):
                self.caught_up += 1
            if isinstance(frame, kind):
                return frame
            assert not isinstance(frame, GoAway | Failed), f"wanted {kind.__name__}, got {frame}"

    async def _keep(self, frame: Deliver) -> None:
        self.delivered.extend(frame.deliveries)
        if self.auto_ack:
            await self.acknowledge(frame.deliveries)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        upto: dict[bytes, int] = {}
        for one in deliveries:
            upto[one.log_id] = one.seq
        await self.send(Ack(tuple([AcknowledgedLog(*item) for item in upto.items()])))

    async def send(self, *frames: Frame) -> None:
        await self.channel.send([frame.encode() for frame in frames])

    def request(self) -> int:
        self._request += 1
        return self._request

    async def wait_for(self, count: int) -> list[Delivery]:
        """Wait until so many envelopes were delivered since the start."""
        while len(self.delivered) < count:
            await self.expect(Deliver)
        return self.delivered

    # --- verbs --------------------------------------------------------------------------------

    async def greet(self) -> None:
        frame = await self.next()
        assert isinstance(frame, Challenge), frame
        self.challenge = frame
        self.channel.max_message_bytes = MAX_FRAME_BYTES

    async def register(self) -> None:
        person = self.person
        entries = tuple([entry.encode() for entry in person.entries[:2]])
        await self.send(Register(self.request(), entries, person.handle))
        assert (await self.expect(Registered)).account_id == person.account_id

    def proof(self, device: KeyPair | None = None) -> Authenticate:
        device = device or self.person.device
        device_id = hashlib.sha256(device.public).digest()[:16]
        message = authentication_message(
            1, self.challenge.server_name, self.challenge.nonce, self.person.account_id, device_id
        )
        return Authenticate(1, self.person.account_id, device_id, device.sign(message))

    async def authenticate(self) -> Ready:
        await self.send(self.proof())
        return await self.expect(Ready)

    async def submit(
        self,
        conversation: bytes,
        *payloads: bytes,
        epoch: int = 1,
        kind: int = EnvelopeKind.APPLICATION,
        lifetime_s: int = MAX_ENVELOPE_LIFETIME_S,
        ids: Sequence[bytes] = (),
    ) -> tuple[Accepted | Refused, ...]:
        ids = ids or [new_envelope_id() for _ in payloads]
        envelopes = [
            Envelope(conversation, envelope_id, kind, epoch, lifetime_s, payload)
            for envelope_id, payload in zip(ids, payloads, strict=True)
        ]
        request = self.request()
        await self.send(Submit(request, tuple(envelopes)))
        answer = await self.expect(Submitted)
        assert answer.request == request
        return answer.results

    async def commit(
        self,
        conversation: bytes,
        epoch: int,
        *,
        create: int | None = None,
        added: Sequence[DeviceAddress] = (),
        removed: Sequence[DeviceAddress] = (),
        envelope_id: bytes | None = None,
        welcome: bytes = b"welcome",
    ) -> Committed | Failed:
        frame = Commit(
            self.request(),
            conversation,
            envelope_id or new_envelope_id(),
            epoch,
            b"commit",
            create,
            tuple(added),
            tuple(removed),
            welcome if added else None,
        )
        return await self.ask(frame, Committed)

    async def ask(self, frame: Frame, kind: type[AnyFrame]) -> AnyFrame | Failed:
        """Send a request and return its answer, or why it failed."""
        await self.send(frame)
        while True:
            answer = await self.next()
            if isinstance(answer, Deliver):
                await self._keep(answer)
            elif isinstance(answer, CaughtUp):
                self.caught_up += 1
            else:
                assert isinstance(answer, (Failed, kind)), answer
                return answer

    async def direct(self, other: Person) -> bytes:
        """Begin a direct conversation; it is in epoch 1 then."""
        name = direct_conversation_id(self.person.account_id, other.account_id, 0)
        done = await self.commit(name, 0, create=ConversationKind.DIRECT, added=[other.address])
        assert isinstance(done, Committed), done
        return name

    async def group(self, *others: Person) -> bytes:
        """Begin a group; it is in epoch 1 then."""
        name = group_conversation_id(os.urandom(16))
        added = [other.address for other in others]
        done = await self.commit(name, 0, create=ConversationKind.GROUP, added=added)
        assert isinstance(done, Committed), done
        return name


@asynccontextmanager
async def stranger(url: str, ca: str, person: Person | None = None) -> AsyncIterator[RawClient]:
    """Connect without authenticating."""
    channel = await connect(url, client_context(ca) if ca else None)
    client = RawClient(channel, person or Person())
    try:
        await client.greet()
        yield client
    finally:
        await channel.aclose()


@asynccontextmanager
async def online(
    url: str, ca: str, person: Person | None = None, *, register: bool = True
) -> AsyncIterator[RawClient]:
    """Connect, register (a repeat is harmless) and authenticate."""
    async with stranger(url, ca, person) as client:
        if register:
            await client.register()
        await client.authenticate()
        yield client
