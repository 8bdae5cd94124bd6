"""Both sides of linking, and whatever comes between them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.linking.ceremony import ExistingSide, NewSide
from e2ecore.linking.code import QR_PREFIX, BadLinkCodeError, LinkCode
from e2ecore.linking.keys import LinkBrokenError, WrongLinkCodeError
from e2ecore_protocol.content.linking import (
    Hello,
    Linked,
    Place,
    Welcome,
    decode_link_content,
    decode_link_message,
)
from e2ecore_protocol.errors import MalformedError
from tests.support.rng import SeededRng

NAME = "relay.example"
CODE = LinkCode.draw(48_291, SeededRng(1))
OTHER_CODE = LinkCode.draw(48_291, SeededRng(2))


def new_side(code: LinkCode = CODE, seed: int = 3, name: str = NAME) -> NewSide:
    return NewSide(code, name, device_key=bytes(31) + b"n", rng=SeededRng(seed))


def existing_side(code: LinkCode = CODE, seed: int = 4) -> ExistingSide:
    return ExistingSide(
        code, NAME, account_id=bytes(20), device_key=bytes(32), handle="alice", rng=SeededRng(seed)
    )


def met() -> tuple[NewSide, ExistingSide]:
    new, existing = new_side(), existing_side()
    new.meet(existing.meet(new.prove(existing.greet(new.hello()))))
    return new, existing


@pytest.mark.clause("GB42012-8.1.1d")
def test_two_devices_with_one_code_come_to_one_check_string_and_know_each_other() -> None:
    new, existing = met()
    assert new.check_string == existing.check_string
    assert len(new.check_string) == 6
    assert existing.new_key == bytes(31) + b"n"
    assert new.existing is not None
    assert new.existing.handle == "alice"
    place = new.next(existing.place(3, bytes(32)))
    assert place == Place(3, bytes(32))
    assert existing.possession(new.possession(bytes(64))) == bytes(64)
    assert new.next(existing.linked("Alice", 3, bytes(32))) == Linked("Alice", 3, bytes(32))
    existing.done(new.done())


def test_a_wrong_code_is_noticed_before_anything_is_shown() -> None:
    new, existing = new_side(OTHER_CODE), existing_side()
    with pytest.raises(WrongLinkCodeError):
        new.prove(existing.greet(new.hello()))
    assert new.existing is None


def test_whoever_goes_on_with_a_wrong_code_is_found_out_by_the_existing_device() -> None:
    new, existing = new_side(OTHER_CODE), existing_side()
    existing.greet(new.hello())
    stranger, mate = new_side(OTHER_CODE), existing_side(OTHER_CODE)
    proof = stranger.prove(mate.greet(stranger.hello()))
    with pytest.raises(WrongLinkCodeError):
        existing.meet(proof)
    assert existing.new_key == b""
    with pytest.raises(LinkBrokenError):
        existing.greet(new.hello())  # no second guess


def test_a_relay_that_gives_itself_another_name_to_each_side_brings_nobody_together() -> None:
    new, existing = new_side(name="other.example"), existing_side()
    with pytest.raises(WrongLinkCodeError):
        new.prove(existing.greet(new.hello()))


def test_somebody_in_the_middle_who_has_the_code_is_seen_by_the_check_strings() -> None:
    """The code was read off the screen: only comparing helps now, and it does."""
    new, existing = new_side(), existing_side()
    to_existing, to_new = new_side(seed=5), existing_side(seed=6)
    to_existing.meet(existing.meet(to_existing.prove(existing.greet(to_existing.hello()))))
    new.meet(to_new.meet(new.prove(to_new.greet(new.hello()))))
    assert new.check_string != existing.check_string


def test_nobody_shows_another_key_than_it_was_bound_to() -> None:
    """Else a middleman could try keys until two check strings agree."""
    new, existing, late = new_side(), existing_side(), new_side(seed=7)
    hello = decode_link_message(new.hello())
    assert isinstance(hello, Hello)
    swapped = Hello(hello.pake, bytes(32)).encode()
    with pytest.raises(LinkBrokenError):
        existing.meet(new.prove(existing.greet(swapped)))
    welcome = decode_link_message(existing_side().greet(late.hello()))
    assert isinstance(welcome, Welcome)
    with pytest.raises(LinkBrokenError):
        late.prove(Welcome(welcome.pake, bytes(32), welcome.confirmation).encode())


def test_nobody_shows_another_key_once_the_other_side_has_shown_its_own() -> None:
    """Who has the code as well, and would have the check strings agree, comes too late for that."""
    new, existing = new_side(), existing_side()
    welcome = existing.greet(new.hello())
    new._own = new_side(seed=7)._own
    with pytest.raises(LinkBrokenError, match="another key than it was bound to"):
        existing.meet(new.prove(welcome))
    assert existing.check_string == ""
    new, existing = new_side(), existing_side()
    proof = new.prove(existing.greet(new.hello()))
    existing._own = existing_side(seed=8)._own
    with pytest.raises(LinkBrokenError, match="another account than it was bound to"):
        new.meet(existing.meet(proof))
    assert new.check_string == ""


def test_an_answer_thrown_back_is_refused() -> None:
    new, existing = new_side(), existing_side()
    for echo in (new.hello(), b"", bytes(33), b"\xc0"):
        with pytest.raises(LinkBrokenError):
            new.prove(echo)
    hello = decode_link_message(new.hello())
    assert isinstance(hello, Hello)
    with pytest.raises(LinkBrokenError):
        existing.greet(Hello(b"A" + bytes(32), hello.commitment).encode())


def test_a_message_that_comes_again_or_out_of_order_is_refused() -> None:
    new, existing = met()
    place = existing.place(3, bytes(32))
    new.next(place)
    with pytest.raises(LinkBrokenError):
        new.next(place)
    with pytest.raises(LinkBrokenError):
        existing.done(new.possession(bytes(64)))


@pytest.mark.parametrize(
    "act",
    [
        lambda: new_side().next(b"\x92\x04\xc4\x12" + bytes(18)),
        lambda: new_side().possession(bytes(64)),
        lambda: existing_side().place(1, bytes(32)),
        lambda: existing_side().meet(new_side().hello()),
    ],
)
def test_nothing_is_said_too_early(act: Callable[[], object]) -> None:
    with pytest.raises(LinkBrokenError):
        act()


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused_by_name(data: bytes) -> None:
    for decode in (decode_link_message, decode_link_content):
        try:
            again = decode(data)
        except MalformedError:
            continue
        assert again.encode() == data
    with pytest.raises(LinkBrokenError):
        existing_side().meet(data)


@given(st.integers(0, 99_999), st.binary(min_size=8, max_size=8))
def test_a_code_reads_back_however_it_is_written(number: int, seed: bytes) -> None:
    code = LinkCode.draw(number, lambda _size: seed)
    assert LinkCode.parse(code.text) == LinkCode.parse(code.qr) == code
    assert LinkCode.parse(code.text.replace(" ", "-")) == code
    assert code.qr.startswith(QR_PREFIX)
    assert code.secret not in repr(code)


@given(st.integers(0, 99_999), st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number: int, at: int, more: int) -> None:
    digits = LinkCode.draw(number, SeededRng(number)).digits
    wrong = digits[:at] + str((int(digits[at]) + more) % 10) + digits[at + 1 :]
    with pytest.raises(BadLinkCodeError):
        LinkCode.parse(wrong)


def test_a_number_that_no_rendezvous_has_makes_no_code() -> None:
    with pytest.raises(BadLinkCodeError):
        _ = LinkCode(100_000, "000000").digits
