"""Messages with one fault, repeated messages, and members that are none any more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.aead import Aead
from e2ecore.mls.credential_policy import Claim
from e2ecore.mls.credentials import BasicCredential
from e2ecore.mls.errors import CredentialError
from e2ecore.mls.external_senders import ExternalSender, senders_extension
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.proposals import GroupContextExtensions, Remove, Update
from e2ecore.mls.secret_tree import APPLICATION, WINDOW_FORWARD
from tests.support.mls_external import ExternalJoiner, in_clear
from tests.support.mls_forger import Fault, Forger, same
from tests.support.mls_forgery import forge_text
from tests.support.mls_groups import Device, add, agree, pass_on
from tests.support.mls_rules import Rules, refused
from tests.support.mls_scene import Scene, untouched, update_of


def again(device: Device, message: bytes) -> None:
    """Deliver once more, at once and after a restart."""
    for _ in range(2):
        with untouched(device), refused("H1"):
            device.group.receive(message, now_ms=device.now_ms)
        device.reload()


@pytest.mark.rule("H1")
def test_repeated_message_is_a_duplicate() -> None:
    scene = Scene()
    messages = [scene.alice.send(b"%d" % number) for number in range(3)]
    for message in reversed(messages):
        scene.bob.read(message)
    for message in messages:
        again(scene.bob, message)
    scene.goes_on()
    for message in messages:
        again(scene.bob, message)


@pytest.mark.rule("H1")
@pytest.mark.parametrize("clear", [False, True], ids=["encrypted", "in clear"])
def test_repeated_proposal_is_a_duplicate(*, clear: bool) -> None:
    scene = Scene()
    fault = Fault(public=same) if clear else Fault()
    message = scene.forger.propose(update_of(scene.alice), fault)
    scene.carol.take(message)
    again(scene.carol, message)


@pytest.mark.rule("H1")
@pytest.mark.spec("RFC 9420 §5.2 (Hash-Based Identifiers)")
@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
def test_proposal_that_is_encrypted_anew_is_taken_again_and_kept_once() -> None:
    scene = Scene()
    first, second = scene.forger.propose(Remove(3)), scene.forger.propose(Remove(3))
    assert first != second
    assert scene.carol.take(first).ref == scene.carol.take(second).ref
    assert len(scene.carol.group.pending_proposals) == 1
    for message in (first, second):
        again(scene.carol, message)
    scene.bob.take(second)
    pass_on(scene.carol.commit(), scene.carol, [scene.bob])
    assert agree([scene.bob, scene.carol])
    assert len(scene.bob.group.members()) == 3


@pytest.mark.rule("H1")
@pytest.mark.rule("H15")
@pytest.mark.parametrize("clear", [False, True], ids=["encrypted", "in clear"])
def test_repeated_commit_is_a_duplicate(*, clear: bool) -> None:
    scene = Scene()
    message = scene.forger.commit(fault=Fault(public=same) if clear else Fault())
    others = scene.without_alice()
    scene.merges(message)
    again(scene.bob, message)
    if not clear:
        others.goes_on()
        again(scene.carol, message)
    with refused("H15"):
        scene.bob.stage(message)


@pytest.mark.rule("H1")
def test_own_messages_come_back_as_duplicates() -> None:
    scene = Scene()
    text, proposal = scene.bob.send(b"hello"), propose_update(scene.bob)
    pending = scene.carol.commit()
    for device, message in (
        (scene.bob, text),
        (scene.bob, proposal),
        (scene.carol, pending.commit),
    ):
        again(device, message)
    pass_on(pending, scene.carol, [scene.alice, scene.bob, scene.dave])
    for device, message in (
        (scene.bob, text),
        (scene.bob, proposal),
        (scene.carol, pending.commit),
    ):
        again(device, message)


def propose_update(device: Device) -> bytes:
    message = device.group.propose_update(signer=device.signer, rng=device.rng)
    device.save()
    return message


@pytest.mark.rule("H1")
def test_external_commit_comes_back_as_a_duplicate() -> None:
    scene = Scene()
    message = ExternalJoiner(Device("eve"), scene.alice).commit()
    scene.bob.merge(scene.bob.stage(message))
    again(scene.bob, message)


@pytest.mark.rule("H2")
def test_jump_too_far_is_refused_before_anything_is_derived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()
    tree = scene.alice.group.state.keys.tree
    tree.consume(tree.step(0, APPLICATION, WINDOW_FORWARD))
    beyond = forge_text(scene.alice, b"far", as_leaf=0, generation=WINDOW_FORWARD + 1)
    steps: list[int] = []
    monkeypatch.setattr(
        "e2ecore.mls.secret_tree.Ratchet.advance", lambda ratchet: steps.append(ratchet.next)
    )
    with untouched(scene.bob), refused("H2"):
        scene.bob.read(beyond)
    assert steps == []


@pytest.mark.rule("H3")
def test_forged_copy_burns_no_key() -> None:
    """Its sender data open, for they hang on the first bytes of the ciphertext alone."""
    scene = Scene()
    skipped, message = scene.alice.send(b"skipped"), scene.alice.send(b"hello")
    forged = message[:-1] + bytes([message[-1] ^ 1])
    with untouched(scene.bob):
        for _ in range(3):
            with refused("H3"):
                scene.bob.read(forged)
    assert scene.bob.read(message).data == b"hello"
    assert scene.bob.read(skipped).data == b"skipped"


@pytest.mark.rule("H5")
@pytest.mark.parametrize("how", ["own key", "other epoch"])
def test_member_does_not_speak_for_another(how: str, broken: Rules) -> None:
    scene = Scene()
    if how == "own key":
        message = forge_text(scene.alice, b"I am bob", as_leaf=1)
    else:
        context = scene.alice.group.state.keys.context
        scene.commit_and_pass_on()
        message = forge_text(scene.alice, b"of old", as_leaf=0, signed_epoch_context=context)
    scene.refuses(broken, message, by=[scene.carol, scene.dave])


@pytest.mark.rule("H6")
@pytest.mark.parametrize("leaf", [2, 4, 4000, 0xFFFFFFFF])
def test_sender_is_a_member(leaf: int) -> None:
    scene = Scene()
    scene.commit_and_pass_on(Remove(2))
    message = forge_text(scene.alice, b"hello", as_leaf=0, named_leaf=leaf)
    with untouched(scene.bob), refused("H6"):
        scene.bob.read(message)


@pytest.mark.rule("H8")
def test_padding_is_zero() -> None:
    scene = Scene()
    scene.refuses("H8", forge_text(scene.alice, b"hello", as_leaf=0, tail=bytes(30) + b"\1"))


@pytest.mark.rule("H9")
@pytest.mark.parametrize("length", [b"\x3f", b"\x7f\xff", b"\xbf\xff\xff\xff"])
def test_length_is_compared_with_what_is_there(length: bytes) -> None:
    scene = Scene()
    scene.refuses("H9", scene.alice.send(b"hello")[:4] + length)


@pytest.mark.rule("H20")
def test_removed_member_that_ignores_it_reads_nothing_new() -> None:
    scene = Scene()
    pass_on(scene.alice.commit(Remove(2)), scene.alice, [scene.bob, scene.dave])
    message = scene.alice.send(b"secret")
    with untouched(scene.carol), refused("H20"):
        scene.carol.read(message)
    private = decode_message(message)
    assert isinstance(private, PrivateMessage)
    for epoch in range(2):
        pretended = encode_message(private._replace(epoch=epoch))
        with pytest.raises(Exception, match=r"not authentic|^$"):
            scene.carol.read(pretended)


@pytest.mark.rule("H21")
def test_what_opened_a_message_is_on_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    used: set[bytes] = set()
    aead = type(scene.bob.suite.aead)
    opens = aead.open

    def note(self: Aead, key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        used.add(key)
        return opens(self, key, nonce, ciphertext, aad)

    monkeypatch.setattr(aead, "open", note)
    before = [value for key, value in scene.bob.disk.rows.items() if key[0] in {6, 7}]
    for number in range(4):
        scene.bob.read(scene.alice.send(b"%d" % number))
    scene.bob.save()
    after = b"".join(scene.bob.disk.rows.values())
    assert len(used) >= 4
    assert [key for key in used if key in after] == []
    assert before
    assert [row for row in before if row in after and len(row) == 32] == []


@pytest.mark.rule("7.3-1")
def test_client_that_nobody_vouches_for_is_refused() -> None:
    scene = Scene()

    def strict(claim: Claim, /) -> None:
        if claim.identity == b"eve":
            raise CredentialError("nobody vouches for eve")

    message = scene.forger.commit([add(Device("eve").bundle())])
    for device in scene.others:
        with untouched(device), refused("7.3-1"):
            device.group.receive(message, now_ms=device.now_ms, policy=strict)
    scene.goes_on()


def outside(kind: SenderType, index: int = 0) -> Fault:
    """Alice sends as if from outside, without a membership tag."""
    sender = Sender(kind, index)
    return Fault(
        content=lambda content: replace(content, sender=sender),
        public=lambda message: replace(message, membership_tag=None),
    )


def listed(scene: Scene) -> Scene:
    """A service, whose key is alice's, may propose from outside."""
    sender = ExternalSender(scene.alice.signer.public, BasicCredential(b"a service"))
    scene.commit_and_pass_on(GroupContextExtensions((senders_extension([sender]),)))
    return scene


