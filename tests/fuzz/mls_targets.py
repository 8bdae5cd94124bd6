"""Harnesses for what members and strangers send as MLS, and for the rows of groups on disk."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from e2ecore.crypto.suites import X25519_AES128 as SUITE
from e2ecore.errors import CorruptStateError, PeerError
from e2ecore.mls import rows
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.codec import Reader, decode_all, opaque
from e2ecore.mls.credentials import read_credential
from e2ecore.mls.epoch import CurrentEpoch, PastEpoch
from e2ecore.mls.errors import StaleCommitError
from e2ecore.mls.extensions import encode_extensions, read_extensions, read_u16s
from e2ecore.mls.external_senders import ExternalSender
from e2ecore.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    encode_body,
    read_auth,
    read_body,
)
from e2ecore.mls.group import Group
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.group_info_rules import read_group_info
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.key_schedule import JoinerSecret
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.members import Member, decode_past
from e2ecore.mls.message import decode_message
from e2ecore.mls.next_epoch_row import encode_next, read_next
from e2ecore.mls.nodes import Capabilities, LeafNode, ParentNode, read_node
from e2ecore.mls.outside import PublishedGroup
from e2ecore.mls.pending import PendingProposal
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.private_message import PrivateMessage, no_padding
from e2ecore.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    Update,
    encode_proposal,
    read_proposal,
    read_proposal_or_ref,
)
from e2ecore.mls.psk import ExternalPskId, read_psk_id
from e2ecore.mls.public_message import PublicMessage
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.rows import MemoryRows
from e2ecore.mls.secret_tree import Ratchet
from e2ecore.mls.tree_base import decode_node
from e2ecore.mls.tree_rules import check_tree, verify_all
from e2ecore.mls.treekem import HpkeCiphertext, UpdatePath, UpdatePathNode
from tests.fuzz.target import Target
from tests.support.mls_external import in_clear
from tests.support.mls_groups import NOW_MS, Device, add, everybody

STORED = (PeerError, CorruptStateError)
PEER = (PeerError,)

ALICE, BOB, CAROL = everybody("alice", "bob", "carol")
DAVE = Device("dave")
BUNDLE = DAVE.bundle()
PROPOSAL_MESSAGE = ALICE.group.propose_update(signer=ALICE.signer, rng=ALICE.rng)
BOB.take(PROPOSAL_MESSAGE)
PENDING = BOB.commit(add(BUNDLE), Remove(2))
WELCOME = PENDING.welcome or b""
PATH_COMMIT = CAROL.commit()
INFO = ALICE.group.group_info(signer=ALICE.signer)
JOIN = Group.join_by_commit(
    INFO, DAVE.signer, b"dave", capabilities=DAVE.capabilities(), now_ms=NOW_MS, rng=DAVE.rng
)
APPLICATION = CAROL.send(b"hello", b"in clear")
CAROL.take(PROPOSAL_MESSAGE)
PSK = PreSharedKey(ExternalPskId(b"psk", bytes(SUITE.nh)))
REINIT = ReInit(b"next group", 1, SUITE.code, ())
PROPOSALS = (
    add(BUNDLE),
    Remove(2),
    PSK,
    REINIT,
    ExternalInit(bytes(32)),
    GroupContextExtensions(()),
)
PUBLIC = [in_clear(ALICE, body) for body in (*PROPOSALS, Commit((Remove(2),), None))]


@runtime_checkable
class Encodes(Protocol):
    """A value that knows its bytes."""

    def encode(self) -> bytes:
        """Return them."""
        ...


def structure(read: Callable[[Reader], object], *samples: bytes) -> Target:
    """A structure that fills its bytes, and has no other encoding."""

    def call(data: bytes) -> object:
        value = decode_all(read, data)
        if read.__name__ == "read" and isinstance(value, Encodes):
            assert value.encode() == data
        return value

    return Target(call, PEER, samples, (read,))


def row(read: Callable[[bytes], object], *samples: bytes) -> Target:
    """Something of our own that may have been damaged."""
    return Target(read, STORED, samples, (read,))


def stored(kind: int) -> list[bytes]:
    """Rows of one kind, of all members."""
    return [
        value
        for device in (ALICE, BOB, CAROL)
        for key, value in device.disk.rows.items()
        if key[0] == kind
    ]


NODES = [node for node in stored(rows.NODE) if node]
SEALED = HpkeCiphertext(bytes(32), bytes(48))
LEAF = ALICE.group.state.tree.member(0)
LEAVES = [LEAF.encode()]
TREE = ALICE.group.state.tree


def path() -> UpdatePath:
    """An update path that decodes."""
    return UpdatePath(LEAF, (UpdatePathNode(bytes(32), (SEALED,)),))


def receive_as_bob(data: bytes) -> object:
    """Whatever reaches a member: taken, or refused without a trace."""
    bob = Group.load(BOB.disk)
    try:
        received = bob.receive(data, now_ms=NOW_MS)
    except PeerError:
        assert bob.take_changes() == {}
        raise
    return received


def receive_from_insider(data: bytes) -> object:
    """A member with its real keys seals and signs anything as the content of a message."""
    number, content = data[:1], data[1:]
    kind = list(ContentType)[(number or b"\0")[0] % len(ContentType)]
    carol = Group.load(CAROL.disk).state
    signed = carol.keys.signed_part(2, kind, b"", content)
    signature = opaque(sign_with_label(CAROL.signer, "FramedContentTBS", signed))
    tag = opaque(bytes(32)) if kind is ContentType.COMMIT else b""
    message = carol.keys.seal(
        content + signature + tag,
        leaf=2,
        content_type=kind,
        authenticated_data=b"",
        padding=no_padding,
        rng=CAROL.rng,
    )
    return receive_as_bob(message)


def inside(kind: ContentType, content: bytes) -> bytes:
    return bytes((list(ContentType).index(kind),)) + content


INSIDE = [
    inside(ContentType.APPLICATION, opaque(b"hello")),
    *(inside(ContentType.PROPOSAL, encode_proposal(one)) for one in PROPOSALS),
    *(inside(ContentType.COMMIT, Commit(these, None).encode()) for these in ((), PROPOSALS[:2])),
    inside(ContentType.COMMIT, Commit((), path()).encode()),
]


def join(data: bytes) -> object:
    return Group.join(data, BUNDLE, now_ms=NOW_MS)


def published(data: bytes) -> object:
    read_group_info(data)
    return PublishedGroup.read(data, now_ms=NOW_MS)


def whole_tree(data: bytes) -> object:
    arriving = ArrivingTree(SUITE, data)
    verify_all(SUITE, check_tree(arriving, LeafContext.of(SUITE, now_ms=NOW_MS), b"conversation"))
    tree = RatchetTree.of(arriving)
    assert tree.encode() == data
    return tree


def key_package(data: bytes) -> object:
    package = KeyPackage.decode(data)
    package.validate(LeafContext.of(package.suite, now_ms=NOW_MS))
    return package


def group_on_disk(data: bytes) -> object:
    """One row of a stored group replaced: the first byte says which."""
    disk = MemoryRows()
    disk.rows = dict(CAROL.disk.rows)
    keys = sorted(disk.rows)
    disk.rows[keys[(data[:1] or b"\0")[0] % len(keys)]] = data[1:]
    group = Group.load(disk)
    group.receive(PENDING.commit, now_ms=NOW_MS)
    return group.epoch_authenticator


def rows_of_carol() -> list[bytes]:
    found = sorted(CAROL.disk.rows.items())
    return [bytes((number,)) + value for number, (_, value) in enumerate(found)]


SIGNED = [decode_all(PublicMessage.read, message[4:]).authenticated for message in PUBLIC]
CONTEXT = ALICE.group.state.context
PARENT = ParentNode(bytes(32), b"", (1, 2)).encode()
SENDER = Sender(SenderType.MEMBER, 2)
STRUCTURES: Mapping[str, Target] = {
    f"mls.{name}": structure(read, *samples)
    for name, read, samples in (
        ("Sender", Sender.read, [SENDER.encode()]),
        ("FramedContent", FramedContent.read, [one.content.encode() for one in SIGNED]),
        ("AuthenticatedContent", AuthenticatedContent.read, [one.encode() for one in SIGNED]),
        ("PublicMessage", PublicMessage.read, [message[4:] for message in PUBLIC]),
        ("PrivateMessage", PrivateMessage.read, [m[4:] for m in (APPLICATION, PENDING.commit)]),
        ("Welcome", Welcome.read, [WELCOME[4:]]),
        ("GroupInfo", GroupInfo.read, [INFO[4:]]),
        (
            "GroupSecrets",
            GroupSecrets.read,
            [GroupSecrets(JoinerSecret(bytes(32)), None, ()).encode()],
        ),
        (
            "EncryptedGroupSecrets",
            EncryptedGroupSecrets.read,
            [opaque(bytes(32)) + SEALED.encode()],
        ),
        ("KeyPackage", KeyPackage.read, [BUNDLE.message]),
        ("LeafNode", LeafNode.read, LEAVES),
        ("ParentNode", ParentNode.read, [PARENT]),
        ("read_node", read_node, [b"\1" + leaf for leaf in LEAVES]),
        (
            "Capabilities",
            Capabilities.read,
            [Capabilities((1,), (1, 2), (3,), (4,), (1,)).encode()],
        ),
        ("read_credential", read_credential, [LEAF.credential.encode()]),
        ("read_extensions", read_extensions, [encode_extensions(CONTEXT.extensions)]),
        ("read_u16s", read_u16s, [b"\4\0\1\0\2"]),
        ("ExternalSender", ExternalSender.read, [opaque(bytes(32)) + LEAF.credential.encode()]),
        ("GroupContext", GroupContext.read, [CONTEXT.encode()]),
        ("HpkeCiphertext", HpkeCiphertext.read, [SEALED.encode()]),
        ("UpdatePathNode", UpdatePathNode.read, [UpdatePathNode(bytes(32), (SEALED,)).encode()]),
        ("UpdatePath", UpdatePath.read, [path().encode()]),
        ("Add", Add.read, [add(BUNDLE).encode()]),
        ("Update", Update.read, [Update(LEAF).encode()]),
        ("Remove", Remove.read, [Remove(2).encode()]),
        ("PreSharedKey", PreSharedKey.read, [PSK.encode()]),
        ("ReInit", ReInit.read, [REINIT.encode()]),
        ("ExternalInit", ExternalInit.read, [ExternalInit(bytes(32)).encode()]),
        (
            "GroupContextExtensions",
            GroupContextExtensions.read,
            [GroupContextExtensions(()).encode()],
        ),
        ("read_proposal", read_proposal, [encode_proposal(one) for one in PROPOSALS]),
        ("read_proposal_or_ref", read_proposal_or_ref, [b"\2" + opaque(bytes(32))]),
        ("read_psk_id", read_psk_id, [PSK.psk.encode()]),
        (
            "Commit",
            Commit.read,
            [Commit(PROPOSALS[:2], path()).encode(), Commit((), None).encode()],
        ),
    )
}


def bodies(data: bytes) -> object:
    """Each type of content, with its authentication."""
    for kind in ContentType:
        reader = Reader(data)
        try:
            body = read_body(reader, kind)
            assert encode_body(body) == data[: reader.position]
            read_auth(reader, kind)
        except PeerError:
            continue
    return None


def next_epoch(data: bytes) -> object:
    return decode_all(lambda reader: read_next(reader, RatchetTree(SUITE)), data)


MLS_TARGETS: Mapping[str, Target] = {
    **STRUCTURES,
    "mls.body": Target(bodies, PEER, [one[1:] for one in INSIDE], (read_body, read_auth)),
    "mls.message": Target(
        decode_message, PEER, [APPLICATION, WELCOME, INFO, *PUBLIC], (decode_message,)
    ),
    "mls.receive": Target(
        receive_as_bob, PEER, [APPLICATION, PATH_COMMIT.commit, *PUBLIC], (Group.receive,)
    ),
    "mls.receive from an insider": Target(receive_from_insider, PEER, INSIDE, (Group.receive,)),
    "mls.join": Target(join, PEER, [WELCOME], (Group.join,)),
    "mls.group info": Target(published, PEER, [INFO], (read_group_info, PublishedGroup.read)),
    "mls.ratchet tree": Target(whole_tree, PEER, [TREE.encode()], (RatchetTree.decode,)),
    "mls.key package": Target(key_package, PEER, [BUNDLE.message], (KeyPackage.decode,)),
    "mls.node": Target(
        lambda data: decode_node(data[:1] == b"\1", data[1:]),
        PEER,
        [b"\0" + LEAVES[0], b"\1" + PARENT],
        (decode_node,),
    ),
    "rows.group": Target(group_on_disk, STORED, rows_of_carol(), (Group.load,)),
    "rows.current epoch": Target(
        lambda d: decode_all(CurrentEpoch.read, d), STORED, stored(rows.EPOCH), (CurrentEpoch.read,)
    ),
    "rows.past epoch": Target(
        lambda d: decode_all(PastEpoch.read, d), STORED, stored(rows.PAST_EPOCH), (PastEpoch.read,)
    ),
    "rows.proposal": Target(
        lambda d: decode_all(PendingProposal.read, d),
        STORED,
        stored(rows.PROPOSAL),
        (PendingProposal.read,),
    ),
    "rows.past leaf": Target(
        decode_past, STORED, [Member.of(0, LEAF).encode(), b""], (decode_past, Member.read)
    ),
    "rows.ratchet": Target(
        lambda d: Ratchet.decode(SUITE, d), STORED, stored(rows.RATCHET), (Ratchet.decode,)
    ),
    "rows.pending commit": Target(
        lambda d: PendingCommit.decode(d, BOB.group),
        (*STORED, StaleCommitError),
        [PENDING.encode()],
        (PendingCommit.decode,),
    ),
    "rows.pending join": Target(PendingJoin.decode, STORED, [JOIN.encode()], (PendingJoin.decode,)),
    "rows.next epoch": Target(next_epoch, STORED, [encode_next(JOIN.first)], (read_next,)),
    "rows.key package bundle": Target(
        KeyPackageBundle.decode, STORED, [BUNDLE.encode()], (KeyPackageBundle.decode,)
    ),
}
