"""Files sent and fetched beside the screen: begun, watched, paused, gone on with, given up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

import e2ecore
from cli_demo.chat.paths import folder_of, paths_in
from cli_demo.chat.transfers import Phase, Transfer
from cli_demo.exits import CliError, Exit
from cli_demo.file_words import name_of, why
from cli_demo.places import default_downloads
from cli_demo.views import FileView, MessageView
from cli_demo.voice import voice_note

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cli_demo.chat.window import Window


@dataclass(eq=False)
class _Upload:
    """Files that become a message."""

    transfer: Transfer
    handle: e2ecore.Upload | None = None
    """None while they are read."""
    reading: e2ecore.Reading = field(default_factory=e2ecore.Reading)


@dataclass(eq=False)
class _Download:
    """One file that is fetched."""

    transfer: Transfer
    uid: str
    order: int
    number: int
    folder: Path
    scope: anyio.CancelScope | None = None
    """Of the attempt that runs."""


class Carrier:
    """What runs, by the label that commands use: ``12`` fetches file 12, ``u1`` sends.

    Every command runs in a worker and may raise E2EError or CliError.
    """

    def __init__(self, window: "Window") -> None:
        self._window = window
        self._files = window.desk.messages.files
        self._running: dict[str, _Upload | _Download] = {}
        self._known: set[int] = set()
        """Uploads that were taken up."""
        self._count = 0
        self._looking = False

    @property
    def commands(self) -> "dict[str, Callable[[str], Awaitable[None]]]":
        """What carries out each command about files, given what was typed behind it."""
        return {
            "send": self.send,
            "voice": self.voice,
            "get": self.get,
            "ask": self.ask,
            "again": self.again,
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
        }

    # -- sending ---------------------------------------------------------------------------------

    async def send(self, rest: str) -> None:
        """Send the files of the first line; the other lines are what is said of them."""
        names, _, caption = rest.partition("\n")
        await self._send([e2ecore.OutgoingFile(one) for one in paths_in(names)], caption)

    async def voice(self, rest: str) -> None:
        """Send the file of the first line as a voice note; what follows is said of it."""
        names, _, caption = rest.partition("\n")
        wanted = [await anyio.to_thread.run_sync(voice_note, one) for one in paths_in(names)]
        await self._send(wanted, caption)

    async def _send(self, wanted: Sequence[e2ecore.OutgoingFile], caption: str) -> None:
        uid, said = self._window.room.uid, caption.strip()
        if not self._window.room.writable:
            raise CliError("Nothing can be sent here.", Exit.USAGE)
        called = [Path(str(one.source)).name for one in wanted]
        await self._carry(uid, called, lambda by: self._files.send(uid, wanted, said, by))

    async def forward(self, message: MessageView, to: str) -> bool:
        """Send the files of a message here to another conversation; return whether they went."""
        uid, names = self._window.room.uid, [file.name for file in message.files]
        return await self._carry(
            to, names, lambda by: self._files.forward(uid, message.order, to, by)
        )

    async def _carry(
        self,
        uid: str,
        names: Sequence[str],
        begin: "Callable[[e2ecore.Reading], Awaitable[e2ecore.Upload]]",
    ) -> bool:
        """Show files while they are read and uploaded; return whether they became a message."""
        one = _Upload(self._begin(name_of(names), is_upload=True, phase=Phase.READING))
        self._running[one.transfer.label] = one
        try:
            one.handle = await begin(one.reading)
            self._known.add(one.handle.upload_id)
            if one.reading.is_paused:
                await one.handle.pause()
        except e2ecore.UploadCancelledError:
            self._end(one.transfer)
            return False
        except BaseException:
            self._end(one.transfer)
            raise
        one.transfer.turn(Phase.RUNNING)
        return await self._watch(uid, one, one.handle)

    async def take_up(self, uid: str) -> None:
        """Show what an earlier window began to send."""
        for handle in await self._files.uploads(uid):
            if handle.upload_id not in self._known:
                self._known.add(handle.upload_id)
                transfer = self._begin(name_of(handle.names), is_upload=True, phase=Phase.RUNNING)
                one = _Upload(transfer, handle)
                self._running[one.transfer.label] = one
                self._window.start(self._watch, uid, one, handle)

    async def _watch(self, uid: str, one: _Upload, handle: e2ecore.Upload) -> bool:
        """Wait until files are a message, or not; why they are not is told by an event."""
        try:
            await handle.sent()
        except (e2ecore.UsageError, e2ecore.TransientError, e2ecore.PeerError):
            return False
        finally:
            self._end(one.transfer)
        if uid == self._window.room.uid:
            await self._window.room.show_end(uid)
            await self.look()
        return True

    # -- fetching --------------------------------------------------------------------------------

    async def get(self, rest: str) -> None:
        """Fetch a file by its number; without one, those of the message in question."""
        number, _, folder = rest.partition(" ")
        target = folder_of(folder.strip()) if folder else default_downloads()
        for message, file in self._chosen(number):
            self.fetch(message, file, target)

    def fetch(self, message: MessageView, file: FileView, folder: Path) -> None:
        """Begin to fetch a file, beside everything else."""
        label = str(file.number)
        known = self._running.get(label)
        if isinstance(known, _Download):
            if known.transfer.phase is Phase.PAUSED:
                self._window.start(self._download, known)
            return
        transfer = self._begin(file.name, is_upload=False, phase=Phase.RUNNING, label=label)
        transfer.total = file.size
        one = _Download(transfer, self._window.room.uid, message.order, file.number, folder)
        self._running[label] = one
        self._window.start(self._download, one)

    async def _download(self, one: _Download) -> None:
        transfer = one.transfer
        transfer.turn(Phase.RUNNING)
        try:
            with anyio.CancelScope() as one.scope:
                file = await self._files.find(one.uid, one.order, one.number)
                path = await self._files.fetch(file, one.folder, self._progress(transfer))
                self._note(one.uid, f"written: {path}")
        except e2ecore.AttachmentGoneError:
            return  # its line says so
        finally:
            one.scope = None
            if transfer.phase is not Phase.PAUSED:
                self._end(transfer)

    def _note(self, uid: str, text: str) -> None:
        """Say something among the messages, where it does not stand before them."""
        history = self._window.room.history
        if uid == self._window.room.uid and history.is_tail:
            history.append([self._window.desk.notice(text)])
        else:
            self._window.tell(text, severity="information")

    @staticmethod
    def _progress(transfer: Transfer) -> "Callable[[int, int], None]":
        return lambda done, total: transfer.progressed(time.monotonic(), done, total)

    def _chosen(self, number: str) -> list[tuple[MessageView, FileView]]:
        """The file of a number; or all of the selected message, or of the newest that has any.

        Raises:
            CliError: There is none.
        """
        history = self._window.room.history
        if number:
            for message in history.messages:
                for file in message.files:
                    if str(file.number) == number:
                        return [(message, file)]
            raise CliError(f"There is no file {number} among the messages here.", Exit.USAGE)
        newest = next((one for one in reversed(history.messages) if one.files), None)
        found = history.selected or newest
        if found is None or not found.files:
            raise CliError("There is no file here.", Exit.USAGE)
        return [(found, one) for one in found.files]

    # -- asking ----------------------------------------------------------------------------------

    async def ask(self, rest: str) -> None:
        """Ask the sender for a file that expired."""
        for message, file in self._chosen(rest):
            found = await self._files.find(self._window.room.uid, message.order, file.number)
            await found.ask_again()
            self._note(self._window.room.uid, f"{message.author} is asked for {file.name}")

    async def again(self, rest: str) -> None:
        """Send an own file once more, for those who asked."""
        for message, file in self._chosen(rest):
            found = await self._files.find(self._window.room.uid, message.order, file.number)
            await found.upload_again()
        await self.take_up(self._window.room.uid)

    async def look(self) -> None:
        """Ask the relay who still waits for the files on the screen, and show what it says."""
        room = self._window.room
        if self._looking or not self._window.is_online or not room.uid:
            return
        self._looking, uid = True, room.uid
        try:
            places = await self._files.ask(uid, room.history.messages)
            if places and uid == room.uid:
                found = await self._window.desk.messages.at(uid, places)
                room.history.update_messages(found)
        except e2ecore.TransientError:
            return  # it is asked again by itself
        finally:
            self._looking = False

    # -- what runs -------------------------------------------------------------------------------

    async def pause(self, rest: str) -> None:
        """Stop a transfer for now."""
        one = self._labelled(rest, paused=False)
        if isinstance(one, _Upload):
            if one.handle is not None:
                await one.handle.pause()
            else:
                one.reading.pause()
                one.transfer.turn(Phase.PAUSED)
            return
        one.transfer.turn(Phase.PAUSED)
        if one.scope is not None:
            one.scope.cancel()

    async def resume(self, rest: str) -> None:
        """Go on with it."""
        one = self._labelled(rest, paused=True)
        if isinstance(one, _Download):
            self._window.start(self._download, one)
        elif one.handle is not None:
            await one.handle.resume()
        else:
            one.transfer.turn(Phase.READING)
            one.reading.resume()

    async def cancel(self, rest: str) -> None:
        """Give it up; nothing of it stays."""
        one = self._labelled(rest, paused=None)
        if isinstance(one, _Upload):
            if one.handle is None:
                one.reading.cancel()
            else:
                await one.handle.cancel()
            return
        one.transfer.turn(Phase.RUNNING)
        if one.scope is not None:
            one.scope.cancel()
        else:
            self._end(one.transfer)
        file = await self._files.find(one.uid, one.order, one.number)
        await file.discard()

    def _labelled(self, label: str, *, paused: bool | None) -> _Upload | _Download:
        """The transfer of a label; without one, the newest that makes sense."""
        self.tick()
        found = [
            one
            for one in self._running.values()
            if label in {"", one.transfer.label}
            and (label or paused in {None, one.transfer.phase is Phase.PAUSED})
        ]
        if not found:
            raise CliError(f"Nothing is under way{f' as {label}' if label else ''}.", Exit.USAGE)
        return found[-1]

    def _begin(self, name: str, *, is_upload: bool, phase: Phase, label: str = "") -> Transfer:
        if not label:
            self._count += 1
            label = f"u{self._count}"
        return Transfer(label, name, is_upload, phase)

    def _end(self, transfer: Transfer) -> None:
        self._running.pop(transfer.label, None)
        if not self._window.is_gone:
            self.tick()

    def tick(self) -> None:
        """Bring the lines of what runs up to date."""
        for one in self._running.values():
            if isinstance(one, _Upload) and one.handle is not None:
                done, total = one.handle.progress
                one.transfer.turn(self._phase(one.handle))
                one.transfer.trouble = why(one.handle.trouble)
                if total:
                    one.transfer.progressed(time.monotonic(), done, total)
        self._window.room.transfers.show([one.transfer for one in self._running.values()])

    def _phase(self, handle: e2ecore.Upload) -> Phase:
        if handle.is_paused:
            return Phase.PAUSED
        moves = self._window.is_online and handle.trouble is None
        return Phase.RUNNING if moves else Phase.WAITING