OUTSIDE = [
    pytest.param(
        lambda scene: in_clear(scene.alice, Remove(1), sender=Sender(SenderType.EXTERNAL, 0)),
        marks=pytest.mark.rule("12.1-10"),
        id="no service is listed",
    ),
    pytest.param(
        lambda scene: in_clear(
            listed(scene).alice, Remove(1), sender=Sender(SenderType.EXTERNAL, 1)
        ),
        marks=pytest.mark.rule("12.1-10"),
        id="another place of the list",
    ),
    pytest.param(
        lambda scene: in_clear(listed(scene).bob, Remove(1), sender=Sender(SenderType.EXTERNAL, 0)),
        marks=pytest.mark.rule("12.1-11"),
        id="another key",
    ),
    pytest.param(
        lambda scene: in_clear(
            listed(scene).alice,
            Update(update_of(scene.alice).leaf_node),
            sender=Sender(SenderType.EXTERNAL, 0),
        ),
        marks=pytest.mark.rule("12.1-12"),
        id="what only members propose",
    ),
    pytest.param(
        lambda scene: in_clear(
            scene.alice,
            add(Device("eve").bundle()),
            sender=Sender(SenderType.NEW_MEMBER_PROPOSAL),
        ),
        marks=pytest.mark.rule("12.1-13"),
        id="not signed by who wants in",
    ),
    pytest.param(
        lambda scene: in_clear(
            scene.alice, Remove(1), sender=Sender(SenderType.NEW_MEMBER_PROPOSAL)
        ),
        marks=pytest.mark.rule("12.1-14"),
        id="more than to be added",
    ),
]


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
@pytest.mark.parametrize("made", OUTSIDE)
def test_proposal_from_outside_with_one_fault_is_refused(
    made: Callable[[Scene], bytes], broken: Rules
) -> None:
    scene = Scene()
    scene.refuses(broken, made(scene), by=[scene.carol, scene.dave])


@pytest.mark.rule("H24")
def test_clients_that_ask_to_be_added_are_heard_only_where_that_is_wanted() -> None:
    scene, eve = Scene(), Device("eve")
    forger = Forger(scene.alice)
    fault = replace(outside(SenderType.NEW_MEMBER_PROPOSAL), signer=eve.signer)
    scene.refuses("H24", forger.propose(add(eve.bundle()), fault))


@pytest.mark.rule("12.1-15")
def test_keys_of_external_senders_are_usable() -> None:
    scene = Scene()
    sender = ExternalSender(b"short", BasicCredential(b"a service"))
    proposal = GroupContextExtensions((senders_extension([sender]),))
    scene.refuses("12.1-15", scene.forger.commit([proposal]))
