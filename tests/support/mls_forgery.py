"""A hostile member: seals what no honest one would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import opaque
from e2ecore.mls.framing import AuthenticatedContent, ContentType
from e2ecore.mls.framing_choice import HandshakeFraming
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.private_message import MessageKeys, PaddingPolicy, no_padding
from e2ecore.mls.proposals import Commit
from e2ecore.mls.secret_tree import APPLICATION, HANDSHAKE, SecretTree, Step
from e2ecore.mls.sending import seal_handshake, sign_handshake
from tests.support.mls_groups import Device


class _FixedTree(SecretTree):
    """Gives out one chosen key again and again."""

    __slots__ = ("_chosen",)

    def __init__(self, step: Step) -> None:
        self._chosen = step

    def next_step(self, leaf: int, content: int) -> Step:
        return replace(self._chosen, leaf=leaf, content=content)

    def consume(self, step: Step) -> None:
        """Nothing is consumed."""


def keys_for(member: Device, leaf: int, generation: int, content_type: ContentType) -> MessageKeys:
    """Return keys that seal as if ``leaf`` spoke; every member can derive them."""
    own = member.group.state.keys
    ratchet = APPLICATION if content_type is ContentType.APPLICATION else HANDSHAKE
    step = own.tree.step(leaf, ratchet, generation)
    state = member.group.state
    return MessageKeys(
        own.suite,
        group_id=state.context.group_id,
        epoch=own.epoch,
        context=own.context,
        sender_data=state.current.sender_data,
        tree=_FixedTree(step),
    )


def forge_text(
    member: Device,
    data: bytes,
    *,
    as_leaf: int,
    generation: int = 0,
    named_leaf: int | None = None,
    signature: bytes | None = None,
    signed_epoch_context: bytes | None = None,
    padding: PaddingPolicy = no_padding,
    tail: bytes = b"",
) -> bytes:
    """Seal application data with another member's key.

    ``named_leaf`` is what the sender data says, ``tail`` stands where padding should.
    """
    keys = keys_for(member, as_leaf, generation, ContentType.APPLICATION)
    encoded = opaque(data)
    signed = keys.signed_part(as_leaf, ContentType.APPLICATION, b"", encoded)
    if signed_epoch_context is not None:
        signed = signed[: -len(keys.context)] + signed_epoch_context
    made = sign_with_label(member.signer, "FramedContentTBS", signed)
    return keys.seal(
        encoded + opaque(made if signature is None else signature) + tail,
        leaf=as_leaf if named_leaf is None else named_leaf,
        content_type=ContentType.APPLICATION,
        authenticated_data=b"",
        padding=padding,
        rng=member.rng,
    )


@contextmanager
def lawless(*checks: str) -> Iterator[None]:
    """Switch checks off for as long as a hostile member makes something.

    Each is named relative to ``e2ecore.mls``, as its caller sees it.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in checks:
            patch.setattr(f"e2ecore.mls.{name}", _allow)
        yield


def _allow(*_: object, **__: object) -> None:
    """Check nothing."""


@contextmanager
def altered_commits(alter: Callable[[Commit], Commit]) -> Iterator[None]:
    """Change each commit before it is signed; everything that follows from it is consistent."""

    def sign(
        state: GroupState,
        body: Commit,
        signer: SigningKey,
        authenticated_data: bytes,
        framing: HandshakeFraming,
    ) -> AuthenticatedContent:
        return sign_handshake(state, alter(body), signer, authenticated_data, framing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2ecore.mls.commit_create.sign_handshake", sign)
        yield


@contextmanager
def altered_handshakes(
    alter: Callable[[AuthenticatedContent], AuthenticatedContent],
) -> Iterator[None]:
    """Change each commit after signature and confirmation tag were made."""

    def seal(
        state: GroupState, authenticated: AuthenticatedContent, padding: PaddingPolicy, rng: Rng
    ) -> bytes:
        return seal_handshake(state, alter(authenticated), padding, rng)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2ecore.mls.commit_create.seal_handshake", seal)
        yield
