"""How much a group writes: a message one small row, a commit what it touched, however many members.

Bytes are those of the values that ``take_changes`` hands over.
"""

import pytest

from benchmarks.large_groups import LargeGroup, now_ms
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls import rows
from e2ecore.mls.group import Group
from e2ecore.mls.rows import RowKey
from e2ecore.mls.secret_tree import WINDOW_BACK
from e2ecore.mls.staged import StagedCommit

MESSAGE_BYTES = 300
SIZES = (2, 1000)
LEVELS = {2: 1, 1000: 10}
NODE_BYTES = 256
"""A leaf of suite 1, the largest of its nodes."""
HANDFUL_BYTES = 2048
"""What each commit writes besides nodes: secrets, contexts, what is kept of the old epoch."""

Changes = dict[RowKey, bytes | None]


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size} members")
def large(request: pytest.FixtureRequest) -> LargeGroup:
    return LargeGroup.of(SUITES[0x0001], request.param)


def size(changes: Changes) -> int:
    return sum(len(value or b"") for value in changes.values())


def send(group: Group, large: LargeGroup) -> bytes:
    return group.protect(b"x" * 256, signer=large.signers[0], rng=system_rng)


def receive(group: Group, message: bytes) -> Changes:
    group.receive(message, now_ms=None)
    return group.take_changes()


def test_a_message_writes_one_row_of_a_few_bytes_whatever_the_size(large: LargeGroup) -> None:
    sender, receiver = large.member(0), large.member(len(large.signers) - 1)
    receive(receiver, send(sender, large))
    sender.take_changes()
    for _ in range(3):
        message = send(sender, large)
        for changes in (sender.take_changes(), receive(receiver, message)):
            assert [kind for kind, _, _ in changes] == [rows.RATCHET]
            assert size(changes) == 40


def test_first_message_of_a_sender_writes_two_secrets_for_each_level(large: LargeGroup) -> None:
    """Once per sender and epoch; half of it is deleted again as others begin to speak."""
    sender, receiver = large.member(0), large.member(len(large.signers) - 1)
    sender.take_changes()
    receiver.take_changes()
    changes = receive(receiver, send(sender, large))
    kinds = sorted(kind for kind, _, _ in changes)
    levels = LEVELS[len(large.signers)]
    assert kinds == [rows.SECRET_NODE] * (levels + 1) + [rows.RATCHET] * 2
    assert size(changes) == 32 * levels + 2 * 40


@pytest.mark.parametrize("code", SUITES, ids=hex)
def test_a_row_is_small_even_with_every_gap_that_is_remembered(code: int) -> None:
    large = LargeGroup.of(SUITES[code], 3, full=False)
    sender, receiver = large.member(0), large.member(1)
    messages = [send(sender, large) for _ in range(40)]
    order = [0, *range(1 + WINDOW_BACK, 40, 1 + WINDOW_BACK)]
    written = [size(receive(receiver, messages[at])) for at in order]
    assert max(written[1:]) == written[-1] <= MESSAGE_BYTES
    row = 8 + SUITES[code].nh + WINDOW_BACK * (1 + SUITES[code].nk + SUITES[code].nn)
    assert written[-1] == row


def test_a_commit_writes_its_path_and_a_handful_of_rows(large: LargeGroup) -> None:
    committer, receiver = large.member(0), large.member(1)
    committer.take_changes()
    receiver.take_changes()
    levels = LEVELS[len(large.signers)]
    for _ in range(2):
        pending = committer.create_commit(signer=large.signers[0], now_ms=now_ms(), rng=system_rng)
        staged = receiver.receive(pending.commit, now_ms=now_ms())
        assert isinstance(staged, StagedCommit)
        committer.merge(pending.staged, now_ms=now_ms())
        receiver.merge(staged, now_ms=now_ms())
        for changes in (committer.take_changes(), receiver.take_changes()):
            kinds = [kind for kind, _, _ in changes]
            assert kinds.count(rows.NODE) == levels + 1
            assert kinds.count(rows.NODE_KEY) <= levels + 1
            assert size(changes) <= (levels + 1) * (NODE_BYTES + 32) + HANDFUL_BYTES
