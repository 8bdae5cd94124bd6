"""A burst of events becomes one redraw and readable sentences."""

import dataclasses
from dataclasses import replace

import pytest

import e2ecore
from cli_demo.chat.digest import Changed, Notice, digest, sentence
from cli_demo.chat.typing_line import typing_words
from e2ecore_protocol.chain.record import ConsentRecord, Controller, Times

ALICE, BOB, CAROL = (e2ecore.AccountId(bytes([n]) * 20) for n in range(3))
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol\x1b[2J"}
CHAT, OTHER = e2ecore.GroupId(b"c" * 16), e2ecore.GroupId(b"o" * 16)
POLL = e2ecore.MessageId(b"p" * 16)
DEVICE = e2ecore.DeviceId(b"d" * 16)
BOND = e2ecore.GuardianBond(
    bytes(16), BOB, True, e2ecore.BondState.HOLDS, "notice", None, False, False,  # noqa: FBT003
)  # fmt: skip
RECORD = ConsentRecord(
    1, b"\xab" * 16, BOB, DEVICE, "read_receipts", "", 1, "en", bytes(32), ("when",),
    (Controller("Somebody", "somebody@example.org"),), ("relay",), (), None, "CN", "in the app",
    Times(1, None),
)  # fmt: skip
REQUEST = e2ecore.ApprovalRequest(
    RECORD.consent_id, BOB, True, RECORD, "notice", e2ecore.ApprovalState.OPEN, 1,  # noqa: FBT003
)  # fmt: skip


def name(account: bytes) -> str:
    return NAMES[e2ecore.AccountId(account)]


def say(event: e2ecore.Event) -> str:
    return sentence(event, name, ALICE)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            e2ecore.WaitingForContact(CHAT, 1, CAROL),
            "carol\ufffd[2J was away for long and is added",
        ),
        (e2ecore.MemberMisbehaved(CHAT, BOB, "E", is_proven=True), "bob sent a change that breaks"),
        (e2ecore.PollClosed(CHAT, POLL, 3, BOB), "bob closed a poll: its votes are opened"),
        (e2ecore.MemberLeft(CHAT, BOB, ALICE), ""),
        (e2ecore.MessagesMissing(CHAT, BOB, 1), "1 message of bob did not arrive (yet)"),
    ],
)
def test_an_event_is_said_in_words(event: e2ecore.Event, expected: str) -> None:
    assert say(event).startswith(expected)
    assert bool(say(event)) == bool(expected)


def test_a_verified_contact_whose_devices_changed_is_a_loud_alert() -> None:
    result = digest([e2ecore.KeyChanged(BOB, was_verified=True)], name, ALICE)
    assert "compare the safety number again" in result.alerts[0]
    assert result.everything
    quiet = digest([e2ecore.KeyChanged(BOB, was_verified=False)], name, ALICE)
    assert "compare" not in quiet.alerts[0]


def test_a_burst_names_each_conversation_once_and_keeps_the_last_connection_state() -> None:
    online = e2ecore.ConnectionChanged(e2ecore.ConnectionState.ONLINE)
    events: list[e2ecore.Event] = [
        e2ecore.ConnectionChanged(e2ecore.ConnectionState.CONNECTING),
        *(e2ecore.MessageAccepted(CHAT, e2ecore.MessageId(bytes([n]) * 16)) for n in range(200)),
        e2ecore.Delivered(OTHER, BOB, DEVICE, 200, ()),
        online,
    ]
    result = digest(events, name, ALICE)
    assert result.conversations == {CHAT, OTHER}
    assert result.connection is online
    assert result.notices == []
    assert not result.everything


def test_a_notice_belongs_to_its_conversation() -> None:
    result = digest([e2ecore.MessagesMissing(CHAT, BOB, 2)], name, ALICE)
    assert result.notices == [Notice(CHAT, "2 messages of bob did not arrive (yet)")]
    assert result.alerts == []


def test_changed_rows_are_merged_by_conversation() -> None:
    changes = [
        e2ecore.ConversationChanged(CHAT, (1, 2), everything=False, receipts=True),
        e2ecore.ConversationChanged(OTHER, (), everything=True, receipts=False),
        e2ecore.ConversationChanged(CHAT, (2, 3), everything=False, receipts=False),
    ]
    result = digest([e2ecore.MessagesRead(CHAT, BOB, 7)], name, ALICE, changes)
    assert result.conversations == {CHAT, OTHER}
    assert result.changed[CHAT] == Changed({1, 2, 3}, receipts=True, read={BOB: 7})
    assert result.changed[OTHER].everything


def test_missed_events_make_the_screen_read_everything_again() -> None:
    assert digest([e2ecore.EventsDropped(5)], name, ALICE).everything


