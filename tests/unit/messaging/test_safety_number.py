"""Safety numbers: the same on both sides, different when anything differs."""

from dataclasses import replace

import pytest

from e2ecore.messaging.safety_number import Party, SafetyNumber, SafetyNumberMismatchError

ALICE = Party(b"a" * 20, b"A" * 32, (b"1" * 32, b"2" * 32))
BOB = Party(b"b" * 20, b"B" * 32, (b"3" * 32,))
KNOWN = "036598146691170408521307922434658946592778728909967111514061"


def test_both_sides_compute_the_same_sixty_digits() -> None:
    number = SafetyNumber.between(ALICE, BOB)
    assert number == SafetyNumber.between(BOB, ALICE)
    assert len(number.digits) == 60
    assert number.digits.isdigit()
    assert "".join(number.grouped()) == number.digits
    assert len(number.qr_bytes) == 75


@pytest.mark.parametrize(
    "other",
    [
        replace(BOB, identity_key=b"C" * 32),
        replace(BOB, account_id=b"c" * 20),
        replace(BOB, device_keys=(b"3" * 32, b"4" * 32)),
        replace(BOB, device_keys=()),
    ],
)
def test_it_changes_with_key_account_and_devices(other: Party) -> None:
    assert SafetyNumber.between(ALICE, other) != SafetyNumber.between(ALICE, BOB)


def test_the_order_of_devices_does_not_matter() -> None:
    turned = replace(ALICE, device_keys=ALICE.device_keys[::-1])
    assert SafetyNumber.between(turned, BOB) == SafetyNumber.between(ALICE, BOB)


def test_the_number_of_a_known_pair_never_changes() -> None:
    digits = SafetyNumber.between(ALICE, BOB).digits
    assert digits == KNOWN


def test_a_wrong_scan_is_an_error() -> None:
    number = SafetyNumber.between(ALICE, BOB)
    number.check_scanned(number.qr_bytes)
    with pytest.raises(SafetyNumberMismatchError):
        number.check_scanned(number.qr_bytes[:-1] + b"x")
