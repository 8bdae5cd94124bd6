"""Whatever arrives: it is a message, or it is refused as a peer's fault and leaves no trace."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.errors import CorruptStateError, PeerError
from e2ecore.mls.codec import Reader, decode_all
from e2ecore.mls.epoch import CurrentEpoch, PastEpoch
from e2ecore.mls.errors import MlsError, StaleCommitError
from e2ecore.mls.external_senders import ExternalSender
from e2ecore.mls.framing import AuthenticatedContent
from e2ecore.mls.group import Group, PendingCommit
from e2ecore.mls.group_info import GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.members import Member
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.pending import PendingProposal
from e2ecore.mls.proposals import Commit, Remove, read_proposal
from e2ecore.mls.psk import read_psk_id
from e2ecore.mls.public_message import PublicMessage
from tests.support.mls_external import in_clear
from tests.support.mls_groups import NOW_MS, Device, add, everybody

ALICE, BOB, CAROL = everybody("alice", "bob", "carol")
DAVE = Device("dave")
BUNDLE = DAVE.bundle()
PENDING = ALICE.commit(add(BUNDLE))
WELCOME = PENDING.welcome or b""
GENUINE = [
    ALICE.send(b"hello"),
    PENDING.commit,
    WELCOME,
    in_clear(ALICE, Remove(2)),
    in_clear(ALICE, Commit((Remove(2),), None)),
    ALICE.group.propose_update(signer=ALICE.signer, rng=ALICE.rng),
]
STORED = PENDING.encode()


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A genuine message with a few bytes changed, cut out or put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.integers(0, 4))
        data[at : at + size] = draw(st.binary(max_size=4))
    return bytes(data)


anything = st.binary(max_size=300) | damaged(GENUINE)


@pytest.mark.spec("RFC 9420 §2.1 (Presentation Language)")
@given(anything)
def test_any_bytes_decode_to_one_message_or_are_refused(data: bytes) -> None:
    try:
        message = decode_message(data)
    except MlsError:
        return
    assert encode_message(message) == data


@pytest.mark.parametrize(
    "read",
    [
        AuthenticatedContent.read,
        Commit.read,
        CurrentEpoch.read,
        ExternalSender.read,
        GroupInfo.read,
        GroupSecrets.read,
        Member.read,
        PastEpoch.read,
        PendingProposal.read,
        PublicMessage.read,
        Welcome.read,
        read_proposal,
        read_psk_id,
    ],
)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_structure_or_refused(
    read: Callable[[Reader], object], data: bytes
) -> None:
    try:
        decode_all(read, data)
    except MlsError:
        return


@given(anything)
def test_whatever_a_group_receives_it_changes_nothing_unless_genuine(data: bytes) -> None:
    if data in GENUINE:
        return
    with pytest.raises(PeerError):
        BOB.group.receive(data, now_ms=NOW_MS)
    assert BOB.group.take_changes() == {}


@given(st.binary(max_size=300) | damaged([WELCOME]))
def test_whatever_invites_us_is_a_welcome_or_refused(data: bytes) -> None:
    if data != WELCOME:
        with pytest.raises(PeerError):
            Group.join(data, BUNDLE, now_ms=NOW_MS)


@given(damaged([STORED]))
def test_damaged_pending_commit_is_reported_or_harmless(data: bytes) -> None:
    try:
        PendingCommit.decode(data, ALICE.group)
    except (CorruptStateError, StaleCommitError):
        return