def example(kind: type[e2ecore.Event]) -> e2ecore.Event:
    """An event of any kind with fields that fit."""
    values: dict[str, object] = {
        "conversation_id": CHAT, "account_id": BOB, "device_id": DEVICE, "by": BOB, "title": "t",
        "role": e2ecore.Role.ADMIN, "count": 2, "error": e2ecore.E2EError("e"), "change_id": 1,
        "state": e2ecore.ConnectionState.ONLINE, "upto_counter": 1, "missing": (),
        "was_verified": True, "display_name": "n", "message_id": b"m" * 16, "message": None,
        "bond": BOND, "request": REQUEST, "until_ms": 1,
    }  # fmt: skip
    return kind(**{field.name: values.get(field.name) for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", e2ecore.Event.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_kind_of_event_can_be_digested(kind: type[e2ecore.Event]) -> None:
    result = digest([example(kind)], name, ALICE)
    assert "{" not in "".join([*result.alerts, *(one.text for one in result.notices)])


def alert(event: e2ecore.Event) -> str:
    """What is told whatever is open; empty: nothing."""
    return "".join(digest([event], name, ALICE).alerts)


@pytest.mark.parametrize(
    ("bond", "said"),
    [
        (BOND, "bob is your guardian now."),
        (replace(BOND, state=e2ecore.BondState.INVITED), ""),
        (replace(BOND, state=e2ecore.BondState.AGREED), ""),
        (replace(BOND, state=e2ecore.BondState.OVER), "bob is not your guardian any more."),
        (replace(BOND, state=e2ecore.BondState.DECLINED), "bob does not want to be your guardian."),
        (replace(BOND, guardian_wants_end=True), "bob wants this to end before the day."),
        (replace(BOND, ward_wants_end=True), "Noted. It ends when the other one says so"),
        (replace(BOND, is_ward=False), "You are the guardian of bob now."),
        (replace(BOND, is_ward=False, ward_wants_end=True), "bob wants this to end"),
        (
            replace(BOND, is_ward=False, state=e2ecore.BondState.INVITED),
            "bob asks you to be their guardian. Read what that means, then decide: e2e guardian ac",
        ),
        (replace(BOND, account_id=CAROL), "carol\ufffd[2J is your guardian now."),
    ],
)
def test_what_becomes_of_a_guardian_is_told(bond: e2ecore.GuardianBond, said: str) -> None:
    shown = alert(e2ecore.GuardianBondChanged(bond))
    assert shown.startswith(said)
    assert bool(shown) == bool(said)


@pytest.mark.parametrize(
    ("state", "ours", "said"),
    [
        (e2ecore.ApprovalState.OPEN, True, ""),
        (e2ecore.ApprovalState.APPROVED, True, "bob agrees as well. On now: telling others what"),
        (e2ecore.ApprovalState.REFUSED, True, "bob does not agree. It stays off: telling"),
        (e2ecore.ApprovalState.TAKEN_BACK, True, "bob agrees no longer. Off now: telling"),
        (e2ecore.ApprovalState.VOID, True, "Nobody decided in time; ask again: telling"),
        (
            e2ecore.ApprovalState.OPEN,
            False,
            "bob asks for your yes: telling others what was read. Read it, then decide: e2e gu",
        ),
        (e2ecore.ApprovalState.APPROVED, False, ""),
    ],
)
def test_what_a_guardian_is_asked_and_says_is_told(
    state: e2ecore.ApprovalState,
    ours: bool,  # noqa: FBT001
    said: str,
) -> None:
    shown = alert(e2ecore.ApprovalRequestChanged(replace(REQUEST, state=state, is_ours=ours)))
    assert shown.startswith(said)
    assert bool(shown) == bool(said)
    assert ("e2e guardian approve abababab" in shown) is (not ours and bool(said))


def test_the_mark_of_a_minor_is_told() -> None:
    assert alert(e2ecore.MinorMarkChanged(None)).startswith("This account is not marked as")
    assert "until 2027-01-1" in alert(e2ecore.MinorMarkChanged(1_800_000_000_000))


def test_who_types_is_told_apart_from_what_is_said() -> None:
    event = e2ecore.TypingChanged(
        e2ecore.GroupId(bytes(16)), e2ecore.AccountId(bytes(20)), is_typing=True
    )
    news = digest([event], lambda _: "bob", b"")
    assert news.typing == {bytes(16)}
    assert not news.conversations


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), ""),
        (("bob",), "bob is typing ..."),
        (("bob", "carol"), "bob and carol are typing ..."),
        (("a", "b", "c", "d"), "4 members are typing ..."),
    ],
)
def test_who_types_is_said_in_one_line(names: tuple[str, ...], said: str) -> None:
    assert typing_words(names) == said
