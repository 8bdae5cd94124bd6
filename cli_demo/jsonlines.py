"""The JSON lines of ``--json``: one object per line, ``type`` first, ids in hex, times in UTC ms.

Fields are only ever added. A reader ignores what it does not know.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

import e2ecore

_RARE: Final = (
    *("reply", "mentions", "forwards", "edited_ms", "reactions", "read_by", "lifetime_s"),
    *("card", "notice", "poll"),
)
"""Fields of a message that are left out where they say nothing."""
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def dump(fields: Mapping[str, object]) -> str:
    """One line, without its end. Text stays readable: only what JSON forbids is escaped."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def plain(value: object) -> object:
    """Bytes as hex, enums as lower-case names, errors as text, tuples as lists."""
    match value:
        case bytes():
            return value.hex()
        case Enum():
            return value.name.lower()
        case BaseException():
            return {"error": type(value).__name__, "text": str(value)}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
        case tuple() | list() | frozenset():
            return [plain(one) for one in value]
        case _:
            return value


def account(one: e2ecore.Account) -> dict[str, object]:
    """Our own account."""
    return {
        "type": "account",
        "handle": one.handle,
        "display_name": one.display_name,
        "account": one.account_id.hex(),
        "device": one.device_id.hex(),
    }


def message(one: e2ecore.Message, author: str) -> dict[str, object]:
    """A message of the history."""
    fields: dict[str, object] = {
        "type": "message",
        "conversation": one.conversation_id.hex(),
        "id": one.message_id.hex(),
        "from": author,
        "account": one.sender.hex(),
        "mine": one.mine,
        "state": plain(one.state),
        "sent_ms": one.sent_ms,
        "stored_ms": one.stored_ms,
        "order": one.order,
        "text": one.text,
    }
    if one.kind is not e2ecore.MessageKind.TEXT:
        fields["kind"] = plain(one.kind)
    for name in _RARE:
        value = getattr(one, name)
        if value:
            fields[name] = plain(value)
    if one.attachments:
        fields["files"] = [attachment(file) for file in one.attachments]
    return fields


def poll(one: e2ecore.Message, result: e2ecore.PollResult) -> dict[str, object]:
    """How a poll stands; choices are numbered from 1, as ``poll vote`` takes them."""
    own = result.own_choices
    return {
        "type": "poll",
        "conversation": one.conversation_id.hex(),
        "id": one.message_id.hex(),
        "question": result.poll.question,
        "choices": list(result.poll.options),
        "most": result.poll.max_choices,
        "closes_ms": result.poll.closes_ms,
        "closed_by": plain(result.closed_by),
        "votes": list(result.votes),
        "own": None if own is None else [choice + 1 for choice in own],
        "ballots": [
            {
                "account": ballot.account_id.hex(),
                "state": plain(ballot.state),
                "choices": [choice + 1 for choice in ballot.choices],
            }
            for ballot in result.ballots
        ],
    }


def attachment(one: e2ecore.Attachment) -> dict[str, object]:
    """A file of a message."""
    return {
        "name": one.name,
        "media_type": one.media_type,
        "form": plain(one.form),
        "size": one.size,
        "sha256": one.digest.hex(),
        "state": plain(one.state),
        "stored": one.is_stored,
        "expires_ms": one.expires_ms,
        "deletion": plain(one.deletion),
    }


def upload(one: e2ecore.Upload, trouble: str) -> dict[str, object]:
    """Files on their way into a message."""
    done, total = one.progress
    return {
        "type": "upload",
        "upload": one.upload_id,
        "names": list(one.names),
        "done": done,
        "total": total,
        "paused": one.is_paused,
        "trouble": trouble or None,
    }


def event(one: e2ecore.Event) -> dict[str, object]:
    """Any event but a received message: its class in snake case, its fields by their names."""
    names = {"conversation_id": "conversation", "message_id": "id", "account_id": "account"}
    fields: dict[str, object] = {"type": event_type(type(one))}
    for field in dataclasses.fields(one):
        fields[names.get(field.name, field.name)] = plain(getattr(one, field.name))
    return fields


def event_type(kind: type[e2ecore.Event]) -> str:
    """``MemberJoined`` is ``member_joined``."""
    return _HUMP.sub("_", kind.__name__).lower()


def member(one: e2ecore.Member, name: str) -> dict[str, object]:
    """A member of a conversation."""
    return {
        "type": "member",
        "account": one.account_id.hex(),
        "name": name,
        "handle": one.handle,
        "called": one.name,
        "role": plain(one.role),
        "self": one.is_self,
        "verification": one.verification.value,
    }


def contact(one: e2ecore.Contact) -> dict[str, object]:
    """A person that this database knows."""
    return {
        "type": "contact",
        "account": one.account_id.hex(),
        "handle": one.handle,
        "display_name": one.display_name,
        "called": one.name,
        "verification": one.verification.value,
        "blocked_ms": one.blocked_ms,
    }


def contact_device(one: e2ecore.ContactDevice) -> dict[str, object]:
    """A device of a person; a part of other lines."""
    return {
        "device": one.device_id.hex(),
        "added_ms": one.added_ms,
        "removed_ms": one.removed_ms,
        "valid": one.is_valid,
    }


def sent(
    conversation: e2ecore.Conversation, one: e2ecore.SentMessage, state: str = "accepted"
) -> dict[str, object]:
    """Something that the relay has; ``id`` is of the message that it is or is about."""
    uid = conversation.conversation_id.hex()
    return {"type": "sent", "conversation": uid, "id": one.message_id.hex(), "state": state}


def changed(one: e2ecore.Conversation) -> dict[str, object]:
    """A change that is in force."""
    return {"type": "changed", "conversation": one.conversation_id.hex()}


def draft(
    one: e2ecore.Conversation, begun: e2ecore.Draft, answers: e2ecore.MessageId | None
) -> dict[str, object]:
    """What was begun to be written, and the id of the message that it answers."""
    return {
        "type": "draft",
        "conversation": one.conversation_id.hex(),
        "text": begun.text,
        "answers": plain(answers),
        "mentions": plain(begun.mentions),
        "changed_ms": begun.changed_ms,
    }


def arranged(one: e2ecore.Conversation) -> dict[str, object]:
    """Where a conversation stands in the list, and whether it may disturb."""
    return {
        "type": "arranged",
        "conversation": one.conversation_id.hex(),
        "top": one.pinned,
        "archived": one.archived,
        "muted_until_ms": one.muted_until_ms,
    }


def conversation(one: e2ecore.Conversation, title: str) -> dict[str, object]:
    """A line of the conversation list."""
    last = one.last_message
    return {
        "type": "conversation",
        "conversation": one.conversation_id.hex(),
        "kind": plain(one.kind),
        "state": plain(one.state),
        "title": title,
        "unread": one.unread,
        "top": one.pinned,
        "archived": one.archived,
        "muted_until_ms": one.muted_until_ms,
        "lifetime_s": one.lifetime_s,
        "last_ms": None if last is None else last.stored_ms,
        "draft": None if one.draft is None else one.draft.text,
    }
