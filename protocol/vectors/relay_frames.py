"""Vectors of frames, and of ids and signed messages: spec/20-relay-frames.md, 30-ordering.md."""

from inputs import NOW_MS, Json, as_json, filler, public

from e2ecore_protocol import chain, frames
from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import EnvelopeKind

ACCOUNT, OTHER = filler("account", 20), filler("other account", 20)
DEVICE, CONVERSATION = filler("device", 16), filler("conversation", 16)
ENVELOPE_ID = frames.make_envelope_id(NOW_MS, filler("envelope", 10))
ENVELOPE = frames.Envelope(
    CONVERSATION, ENVELOPE_ID, int(EnvelopeKind.APPLICATION), 7, 2_592_000, filler("payload", 300)
)
ADDRESS = frames.DeviceAddress(OTHER, filler("other device", 16))


def delivery(kind: EnvelopeKind, extra: frames.DeliveryExtra, log: bytes) -> frames.Delivery:
    """Return a delivery whose payload is 40 bytes."""
    payload = filler("delivered", 40)
    return frames.Delivery(log, 12, int(kind), 7, ENVELOPE_ID, NOW_MS, payload, extra)


DELIVERIES = (
    delivery(EnvelopeKind.APPLICATION, None, CONVERSATION),
    delivery(EnvelopeKind.PROPOSAL, None, CONVERSATION),
    delivery(
        EnvelopeKind.COMMIT,
        frames.RouteChange((ADDRESS,), (), frames.DeviceAddress(ACCOUNT, DEVICE)),
        CONVERSATION,
    ),
    delivery(EnvelopeKind.WELCOME, CONVERSATION, frames.INBOX),
    delivery(EnvelopeKind.READD_REQUEST, None, CONVERSATION),
    delivery(EnvelopeKind.NOTICE, None, frames.INBOX)._replace(
        epoch=0, payload=frames.KeyPackagesLow(20).encode()
    ),
    frames.Delivery(
        *(CONVERSATION, 12, int(EnvelopeKind.GAP), 0, frames.NO_ENVELOPE, NOW_MS, b""),
        frames.Gap(10, 12),
    ),
)
BLOB = filler("blob", 16)
RECEIPT = frames.DeletionReceipt(BLOB, 3, NOW_MS, filler("receipt", 64))
ERASED = frames.Erased(12, 3, 50, 1)
DEVICES_ERASED = frames.DevicesErased(
    filler("receipt key", 32),
    (frames.DeviceReceipt(ADDRESS.device_id, 2, ERASED, NOW_MS, filler("device receipt", 64)),),
)
GRANTED = (5_242_880, NOW_MS + 604_800_000, 7_444, filler("receipt key", 32), filler("promise", 64))
MARK, LINK = frames.MinorMark(NOW_MS, 1), filler("link", 260)
APPROVAL, RETRACTION, ENDING = (filler(name, 260) for name in ("approval", "retraction", "ending"))
RESULTS = (frames.Accepted(12, NOW_MS), frames.Refused(ErrorCode.STALE_EPOCH, 0, 8))

