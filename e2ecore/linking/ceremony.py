"""The order of messages, on either side. Pure: bytes in, bytes out, and what to show.

    new                                existing
     |  Hello (pake, commitment)  --->     |
     |  <--- Welcome (pake, commitment, confirmation)
     |  Proof (confirmation, NewDevice) -> |   both know each other's keys now:
     |  <--- ExistingDevice                |   both show the check string
     |                                     |   the person confirms
     |  <--- Place in the chain            |   (Handover, if the account moves:
     |                                     |   the last message that comes then)
     |  Possession (signature) --->        |
     |  <--- Linked                        |
     |  Done --->                          |

A side is used for one run. Whatever does not come in this order raises, and the run is over: there
is no second guess at a code.

Spec: protocol/spec/70-linking.md, [LNK-20]
"""

from typing import Final, TypeVar

from e2ecore.crypto.errors import DecryptionError
from e2ecore.crypto.pake import Pake, PakeError
from e2ecore.crypto.rng import Rng
from e2ecore.linking.code import LinkCode
from e2ecore.linking.keys import (
    LinkBrokenError,
    LinkKeys,
    Meeting,
    Seal,
    commitment_a,
    commitment_b,
)
from e2ecore_protocol.content.linking import (
    NONCE_BYTES,
    Done,
    ExistingDevice,
    Handover,
    Hello,
    LinkContent,
    Linked,
    LinkMessage,
    NewDevice,
    Place,
    Possession,
    Proof,
    Sealed,
    Welcome,
    decode_link_content,
    decode_link_message,
)
from e2ecore_protocol.errors import MalformedError

_M = TypeVar("_M", bound=LinkMessage)
_C = TypeVar("_C", bound=LinkContent)
_NEW: Final = "new"
_EXISTING: Final = "existing"


class _Side:
    """What both sides have in common."""

    def __init__(self, name: str, code: LinkCode, server_name: str, rng: Rng) -> None:
        self._name = name
        self._code = code
        self._server_name = server_name
        self._pake = Pake(
            code.digits.encode(),
            id_a=f"e2ecore link new v1 {server_name}".encode(),
            id_b=f"e2ecore link existing v1 {server_name}".encode(),
            is_a=name == _NEW,
            rng=rng,
        )
        self._keys: LinkKeys | None = None
        self._ours: Seal | None = None
        self._theirs: Seal | None = None
        self.check_string = ""
        """Six digits to compare, once both sides have shown who they are."""

    def _agree(self, other: bytes, meeting: Meeting) -> LinkKeys:
        try:
            key = self._pake.finish(other)
        except PakeError as error:
            raise LinkBrokenError("no message of the exchange") from error
        keys = self._keys = LinkKeys(key, meeting)
        theirs = _EXISTING if self._name == _NEW else _NEW
        self._ours = Seal(keys.key(f"seal {self._name}"), keys.transcript)
        self._theirs = Seal(keys.key(f"seal {theirs}"), keys.transcript)
        return keys

    def _meeting(self, hello: Hello, pake_b: bytes, commitment: bytes) -> Meeting:
        return Meeting(
            self._server_name, self._code.number, hello.pake, hello.commitment, pake_b, commitment
        )

    def _agreed(self) -> LinkKeys:
        if self._keys is None:
            raise LinkBrokenError("too early")
        return self._keys

    def _sealed(self, content: LinkContent) -> bytes:
        if self._ours is None:
            raise LinkBrokenError("too early")
        return self._ours.seal(content.encode())

    def _say(self, content: LinkContent) -> bytes:
        return Sealed(self._sealed(content)).encode()

    def _open(self, sealed: bytes) -> LinkContent:
        if self._theirs is None:
            raise LinkBrokenError("too early")
        try:
            return decode_link_content(self._theirs.open(sealed))
        except (DecryptionError, MalformedError) as error:
            raise LinkBrokenError("nothing that can be read") from error

    def _opened(self, sealed: bytes, expected: type[_C]) -> _C:
        content = self._open(sealed)
        if not isinstance(content, expected):
            raise LinkBrokenError("something else than was due")
        return content

    def _heard(self, payload: bytes, expected: type[_C]) -> _C:
        return self._opened(_message(payload, Sealed).sealed, expected)


def _message(payload: bytes, expected: type[_M]) -> _M:
    try:
        message = decode_link_message(payload)
    except MalformedError as error:
        raise LinkBrokenError("nothing that can be read") from error
    if not isinstance(message, expected):
        raise LinkBrokenError("something else than was due")
    return message


