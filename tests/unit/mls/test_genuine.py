"""Who is named as the author of a message that was refused."""

import pytest

from e2ecore.mls.genuine import genuine_sender
from e2ecore.mls.message import encode_message
from tests.support.mls_forgery import forge_text
from tests.support.mls_groups import Device, add, everybody


def test_whoever_signed_a_message_is_its_author() -> None:
    alice, bob = everybody("alice", "bob")
    for message in (alice.send(b"text"), alice.commit().commit):
        author = genuine_sender(bob.group, message)
        assert author is not None
        assert author.identity == b"alice"


def test_nothing_changes_when_an_author_is_looked_up() -> None:
    alice, bob = everybody("alice", "bob")
    message = alice.send(b"text")
    genuine_sender(bob.group, message)
    assert not bob.group.take_changes()
    assert bob.read(message).data == b"text"


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_damaged_message_has_no_author(at: int) -> None:
    alice, bob = everybody("alice", "bob")
    damaged = bytearray(alice.send(b"text"))
    damaged[at] ^= 1
    assert genuine_sender(bob.group, bytes(damaged)) is None


def test_a_member_cannot_make_another_one_the_author() -> None:
    _, bob, carol = everybody("alice", "bob", "carol")
    assert genuine_sender(bob.group, forge_text(carol, b"text", as_leaf=0)) is None


def test_what_is_in_clear_has_no_author() -> None:
    alice, bob = everybody("alice", "bob")
    dave = Device("dave")
    welcome = alice.commit(add(dave.bundle())).welcome
    assert welcome is not None
    for message in (welcome, encode_message(dave.bundle().key_package), b""):
        assert genuine_sender(bob.group, message) is None
