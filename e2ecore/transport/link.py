"""One authenticated connection at work: requests and answers, envelopes out, deliveries in.

One task reads. It takes everything that one read of the socket brought and hands it on without a
task switch. Writing is done on the spot: all acknowledgements as one frame, the queued envelopes as
one Submit frame per 256 envelopes or 1 MiB, and the requests. Only when the network does not take
everything at once does a second task wait for it, and what is to be sent gathers meanwhile. So
batches grow with the load by themselves, and a lone message waits for nothing.

Acknowledgements of few messages wait for something else to be written with, or for a moment: nobody
waits for them, and each on its own would wake the relay while it serves the next message.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Generic, Protocol, TypeVar

import anyio

from e2ecore.errors import E2EError
from e2ecore.transport.errors import ConnectionLostError, RelayProtocolError, RelayRefusedError
from e2ecore.transport.login import FrameChannel, decode
from e2ecore_protocol.frames.accounts import (
    Account,
    AppendChain,
    ChainHeads,
    FetchChain,
    FetchHeads,
    LookupHandle,
)
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    BlobStates,
    CreateBlob,
    FetchBlob,
    QueryBlobs,
    RecallBlob,
)
from e2ecore_protocol.frames.conversations import (
    Commit,
    Committed,
    Conversations,
    LeaveConversation,
    ListConversations,
)
from e2ecore_protocol.frames.delivery import (
    Ack,
    AcknowledgedLog,
    CaughtUp,
    Deliver,
    Delivery,
    Envelope,
    Submit,
    SubmitResult,
    Submitted,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.guardians import GuardianAsk, Guardianship
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    KeyPackages,
    PublishKeyPackages,
)
from e2ecore_protocol.frames.rendezvous import (
    OpenRendezvous,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
)
from e2ecore_protocol.frames.session import Failed, GoAway, Ok
from e2ecore_protocol.frames.signals import Signal, Signalled
from e2ecore_protocol.limits import (
    MAX_ACKNOWLEDGED_LOGS,
    MAX_BATCH_BYTES,
    MAX_BATCH_ENVELOPES,
    MAX_UNACKED_BYTES,
)

MAX_SUBMITS_IN_FLIGHT: Final = 4
"""Submit frames not yet answered: enough to keep the relay busy, little to repeat after a break."""
ACK_DELAY_S: Final = 0.02
"""How long acknowledgements wait for company. If the connection breaks meanwhile, what they are for
is delivered once more."""
_MOST_UNTOLD: Final = 32
"""Envelopes, an eighth of the relay's window, whose acknowledgement waits for nothing."""
_MOST_UNTOLD_BYTES: Final = MAX_UNACKED_BYTES // 8
"""The same for their payloads."""
MAX_REQUEST: Final = (1 << 32) - 1
"""Request numbers start again behind this one."""


class Outgoing(Protocol):
    """Something that is submitted as an envelope."""

    @property
    def envelope(self) -> Envelope:
        """What the relay gets."""
        ...


F = TypeVar("F", bound=Frame)
S = TypeVar("S", bound=Outgoing)
Request = (
    LookupHandle | FetchChain | FetchHeads | AppendChain | GuardianAsk
    | PublishKeyPackages | ClaimKeyPackages | ClaimDeviceKeyPackages
    | Commit | ListConversations | LeaveConversation
    | CreateBlob | FetchBlob | AcknowledgeBlob | RecallBlob | QueryBlobs | OpenRendezvous
)  # fmt: skip
"""What can be asked."""
_Answerable = (
    Ok | Account | ChainHeads | KeyPackages | Conversations | Committed | Failed
    | BlobCreated | BlobGranted | BlobStates | RendezvousOpened | Guardianship
)  # fmt: skip