class ExistingSide(_Side):
    """The device that has the account. Every method raises LinkBrokenError, or a sub-class."""

    def __init__(
        self,
        code: LinkCode,
        server_name: str,
        *,
        account_id: bytes,
        device_key: bytes,
        handle: str | None,
        rng: Rng,
    ) -> None:
        super().__init__(_EXISTING, code, server_name, rng)
        self._own = ExistingDevice(rng(NONCE_BYTES), account_id, device_key, handle)
        self._theirs_committed = b""
        self.new_key = b""
        """Public key of the new device, once it has shown it."""

    def greet(self, payload: bytes) -> bytes:
        """Take Hello; return Welcome."""
        if self._keys is not None:
            raise LinkBrokenError("something else than was due")
        hello = _message(payload, Hello)
        commitment = commitment_b(self._own)
        self._theirs_committed = hello.commitment
        meeting = self._meeting(hello, self._pake.message, commitment)
        keys = self._agree(hello.pake, meeting)
        return Welcome(self._pake.message, commitment, keys.confirmation(_EXISTING)).encode()

    def meet(self, payload: bytes) -> bytes:
        """Take Proof; return ExistingDevice. The check string is there now."""
        proof = _message(payload, Proof)
        self._agreed().check_confirmation(_NEW, proof.confirmation)
        new = self._opened(proof.sealed, NewDevice)
        if commitment_a(new) != self._theirs_committed:
            raise LinkBrokenError("another key than it was bound to")
        self.new_key = new.device_key
        self.check_string = self._agreed().check_string(new, self._own)
        return self._say(self._own)

    def place(self, seq: int, prev_hash: bytes) -> bytes:
        """Return Place: the person has confirmed."""
        return self._say(Place(seq, prev_hash))

    def hand_over(self, place: Place, identity_key: bytes, display_name: str) -> bytes:
        """Return Handover: the person has confirmed that the account moves."""
        return self._say(Handover(place.seq, place.prev_hash, identity_key, display_name))

    def possession(self, payload: bytes) -> bytes:
        """Take Possession; return the signature. It is not checked here."""
        return self._heard(payload, Possession).signature

    def linked(self, display_name: str, head_seq: int, head_hash: bytes) -> bytes:
        """Return Linked."""
        return self._say(Linked(display_name, head_seq, head_hash))

    def done(self, payload: bytes) -> None:
        """Take Done."""
        self._heard(payload, Done)


class NewSide(_Side):
    """The device to be linked. Every method raises LinkBrokenError, or a sub-class."""

    def __init__(self, code: LinkCode, server_name: str, *, device_key: bytes, rng: Rng) -> None:
        super().__init__(_NEW, code, server_name, rng)
        self._own = NewDevice(rng(NONCE_BYTES), device_key)
        self._hello = Hello(self._pake.message, commitment_a(self._own))
        self._theirs_committed = b""
        self.existing: ExistingDevice | None = None
        """Whose account it is, once the other side has shown it."""

    def hello(self) -> bytes:
        """Return Hello."""
        return self._hello.encode()

    def prove(self, payload: bytes) -> bytes:
        """Take Welcome; return Proof."""
        welcome = _message(payload, Welcome)
        meeting = self._meeting(self._hello, welcome.pake, welcome.commitment)
        keys = self._agree(welcome.pake, meeting)
        keys.check_confirmation(_EXISTING, welcome.confirmation)
        self._theirs_committed = welcome.commitment
        return Proof(keys.confirmation(_NEW), self._sealed(self._own)).encode()

    def meet(self, payload: bytes) -> ExistingDevice:
        """Take ExistingDevice. The check string is there now."""
        existing = self._heard(payload, ExistingDevice)
        if commitment_b(existing) != self._theirs_committed:
            raise LinkBrokenError("another account than it was bound to")
        self.existing = existing
        self.check_string = self._agreed().check_string(self._own, existing)
        return existing

    def next(self, payload: bytes) -> Place | Handover | Linked:
        """Take what comes after the confirmation."""
        content = self._open(_message(payload, Sealed).sealed)
        if self.existing is None or not isinstance(content, Place | Handover | Linked):
            raise LinkBrokenError("something else than was due")
        return content

    def possession(self, signature: bytes) -> bytes:
        """Return Possession."""
        return self._say(Possession(signature))

    def done(self) -> bytes:
        """Return Done."""
        return self._say(Done())