GOOD_FRAMES: tuple[frames.Frame, ...] = (
    frames.Register(1, (filler("genesis", 140), filler("added", 250)), "alice_1.x"),
    frames.Register(2**32 - 1, (filler("genesis", 140), filler("added", 250)), None),
    frames.Authenticate(1, ACCOUNT, DEVICE, filler("signature", 64)),
    frames.LookupHandle(2, "bob"),
    frames.FetchChain(3, ACCOUNT, 0),
    frames.FetchHeads(4, (ACCOUNT, OTHER)),
    frames.AppendChain(5, (filler("entry", 200),)),
    frames.PublishKeyPackages(6, (filler("one", 90), filler("two", 90)), filler("last", 90)),
    frames.PublishKeyPackages(6, (), None),
    frames.ClaimKeyPackages(7, (OTHER,)),
    frames.ClaimDeviceKeyPackages(7, *ADDRESS, 100),
    frames.Submit(8, (ENVELOPE,)),
    frames.Submit(8, (ENVELOPE, ENVELOPE._replace(kind=2), ENVELOPE._replace(kind=5, epoch=0))),
    frames.Commit(
        *(9, CONVERSATION, ENVELOPE_ID, 0, filler("commit", 100), 1, (ADDRESS,), ()),
        filler("welcome", 120),
    ),
    frames.Commit(
        *(9, CONVERSATION, ENVELOPE_ID, 7, filler("commit", 100), None, (), (ADDRESS,)), None
    ),
    frames.Ack((frames.AcknowledgedLog(b"", 3), frames.AcknowledgedLog(CONVERSATION, 12))),
    frames.ListConversations(10),
    frames.LeaveConversation(11, CONVERSATION),
    frames.Signal(CONVERSATION, filler("signal", 256)),
    frames.CreateBlob(12, BLOB, CONVERSATION, 5_242_880, 604_800),
    frames.FetchBlob(13, BLOB),
    frames.AcknowledgeBlob(14, BLOB, filler("acknowledged", 64)),
    frames.RecallBlob(15, BLOB),
    frames.QueryBlobs(16, (BLOB, filler("other blob", 16))),
    frames.OpenRendezvous(17),
    frames.JoinRendezvous(1, 48_291),
    frames.PassRendezvous(filler("passed", 40)),
    frames.CloseRendezvous(),
    frames.MarkMinor(18, NOW_MS + 31_536_000_000),
    frames.SubmitGuardian(19, filler("document", 260)),
    frames.FetchGuardianship(20),
    frames.Challenge(1, 1, "relay.example", filler("nonce", 32), NOW_MS),
    frames.Ready(NOW_MS, 42),
    frames.Ok(5),
    frames.Failed(9, ErrorCode.STALE_EPOCH, "epoch 8 has begun", 0, 8),
    frames.Failed(7, ErrorCode.NO_KEY_PACKAGE, "", 60_000, OTHER),
    frames.Failed(2, ErrorCode.UNKNOWN_HANDLE),
    frames.Failed(6, ErrorCode.CONSENT_REQUIRED, "", 0, "multi_device_sync"),
    frames.GoAway(ErrorCode.SHUTTING_DOWN, 5_000),
    frames.CaughtUp(),
    frames.Registered(1, ACCOUNT),
    frames.Account(2, ACCOUNT, "bob", (filler("genesis", 140), filler("added", 250)), 1),
    frames.Account(3, ACCOUNT, None, (), 1),
    frames.ChainHeads(4, (frames.ChainHead(ACCOUNT, 1, filler("head", 32)),)),
    frames.KeyPackages(7, (frames.DeviceKeyPackage(*ADDRESS, filler("key package", 90)),)),
    frames.Conversations(10, (frames.ConversationState(CONVERSATION, 2, 7, 12, 11),)),
    frames.Submitted(8, RESULTS),
    frames.Committed(9, 12, NOW_MS),
    frames.Signalled(CONVERSATION, filler("signal", 256)),
    frames.BlobCreated(12, filler("share", 32), filler("upload", 32), *GRANTED[1:]),
    frames.BlobGranted(
        *(13, filler("share", 32), filler("fetch", 32), NOW_MS + 3_600_000), *GRANTED
    ),
    frames.BlobStates(16, (frames.LiveBlob(BLOB, 5_242_880, 1, 9, 3, NOW_MS),), (RECEIPT,)),
    frames.RendezvousOpened(17, 48_291, NOW_MS + 600_000),
    frames.RendezvousMessage(filler("passed", 40)),
    frames.RendezvousClosed(),
    frames.Guardianship(20, None, None, (), (), ()),
    frames.Guardianship(20, MARK, LINK, ((APPROVAL, None), (APPROVAL, RETRACTION)), (ENDING,), ()),
    frames.Guardianship(20, None, None, (), (), ((LINK, NOW_MS, (ENDING, ENDING)),)),
    frames.Failed(6, ErrorCode.GUARDIAN_REQUIRED, "", 0, "presence"),
    *[frames.Deliver((one,)) for one in DELIVERIES],
    frames.Deliver(DELIVERIES),
    frames.Deliver((DELIVERIES[5]._replace(payload=frames.BlobsDeleted((RECEIPT,)).encode()),)),
    frames.Deliver((DELIVERIES[5]._replace(payload=DEVICES_ERASED.encode()),)),
    frames.Deliver((DELIVERIES[5]._replace(payload=frames.GuardianshipChanged().encode()),)),
)
BAD_FRAMES: dict[str, tuple[str, tuple[Wire, ...]]] = {
    "unknown type": ("client", (63,)),
    "type of the other side": ("client", (69,)),
    "a field too few": ("client", (3, 1)),
    "a field too many": ("client", (19, 1, 1)),
    "request beyond u32": ("client", (19, 2**32)),
    "boolean instead of an integer": ("client", (19, True)),
    "text instead of bytes": ("client", (4, 1, "a" * 20, 0)),
    "one entry to register": ("client", (1, 1, (filler("genesis", 140),), None)),
    "handle with a capital": ("client", (3, 1, "Alice")),
    "handle of two characters": ("client", (3, 1, "al")),
    "handle that begins with a digit": ("client", (3, 1, "1alice")),
    "handle of 33 characters": ("client", (3, 1, "a" * 33)),
    "submitted commit": ("client", (16, 1, (ENVELOPE._replace(kind=3),))),
    "submitted nothing": ("client", (16, 1, ())),
    "257 envelopes": ("client", (16, 1, (ENVELOPE._replace(payload=b"x"),) * 257)),
    "lifetime of zero": ("client", (16, 1, (ENVELOPE._replace(lifetime_s=0),))),
    "lifetime of 31 days": ("client", (16, 1, (ENVELOPE._replace(lifetime_s=2_678_400),))),
    "no payload": ("client", (16, 1, (ENVELOPE._replace(payload=b""),))),
    "acknowledged number zero": ("client", (18, ((CONVERSATION, 0),))),
    "log id of 8 bytes": ("client", (18, ((bytes(8), 1),))),
    "blob of no bytes": ("client", (24, 1, BLOB, CONVERSATION, 0, 60)),
    "blob beyond the largest": ("client", (24, 1, BLOB, CONVERSATION, 4_362_076_161, 60)),
    "blob for longer than 100 days": ("client", (24, 1, BLOB, CONVERSATION, 1, 8_640_001)),
    "question about no blob": ("client", (28, 1, ())),
    "unknown reason to delete": ("relay", (90, 1, (), (RECEIPT._replace(reason=8),))),
    "port zero": (
        "relay",
        (88, 12, filler("share", 32), filler("upload", 32), NOW_MS, 0, *GRANTED[3:]),
    ),
    "signal of 255 bytes": ("client", (21, CONVERSATION, filler("signal", 255))),
    "signal of 257 bytes": ("relay", (83, CONVERSATION, filler("signal", 257))),
    "signal in the inbox": ("client", (21, b"", filler("signal", 256))),
    "signal that asks for an answer": ("client", (21, 1, CONVERSATION, filler("signal", 256))),
    "mark without a date": ("client", (32, 1, None)),
    "empty document": ("client", (33, 1, b"")),
    "document of 513 bytes": ("client", (33, 1, filler("document", 513))),
    "mark by nobody": ("relay", (96, 1, (NOW_MS, 0), None, (), (), ())),
    "mark by a third": ("relay", (96, 1, (NOW_MS, 3), None, (), (), ())),
    "65 approvals": ("relay", (96, 1, None, None, ((APPROVAL, None),) * 65, (), ())),
    "three endings": ("relay", (96, 1, None, None, (), (ENDING,) * 3, ())),
    "17 wards": ("relay", (96, 1, None, None, (), (), ((LINK, NOW_MS, ()),) * 17)),
    "version zero": ("relay", (64, 0, 1, "relay.example", filler("nonce", 32), NOW_MS)),
    "short nonce": ("relay", (64, 1, 1, "relay.example", filler("nonce", 31), NOW_MS)),
    "unknown error code": ("relay", (68, "tired", 0)),
    "pause of two days": ("relay", (68, "internal", 172_800_000)),
    "result of one field": ("relay", (80, 1, ((12,),))),
    "accepted with number zero": ("relay", (80, 1, ((0, NOW_MS),))),
    "application in the inbox": ("relay", (82, (DELIVERIES[0]._replace(log_id=b""),))),
    "welcome in a conversation": ("relay", (82, (DELIVERIES[3]._replace(log_id=CONVERSATION),))),
    "commit without route change": ("relay", (82, (DELIVERIES[2]._replace(extra=None),))),
    "gap with a payload": ("relay", (82, (DELIVERIES[6]._replace(payload=b"x"),))),
    "gap that ends elsewhere": ("relay", (82, (DELIVERIES[6]._replace(seq=13),))),
    "unknown kind": ("relay", (82, (DELIVERIES[0]._replace(kind=8),))),
}


