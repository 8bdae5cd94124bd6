"""The shapes that scripts rely on."""

import json

import e2ecore
from cli_demo import jsonlines

CHAT = e2ecore.GroupId(b"c" * 16)
BOB = e2ecore.AccountId(b"b" * 20)
DEVICE = e2ecore.DeviceId(b"d" * 16)
MESSAGE = e2ecore.Message(
    message_id=e2ecore.MessageId(b"m" * 16),
    conversation_id=CHAT,
    sender=BOB,
    sender_device=DEVICE,
    mine=False,
    kind=e2ecore.MessageKind.TEXT,
    text='first "line"\nsecond \N{EM DASH} 日本',
    sent_ms=1,
    stored_ms=2,
    order=3,
    state=e2ecore.MessageState.RECEIVED,
    counter=4,
)


def test_a_message_is_one_line_with_the_documented_fields() -> None:
    line = jsonlines.dump(jsonlines.message(MESSAGE, "bob"))
    assert "\n" not in line
    assert json.loads(line) == {
        "type": "message", "conversation": "63" * 16, "id": "6d" * 16, "from": "bob",
        "account": "62" * 20, "mine": False, "state": "received", "sent_ms": 1, "stored_ms": 2,
        "order": 3, "text": MESSAGE.text,
    }  # fmt: skip


def test_the_type_comes_first() -> None:
    assert jsonlines.dump(jsonlines.message(MESSAGE, "bob")).startswith('{"type":"message"')
    event = e2ecore.MessagesMissing(CHAT, BOB, 2)
    assert jsonlines.dump(jsonlines.event(event)).startswith('{"type":"messages_missing"')


def test_events_have_short_names_for_ids_and_words_for_enums() -> None:
    joined = jsonlines.event(e2ecore.RoleChanged(CHAT, BOB, e2ecore.Role.ADMIN, BOB))
    assert joined == {
        "type": "role_changed", "conversation": "63" * 16, "account": "62" * 20,
        "role": "admin", "by": "62" * 20,
    }  # fmt: skip


def test_errors_in_events_say_their_class_and_words() -> None:
    event = e2ecore.ConnectionChanged(
        e2ecore.ConnectionState.WAITING, e2ecore.TransientError("no answer")
    )
    assert jsonlines.event(event) == {
        "type": "connection_changed",
        "state": "waiting",
        "error": {"error": "TransientError", "text": "no answer"},
    }


def test_a_member_is_described_for_scripts() -> None:
    member = e2ecore.Member(
        account_id=BOB, handle="bob", display_name=None, role=e2ecore.Role.OWNER,
        device_ids=(DEVICE,), is_self=False, verification=e2ecore.Verification.VERIFIED,
    )  # fmt: skip
    assert jsonlines.member(member, "bob") == {
        "type": "member", "account": "62" * 20, "name": "bob", "handle": "bob", "called": None,
        "role": "owner", "self": False, "verification": "verified",
    }  # fmt: skip
