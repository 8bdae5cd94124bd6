"""Each rule for commits: a commit with exactly one fault is refused and leaves no trace."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from e2ecore.crypto.errors import SignatureError
from e2ecore.errors import PeerError
from e2ecore.mls.errors import (
    ConfirmationError,
    ExpiredError,
    InvalidCommitError,
    InvalidKeyPackageError,
    InvalidLeafNodeError,
    InvalidProposalError,
    InvalidUpdatePathError,
    UnknownPskError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.framing import AuthenticatedContent
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.nodes import LeafNodeSource, Lifetime
from e2ecore.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalRef,
    ReInit,
    Remove,
    Update,
)
from e2ecore.mls.psk import ExternalPskId, PskId, ResumptionPskId, ResumptionUsage
from tests.support.mls_forgery import altered_commits, altered_handshakes, lawless
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

LIST = "commit_create.check_member_list"
APPLY = ("applying.check_leaf", "applying.check_among", "applying.check_source")
NONCE = bytes(32)
DAY_S = 24 * 3600


@dataclass
class Group:
    """Alice commits, bob judges, carol and dave are there."""

    def __post_init__(self) -> None:
        self.alice, self.bob, self.carol, self.dave = everybody("alice", "bob", "carol", "dave")

    def refuses(self, commit: bytes, error: type[PeerError]) -> None:
        """Bob refuses the commit, nothing has changed, and the next honest one is merged."""
        before = dict(self.bob.disk.rows)
        for _ in range(2):
            with pytest.raises(error):
                self.bob.stage(commit)
        assert self.bob.group.take_changes() == {}
        assert self.bob.disk.rows == before
        pass_on(self.alice.commit(), self.alice, [self.bob, self.carol, self.dave])
        assert agree([self.alice, self.bob, self.carol, self.dave])


@pytest.fixture
def group() -> Group:
    return Group()


def own_update(group: Group) -> Update:
    device = group.alice
    leaf = replace(
        device.group.state.tree.member(0), source=LeafNodeSource.UPDATE, lifetime=None,
        parent_hash=None, encryption_key=device.suite.hpke.generate(device.rng).public,
    )  # fmt: skip
    return Update(leaf.signed(device.signer, device.group.group_id, 0))


def same_init_key() -> list[Proposal]:
    first, second = Device("eve"), Device("frank")
    one, two = first.bundle(), second.bundle()
    package = replace(two.key_package, init_key=one.key_package.init_key)
    return [add(one), Add(package)]


def twice(psk: PskId) -> list[Proposal]:
    return [PreSharedKey(psk), PreSharedKey(psk)]


EXTERNAL = ExternalPskId(b"a key", NONCE)
ONE_FAULT: dict[str, Callable[[Group], list[Proposal]]] = {
    "committer updates itself": lambda group: [own_update(group)],
    "committer removes itself": lambda _: [Remove(0)],
    "one leaf removed twice": lambda _: [Remove(2), Remove(2)],
    "one client added twice": lambda _: [add(Device("eve").bundle())] * 2,
    "one device added with two packages": lambda _: [
        add(bundle) for eve in [Device("eve")] for bundle in (eve.bundle(), eve.bundle())
    ],
    "two packages with one init key": lambda _: same_init_key(),
    "extensions replaced twice": lambda _: [GroupContextExtensions(())] * 2,
    "reinit beside others": lambda _: [ReInit(b"next", 1, 1, ()), Remove(2)],
    "reinit to an older version": lambda _: [ReInit(b"next", 0, 1, ())],
    "external init of a member": lambda _: [ExternalInit(bytes(32))],
    "one pre-shared key twice": lambda _: twice(EXTERNAL),
    "nonce of a wrong size": lambda _: [PreSharedKey(ExternalPskId(b"a key", bytes(31)))],
    "resumption key for a reinit": lambda _: [
        PreSharedKey(ResumptionPskId(ResumptionUsage.REINIT, b"conversation", 1, NONCE))
    ],
    "resumption key for a branch": lambda _: [
        PreSharedKey(ResumptionPskId(ResumptionUsage.BRANCH, b"conversation", 1, NONCE))
    ],
}


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
@pytest.mark.parametrize("fault", ONE_FAULT)
def test_list_with_one_fault_is_refused_by_both_sides(group: Group, fault: str) -> None:
    proposals = ONE_FAULT[fault](group)
    with pytest.raises(InvalidProposalError):
        group.alice.commit(*proposals)
    real = [item for item in proposals if not isinstance(item, PreSharedKey)]
    with (
        lawless(LIST, *APPLY, "key_package.KeyPackage.validate"),
        altered_commits(lambda commit: replace(commit, proposals=tuple(proposals))),
    ):
        pending = group.alice.commit(*real[:1] if len(real) > 1 else [])
    group.refuses(pending.commit, InvalidProposalError)


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
def test_update_and_removal_of_one_leaf_do_not_go_together(group: Group) -> None:
    update = group.carol.group.propose_update(signer=group.carol.signer, rng=group.carol.rng)
    group.carol.save()
    for device in (group.alice, group.bob, group.dave):
        device.take(update)
    refs = [ProposalRef(sent.ref) for sent in group.alice.group.pending_proposals if sent.ref]
    with altered_commits(lambda commit: replace(commit, proposals=(*refs, Remove(2)))):
        pending = group.alice.commit(Remove(2))
    group.refuses(pending.commit, InvalidProposalError)


@pytest.mark.spec("RFC 9420 §12.1.4 (PreSharedKey)")
@pytest.mark.parametrize(
    "psk",
    [
        pytest.param(EXTERNAL, id="external"),
        pytest.param(
            ResumptionPskId(ResumptionUsage.APPLICATION, b"conversation", 0, NONCE), id="epoch 0"
        ),
        pytest.param(
            ResumptionPskId(ResumptionUsage.APPLICATION, b"elsewhere", 1, NONCE), id="other group"
        ),
    ],
)
def test_unknown_pre_shared_key_is_an_error_and_never_a_default(group: Group, psk: PskId) -> None:
    group.bob.group.drop_past_epochs(NOW_MS * 2)
    with altered_commits(lambda commit: replace(commit, proposals=(PreSharedKey(psk),))):
        pending = group.alice.commit()
    group.refuses(pending.commit, UnknownPskError)


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_resumption_key_of_the_current_epoch_is_known(group: Group) -> None:
    psk = ResumptionPskId(ResumptionUsage.APPLICATION, b"conversation", 1, NONCE)
    pass_on(
        group.alice.commit(PreSharedKey(psk)), group.alice, [group.bob, group.carol, group.dave]
    )
    assert agree([group.alice, group.bob, group.carol, group.dave])


def faulty_package(fault: str) -> KeyPackage:
    device = Device("eve")
    package = device.bundle().key_package
    match fault:
        case "expired":
            device.now_ms -= 200 * DAY_S * 1000
            return device.bundle().key_package
        case "signature":
            return replace(package, signature=bytes(64))
        case "leaf signature":
            return replace(package, leaf_node=replace(package.leaf_node, signature=bytes(64)))
        case "suite":
            return replace(package, cipher_suite=3)
        case "lifetime":
            lifetime = Lifetime(NOW_MS // 1000, NOW_MS // 1000 + 4000 * DAY_S)
            leaf = replace(package.leaf_node, lifetime=lifetime).signed(device.signer)
            return replace(package, leaf_node=leaf)
        case _:
            raise AssertionError(fault)


@pytest.mark.spec("RFC 9420 §12.1.1 (Add)")
@pytest.mark.spec("RFC 9420 §10.1 (KeyPackage Validation)")
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("expired", ExpiredError),
        ("lifetime", ExpiredError),
        ("signature", SignatureError),
        ("leaf signature", SignatureError),
        ("suite", InvalidKeyPackageError),
    ],
)
def test_faulty_key_package_is_refused_by_both_sides(
    group: Group, fault: str, error: type[PeerError]
) -> None:
    package = faulty_package(fault)
    with pytest.raises(error):
        group.alice.commit(Add(package))
    with lawless("key_package.KeyPackage.validate"):
        pending = group.alice.commit(Add(package))
    group.refuses(pending.commit, error)


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
def test_member_is_not_added_again(group: Group) -> None:
    with pytest.raises(InvalidLeafNodeError):
        group.alice.commit(add(group.carol.bundle()))
    with lawless("applying.check_among"):
        pending = group.alice.commit(add(group.carol.bundle()))
    group.refuses(pending.commit, InvalidLeafNodeError)


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
def test_member_is_replaced_by_its_new_self_in_one_commit(group: Group) -> None:
    bundle = group.carol.bundle()
    pending = group.alice.commit(Remove(2), add(bundle))
    pass_on(pending, group.alice, [group.bob, group.dave])
    assert pending.welcome is not None
    group.carol.join(pending.welcome, bundle)
    assert agree([group.alice, group.bob, group.carol, group.dave])


@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
@pytest.mark.parametrize("leaf", [4, 77, 0xFFFFFFFF])
def test_blank_leaf_is_not_removed(group: Group, leaf: int) -> None:
    with pytest.raises(InvalidProposalError):
        group.alice.commit(Remove(leaf))
    with altered_commits(lambda commit: replace(commit, proposals=(Remove(leaf),))):
        pending = group.alice.commit()
    group.refuses(pending.commit, InvalidProposalError)


@pytest.mark.spec("RFC 9420 §13.4 (Extensions)")
def test_added_client_supports_the_groups_extensions(group: Group) -> None:
    title = GroupContextExtensions((Extension(CONVERSATION, b"title"),))
    pass_on(group.alice.commit(title), group.alice, [group.bob, group.carol, group.dave])
    eve = Device("eve", extensions=())
    with pytest.raises(UnsupportedError):
        group.alice.commit(add(eve.bundle()))
    with lawless("key_package.check_leaf"):
        pending = group.alice.commit(add(eve.bundle()))
    group.refuses(pending.commit, UnsupportedError)


def without_path(commit: Commit) -> Commit:
    return replace(commit, path=None)


@pytest.mark.spec("RFC 9420 §12.4 (Commit)")
@pytest.mark.parametrize(
    "proposals",
    [
        pytest.param([], id="empty"),
        pytest.param([Remove(2)], id="remove"),
        pytest.param([GroupContextExtensions(())], id="extensions"),
    ],
)
def test_path_is_there_where_it_must(group: Group, proposals: list[Proposal]) -> None:
    with altered_commits(without_path):
        pending = group.alice.commit(*proposals)
    group.refuses(pending.commit, InvalidCommitError)


def wrong_source(commit: Commit) -> Commit:
    assert commit.path is not None
    leaf = replace(commit.path.leaf_node, source=LeafNodeSource.UPDATE, parent_hash=None)
    return replace(commit, path=replace(commit.path, leaf_node=leaf))


def wrong_leaf_signature(commit: Commit) -> Commit:
    assert commit.path is not None
    leaf = replace(commit.path.leaf_node, signature=bytes(64))
    return replace(commit, path=replace(commit.path, leaf_node=leaf))


def fewer_nodes(commit: Commit) -> Commit:
    assert commit.path is not None
    return replace(commit, path=replace(commit.path, nodes=commit.path.nodes[:-1]))


def swapped_keys(commit: Commit) -> Commit:
    assert commit.path is not None
    first, second, *rest = commit.path.nodes
    nodes = (
        first._replace(encryption_key=second.encryption_key),
        second._replace(encryption_key=first.encryption_key),
        *rest,
    )
    return replace(commit, path=replace(commit.path, nodes=nodes))


def damaged_secret(commit: Commit) -> Commit:
    assert commit.path is not None
    nodes = []
    for node in commit.path.nodes:
        sealed = [
            each._replace(ciphertext=bytes(len(each.ciphertext)))
            for each in node.encrypted_path_secret
        ]
        nodes.append(node._replace(encrypted_path_secret=tuple(sealed)))
    return replace(commit, path=replace(commit.path, nodes=tuple(nodes)))


def missing_secret(commit: Commit) -> Commit:
    assert commit.path is not None
    nodes = [node._replace(encrypted_path_secret=()) for node in commit.path.nodes]
    return replace(commit, path=replace(commit.path, nodes=tuple(nodes)))


@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.spec("RFC 9420 §7.5 (Synchronizing Views of the Tree)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (wrong_source, InvalidLeafNodeError),
        (wrong_leaf_signature, SignatureError),
        (fewer_nodes, InvalidUpdatePathError),
        (swapped_keys, InvalidUpdatePathError),
        (damaged_secret, InvalidUpdatePathError),
        (missing_secret, InvalidUpdatePathError),
    ],
)
def test_path_with_one_fault_is_refused(
    group: Group, alter: Callable[[Commit], Commit], error: type[PeerError]
) -> None:
    with altered_commits(alter):
        pending = group.alice.commit()
    group.refuses(pending.commit, error)


@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
def test_unknown_reference_is_refused(group: Group) -> None:
    unknown = ProposalRef(bytes(32))
    with altered_commits(lambda commit: replace(commit, proposals=(unknown,))):
        pending = group.alice.commit()
    group.refuses(pending.commit, InvalidProposalError)


@pytest.mark.spec("RFC 9420 §6.1 (Content Authentication)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (lambda sent: replace(sent, confirmation_tag=bytes(32)), ConfirmationError),
        (lambda sent: replace(sent, confirmation_tag=b""), ConfirmationError),
        (lambda sent: replace(sent, signature=bytes(64)), SignatureError),
    ],
    ids=["tag", "no tag", "signature"],
)
def test_commit_proves_its_sender_and_its_result(
    group: Group,
    alter: Callable[[AuthenticatedContent], AuthenticatedContent],
    error: type[PeerError],
) -> None:
    with altered_handshakes(alter):
        pending = group.alice.commit()
    group.refuses(pending.commit, error)
