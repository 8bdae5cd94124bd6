"""What members say to each other, and what they agree on."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from nacl.signing import SigningKey

from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import (
    DIRECT_POLICY,
    GROUP_POLICY,
    ConversationInfo,
    FailedCommit,
    HistorySharing,
    InfoKind,
    Policy,
    Profile,
    ReaddReason,
    ReaddRequest,
    Receipt,
    Role,
    RoleOf,
    Stored,
    Text,
    UnknownContent,
    decode_content,
    decode_counter,
    encode_counter,
)
from e2ecore_protocol.content.messages import AnyContent
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames import ConversationKind
from e2ecore_protocol.limits import (
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_CONVERSATION_INFO_BYTES,
    MAX_MEMBERS,
    MAX_TEXT_BYTES,
)

SENDER = b"s" * 36
MESSAGE_ID = b"m" * 16


@pytest.mark.parametrize(
    "content",
    [
        Text(MESSAGE_ID, 5, "hello"),
        Text(MESSAGE_ID, 0, "\U0001f600" * (MAX_TEXT_BYTES // 4)),
        Receipt((Stored(SENDER, 7),)),
        Receipt((Stored(SENDER, 7, (1, 3, 7)), Stored(b"t" * 36, 1, ()))),
        Profile("Alice"),
        Profile(""),
        UnknownContent(4_000, pack((1, 4_000, "later", (1, 2)))),
    ],
    ids=lambda content: type(content).__name__,
)
def test_content_survives_encoding(content: AnyContent) -> None:
    assert decode_content(content.encode()) == content


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param((), id="nothing"),
        pytest.param((1,), id="no kind"),
        pytest.param((2, 1, MESSAGE_ID, 5, "x"), id="other version"),
        pytest.param((True, 1, MESSAGE_ID, 5, "x"), id="version is a boolean"),
        pytest.param((1, 0, MESSAGE_ID, 5, "x"), id="kind 0"),
        pytest.param((1, 1, MESSAGE_ID, 5, ""), id="empty text"),
        pytest.param((1, 1, MESSAGE_ID, 5, "x", 1), id="too many fields"),
        pytest.param((1, 1, b"m", 5, "x"), id="short id"),
        pytest.param((1, 1, MESSAGE_ID, 5, b"x"), id="text as bytes"),
        pytest.param((1, 1, MESSAGE_ID, 5, "x" * (MAX_TEXT_BYTES + 1)), id="1 MiB and 1 byte"),
        pytest.param(
            (1, 1, MESSAGE_ID, 5, "\u00fc" * (MAX_TEXT_BYTES // 2 + 1)), id="1 MiB, UTF-8"
        ),
        pytest.param((1, 2, ((SENDER, 0, ()),)), id="counter 0"),
        pytest.param((1, 2, ((SENDER, 5, (3, 2)),)), id="missing not ascending"),
        pytest.param((1, 2, ((SENDER, 5, (3, 3)),)), id="missing twice"),
        pytest.param((1, 2, ((SENDER, 5, (6,)),)), id="missing beyond the last"),
        pytest.param((1, 2, ((SENDER, 99, tuple(range(1, 66))),)), id="65 missing"),
        pytest.param((1, 3, "x" * 65), id="long name"),
        pytest.param((1, 9, 1.5), id="unknown with a float"),
        pytest.param((1, 9, ((((((((1,),),),),),),),)), id="unknown, nested too deeply"),
        pytest.param((1, 9, 2**63), id="unknown with a large integer"),
        pytest.param((1, 9, {}), id="unknown with a map"),
    ],
)
def test_content_with_one_fault_is_malformed(wire: tuple[object, ...]) -> None:
    with pytest.raises(MalformedError):
        decode_content(pack(wire))  # type: ignore[arg-type]  # wrong on purpose


def test_a_text_that_is_not_utf_8_is_malformed() -> None:
    good = Text(MESSAGE_ID, 5, "abc").encode()
    with pytest.raises(MalformedError):
        decode_content(good.replace(b"abc", b"\xff\xfe\xfd"))


@pytest.mark.parametrize("counter", [1, 127, 128, 65_536, 2**63 - 1])
def test_counters_survive_encoding(counter: int) -> None:
    assert decode_counter(encode_counter(counter)) == counter


@pytest.mark.parametrize("data", [b"", b"\x92\x01\x00", b"\x91\x01", b"\x92\x02\x01", bytes(12)])
def test_other_authenticated_data_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_counter(data)


ANNA, BERT = b"a" * 20, b"b" * 20
GROUP = ConversationInfo(
    InfoKind.GROUP, "Hiking", (RoleOf(ANNA, Role.OWNER), RoleOf(BERT, Role.ADMIN)), GROUP_POLICY
)
DIRECT = ConversationInfo(InfoKind.DIRECT, policy=DIRECT_POLICY)


@pytest.mark.parametrize("info", [GROUP, DIRECT])
def test_conversations_survive_encoding(info: ConversationInfo) -> None:
    assert ConversationInfo.decode(info.encode()) == info


def test_both_sides_number_the_kinds_alike() -> None:
    assert [(kind.name, kind.value) for kind in InfoKind] == [
        (kind.name, kind.value) for kind in ConversationKind
    ]


def test_roles_are_looked_up_and_changed() -> None:
    assert GROUP.role_of(ANNA) is Role.OWNER
    assert GROUP.role_of(b"z" * 20) is Role.MEMBER
    fewer = GROUP.with_role(ANNA, Role.MEMBER)
    assert fewer.role_of(ANNA) is Role.MEMBER
    more = fewer.with_role(b"0" * 20, Role.ADMIN).with_role(BERT, Role.OWNER)
    assert ConversationInfo.decode(more.encode()) == more
    assert more.role_of(BERT) is Role.OWNER


def test_the_largest_conversation_fits_its_limit() -> None:
    roles = tuple(RoleOf(index.to_bytes(20), Role.ADMIN) for index in range(MAX_MEMBERS))
    largest = replace(GROUP, title="\U0001f600" * 128, roles=roles)
    assert len(largest.encode()) <= MAX_CONVERSATION_INFO_BYTES
    assert ConversationInfo.decode(largest.encode()) == largest


@pytest.mark.clause("GB42012-8.1.1e")
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(replace(GROUP, title="x" * 129), id="long title"),
        pytest.param(replace(GROUP, roles=GROUP.roles[::-1]), id="roles not sorted"),
        pytest.param(replace(GROUP, roles=GROUP.roles[:1] * 2), id="role twice"),
        pytest.param(replace(GROUP, roles=(RoleOf(ANNA, Role.MEMBER),)), id="member listed"),
        pytest.param(replace(DIRECT, title="x"), id="direct with title"),
        pytest.param(replace(DIRECT, roles=GROUP.roles), id="direct with roles"),
        pytest.param(replace(DIRECT, policy=GROUP_POLICY), id="direct with 100 days"),
        pytest.param(
            replace(GROUP, policy=Policy(MAX_ATTACHMENT_TTL_GROUP_S + 1)), id="group with 101 days"
        ),
        pytest.param(replace(GROUP, policy=Policy(0)), id="no time for attachments"),
        pytest.param(replace(GROUP, policy=Policy(1, 0)), id="no lifetime"),
        pytest.param(replace(GROUP, policy=Policy(1, 1, 3)), id="unknown sharing"),
    ],
)
def test_a_conversation_with_one_fault_is_malformed(wrong: ConversationInfo) -> None:
    with pytest.raises(MalformedError):
        ConversationInfo.decode(wrong.encode())


@pytest.mark.parametrize("wire", [(), (1, 2, "", ()), (2, 2, "", (), (1, 1, 0))])
def test_a_conversation_of_another_shape_is_malformed(wire: tuple[object, ...]) -> None:
    with pytest.raises(MalformedError):
        ConversationInfo.decode(pack(wire))  # type: ignore[arg-type]  # wrong on purpose


def test_history_is_shared_with_nobody_unless_agreed() -> None:
    assert GROUP.policy.history_sharing == HistorySharing.NOBODY


KEY = SigningKey(bytes(32))


def signature(message: bytes) -> bytes:
    return bytes(KEY.sign(message).signature)


READD = ReaddRequest(b"c" * 16, ANNA, b"d" * 16, 4, ReaddReason.STATE_LOST, None, 5).signed(
    signature
)


def test_a_request_to_be_added_again_is_signed_over_all_it_says() -> None:
    assert ReaddRequest.decode(READD.encode()) == READD
    KEY.verify_key.verify(READD.signed_message(), READD.signature)
    assert replace(READD, epoch=5).signed_message() != READD.signed_message()
    vote = replace(READD, failed=FailedCommit(7, bytes(32))).signed(signature)
    assert ReaddRequest.decode(vote.encode()) == vote
    assert vote.signature != READD.signature


CHANGES: list[Callable[[ReaddRequest], bytes]] = [
    lambda good: replace(good, reason=9).encode(),
    lambda good: replace(good, signature=b"").encode(),
    lambda good: replace(good, epoch=-1).encode(),
    lambda good: b"\x99\x02" + good.encode()[2:],
    lambda good: good.encode() + b"\x00",
    lambda _: b"\x90",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_request_with_one_fault_is_malformed(change: Callable[[ReaddRequest], bytes]) -> None:
    with pytest.raises(MalformedError):
        ReaddRequest.decode(change(READD))
