"""Invitations with one fault, made by a member that can compute all the rest."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.codec import Reader, opaque
from e2ecore.mls.group_info import GroupInfo, Welcome
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.psk import ExternalPskId
from tests.support.mls_groups import Device
from tests.support.mls_inviter import Invited, Twist, invitation
from tests.support.mls_rules import Rules

NONCE = bytes(32)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def context(**changes: object) -> Twist:
    return Twist(context=lambda old: replace(old, **changes))  # type: ignore[arg-type]  # by name


def info(**changes: object) -> Twist:
    return Twist(info=lambda old: replace(old, **changes))  # type: ignore[arg-type]  # by name


def secrets(**changes: object) -> Twist:
    return Twist(secrets=lambda old: replace(old, **changes))  # type: ignore[arg-type]  # by name


def unopenable(welcome: Welcome) -> Welcome:
    (entry,) = welcome.secrets
    sealed = entry.secrets._replace(ciphertext=flipped(entry.secrets.ciphertext))
    return replace(welcome, secrets=(replace(entry, secrets=sealed),))


def tree_bytes(change: Callable[[bytes], bytes]) -> Twist:
    """Change the nodes' bytes, inside of the vector."""
    return Twist(encoded_tree=lambda data: opaque(change(Reader(data).opaque())))


def cut_tag(old: GroupInfo) -> GroupInfo:
    return replace(old, confirmation_tag=old.confirmation_tag[:-1])


MESSAGES = [
    pytest.param(
        lambda _: Twist(welcome=lambda old: replace(old, secrets=())),
        marks=pytest.mark.rule("12.4.3.1-1"),
        id="no entry",
    ),
    pytest.param(
        lambda _: Twist(welcome=lambda old: replace(old, cipher_suite=3)),
        marks=pytest.mark.rule("12.4.3.1-2"),
        id="suite of the message",
    ),
    pytest.param(
        lambda _: Twist(welcome=unopenable),
        marks=pytest.mark.rule("12.4.3.1-3"),
        id="entry does not open",
    ),
    pytest.param(
        lambda _: secrets(psks=(ExternalPskId(b"unknown", NONCE),)),
        marks=pytest.mark.rule("12.4.3.1-4"),
        id="unknown key",
    ),
    pytest.param(
        lambda _: secrets(psks=(ExternalPskId(b"a", NONCE),) * 2),
        marks=pytest.mark.rule("12.4.3.1-5"),
        id="key twice",
    ),
    pytest.param(
        lambda _: Twist(sealed_info=flipped),
        marks=pytest.mark.rule("12.4.3.1-6"),
        id="info does not open",
    ),
    pytest.param(
        lambda invited: Twist(signer=invited.devices[1].signer),
        marks=[pytest.mark.rule("12.4.3.1-7"), pytest.mark.rule("H12")],
        id="signed by another member",
    ),
    pytest.param(
        lambda _: Twist(signed_info=lambda old: replace(old, signature=flipped(old.signature))),
        marks=pytest.mark.rule("12.4.3.1-7"),
        id="signature",
    ),
    pytest.param(lambda _: info(signer=99), marks=pytest.mark.rule("12.4.3.1-8"), id="no signer"),
    pytest.param(
        lambda _: context(cipher_suite=3),
        marks=pytest.mark.rule("12.4.3.1-10"),
        id="suite of the group",
    ),
    pytest.param(
        lambda _: info(extensions=()), marks=pytest.mark.rule("12.4.3.1-11"), id="no tree"
    ),
    pytest.param(
        lambda _: context(tree_hash=bytes(32)),
        marks=pytest.mark.rule("12.4.3.1-12"),
        id="tree hash",
    ),
    pytest.param(
        lambda _: secrets(path_secret=bytes(32)),
        marks=pytest.mark.rule("12.4.3.1-21"),
        id="path secret",
    ),
    pytest.param(
        lambda _: info(confirmation_tag=bytes(32)),
        marks=pytest.mark.rule("12.4.3.1-22"),
        id="confirmation tag",
    ),
    pytest.param(
        lambda _: Twist(info=cut_tag),
        marks=pytest.mark.rule("12.4.3.1-22"),
        id="shortened confirmation tag",
    ),
    pytest.param(
        lambda _: tree_bytes(lambda nodes: nodes + b"\0"),
        marks=pytest.mark.rule("12.4.3.1-23"),
        id="blank at the end",
    ),
    pytest.param(
        lambda _: tree_bytes(lambda nodes: b"\0" + nodes),
        marks=pytest.mark.rule("12.4.3.1-24"),
        id="nodes moved by one",
    ),
]


@pytest.mark.rule("12.4.3.1-0")
def test_made_up_invitation_without_a_fault_would_be_accepted() -> None:
    invited = invitation()
    group = invited.eve.join(invited.forge(Twist()), invited.bundle)
    assert (group.epoch, group.own_leaf) == (9, 7)


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.parametrize("twist", MESSAGES)
def test_invitation_with_one_fault_is_refused(
    twist: Callable[[Invited], Twist], broken: Rules
) -> None:
    invited = invitation()
    invited.refuses(broken, invited.forge(twist(invited)))


@pytest.mark.rule("12.4.3.1-1")
def test_invitation_for_another_key_package_of_ours_is_refused(broken: Rules) -> None:
    invited = invitation()
    invited.refuses(broken, invited.forge(Twist()), invited.eve.bundle())


@pytest.mark.rule("12.4.3.1-2")
def test_invitation_for_a_client_of_another_suite_is_refused(broken: Rules) -> None:
    invited = invitation()
    invited.refuses(broken, invited.forge(Twist()), Device("eve", SUITES[3]).bundle())


@pytest.mark.rule("12.4.3.1-20")
def test_group_in_which_our_leaf_is_another_is_refused(broken: Rules) -> None:
    """It has our keys and is signed by us, and is not the leaf of the key package."""
    invited = invitation()
    other = replace(invited.eve.capabilities(), extensions=())
    twist = Twist(tree=invited.change_leaf(7, capabilities=other))
    invited.refuses(broken, invited.forge(twist))


@pytest.mark.rule("12.4.3.1-3")
def test_invitation_sealed_to_another_init_key_is_refused(broken: Rules) -> None:
    invited = invitation()
    good, other = invited.bundle, invited.eve.bundle()
    mixed = KeyPackageBundle(good.key_package, other.init_key, good.encryption_key)
    invited.refuses(broken, invited.forge(Twist()), mixed)
