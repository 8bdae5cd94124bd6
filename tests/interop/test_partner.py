"""Each way in which a group changes, made by one implementation and followed by the other."""

from collections.abc import Callable

import pytest

from benchmarks.worker import WorkerError
from e2ecore.errors import PeerError
from e2ecore.mls.errors import DuplicateMessageError, RemovedFromGroupError
from e2ecore.mls.secret_tree import WINDOW_BACK
from tests.interop.parties import Made, Ours, Party, Theirs

pytestmark = [pytest.mark.services, pytest.mark.slow]

MakeOurs = Callable[[str, int], Ours]
MakeTheirs = Callable[[str, int], Theirs]
Pair = tuple[Party, Party]

AUTHENTICATED_DATA = b"seen by all"


@pytest.fixture(params=[1, 2, 3, 4, 5, 6, 7], ids="suite {}".format)
def suite(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=["ours creates", "theirs creates"])
def pair(request: pytest.FixtureRequest, suite: int, ours: MakeOurs, theirs: MakeTheirs) -> Pair:
    """The creator of a group, and a member of the other side whom it added."""
    name = request.node.name
    sides: list[Party] = [ours(f"{name} ours", suite), theirs(f"{name} theirs", suite)]
    creator, other = sides if request.param == "ours creates" else reversed(sides)
    creator.create(b"group")
    invite(creator, other, [])
    return creator, other


@pytest.fixture(params=["third is ours", "third is theirs"])
def third(
    request: pytest.FixtureRequest, pair: Pair, suite: int, ours: MakeOurs, theirs: MakeTheirs
) -> Party:
    """Somebody who is not a member yet."""
    make = ours if request.param == "third is ours" else theirs
    return make(f"{pair[0].name} third", suite)


def invite(by: Party, new: Party, others: list[Party]) -> None:
    made = by.commit(add=[new.key_package()])
    spread(by, made, others)
    assert made.welcome is not None
    new.join(made.welcome)


def spread(by: Party, made: Made, others: list[Party]) -> None:
    by.merge()
    for other in others:
        assert other.process(made.commit) is None


def talk(*members: Party) -> None:
    """Check that all are in the same state and hear each other."""
    assert len({member.view() for member in members}) == 1
    for speaker in members:
        text = f"from {speaker.name}".encode()
        message = speaker.protect(text, AUTHENTICATED_DATA)
        assert [each.process(message) for each in members if each is not speaker] == [text] * (
            len(members) - 1
        )


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_each_side_joins_a_group_of_the_other(pair: Pair) -> None:
    talk(*pair)


@pytest.mark.spec("RFC 9420 §12.1.1 (Add)")
def test_added_member_adds_a_third(pair: Pair, third: Party) -> None:
    invite(pair[1], third, [pair[0]])
    talk(*pair, third)


@pytest.mark.spec("RFC 9420 §12.4 (Commit)")
def test_empty_commits_of_both_sides_refresh_the_keys(pair: Pair) -> None:
    for by, other in (pair, (pair[1], pair[0])) * 3:
        before = by.view()
        spread(by, by.commit(), [other])
        assert by.view() != before
        talk(*pair)


@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
def test_partner_commits_an_update_that_we_propose(pair: Pair) -> None:
    (us,) = (each for each in pair if isinstance(each, Ours))
    (them,) = (each for each in pair if isinstance(each, Theirs))
    assert them.process(us.propose_update()) is None
    spread(them, them.commit(), [us])
    talk(*pair)


@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
def test_removed_member_is_out_and_knows_it(pair: Pair, third: Party) -> None:
    invite(pair[0], third, [pair[1]])
    made = pair[1].commit(remove=[third.leaf])
    spread(pair[1], made, [pair[0], third])
    assert not third.is_member
    talk(*pair)
    with pytest.raises((WorkerError, RemovedFromGroupError)):
        third.process(pair[0].protect(b"not for the removed"))


