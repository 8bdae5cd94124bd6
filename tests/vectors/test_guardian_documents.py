"""The vectors of what ward and guardian sign, with another library for the signatures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from e2ecore_protocol.chain.bodies import ConsentGranted
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.family_limits import GUARDIAN_DOCUMENT_MS
from e2ecore_protocol.guardians import (
    GUARDIAN_DOCUMENTS,
    GuardianApproval,
    GuardianLink,
    check_link,
    decode_guardian_document,
    is_fresh,
)
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS

FILE = Path(__file__).parents[2] / "protocol/vectors/guardians.json"


class Signed(TypedDict):
    key: str
    signature: str


class Vector(TypedDict, total=False):
    name: str
    expect: str
    encoded: str
    signed_message: str
    signatures: dict[str, Signed]


VECTORS: list[Vector] = json.loads(FILE.read_text())["vectors"]
GOOD = [one for one in VECTORS if one["expect"] == "ok"]
BAD = [one for one in VECTORS if one["expect"] == "malformed"]


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    VerifyKey(key).verify(message, signature)


@pytest.mark.parametrize("vector", GOOD, ids=lambda one: one["name"])
def test_a_document_is_encoded_and_signed_as_specified(vector: Vector) -> None:
    data = bytes.fromhex(vector["encoded"])
    document = decode_guardian_document(data)
    assert document.encode() == data
    assert document.signed_message().hex() == vector["signed_message"]
    for one in vector["signatures"].values():
        signature = bytes.fromhex(one["signature"])
        verify(bytes.fromhex(one["key"]), document.signed_message(), signature)
        assert signature in data


@pytest.mark.parametrize("vector", BAD, ids=lambda one: one["name"])
def test_a_document_with_one_fault_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        decode_guardian_document(bytes.fromhex(vector["encoded"]))


def test_every_type_of_document_has_a_vector() -> None:
    types = {type(decode_guardian_document(bytes.fromhex(one["encoded"]))) for one in GOOD}
    assert types == set(GUARDIAN_DOCUMENTS.values())


def test_a_link_needs_both_signatures_and_two_accounts() -> None:
    vector = GOOD[0]
    link = decode_guardian_document(bytes.fromhex(vector["encoded"]))
    assert isinstance(link, GuardianLink)
    ward, guardian = (bytes.fromhex(one["key"]) for one in vector["signatures"].values())
    check_link(link, ward, guardian, verify)
    with pytest.raises(BadSignatureError):
        check_link(link, guardian, ward, verify)
    alone = replace(link, guardian=link.ward)
    with pytest.raises(MalformedError):
        check_link(alone, ward, ward, verify)


def test_an_approval_covers_one_consent_in_every_field() -> None:
    approval = decode_guardian_document(bytes.fromhex(GOOD[1]["encoded"]))
    assert isinstance(approval, GuardianApproval)
    granted = ConsentGranted(
        approval.consent_id, approval.purpose, approval.notice_hash, approval.commitment, None
    )
    assert approval.covers(granted)
    others = [
        replace(granted, consent_id=bytes(16)),
        replace(granted, purpose="profiling"),
        replace(granted, expires_ms=5),
    ]
    assert not any(approval.covers(one) for one in others)


@pytest.mark.parametrize(
    ("age_ms", "fresh"),
    [
        (0, True),
        (GUARDIAN_DOCUMENT_MS, True),
        (GUARDIAN_DOCUMENT_MS + 1, False),
        (-MAX_CLOCK_DIFFERENCE_MS, True),
        (-MAX_CLOCK_DIFFERENCE_MS - 1, False),
    ],
)
def test_a_document_is_taken_for_a_week_and_not_from_the_future(
    age_ms: int, *, fresh: bool
) -> None:
    now_ms = 1_760_000_000_000
    assert is_fresh(now_ms - age_ms, now_ms) is fresh


@pytest.mark.parametrize("data", [b"\x90", b"\x91\xc3"], ids=["nothing", "true"])
def test_a_document_of_another_type_is_none_of_this_one(data: bytes) -> None:
    retraction = next(one for one in GOOD if one["name"] == "retraction")
    for wrong in (data, bytes.fromhex(retraction["encoded"])):
        with pytest.raises(MalformedError):
            GuardianLink.decode(wrong)
    good = GuardianLink.decode(bytes.fromhex(GOOD[0]["encoded"]))
    assert good.signed_by_guardian(good.guardian_signature) == good
