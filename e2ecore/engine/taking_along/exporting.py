"""Export: everything that a person wrote and got, in a file to take along.

It reads page by page, so that nobody waits and nothing old is held in the log; what arrives while
it runs is left for the next export. Until it is complete the file has another name.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import anyio.to_thread

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.consents import Consents
from e2ecore.engine.errors import NotRegisteredError
from e2ecore.engine.taking_along.export_pages import Page, read_page
from e2ecore.engine.taking_along.exporting_files import ExportedFiles
from e2ecore.engine.values import ConversationKind
from e2ecore.messaging.lifetimes import lifetime_of
from e2ecore.portability.belongings import fields_of
from e2ecore.portability.manifest import CONSENTS
from e2ecore.portability.records import Begun, Belongings
from e2ecore.portability.writing import ExportWriter
from e2ecore.storage import (
    account,
    arrangements,
    blocks,
    chains,
    conversations,
    drafts,
    erasure,
    export_lines,
    imports,
    members,
    messages,
    revisions,
)
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.files import mapped
from e2ecore.storage.messages import message_row_id
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.bodies import DeviceAdded
from e2ecore_protocol.chain.entry import Entry, device_id_of
from e2ecore_protocol.content.conversation import ConversationInfo

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

LINES_PER_TURN: Final = 4_000
"""Lines between two looks at whether somebody has cancelled: some 0.1 s."""
KIND_NAMES: Final = {
    ConversationKind.DIRECT: "direct",
    ConversationKind.GROUP: "group",
    ConversationKind.IMPORTED: "imported",
}


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far an export or import is."""

    messages: int
    """Messages so far; of an import, those that were new here."""
    share: float
    """Of all the work, from 0 to 1; an estimate."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported."""

    path: Path
    conversations: int
    messages: int
    files: int = 0
    """Files of messages that are in it."""
    files_missing: int = 0
    """Files that are only named: they are not on this device."""


OnProgress = Callable[[TransferProgress], object]


class _Part(NamedTuple):
    """A piece of one conversation, ready to be written."""

    uid: bytes
    """Begins the conversation's file; empty: goes on with it."""
    heading: dict[str, object]
    page: Page


class _Export:
    """One export, driven from worker threads: one reads while another one writes."""

    def __init__(
        self, core: "Core", path: Path, rows: Sequence[ConversationRow], *, is_whole: bool
    ) -> None:
        self._core = core
        self._is_whole = is_whole
        self._own = core.account_id
        self._read = core.database.readers.read
        self._waiting = list(reversed(rows))
        self._count = len(rows)
        self._done = 0
        self._now: ConversationRow | None = None
        self._cursor = 0
        self._began_ms = core.clock_ms()
        self._last_mid = self._read(conversations.last_mid)
        self.messages = self.named = 0
        self._writer = ExportWriter(path)
        cids = frozenset([row.cid for row in rows])
        self._files = ExportedFiles(core.desk.cache, self._read, self._writer, cids)

    def add_people(self) -> None:
        """Write who is known."""
        self._writer.begin_people()
        blocked = {row.account_id: row.since_ms for row in self._read(blocks.all_rows)}
        for row in self._read(chains.accounts):
            fields: dict[str, object] = {
                "account": row.account_id.hex(),
                "handle": row.handle,
                "name": row.display_name,
                "contact": row.is_contact,
                "verified": row.verification == chains.Verification.VERIFIED,
            }
            if self._is_whole and row.name:
                fields["called"] = row.name
            if self._is_whole and row.account_id in blocked:
                fields["blocked_ms"] = blocked[row.account_id]
            self._writer.add(fields)

    def add_consents(self, document: bytes) -> None:
        """Write what this person has agreed to, with what proves it."""
        self._writer.add_file(CONSENTS, document)

    def add_files(self) -> bool:
        """Write some of the files of messages; return whether there may be more."""
        return self._files.add_some()

    @property
    def files(self) -> int:
        """Files of messages that are in it, each as often as it is named."""
        return self._files.count

    def read(self) -> list[_Part]:
        """Read what is next; nothing: that was all."""
        found: list[_Part] = []
        count = chars = 0
        while count < LINES_PER_TURN and chars < export_lines.PAGE_CHARS:
            part = self._next()
            if part is None:
                break
            found.append(part)
            count += len(part.page.lines)
            chars += sum(map(len, part.page.lines))
        return found

    def _next(self) -> _Part | None:
        uid, heading = b"", dict[str, object]()
        if self._now is None:
            if not self._waiting:
                return None
            row = self._now = self._waiting.pop()
            self._cursor = message_row_id(row.cid, 0)
            uid, heading = row.uid, self._read(partial(heading_of, row=row, own=self._own))
        cid = self._now.cid
        page = self._read(partial(read_page, cid=cid, cursor=self._cursor, last_mid=self._last_mid))
        self._cursor = page.cursor
        if not page.cursor:
            self._now = None
            self._done += 1
        self.messages += page.messages
        self.named += page.files
        return _Part(uid, heading, page)

    def write(self, parts: Iterable[_Part]) -> None:
        """Write what was read."""
        for part in parts:
            if part.uid:
                self._writer.begin_conversation(part.uid)
                self._writer.add(part.heading)
            self._writer.add_lines(part.page.lines, part.page.messages)

    @property
    def progress(self) -> TransferProgress:
        """How far it is."""
        within = 0.0
        if self._now is not None:
            first = message_row_id(self._now.cid, imports.FIRST_ORDER)
            if self._cursor >= message_row_id(self._now.cid, conversations.LIVE_ORDER):
                first = message_row_id(self._now.cid, conversations.LIVE_ORDER)
            end = message_row_id(self._now.cid, self._now.next_order)
            within = min(1.0, max(0, self._cursor - first) / max(1, end - first))
        return TransferProgress(self.messages, (self._done + within) / max(1, self._count))

    def finish(self) -> None:
        """Sign it and give it its name."""
        row = self._read(account.load)
        if row is None:
            raise NotRegisteredError
        found = self._read(partial(chains.entries, account_id=row.account_id))
        genesis, *behind = [one.entry for one in found]
        if row.identity_key:
            key, behind = ED25519.load(row.identity_key), []
        else:
            key, behind = ED25519.load(row.device_key), _upto(behind, row.device_id)
        self._writer.finish(
            row.account_id, row.device_id, genesis, self._began_ms, key.sign, entries=behind
        )

    def discard(self) -> None:
        """Leave nothing behind of what is not complete."""
        self._writer.discard()