class LinkUser(Protocol[S]):
    """Whom the link reports to. Every call comes from one of its tasks and must not block."""

    def delivered(self, items: Sequence[Delivery], /) -> None:
        """Envelopes came, in order."""
        ...

    def signalled(self, conversation: bytes, payload: bytes, /) -> None:
        """A signal came: true now or not at all."""
        ...

    def caught_up(self) -> None:
        """Nothing unread is left at the relay."""
        ...

    def answered(self, batch: Sequence[S], results: Sequence[SubmitResult], /) -> None:
        """The relay answered for each envelope of a Submit."""
        ...

    def met(self, frame: RendezvousMessage | RendezvousClosed, /) -> None:
        """Something came from the other side of a rendezvous, or it is over."""
        ...

    def next_batch(self, max_envelopes: int, max_bytes: int, /) -> list[S]:
        """Return what to submit next; empty if nothing waits."""
        ...


class Link(Generic[S]):
    """A connection that was authenticated. ``run`` works until it breaks."""

    def __init__(
        self, channel: FrameChannel, user: LinkUser[S], early: Iterable[bytes] = ()
    ) -> None:
        """Take over a channel.

        Args:
            channel: Authenticated; closed at the end of ``run``.
            user: Whom to report to.
            early: Frames that have been read already.
        """
        self._channel = channel
        self._user = user
        self._early = list(early)
        self._number = 0
        self._answers: dict[int, _Answer] = {}
        self._submits: dict[int, list[S]] = {}
        self._frames: deque[bytes] = deque()
        self._acks: dict[bytes, int] = {}
        self._untold = self._untold_bytes = 0
        """Envelopes that came since acknowledgements were written."""
        self._acks_wait = anyio.Event()
        self._blocked = anyio.Event()
        self._is_draining = self._closed = False
        self._broken: Exception | None = None
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Read and write until the connection ends.

        Raises:
            E2EError: Why it ended.
        """
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._guard, self._drain)
                    tasks.start_soon(self._guard, self._tell)
                    tasks.start_soon(self._guard, self._read)
                    tasks.start_soon(self._channel.keep_alive)
        finally:
            self._hurry()
            self._closed = True
            for answer in self._answers.values():
                answer.settle(None)
            with anyio.CancelScope(shield=True):
                await self._channel.aclose()
        if self._broken is not None:
            raise self._broken

    def break_off(self, error: Exception) -> None:
        """End ``run``, which raises ``error``."""
        self._broken = self._broken or error
        self._scope.cancel()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run one of the tasks; its end is the end of all."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - raised again by ``run``
            self.break_off(error)

    async def request(self, frame: Request, expected: type[F]) -> F:
        """Ask, and wait for the answer.

        Args:
            frame: The question; its request number is filled in here.
            expected: Type of the answer.

        Raises:
            RelayRefusedError: The relay said no.
            ConnectionLostError: The connection broke first. The relay may have carried it out.
        """
        if self._closed:
            raise ConnectionLostError
        number = self._next_number()
        answer = self._answers[number] = _Answer()
        try:
            self._frames.append(replace(frame, request=number).encode())
            self.flush()
            answered = await answer.wait()
        finally:
            self._answers.pop(number, None)
        if isinstance(answered, Failed):
            raise RelayRefusedError(
                answered.code, answered.detail, answered.retry_after_ms, answered.data
            )
        if not isinstance(answered, expected):
            raise RelayProtocolError
        return answered

    def post(self, frame: Frame) -> None:
        """Send a frame that is not answered."""
        self._frames.append(frame.encode())
        self.flush()

    def acknowledge(self, log_id: bytes, upto: int) -> None:
        """Tell the relay, before long, that a log is durable here up to a number."""
        self._acks[log_id] = upto

    def signal(self, conversation: bytes, payload: bytes) -> bool:
        """Send a signal, if nothing waits for the network; return whether it went."""
        if self._closed or self._is_draining:
            return False
        self._frames.append(Signal(conversation, payload).encode())
        self.flush()
        return not self._closed

    def flush(self) -> None:
        """Write what waits, unless the network is still busy with what came before."""
        if self._is_draining or self._closed:
            return
        frames = self._collect()
        if not frames:
            return
        try:
            self._is_draining = self._channel.queue(frames) > 0
        except E2EError as error:
            self.break_off(error)
        if self._is_draining:
            self._blocked.set()

    @property
    def is_closed(self) -> bool:
        """Has the connection ended?"""
        return self._closed

    def _next_number(self) -> int:
        self._number = self._number % MAX_REQUEST + 1
        return self._number

    async def _read(self) -> None:
        frames, self._early = self._early, []
        while True:
            for data in frames:
                self._take(decode(data))
            self.flush()
            frames = await self._channel.receive()

    def _take(self, frame: Frame) -> None:
        match frame:
            case Deliver(deliveries):
                self._untold += len(deliveries)
                self._untold_bytes += sum([len(one.payload) for one in deliveries])
                self._user.delivered(deliveries)
            case Submitted():
                self._take_results(frame)
            case CaughtUp():
                self._user.caught_up()
            case Signalled(conversation, payload):
                self._user.signalled(conversation, payload)
            case GoAway(code, retry_after_ms):
                raise RelayRefusedError(code, "", retry_after_ms)
            case Failed() if frame.request in self._submits:
                raise RelayRefusedError(frame.code, frame.detail, frame.retry_after_ms)
            case RendezvousMessage() | RendezvousClosed():
                self._user.met(frame)
            case _ if isinstance(frame, _Answerable):
                self._take_answer(frame)
            case _:
                raise RelayProtocolError

    def _take_answer(self, frame: _Answerable) -> None:
        answer = self._answers.pop(frame.request, None)
        if answer is not None:  # else its caller was cancelled
            answer.settle(frame)

    def _take_results(self, frame: Submitted) -> None:
        batch = self._submits.pop(frame.request, None)
        if batch is None or len(batch) != len(frame.results):
            raise RelayProtocolError
        self._user.answered(batch, frame.results)

    async def _drain(self) -> None:
        while True:
            await self._blocked.wait()
            self._blocked = anyio.Event()
            await self._channel.drain()
            self._is_draining = False
            self.flush()

    async def _tell(self) -> None:
        """Write the acknowledgements that have waited long enough."""
        while True:
            await self._acks_wait.wait()
            await anyio.sleep(ACK_DELAY_S)
            self._hurry()

    def _hurry(self) -> None:
        self._acks_wait = anyio.Event()
        if self._acks:
            self._untold = _MOST_UNTOLD
            self.flush()

    def _collect(self) -> list[bytes]:
        frames = list(self._frames)
        self._frames.clear()
        self._collect_submits(frames)
        if self._acks:
            is_due = self._untold >= _MOST_UNTOLD or self._untold_bytes >= _MOST_UNTOLD_BYTES
            if frames or is_due:
                self._collect_acks(frames)
            else:
                self._acks_wait.set()
        return frames

    def _collect_acks(self, frames: list[bytes]) -> None:
        self._untold = self._untold_bytes = 0
        while self._acks:
            logs = [
                AcknowledgedLog(*self._acks.popitem())
                for _ in range(min(len(self._acks), MAX_ACKNOWLEDGED_LOGS))
            ]
            frames.append(Ack(tuple(logs)).encode())

    def _collect_submits(self, frames: list[bytes]) -> None:
        while len(self._submits) < MAX_SUBMITS_IN_FLIGHT:
            batch = self._user.next_batch(MAX_BATCH_ENVELOPES, MAX_BATCH_BYTES)
            if not batch:
                break
            number = self._next_number()
            self._submits[number] = batch
            frames.append(Submit(number, tuple([one.envelope for one in batch])).encode())


class _Answer:
    """One answer that is awaited."""

    __slots__ = ("_event", "_frame")

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._frame: Frame | None = None

    def settle(self, frame: Frame | None) -> None:
        self._frame = frame
        self._event.set()

    async def wait(self) -> Frame:
        await self._event.wait()
        if self._frame is None:
            raise ConnectionLostError
        return self._frame
