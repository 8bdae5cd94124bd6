"""One XMPP client with OMEMO, driven over JSON lines. Runs in the peer's own virtual environment.

OMEMO state and messages are kept in one plain SQLite file in WAL mode with `synchronous=NORMAL`,
one commit per message: less than our own client does (SQLCipher, `FULL`), in the peer's favour.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from omemo.storage import Just, Maybe, Nothing, Storage
from slixmpp import JID, ClientXMPP
from slixmpp.plugins import register_plugin
from slixmpp.stanza import Message
from slixmpp_omemo import XEP_0384

from benchmarks import wire
from benchmarks.workers import service

if TYPE_CHECKING:
    from omemo.types import DeviceInformation
    from slixmpp.stanza.rootstanza import RootStanza

    from benchmarks.wire import JsonObject, JsonValue

ACK_REQUEST = "<r xmlns='urn:xmpp:sm:3'/>"
NEVER = 1 << 30
"""Window of slixmpp's own acknowledgement requests. It sends them before the stanza they cover, so
that
acknowledgements lag by one message; the worker sends its own behind the stanza instead."""


class Store(Storage):
    """OMEMO key-value state and the messages, in one SQLite file."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        home.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(home / "store.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._db.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, sender TEXT, body TEXT)")

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")

    async def _load(self, key: str) -> Maybe:
        row = self._db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return Nothing() if row is None else Just(json.loads(row[0]))

    async def _store(self, key: str, value: JsonValue) -> None:
        self._begin()
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, json.dumps(value)))

    async def _delete(self, key: str) -> None:
        self._begin()
        self._db.execute("DELETE FROM state WHERE key = ?", (key,))

    def add_message(self, sender: str, body: str) -> None:
        self._begin()
        self._db.execute("INSERT INTO message (sender, body) VALUES (?, ?)", (sender, body))

    def commit(self) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT")


class Omemo(XEP_0384):
    """The plugin with our store, and blind trust: comparing keys is not what is measured."""

    store: ClassVar[Store]
    default_config: ClassVar[dict[str, str]] = {"fallback_message": "encrypted"}

    @property
    def storage(self) -> Storage:
        return self.store

    @property
    def _btbv_enabled(self) -> bool:
        return True

    async def _prompt_manual_trust(
        self, manually_trusted: frozenset[DeviceInformation], identifier: str | None
    ) -> None:
        raise RuntimeError(f"blind trust is on: {manually_trusted} {identifier}")


register_plugin(Omemo)