def side_of(frame: frames.Frame) -> str:
    """Return who sends this frame."""
    return "client" if frame.TYPE in frames.CLIENT_FRAMES else "relay"


def relay_frames() -> list[Json]:
    """Vectors of every frame."""
    good: list[Json] = [
        {
            "expect": "ok",
            "frame": type(frame).__name__,
            "side": side_of(frame),
            "type": frame.TYPE,
            "fields": as_json(frame.to_fields()),
            "encoded": frame.encode().hex(),
        }
        for frame in GOOD_FRAMES
    ]
    bad: list[Json] = [
        {"expect": "malformed", "side": side, "why": why, "encoded": pack(wire).hex()}
        for why, (side, wire) in BAD_FRAMES.items()
    ]
    return [*good, *bad]


def formula(what: str, clause: str, output: bytes, **inputs: Wire) -> Json:
    """Return the vector of one formula."""
    shown: Json = {name: as_json(value) for name, value in inputs.items()}
    return {"what": what, "clause": clause, "inputs": shown, "output": output.hex()}


def ids() -> list[Json]:
    """Vectors of ids that are derived."""
    found = [
        formula(
            *("direct conversation id", "ORD-22"),
            frames.direct_conversation_id(ACCOUNT, OTHER, attempt),
            a=ACCOUNT,
            b=OTHER,
            attempt=attempt,
        )
        for attempt in (0, 1, 15)
    ]
    found += [
        formula(
            *("own devices' conversation id", "ORD-28"),
            frames.self_conversation_id(ACCOUNT, attempt),
            account_id=ACCOUNT,
            attempt=attempt,
        )
        for attempt in (0, 15)
    ]
    for first in (b"\xff", b"\x00"):
        random = first + filler("group", 15)
        group_id = frames.group_conversation_id(random)
        found.append(formula("group conversation id", "ORD-23", group_id, random=random))
    made: dict[str, Wire] = {"now_ms": NOW_MS, "random": filler("envelope", 10)}
    found.append(formula("envelope id", "ORD-8", ENVELOPE_ID, **made))
    key = public("device 1")
    found.append(formula("device id", "CHN-4", chain.device_id_of(key), device_key=key))
    return found


