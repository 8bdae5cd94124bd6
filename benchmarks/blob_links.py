"""Two people and their attachments at a relay, for measuring: leave by frames, bytes by curl."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.relay_links import Device, LoadError
from e2ecore_protocol import blob_http
from e2ecore_protocol.frames import (
    BlobCreated,
    BlobGranted,
    Commit,
    Committed,
    ConversationKind,
    CreateBlob,
    DeviceAddress,
    FetchBlob,
    direct_conversation_id,
)
from e2ecore_protocol.limits import ENVELOPE_ID_BYTES

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400


class Leave(NamedTuple):
    """What is needed to move the bytes of one blob."""

    blob_id: bytes
    url: str
    token: bytes

    @property
    def authorization(self) -> str:
        """The header, as curl takes it."""
        return f"Authorization: {blob_http.authorization(self.token)}"


class TwoPeople:
    """One who sends attachments and one who fetches them."""

    def __init__(self, url: str, authority: Path) -> None:
        """Register both, and begin a conversation."""
        context = ssl.create_default_context(cafile=str(authority))
        self.sender, self.reader = Device(url, context), Device(url, context)
        one, other = self.sender.account_id, self.reader.account_id
        self.conversation = direct_conversation_id(one, other, 0)
        added = (DeviceAddress(other, self.reader.device_id),)
        kind = int(ConversationKind.DIRECT)
        envelope_id = os.urandom(ENVELOPE_ID_BYTES)
        self.sender.link.send(
            Commit(1, self.conversation, envelope_id, 0, b"commit", kind, added, (), b"welcome")
        )
        self.sender.link.until(Committed)

    def room(self, size: int, ttl_s: int = DAY_S) -> Leave:
        """Ask for room."""
        blob_id = os.urandom(16)
        link = self.sender.link
        link.send(CreateBlob(1, blob_id, self.conversation, size, ttl_s))
        answer = link.until(BlobCreated)
        if not isinstance(answer, BlobCreated):
            raise LoadError("no room")
        return Leave(blob_id, _url(answer.port, blob_id), answer.upload_token)

    def fetch(self, blob_id: bytes) -> Leave:
        """Ask for leave to fetch."""
        link = self.reader.link
        link.send(FetchBlob(1, blob_id))
        answer = link.until(BlobGranted)
        if not isinstance(answer, BlobGranted):
            raise LoadError("no leave")
        return Leave(blob_id, _url(answer.port, blob_id), answer.fetch_token)


def _url(port: int, blob_id: bytes) -> str:
    return f"https://localhost:{port}{blob_http.path_of(blob_id)}"


def upload_arguments(leave: Leave, authority: Path, file: Path) -> list[str]:
    """Return curl's arguments for a whole upload."""
    headers = [
        leave.authorization,
        f"Content-Type: {blob_http.PARTIAL_UPLOAD}",
        "Upload-Offset: 0",
        f"Upload-Complete: {blob_http.TRUE}",
        "Expect:",
    ]
    given = [part for header in headers for part in ("--header", header)]
    return [
        *given,
        "--request",
        "PATCH",
        "--upload-file",
        str(file),
        "--cacert",
        str(authority),
        leave.url,
    ]
