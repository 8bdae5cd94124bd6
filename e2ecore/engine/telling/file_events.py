"""What happens to files: events of ``Engine.events``, each emitted after it is safely stored."""

from dataclasses import dataclass

from e2ecore.engine.files.file_values import Deletion
from e2ecore.engine.telling.events import Event
from e2ecore.errors import E2EError
from e2ecore.ids import AccountId, GroupId, MessageId


@dataclass(frozen=True, slots=True)
class AttachmentStored(Event):
    """A file was fetched, checked, and is here."""

    conversation_id: GroupId
    message_id: MessageId
    attachment_id: int


@dataclass(frozen=True, slots=True)
class AttachmentExpired(Event):
    """A file cannot be fetched: the relay has it no more. ``Attachment.ask_again`` may help."""

    conversation_id: GroupId
    message_id: MessageId
    attachment_id: int


@dataclass(frozen=True, slots=True)
class AttachmentAsked(Event):
    """Somebody asks for an own file that expired, or another own device for any.

    ``Attachment.upload_again`` answers.
    """

    conversation_id: GroupId
    message_id: MessageId
    attachment_id: int
    account_id: AccountId
    """Who asks."""


@dataclass(frozen=True, slots=True)
class AttachmentOffered(Event):
    """Its sender, or another own device, has uploaded a file again: it can be fetched."""

    conversation_id: GroupId
    message_id: MessageId
    attachment_id: int


@dataclass(frozen=True, slots=True)
class UploadFailed(Event):
    """Files will not be sent; their copies were erased."""

    conversation_id: GroupId
    upload_id: int
    """As in ``Upload.upload_id``."""
    error: E2EError


@dataclass(frozen=True, slots=True)
class BlobDeleted(Event):
    """The relay has signed that an own file is gone from there: share first, then bytes."""

    conversation_id: GroupId
    message_id: MessageId
    attachment_id: int
    deletion: Deletion


@dataclass(frozen=True, slots=True)
class DeletionReceiptLate(Event):
    """The relay has promised to delete an own file by now, and has not signed that it did.

    Receipts come by themselves; six hours are allowed. One that comes later is kept all the same
    where the message is still there.
    """

    conversation_id: GroupId | None
    """None: its message is gone from here. What the relay has promised outlives it."""
    message_id: MessageId | None
    attachment_id: int
    expires_ms: int
    """When it should have been gone: at its time, or when the relay took its recall."""