def signed() -> list[Json]:
    """Vectors of messages that are signed."""
    nonce, head, key = filler("nonce", 32), filler("head", 32), public("device 1")
    return [
        formula(
            *("signed to authenticate", "FRM-12"),
            frames.authentication_message(1, "relay.example", nonce, ACCOUNT, DEVICE),
            version=1,
            server_name="relay.example",
            nonce=nonce,
            account_id=ACCOUNT,
            device_id=DEVICE,
        ),
        formula(
            *("signed to show possession", "CHN-12"),
            chain.possession_message(ACCOUNT, 4, head, key),
            account_id=ACCOUNT,
            seq=4,
            prev_hash=head,
            device_key=key,
        ),
        *blobs_signed(),
    ]


def blobs_signed() -> list[Json]:
    """Vectors of what is signed about blobs."""
    name: dict[str, Wire] = {"server_name": "relay.example", "blob_id": BLOB}
    return [
        formula(
            *("signed to promise", "BLB-47"),
            frames.promise_message("relay.example", BLOB, 5_242_880, NOW_MS),
            **name,
            size=5_242_880,
            expires_ms=NOW_MS,
        ),
        formula(
            *("signed to say that a blob is gone", "BLB-48"),
            frames.receipt_message("relay.example", BLOB, 3, NOW_MS),
            **name,
            reason=3,
            time_ms=NOW_MS,
        ),
        formula(
            *("signed to acknowledge a blob", "BLB-51"),
            frames.acknowledgement_message("relay.example", BLOB, ACCOUNT, DEVICE),
            **name,
            account_id=ACCOUNT,
            device_id=DEVICE,
        ),
        formula(
            *("signed to say that nothing is kept for a device", "CHN-50"),
            frames.device_receipt_message(
                *("relay.example", ACCOUNT, DEVICE), reason=2, erased=ERASED, time_ms=NOW_MS
            ),
            server_name="relay.example",
            account_id=ACCOUNT,
            device_id=DEVICE,
            reason=2,
            erased=tuple(ERASED),
            time_ms=NOW_MS,
        ),
    ]


def derived() -> list[Json]:
    """Return the vectors of derived.json."""
    return [*ids(), *signed()]
