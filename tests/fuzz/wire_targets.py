"""Harnesses for what relay and clients say to each other, and for files on either side."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from e2ecore.consent.audit import BadConsentFileError, verify_consents, write_consents
from e2ecore.consent.youth import YouthLock
from e2ecore.engine.membership.judging import read_info
from e2ecore.errors import CorruptStateError, PeerError, UsageError
from e2ecore.messaging import notices, polls
from e2ecore.messaging.counters import decode_missing
from e2ecore.messaging.identity import decode_identity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.marks import Marks, decode_marks, encode_marks
from e2ecore.messaging.reactions import decode_signs, encode_signs
from e2ecore.portability import manifest
from e2ecore.portability.errors import ImportFileError
from e2ecore.storage import landmarks
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.search_tokens import parse
from e2ecore.transport.login import decode as decode_login
from e2ecore_channel.errors import BadAddressError, FramingError
from e2ecore_channel.framing import Framing
from e2ecore_channel.handshake import parse_url
from e2ecore_protocol.chain import ChainError, Checkpoint, ConsentRecord, Entry, start
from e2ecore_protocol.codec import pack, unpack, unpack_fields
from e2ecore_protocol.content import (
    ConversationInfo,
    Extras,
    Mention,
    ReaddRequest,
    Typing,
    decode_content,
    decode_counter,
    decode_signal,
    linking,
    pad,
    unpad,
)
from e2ecore_protocol.content.history import decode_history_part
from e2ecore_protocol.content.key_handover import KeyHandover
from e2ecore_protocol.content.linking import decode_link_content, decode_link_message
from e2ecore_protocol.content.polls import Counted
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames import decode_client_frame, decode_server_frame
from e2ecore_protocol.frames.notices import GuardianshipChanged, KeyPackagesLow, decode_notice
from e2ecore_protocol.frames.removals import DeviceReceipt, DevicesErased, Erased
from e2ecore_protocol.guardians import decode_guardian_document
from e2ecore_relay.backends.sqlite.connection import DamagedStoreError
from e2ecore_relay.backends.sqlite.journal import (
    _encode_batches,
    decode_answers,
    decode_batches,
    encode_answers,
)
from tests.fuzz.target import Target

FOLDER = Path(__file__).parents[2] / "protocol/vectors"
MAX_MESSAGE = 1 << 16


def vectors(name: str, **wanted: str) -> list[bytes]:
    """The good vectors of one file that have these fields."""
    found = json.loads((FOLDER / name).read_text())["vectors"]
    return [
        bytes.fromhex(one["encoded"])
        for one in found
        if one["expect"] == "ok" and all(one.get(key) == wanted[key] for key in wanted)
    ]


def wire(decode: Callable[[bytes], object], samples: list[bytes]) -> Target:
    """A decoder of canonical MessagePack."""

    def call(data: bytes) -> object:
        value = decode(data)
        encode = getattr(value, "encode", None)
        assert encode is None or encode() == data
        return value

    return Target(call, (MalformedError,), samples, (decode,))


def values(data: bytes) -> object:
    found = unpack(data, MAX_MESSAGE)
    assert pack(found) == data
    assert unpack_fields(data, MAX_MESSAGE) == found
    return found


CHAINS = [
    [bytes.fromhex(entry) for entry in one["entries"]]
    for one in json.loads((FOLDER / "chain.json").read_text())["vectors"]
    if one["expect"] == "valid"
]


def chain(data: bytes) -> object:
    """Entries one after the other, each behind its length; all signatures count as good."""
    entries, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        entries.append(Entry.decode(data[at + 2 : at + 2 + size]))
        at += 2 + size
    if not entries:
        raise MalformedError("no entries")
    return start(entries, lambda *_: None)


def chained(entries: list[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def websocket(data: bytes) -> object:
    """What comes over an open connection, to either side, whole and in two reads."""
    is_client, half = (data[:1] or b"\0")[0] % 2 == 1, len(data) // 2
    whole = Framing(is_client=is_client, max_message_bytes=MAX_MESSAGE)
    parts = Framing(is_client=is_client, max_message_bytes=MAX_MESSAGE)
    messages = whole.feed(data[1:])
    assert parts.feed(data[1:half]) + parts.feed(data[max(1, half) :]) == messages
    return messages


def frames_of(*, is_client: bool) -> list[bytes]:
    sender = Framing(is_client=not is_client, max_message_bytes=MAX_MESSAGE)
    messages = [b"hello", b"x" * 300]
    return [bytes((is_client,)) + sender.encode(messages) + sender.ping()]


def url(data: bytes) -> object:
    return parse_url(data.decode("utf-8", "replace"))


def search(data: bytes) -> object:
    return parse(data.decode("utf-8", "replace"))


def consents(data: bytes) -> object:
    return verify_consents(data, now_ms=0)


def wish(data: bytes) -> object:
    kinds = list(IntentKind)
    return Wish.decode(kinds[(data[:1] or b"\0")[0] % len(kinds)], data[1:])


def padded_signal(data: bytes) -> object:
    content = unpad(data)
    assert pad(content) == data
    return content


SIGNALS = [Typing(leaf, 1_790_000_000_000, leaf % 2) for leaf in (0, 3, 70_000)]
PADDED = [pad(one.encode()) for one in SIGNALS]
LINKING = [
    bytes.fromhex(message)
    for one in json.loads((FOLDER / "linking.json").read_text())["vectors"]
    for message in one.get("messages", ())
]
HANDED = [KeyHandover(1, bytes(16), bytes(16), 1, 7, bytes(32), bytes(1120), bytes(48)).encode()]
LINKED = [
    one.encode()
    for one in (
        linking.NewDevice(bytes(32), bytes(32)),
        linking.ExistingDevice(bytes(32), bytes(20), bytes(32), "alice"),
        linking.Place(7, bytes(32)),
        linking.Possession(bytes(64)),
        linking.Linked("Alice", 7, bytes(32)),
        linking.Done(),
        linking.Handover(7, bytes(32), bytes(32), "Alice"),
    )
]
LANDMARKS = landmarks.encode(landmarks.Landmarks(13, {"messages": 4, "blocks": 70_000}))
KEY_FILE = json.dumps({"checksum": "", "slots": [], "format": "", "version": 1}).encode()
WISH = Wish(IntentKind.ADD, (bytes(20),), "title").encode()
ERASED = DevicesErased(
    bytes(32), (DeviceReceipt(bytes(16), 2, Erased(12, 3, 50, 1), 7, bytes(64)),)
)
HAPPENED = notices.encode_notice(notices.Notice(notices.NoticeKind.JOINED, (bytes(20),)))
ENTRIES = _encode_batches([(1, [(1, 2, b"envelope", 0, 3), (2, 2, b"", 0, 3)]), (2, [])])
ANSWERS = encode_answers({1: {bytes(16): (1, 2)}, 2: {}})

MANIFEST = manifest.Manifest(bytes(20), bytes(16), b"genesis", 1, 0, ()).encode()

WIRE_TARGETS: Mapping[str, Target] = {
    "wire.values": Target(
        values, (MalformedError,), vectors("encoding.json"), (unpack, unpack_fields)
    ),
    "wire.client frame": wire(decode_client_frame, vectors("frames.json", side="client")),
    "wire.server frame": wire(decode_server_frame, vectors("frames.json", side="relay")),
    "wire.login": Target(
        decode_login, (PeerError,), vectors("frames.json", side="relay"), (decode_login,)
    ),
    "wire.content": wire(decode_content, vectors("content.json", where="message")),
    "wire.history part": wire(decode_history_part, vectors("content.json", where="history")),
    "wire.counter": Target(
        decode_counter,
        (MalformedError,),
        vectors("content.json", where="counter"),
        (decode_counter,),
    ),
    "wire.conversation": wire(
        ConversationInfo.decode, vectors("content.json", where="conversation")
    ),
    "wire.terms": Target(
        read_info, (PeerError,), vectors("content.json", where="conversation"), (read_info,)
    ),
    "wire.readd request": wire(ReaddRequest.decode, vectors("content.json", where="readd")),
    "wire.signal": wire(decode_signal, [one.encode() for one in SIGNALS]),
    "wire.padded signal": Target(padded_signal, (MalformedError,), PADDED, (unpad,)),
    "wire.link message": wire(decode_link_message, LINKING),
    "wire.link content": wire(decode_link_content, LINKED),
    "wire.key handover": wire(KeyHandover.decode, HANDED),
    "wire.notice": wire(
        decode_notice,
        [KeyPackagesLow(3).encode(), ERASED.encode(), GuardianshipChanged().encode()],
    ),
    "wire.guardian document": wire(decode_guardian_document, vectors("guardians.json")),
    "wire.entry": wire(Entry.decode, [entry for one in CHAINS for entry in one]),
    "wire.checkpoint": wire(Checkpoint.decode, [Checkpoint.of(bytes(20), 3, bytes(32)).encode()]),
    "wire.consent record": wire(ConsentRecord.decode, vectors("consents.json")),
    "wire.chain": Target(
        chain, (MalformedError, ChainError), [chained(one) for one in CHAINS], (start,)
    ),
    "wire.identity": Target(decode_identity, (PeerError,), [bytes(36)], (decode_identity,)),
    "channel.frames": Target(
        websocket,
        (FramingError,),
        [*frames_of(is_client=True), *frames_of(is_client=False)],
        (Framing.feed,),
    ),
    "channel.url": Target(url, (BadAddressError,), [b"wss://relay.example:7443"], (parse_url,)),
    "disk.key file": Target(KeyFile.decode, (CorruptStateError,), [KEY_FILE], (KeyFile.decode,)),
    "disk.search text": Target(search, (UsageError,), ["hello 世界".encode()], (parse,)),
    "disk.landmarks": Target(landmarks.decode, (), [LANDMARKS], (landmarks.decode,)),
    "disk.youth lock": wire(YouthLock.decode, [YouthLock(bytes(16), bytes(32), 1, 2, 3).encode()]),
    "disk.wish": Target(wish, (CorruptStateError,), [b"\0" + WISH], (Wish.decode,)),
    "disk.marks": wire(
        decode_marks, [encode_marks(Marks(Extras(None, (Mention(bytes(20), 0, 1),), 1, 60)))]
    ),
    "disk.votes": wire(
        polls.decode_counted, [polls.encode_counted([Counted(bytes(20), bytes(32))])]
    ),
    "disk.happening": wire(notices.decode_notice, [HAPPENED]),
    "disk.signs": wire(decode_signs, [encode_signs(("\u2764\ufe0f", "x"))]),
    "files.manifest": Target(manifest.decode, (ImportFileError,), [MANIFEST], (manifest.decode,)),
    "files.consents": Target(
        consents, (BadConsentFileError,), [write_consents(CHAINS[0], [])], (verify_consents,)
    ),
    "disk.missing": Target(decode_missing, (), [bytes(16)], (decode_missing,)),
    "relay.batches": Target(
        lambda data: list(decode_batches(data)), (DamagedStoreError,), [ENTRIES], (decode_batches,)
    ),
    "relay.answers": Target(decode_answers, (DamagedStoreError,), [ANSWERS], (decode_answers,)),
}
