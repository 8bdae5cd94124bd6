"""What a member published is believed only as far as it proves right."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.errors import DecryptionError, InvalidKeyError, SignatureError
from e2ecore.crypto.suites import SUITES
from e2ecore.errors import E2EError
from e2ecore.mls.errors import (
    InvalidCommitError,
    InvalidGroupInfoError,
    InvalidTreeError,
    MalformedMessageError,
    MembershipError,
    PendingChangeError,
    UnsupportedError,
)
from e2ecore.mls.extensions import ExtensionType
from e2ecore.mls.group_info import GroupInfo
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.proposals import ReInit
from tests.support.mls_groups import (
    Device,
    everybody,
    knock,
    pass_on,
    published,
)

LIVE = list(SUITES.values())
KEYS = {b"a key": b"shared before"}


Alter = Callable[[GroupInfo], GroupInfo]


def extended(type_: int, change: Callable[[bytes], bytes]) -> Alter:
    """Change the content of one extension, and sign again."""

    def alter(info: GroupInfo) -> GroupInfo:
        changed = tuple(
            replace(each, data=change(each.data)) if each.type == type_ else each
            for each in info.extensions
        )
        return replace(info, extensions=changed)

    return alter


def other_context(**changes: int | bytes) -> Alter:
    return lambda info: replace(info, context=replace(info.context, **changes))  # type: ignore[arg-type]


@pytest.mark.spec("RFC 9420 §12.4.3 (Adding Members to the Group)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(lambda info: replace(info, signer=1), SignatureError, id="other signer"),
        pytest.param(lambda info: replace(info, signer=3), InvalidGroupInfoError, id="blank"),
        pytest.param(lambda info: replace(info, signer=9), InvalidGroupInfoError, id="nobody"),
        pytest.param(other_context(tree_hash=bytes(32)), InvalidTreeError, id="tree hash"),
        pytest.param(other_context(epoch=1 << 60), InvalidGroupInfoError, id="absurd epoch"),
        pytest.param(other_context(cipher_suite=0xFEED), UnsupportedError, id="no suite"),
        pytest.param(
            lambda info: replace(info, extensions=info.extensions[:1]),
            InvalidGroupInfoError,
            id="no external key",
        ),
        pytest.param(
            extended(ExtensionType.EXTERNAL_PUB, lambda data: data + b"\0"),
            MalformedMessageError,
            id="tail",
        ),
        pytest.param(
            extended(ExtensionType.EXTERNAL_PUB, lambda _: b"\x01\x00"), InvalidKeyError, id="short"
        ),
        pytest.param(
            extended(ExtensionType.EXTERNAL_PUB, lambda data: data[:1] + bytes(32)),
            InvalidKeyError,
            id="low order",
        ),
    ],
)
def test_group_info_with_one_fault_is_refused(alter: Alter, error: type[E2EError]) -> None:
    alice, _, _ = everybody("alice", "bob", "carol")
    info = decode_message(published(alice))
    assert isinstance(info, GroupInfo)
    forged = encode_message(alter(info).signed(alice.signer))
    with pytest.raises(error):
        knock(Device("dave"), forged)


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(other_context(group_id=b"other"), id="group"),
        pytest.param(other_context(confirmed_transcript_hash=bytes(32)), id="transcript"),
        pytest.param(lambda info: replace(info, confirmation_tag=bytes(32)), id="tag"),
    ],
)
def test_unsigned_change_of_the_group_info_is_refused(alter: Alter) -> None:
    alice, _ = everybody("alice", "bob")
    info = decode_message(published(alice))
    assert isinstance(info, GroupInfo)
    with pytest.raises(SignatureError):
        knock(Device("dave"), encode_message(alter(info)))


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(
            lambda info: replace(info, confirmation_tag=bytes(32)), InvalidCommitError, id="tag"
        ),
        pytest.param(other_context(confirmed_transcript_hash=b""), SignatureError, id="transcript"),
        pytest.param(
            extended(
                ExtensionType.EXTERNAL_PUB,
                lambda data: data[:1] + SUITES[1].hpke.derive_key_pair(bytes(32)).public,
            ),
            (InvalidCommitError, DecryptionError),
            id="external key",
        ),
    ],
)
def test_lie_that_only_members_can_see_leads_nowhere(
    alter: Alter, error: type[E2EError] | tuple[type[E2EError], ...]
) -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    info = decode_message(published(alice))
    assert isinstance(info, GroupInfo)
    pending = knock(Device("dave"), encode_message(alter(info).signed(alice.signer)))
    with pytest.raises(error):
        bob.stage(pending.commit)
    assert bob.group.take_changes() == {}


def test_only_a_member_of_an_open_group_publishes() -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(MembershipError):
        alice.group.group_info(signer=bob.signer)
    assert alice.group.take_changes() == {}
    without = decode_message(alice.group.group_info(signer=alice.signer, with_external_pub=False))
    assert isinstance(without, GroupInfo)
    with pytest.raises(InvalidGroupInfoError):
        knock(Device("carol"), encode_message(without))
    pass_on(alice.commit(ReInit(b"next group", 1, 1, ())), alice, [bob])
    with pytest.raises(PendingChangeError):
        published(alice)


def test_other_messages_are_no_group_info() -> None:
    alice, _ = everybody("alice", "bob")
    with pytest.raises(InvalidGroupInfoError):
        knock(Device("carol"), alice.send(b"hello"))


def test_damaged_group_info_is_refused_everywhere() -> None:
    alice, _ = everybody("alice", "bob")
    info, carol = published(alice), Device("carol")
    for position in range(0, len(info), 11):
        damaged = bytearray(info)
        damaged[position] ^= 0x11
        with pytest.raises(E2EError):
            knock(carol, bytes(damaged))