class Worker:
    """The verbs of the chat workloads."""

    def __init__(self) -> None:
        self._stored: list[tuple[int, int]] = []
        self._changed = asyncio.Event()
        self._acked = 0
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._recipients: set[JID] = set()
        self._target = JID()
        self._kind = "chat"
        self._consumer: asyncio.Task[None] | None = None

    async def open(self, request: JsonObject) -> JsonObject:
        home = Path(wire.text(request, "home"))
        Omemo.store = self._store = Store(home)
        name = wire.text(request, "name")
        self._host, self._port = wire.text(request, "host"), wire.integer(request, "port")
        client = self._client = ClientXMPP(f"{name}@localhost", wire.text(request, "password"))
        client.ca_certs = Path(wire.text(request, "ca"))
        client.enable_direct_tls = False
        client.register_plugin("xep_0045")
        client.register_plugin("xep_0198", {"window": NEVER, "allow_resume": False})
        client.register_plugin("xep_0384", module=sys.modules[__name__])
        client.add_event_handler("message", self._incoming.put_nowait)
        client.add_event_handler("groupchat_message", lambda _: None)
        client.add_event_handler("stanza_acked", self._on_acked)
        self._ready = asyncio.Event()
        client.add_event_handler("session_start", self._on_start)
        self._consumer = asyncio.create_task(self._consume())
        await self.online({})
        await client.plugin["xep_0384"].get_session_manager()
        self._store.commit()
        return {}

    async def _on_start(self, _event: object) -> None:
        self._client.send_presence()
        await self._client.get_roster()
        self._ready.set()

    def _on_acked(self, stanza: RootStanza) -> None:
        if isinstance(stanza, Message):
            waiting = self._waiting.pop(id(stanza), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    async def _consume(self) -> None:
        """Decrypt and store, one after another: the ratchet must not be entered twice at a time."""
        plugin = self._client.plugin["xep_0384"]
        while True:
            stanza = await self._incoming.get()
            if not plugin.is_encrypted(stanza):
                continue
            try:
                message, device = await plugin.decrypt_message(stanza)
            except Exception:  # noqa: BLE001 - one message that cannot be read must not end the run
                traceback.print_exc()
                continue
            body = message["body"]
            if body:
                self._store.add_message(device.bare_jid, body)
            self._store.commit()
            index = wire.message_index(body)
            if index is not None and device.bare_jid != self._client.boundjid.bare:
                self._stored.append((index, time.monotonic_ns()))
                self._changed.set()

    async def meet(self, request: JsonObject) -> JsonObject:
        self._target = JID(f"{wire.text(request, 'name')}@localhost")
        self._recipients = {self._target}
        return {}

    async def create_group(self, _request: JsonObject) -> JsonObject:
        return {}  # the server makes a room when the first member joins it

    async def join(self, request: JsonObject) -> JsonObject:
        self._kind = "groupchat"
        self._target = JID(f"{wire.text(request, 'group')}@conference.localhost")
        own = self._client.boundjid.bare
        self._recipients = {JID(f"{n}@localhost") for n in wire.texts(request, "members")} - {
            JID(own)
        }
        await self._client.plugin["xep_0045"].join_muc_wait(
            self._target, self._client.boundjid.user, maxstanzas=0
        )
        return {}

    async def expect(self, _request: JsonObject) -> JsonObject:
        self._stored.clear()
        return {}

    async def received(self, request: JsonObject) -> JsonObject:
        count = wire.integer(request, "count")
        while len(self._stored) < count:
            self._changed.clear()
            await self._changed.wait()
        return {"indexes": [i for i, _ in self._stored], "stored_ns": [t for _, t in self._stored]}

    async def send(self, request: JsonObject) -> JsonObject:
        count, size = wire.integer(request, "count"), wire.integer(request, "size")
        first, mode = wire.integer(request, "first", 0), wire.text(request, "mode")
        pause_s = wire.integer(request, "pause_ms", 0) / 1000
        sent: list[JsonValue] = []
        accepted: list[JsonValue] = []
        waiting: list[asyncio.Future[None]] = []
        for index in range(first, first + count):
            sent.append(time.monotonic_ns())
            last = index == first + count - 1
            waiting.append(await self._send_one(index, size, ask=mode != "pipelined" or last))
            if mode == "sequential":
                await waiting[-1]
                accepted.append(time.monotonic_ns())
            if pause_s:
                await asyncio.sleep(pause_s)
        await asyncio.gather(*waiting)
        accepted.append(time.monotonic_ns())
        return {"sent_ns": sent, "accepted_ns": accepted}

    async def _send_one(self, index: int, size: int, *, ask: bool) -> asyncio.Future[None]:
        stanza = self._client.make_message(
            mto=self._target, mbody=wire.message_text(index, size), mtype=self._kind
        )
        plugin = self._client.plugin["xep_0384"]
        encrypted, errors = await plugin.encrypt_message(stanza, set(self._recipients))
        if encrypted is None or errors:
            raise RuntimeError(f"not encrypted for everybody: {errors}")
        self._store.add_message("me", stanza["body"])
        self._store.commit()
        future = self._waiting[id(encrypted)] = asyncio.get_running_loop().create_future()
        encrypted.send()
        if ask:
            self._client.send(ACK_REQUEST, use_filters=False)
        return future

    async def offline(self, _request: JsonObject) -> JsonObject:
        manager = await self._client.plugin["xep_0384"].get_session_manager()
        await self._client.disconnect()
        self._client.plugin["xep_0198"].session_end(None)
        manager.before_history_sync()
        return {}

    async def online(self, _request: JsonObject) -> JsonObject:
        started = time.monotonic_ns()
        self._ready.clear()
        self._client.connect(self._host, self._port)
        await self._ready.wait()
        return {"started_ns": started, "ready_ns": time.monotonic_ns()}

    async def settle(self, _request: JsonObject) -> JsonObject:
        """Leave history synchronisation mode, as the OMEMO library documents "
        "it for after a drain."""
        await (await self._client.plugin["xep_0384"].get_session_manager()).after_history_sync()
        self._store.commit()
        return {}


if __name__ == "__main__":
    asyncio.run(service.serve(Worker()))