@pytest.mark.spec("RFC 9420 §12.1 (Proposals)")
def test_what_one_side_proposes_the_other_commits(pair: Pair, third: Party) -> None:
    proposer, committer = pair
    assert committer.process(proposer.propose_add(third.key_package())) is None
    made = committer.commit()
    spread(committer, made, [proposer])
    assert made.welcome is not None
    third.join(made.welcome)
    talk(*pair, third)
    proposal = proposer.propose_remove(third.leaf)
    assert committer.process(proposal) is third.process(proposal) is None
    spread(committer, committer.commit(), [proposer, third])
    assert not third.is_member
    talk(*pair)


@pytest.mark.spec("RFC 9420 §12.1.4 (PreSharedKey)")
def test_both_sides_mix_in_a_secret_that_all_know(
    pair: Pair, suite: int, ours: MakeOurs, theirs: MakeTheirs
) -> None:
    newcomers: list[Party] = [make(f"{pair[0].name} new", suite) for make in (ours, theirs)]
    for member in (*pair, *newcomers):
        member.know_psk(b"first", b"secret")
        member.know_psk(b"second", b"another")
    by, other = pair
    spread(by, by.commit(psk=[b"first"]), [other])
    talk(*pair)
    made = other.commit(add=[each.key_package() for each in newcomers], psk=[b"second", b"first"])
    spread(other, made, [by])
    assert made.welcome is not None
    for new in newcomers:
        new.join(made.welcome)
    talk(*pair, *newcomers)


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
def test_neither_side_follows_a_commit_with_another_or_no_secret(pair: Pair) -> None:
    by, other = pair
    by.know_psk(b"psk", b"secret")
    made = by.commit(psk=[b"psk"])
    with pytest.raises((WorkerError, PeerError)):
        other.process(made.commit)
    other.know_psk(b"psk", b"another secret")
    with pytest.raises((WorkerError, PeerError)):
        other.process(made.commit)
    other.know_psk(b"psk", b"secret")
    spread(by, made, [other])
    talk(*pair)


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.parametrize("publisher", [0, 1], ids=["creator publishes", "other publishes"])
def test_third_joins_by_an_external_commit_and_returns_by_another(
    pair: Pair, third: Party, publisher: int
) -> None:
    for resync in (False, True):
        commit = third.join_externally(pair[publisher].group_info(), resync=resync)
        spread(third, Made(commit, None), [*pair])
        assert third.leaf == 2
        talk(*pair, third)


@pytest.mark.spec("RFC 9420 §6.2 (Encoding and Decoding a Public Message)")
def test_handshakes_in_clear_are_followed(pair: Pair, third: Party) -> None:
    by, other = pair
    made = by.commit(add=[third.key_package()], in_clear=True)
    spread(by, made, [other])
    assert made.welcome is not None
    third.join(made.welcome)
    talk(*pair, third)
    proposal = by.propose_remove(third.leaf, in_clear=True)
    assert other.process(proposal) is third.process(proposal) is None
    spread(other, other.commit(in_clear=True), [by, third])
    assert not third.is_member
    talk(*pair)


@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
def test_messages_of_the_partner_arrive_in_any_order_and_once(
    suite: int, ours: MakeOurs, theirs: MakeTheirs
) -> None:
    us, them = ours("order ours", suite), theirs("order theirs", suite)
    them.create(b"group")
    invite(them, us, [])
    texts = [b"text %d" % number for number in range(WINDOW_BACK)]
    messages = [them.protect(text) for text in texts]
    assert [us.process(each) for each in reversed(messages)] == texts[::-1]
    for message in messages:
        with pytest.raises(DuplicateMessageError):
            us.process(message)
    talk(us, them)


@pytest.mark.spec("RFC 9420 §15.3 (Delayed and Reordered Application Messages)")
def test_messages_of_the_epoch_before_are_still_read_on_both_sides(pair: Pair) -> None:
    late = [each.protect(b"late") for each in pair]
    spread(pair[0], pair[0].commit(), [pair[1]])
    assert pair[0].process(late[1]) == pair[1].process(late[0]) == b"late"
    talk(*pair)
