"""What is said in few bytes: notices of the relay, commitments, and what must not be printed."""

import hashlib

import pytest

from e2ecore_protocol.chain import commitment, hash_of_notice
from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.content.attachments import FileItem
from e2ecore_protocol.content.linking import decode_link_content, decode_link_message
from e2ecore_protocol.content.polls import Booth, vote_commitment
from e2ecore_protocol.content.signals import pad, unpad
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames import (
    BlobsDeleted,
    DeviceReceipt,
    DevicesErased,
    Erased,
    KeyPackagesLow,
)
from e2ecore_protocol.frames.blobs import DeletionReason, DeletionReceipt
from e2ecore_protocol.frames.notices import GuardianshipChanged, Notice, decode_notice

RECEIPT = DeletionReceipt(b"b" * 16, DeletionReason.EXPIRED, 7, b"s" * 64)
ERASED = DevicesErased(
    b"k" * 32, (DeviceReceipt(b"d" * 16, 2, Erased(12, 3, 50, 1), 7, b"s" * 64),)
)
BOOTH = Booth(b"c" * 16, b"m" * 16, b"a" * 20, b"v" * 20)


@pytest.mark.parametrize(
    "notice", [KeyPackagesLow(3), BlobsDeleted((RECEIPT,)), ERASED, GuardianshipChanged()]
)
def test_a_notice_is_read_by_its_number(notice: Notice) -> None:
    assert decode_notice(notice.encode()) == notice


@pytest.mark.parametrize("data", [pack((99, 1)), pack((True, 3)), pack(()), b"", pack((1, 2, 3))])
def test_what_is_no_notice_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_notice(data)


def test_a_vote_is_bound_to_its_booth() -> None:
    salt = b"s" * 32
    expected = hashlib.sha256(b"e2ecore vote v1" + pack((*BOOTH, (0, 2), salt))).digest()
    assert vote_commitment(BOOTH, [0, 2], salt) == expected
    assert vote_commitment(BOOTH._replace(voter=b"w" * 20), [0, 2], salt) != expected


def test_a_consent_is_committed_to_with_a_whole_salt_only() -> None:
    assert commitment(b"s" * 32, b"record") == hashlib.sha256(b"s" * 32 + b"record").digest()
    with pytest.raises(MalformedError):
        commitment(b"s" * 31, b"record")


def test_a_notice_to_a_person_is_known_by_its_bytes() -> None:
    assert hash_of_notice("是") == hashlib.sha256("是".encode()).digest()


def test_a_file_key_is_not_printed() -> None:
    item = FileItem(b"b" * 16, b"k" * 32, 5, b"d" * 32, "plan.pdf", "application/pdf")
    assert "k" * 8 not in repr(item)
    assert "plan" not in repr(item)


@pytest.mark.parametrize("wire", [(), (99, b""), (True,), ("1",)])
def test_what_linking_does_not_say_is_malformed(wire: tuple[Wire, ...]) -> None:
    for decode in (decode_link_message, decode_link_content):
        with pytest.raises(MalformedError):
            decode(pack(wire))


def test_a_signal_holds_so_much_and_no_more() -> None:
    room = len(pad(b"")) - 2
    assert unpad(pad(b"x" * room)) == b"x" * room
    with pytest.raises(MalformedError):
        pad(b"x" * (room + 1))