def _upto(entries: list[bytes], device_id: bytes) -> list[bytes]:
    """Return the entries of a chain up to the one that adds a device."""
    for at, entry in enumerate(entries, 1):
        body = Entry.decode(entry).parse_body()
        if isinstance(body, DeviceAdded) and device_id_of(body.device_key) == device_id:
            return entries[:at]
    raise NotRegisteredError


def heading_of(tx: Tx, row: ConversationRow, own: bytes) -> dict[str, object]:
    """Return the first line of a conversation."""
    known = imports.get(tx, row.cid)
    if known is not None:
        names = {one.account_id.hex(): one.name for one in imports.people(tx, row.cid)}
    else:
        found = {one.account_id: chains.account(tx, one.account_id)
                 for one in members.all_rows(tx, row.cid) if one.account_id != own}  # fmt: skip
        names = {who.hex(): one.handle or one.display_name for who, one in found.items() if one}
    return {
        "conversation": row.uid.hex(),
        "kind": KIND_NAMES[ConversationKind(row.kind)],
        "title": row.title,
        "created_ms": row.created_ms,
        "key": "" if known is None else known.source.hex(),
        "names": names,
        **fields_of(_belongings(tx, row)),
    }


def _belongings(tx: Tx, row: ConversationRow) -> Belongings:
    """Return what the person has arranged for themselves."""
    placed = arrangements.get(tx, row.cid)
    policy = ConversationInfo.decode(row.info).policy if row.info else None
    return Belongings(
        _begun(tx, row.cid),
        placed.pinned_ms,
        placed.muted_ms,
        bool(placed.archived),
        erasure.retention(tx, row.cid),
        None if policy is None else lifetime_of(policy),
        revisions.choice(tx, row.cid),
    )


def _begun(tx: Tx, cid: int) -> Begun | None:
    row = drafts.get(tx, cid)
    if row is None:
        return None
    answered = messages.get(tx, row.reply) if row.reply else None
    return Begun(row.body, row.changed_ms, b"" if answered is None else answered.uid)


async def export_history(
    core: "Core", path: Path, cids: frozenset[int] | None, on_progress: OnProgress | None
) -> ExportReport:
    """Write an export; see ``Engine.export_history``."""
    core.check_open()
    rows = [row for row in core.read(conversations.shown) if cids is None or row.cid in cids]
    export: _Export | None = None
    core.upkeep.transfers += 1
    try:
        made = partial(_Export, core, path, rows, is_whole=cids is None)
        export = await anyio.to_thread.run_sync(made)
        await anyio.to_thread.run_sync(export.add_people)
        if cids is None and core.account is not None:
            document = await Consents(core).export()
            await anyio.to_thread.run_sync(export.add_consents, document)
        found = await anyio.to_thread.run_sync(export.read)
        while found:
            found = await _read_and_write(export, found)
            if on_progress is not None:
                on_progress(export.progress)
        while await anyio.to_thread.run_sync(export.add_files):
            if on_progress is not None:
                on_progress(export.progress)
        await anyio.to_thread.run_sync(export.finish)
        if on_progress is not None:
            on_progress(TransferProgress(export.messages, 1.0))
        missing = max(0, export.named - export.files)
        return ExportReport(path, len(rows), export.messages, export.files, missing)
    except OSError as error:
        raise mapped(error) from None
    finally:
        core.upkeep.transfers -= 1
        if export is not None:
            export.discard()


async def _read_and_write(export: _Export, found: Sequence[_Part]) -> list[_Part]:
    """Write what was read, while the next is read; return that."""
    read: list[_Part] = []
    failures: list[Exception] = []

    async def run(work: Callable[[], None]) -> None:
        try:
            await anyio.to_thread.run_sync(work)
        except Exception as error:  # noqa: BLE001 - raised below, and not in a group of errors
            failures.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(run, lambda: read.extend(export.read()))
        await run(lambda: export.write(found))
    if failures:
        raise failures[0]
    return read
