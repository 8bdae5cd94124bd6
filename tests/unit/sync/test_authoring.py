"""Writing ops and judging those of others: numbers, links, signatures, devices set back."""

from dataclasses import replace

import pytest

from e2ecore.crypto.errors import SignatureError
from e2ecore.sync.authoring import Author, check_links, verify
from e2ecore.sync.errors import ForkedDeviceError
from e2ecore_protocol.content.op_bodies import Draft, Mute, ReadUpTo
from e2ecore_protocol.content.ops import NO_OP, Op
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_SHARED_DRAFT_BYTES
from tests.support.siblings import ACCOUNT, NOW_MS, Sibling, exchange

TALK = bytes(16)


def test_ops_of_a_device_are_numbered_and_linked() -> None:
    phone = Sibling(1)
    first, second = (phone.write(TALK, Mute(n)) for n in (1, 2))
    assert (first.number, first.prev_hash) == (1, NO_OP)
    assert (second.number, second.prev_hash) == (2, first.hash())
    assert second.time > first.time
    assert phone.author.number == 2


def test_an_op_is_checked_before_it_is_written() -> None:
    with pytest.raises(MalformedError):
        Sibling(1).write(bytes(20), Mute(1))
    with pytest.raises(MalformedError):
        Sibling(1).write(TALK, Draft("x" * (MAX_SHARED_DRAFT_BYTES + 1), None, ()))


def test_a_signature_is_of_a_device_for_an_account_and_of_all_that_is_said() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    op = phone.write(TALK, Mute(1))
    verify(op, ACCOUNT, phone.key.public)
    wrong = [
        (op, ACCOUNT, laptop.key.public),
        (op, bytes(20), phone.key.public),
        (replace(op, value=(2,)), ACCOUNT, phone.key.public),
        (replace(op, device_id=laptop.author.device_id), ACCOUNT, phone.key.public),
        (replace(op, device_id=laptop.author.device_id), ACCOUNT, laptop.key.public),
        (replace(op, signature=bytes(64)), ACCOUNT, phone.key.public),
    ]
    for one in wrong:
        with pytest.raises(SignatureError):
            verify(*one)


def test_ops_that_are_linked_or_far_apart_are_no_fork() -> None:
    phone = Sibling(1)
    ops = [phone.write(TALK, Mute(n)) for n in range(4)]
    check_links(ops[1], [ops[0], ops[1], ops[2]])
    check_links(ops[3], [ops[0]])
    check_links(ops[0], [])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (1, 0)])
def test_a_device_that_went_two_ways_is_named_with_both_ops(old: int, new: int) -> None:
    one, other = Sibling(1), Sibling(1)
    other.error_ms = 5_000
    ways = [[side.write(TALK, Mute(n)) for n in (1, 2)] for side in (one, other)]
    with pytest.raises(ForkedDeviceError) as told:
        check_links(ways[1][new], [ways[0][old]])
    assert {told.value.first, told.value.second} == {ways[0][old], ways[1][new]}
    for op in (told.value.first, told.value.second):
        verify(op, ACCOUNT, one.key.public)


def test_a_device_that_was_set_back_goes_on_after_what_it_had_said() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    said = [phone.write(TALK, Mute(n)) for n in (1, 2, 3)]
    exchange(phone, laptop)
    set_back = Sibling(1)
    exchange(set_back, laptop)
    again = set_back.write(TALK, Mute(4))
    assert (again.number, again.prev_hash) == (4, said[-1].hash())
    exchange(set_back, laptop)
    assert laptop.shown()[Mute.KIND, TALK] == (4,)


def test_a_device_that_was_set_back_learns_it_from_who_overwrote_what_it_had_said() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    phone.write(TALK, Mute(1))
    exchange(phone, laptop)
    last = laptop.write(TALK, Mute(2))
    set_back = Sibling(1)
    exchange(set_back, laptop)
    again = set_back.write(TALK, Mute(3))
    assert (again.number, again.prev_hash) == (2, last.hash())
    Op.decode(again.encode())
    exchange(set_back, laptop)
    assert laptop.shown()[Mute.KIND, TALK] == (3,)


def test_read_markers_name_nothing_as_seen() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    phone.write(TALK, ReadUpTo(1))
    exchange(phone, laptop)
    assert laptop.write(TALK, ReadUpTo(2)).seen == ()


def test_an_op_that_was_heard_makes_the_next_one_later() -> None:
    author = Author(bytes(16))
    op = Op(b"\1" * 16, 1, NO_OP, (NOW_MS << 16) + 5, Mute.KIND, TALK, (), (0,))
    heard = author.hear(op, NOW_MS)
    _, new = heard.write(TALK, Mute(1), [], now_ms=NOW_MS - 60_000, sign=lambda one: one)
    assert new.time == op.time + 1
