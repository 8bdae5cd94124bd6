"""Vectors of what members say: messages, counters, the conversation extension, re-add requests."""

from dataclasses import replace

from inputs import NOW_MS, Json, as_json, filler, signer
from relay_frames import formula

from e2ecore_protocol import content
from e2ecore_protocol.codec import Wire, pack

SENDER, OTHER = filler("sender", 36), filler("other sender", 36)
MESSAGE_ID = filler("message", 16)


def file_item(name: str, media_type: str, **more: Wire) -> tuple[Wire, ...]:
    """One file of a message."""
    fields: dict[str, Wire] = {
        "blob_id": filler(f"blob {name}", 16),
        "file_key": filler(f"file key {name}", 32),
        "size": 12_345,
        "digest": filler("digest", 32),
        "name": name,
        "media_type": media_type,
        "form": 0,
        "width": 0,
        "height": 0,
        "duration_ms": 0,
        "waveform": b"",
        "preview": b"",
    }
    return tuple((fields | more).values())


def with_files(*files: tuple[Wire, ...], text: Wire = "") -> tuple[str, bytes]:
    """A message with files that is not right."""
    return "message", pack((1, 9, MESSAGE_ID, NOW_MS, text, files))


ANNA, BERT = sorted((filler("anna", 20), filler("bert", 20)))
CONVERSATION = filler("conversation", 16)

DIGEST = content.quote_digest(MESSAGE_ID, ANNA, "hello")
REPLY = (MESSAGE_ID, ANNA, DIGEST)
OTHER_ID = filler("other message", 16)
SALT = filler("salt", 32)
COMMITMENT = content.vote_commitment(
    content.Booth(CONVERSATION, MESSAGE_ID, ANNA, BERT), (0, 11), SALT
)

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100ffda0008")
FILE = file_item("report.pdf", "application/pdf")
PICTURE = file_item("\u5c71.jpg", "image/jpeg", form=1, width=4000, height=3000, preview=JPEG)
VOICE = file_item("voice.opus", "audio/opus", form=4, duration_ms=2_500, waveform=b"\x00\x80\xff")

MESSAGES: tuple[tuple[Wire, ...], ...] = (
    (1, 1, MESSAGE_ID, NOW_MS, "hello"),
    (1, 1, MESSAGE_ID, NOW_MS, "\u4f60\u597d \U0001f600\n\u202ertl"),
    (1, 2, ()),
    (1, 2, ((SENDER, 7, ()),)),
    (1, 2, ((SENDER, 70, (1, 3, 70)), (OTHER, 1, ()))),
    (1, 3, "Anna"),
    (1, 3, ""),
    (1, 4, OTHER_ID, NOW_MS, "yes", (REPLY, (), 0, None)),
    (
        1,
        4,
        OTHER_ID,
        NOW_MS,
        "@\u5b89\u5a1c and @Bert",
        (None, ((ANNA, 0, 3), (BERT, 8, 5)), 0, None),
    ),
    (1, 4, OTHER_ID, NOW_MS, "x", (REPLY, ((ANNA, 0, 1),), 255, 31_536_000)),
    (1, 5, MESSAGE_ID, ANNA, NOW_MS, ("\U0001f44d", "\u2764\ufe0f")),
    (1, 5, MESSAGE_ID, ANNA, NOW_MS, ()),
    (1, 6, MESSAGE_ID, NOW_MS, "hello again", ()),
    (1, 6, MESSAGE_ID, NOW_MS, "hello Bert", ((BERT, 6, 4),)),
    (1, 7, MESSAGE_ID, NOW_MS),
    (1, 8, ((SENDER, 7), (OTHER, 1))),
    (1, 13, MESSAGE_ID, ANNA, NOW_MS, 1),
    (1, 13, MESSAGE_ID, ANNA, NOW_MS, 0),
    (1, 12, MESSAGE_ID, NOW_MS, ANNA, "anna", "\u5b89\u5a1c"),
    (1, 12, MESSAGE_ID, NOW_MS, BERT, None, ""),
    (1, 14, MESSAGE_ID, NOW_MS, "Where?", ("here", "\u90a3\u91cc"), 1, None),
    (1, 14, MESSAGE_ID, NOW_MS, "When?", tuple("123456789abc"), 12, NOW_MS + 1),
    (1, 15, MESSAGE_ID, ANNA, NOW_MS, COMMITMENT),
    (1, 16, MESSAGE_ID, ANNA, NOW_MS, ()),
    (1, 16, MESSAGE_ID, ANNA, NOW_MS, ((ANNA, filler("sealed", 32)), (BERT, COMMITMENT))),
    (1, 17, MESSAGE_ID, ANNA, (0, 11), SALT),
    (1, 17, MESSAGE_ID, ANNA, (), SALT),
    (1, 9, MESSAGE_ID, NOW_MS, "", (FILE,)),
    (1, 9, MESSAGE_ID, NOW_MS, "look", (PICTURE, VOICE)),
    (1, 19, MESSAGE_ID, NOW_MS, "", (FILE,), 1),
    (1, 19, MESSAGE_ID, NOW_MS, "look", (PICTURE, VOICE), 255),
    (1, 10, MESSAGE_ID, ANNA, filler("blob", 16)),
    (1, 32, filler("link", 260), "\u76d1\u62a4\u4eba"),
    (1, 33, filler("link id", 16), filler("record", 300), SALT, "a notice"),
    (1, 34, filler("consent", 16)),
    (1, 11, MESSAGE_ID, filler("blob", 16), filler("new blob", 16), filler("new file key", 32)),
    (1, 18, 1, b""),
    (1, 18, 255, b"for my laptop"),
)
PART = file_item("history", "application/x-ndjson")
TRANSFER, LAPTOP = filler("transfer", 16), filler("device", 16)
PARTS: tuple[tuple[Wire, ...], ...] = (
    (1, TRANSFER, LAPTOP, 0, 0, PART),
    (1, TRANSFER, LAPTOP, (1 << 20) - 1, 1, PART),
)
UNKNOWN: tuple[tuple[Wire, ...], ...] = ((1, 200), (1, 4_000, "later", (1, (b"x",)), None, True))
COUNTERS = (1, 127, 128, 2**63 - 1)
CONVERSATIONS: tuple[tuple[Wire, ...], ...] = (
    (1, 1, "", (), (604_800, 2_592_000, 0)),
    (1, 2, "Hiking", ((ANNA, 3), (BERT, 2)), (8_640_000, 2_592_000, 1)),
    (1, 2, "", (), (1, 1, 2)),
    (1, 4, "", (), (604_800, 2_592_000, 0)),
)
READD = content.ReaddRequest(CONVERSATION, ANNA, filler("device", 16), 6, 2, None, NOW_MS).signed(
    signer("device 1")
)
FAILED = content.FailedCommit(7, filler("commit digest", 32))
VOTE = replace(READD, reason=1, failed=FAILED).signed(signer("device 1"))


def rich(*extras: Wire) -> tuple[str, bytes]:
    """A text of three characters with something besides that is not right."""
    return "message", pack((1, 4, OTHER_ID, NOW_MS, "abc", extras))


def poll(options: tuple[str, ...], max_choices: int, question: str = "?") -> tuple[str, bytes]:
    """A poll that is not right."""
    return "message", pack((1, 14, MESSAGE_ID, NOW_MS, question, options, max_choices, None))


def close(*counted: Wire) -> tuple[str, bytes]:
    """A close that is not right."""
    return "message", pack((1, 16, MESSAGE_ID, ANNA, NOW_MS, counted))


def reveal(choices: tuple[int, ...], salt: bytes = SALT) -> tuple[str, bytes]:
    """A reveal that is not right."""
    return "message", pack((1, 17, MESSAGE_ID, ANNA, choices, salt))


WRONG: dict[str, tuple[str, bytes]] = {
    "own without a topic": ("message", pack((1, 18, 0, b""))),
    "own with topic 256": ("message", pack((1, 18, 256, b""))),
    "own with text": ("message", pack((1, 18, 1, "x"))),
    "own devices with a title": (
        "conversation",
        pack((1, 4, "x", (), (604_800, 2_592_000, 0))),
    ),
    "other version": ("message", pack((2, 1, MESSAGE_ID, NOW_MS, "x"))),
    "no kind": ("message", pack((1,))),
    "empty text": ("message", pack((1, 1, MESSAGE_ID, NOW_MS, ""))),
    "text as bytes": ("message", pack((1, 1, MESSAGE_ID, NOW_MS, b"x"))),
    "short message id": ("message", pack((1, 1, bytes(15), NOW_MS, "x"))),
    "a field too many": ("message", pack((1, 1, MESSAGE_ID, NOW_MS, "x", None))),
    "receipt for counter 0": ("message", pack((1, 2, ((SENDER, 0, ()),)))),
    "missing counters descend": ("message", pack((1, 2, ((SENDER, 9, (4, 3)),)))),
    "missing beyond the last": ("message", pack((1, 2, ((SENDER, 9, (10,)),)))),
    "65 missing": ("message", pack((1, 2, ((SENDER, 99, tuple(range(1, 66))),)))),
    "name of 65 characters": ("message", pack((1, 3, "x" * 65))),
    "rich text with nothing besides": rich(None, (), 0, None),
    "half a digest of a quote": rich((MESSAGE_ID, ANNA, bytes(16)), (), 0, None),
    "mention beyond the text": rich(None, ((ANNA, 1, 3),), 0, None),
    "mention of nothing": rich(None, ((ANNA, 1, 0),), 0, None),
    "mentions overlap": rich(None, ((ANNA, 0, 2), (BERT, 1, 1)), 0, None),
    "101 mentions": rich(None, ((ANNA, 0, 1),) * 101, 0, None),
    "forwarded 256 times": rich(None, (), 256, None),
    "lifetime of nothing": rich(None, (), 0, 0),
    "lifetime of a year and a second": rich(None, (), 0, 31_536_001),
    "the same sign twice": ("message", pack((1, 5, MESSAGE_ID, ANNA, NOW_MS, ("x", "x")))),
    "empty sign": ("message", pack((1, 5, MESSAGE_ID, ANNA, NOW_MS, ("",)))),
    "sign of 65 bytes": ("message", pack((1, 5, MESSAGE_ID, ANNA, NOW_MS, ("x" * 65,)))),
    "nine signs": ("message", pack((1, 5, MESSAGE_ID, ANNA, NOW_MS, tuple("123456789")))),
    "edit to nothing": ("message", pack((1, 6, MESSAGE_ID, NOW_MS, "", ()))),
    "edit with a mention beyond": (
        "message",
        pack((1, 6, MESSAGE_ID, NOW_MS, "x", ((ANNA, 0, 2),))),
    ),
    "recall with a reason": ("message", pack((1, 7, MESSAGE_ID, NOW_MS, "sorry"))),
    "pinned twice over": ("message", pack((1, 13, MESSAGE_ID, ANNA, NOW_MS, 2))),
    "pinned by truth": ("message", pack((1, 13, MESSAGE_ID, ANNA, NOW_MS, True))),
    "pin of nobody's message": ("message", pack((1, 13, MESSAGE_ID, b"", NOW_MS, 1))),
    "empty read receipt": ("message", pack((1, 8, ()))),
    "read up to counter 0": ("message", pack((1, 8, ((SENDER, 0),)))),
    "no file": with_files(),
    "33 files": with_files(*(file_item(f"{number}", "a/b") for number in range(33))),
    "one blob twice": with_files(FILE, (FILE[0], *file_item("x", "a/b")[1:])),
    "one key twice": with_files(FILE, (file_item("x", "a/b")[0], *FILE[1:])),
    "a name with a way up": with_files(file_item("../x", "a/b")),
    "the name of the folder above": with_files(file_item("..", "a/b")),
    "a name with a backslash": with_files(file_item("c:\\x", "a/b")),
    "a name with a line break": with_files(file_item("a\nb", "a/b")),
    "a name that turns around": with_files(file_item("a\u202egpj.exe", "a/b")),
    "a name of nothing": with_files(file_item(" ", "a/b")),
    "a name of 256 bytes": with_files(file_item("\u5c71" * 85 + "x", "a/b")),
    "no media type": with_files(file_item("x", "image")),
    "media type in capitals": with_files(file_item("x", "Image/png")),
    "width without height": with_files(file_item("x", "a/b", form=1, width=5)),
    "a picture that lasts": with_files(file_item("x", "a/b", form=1, duration_ms=5)),
    "sound with a width": with_files(file_item("x", "a/b", form=3, width=5, height=5)),
    "a waveform of a picture": with_files(file_item("x", "a/b", form=1, waveform=b"x")),
    "form 16": with_files(file_item("x", "a/b", form=16)),
    "a file beyond 4 GiB": with_files(file_item("x", "a/b", size=(4 << 30) + 1)),
    "a preview that is no JPEG": with_files(file_item("x", "a/b", preview=b"GIF89a")),
    "a preview of 65,535 pixels": with_files(
        file_item("x", "a/b", preview=JPEG.replace(b"\x00\x10\x00\x20", b"\xff\xff\xff\xff"))
    ),
    "a preview with a place": with_files(
        file_item("x", "a/b", preview=b"\xff\xd8\xff\xe1\x00\x04ab" + JPEG[2:])
    ),
    "a preview without a picture": with_files(file_item("x", "a/b", preview=b"\xff\xd8")),
    "a preview beyond 16 KiB": with_files(
        file_item("x", "a/b", preview=JPEG + bytes((16 << 10) + 1 - len(JPEG)))
    ),
    "caption as bytes": with_files(FILE, text=b"x"),
    "files forwarded no times": ("message", pack((1, 19, MESSAGE_ID, NOW_MS, "", (FILE,), 0))),
    "files forwarded 256 times": ("message", pack((1, 19, MESSAGE_ID, NOW_MS, "", (FILE,), 256))),
    "forwarded files without files": ("message", pack((1, 19, MESSAGE_ID, NOW_MS, "", (), 1))),
    "the same blob again": ("message", pack((1, 11, MESSAGE_ID, FILE[0], FILE[0], FILE[1]))),
    "a request without author": ("message", pack((1, 10, MESSAGE_ID, FILE[0]))),
    "card without an account": ("message", pack((1, 12, MESSAGE_ID, NOW_MS, bytes(19), None, ""))),
    "card with a handle that is none": (
        "message",
        pack((1, 12, MESSAGE_ID, NOW_MS, ANNA, "Anna", "")),
    ),
    "card with an empty handle": ("message", pack((1, 12, MESSAGE_ID, NOW_MS, ANNA, "", ""))),
    "card with a name of 65 characters": (
        "message",
        pack((1, 12, MESSAGE_ID, NOW_MS, ANNA, None, "x" * 65)),
    ),
    "card with a picture": ("message", pack((1, 12, MESSAGE_ID, NOW_MS, ANNA, None, "", b"x"))),
    "invitation without a link": ("message", pack((1, 32, b"", "x"))),
    "invitation without a notice": ("message", pack((1, 32, filler("link", 260), ""))),
    "notice beyond 16 KiB": ("message", pack((1, 32, filler("link", 260), "x" * 16_385))),
    "request without salt": (
        "message",
        pack((1, 33, filler("link id", 16), filler("record", 300), b"", "x")),
    ),
    "refusal of nothing": ("message", pack((1, 34, b""))),
    "poll with one option": poll(("a",), 1),
    "poll with 13 options": poll(tuple("123456789abcd"), 1),
    "poll with an option twice": poll(("a", "a"), 1),
    "poll with an empty option": poll(("a", ""), 1),
    "poll without a question": poll(("a", "b"), 1, ""),
    "poll with a question of 301 characters": poll(("a", "b"), 1, "x" * 301),
    "poll with no choice": poll(("a", "b"), 0),
    "poll with more choices than options": poll(("a", "b"), 3),
    "vote with half a commitment": (
        "message",
        pack((1, 15, MESSAGE_ID, ANNA, NOW_MS, bytes(16))),
    ),
    "vote that says what it is": (
        "message",
        pack((1, 15, MESSAGE_ID, ANNA, NOW_MS, COMMITMENT, (0,))),
    ),
    "close with an account twice": close((ANNA, COMMITMENT), (ANNA, SALT)),
    "close not sorted": close((BERT, COMMITMENT), (ANNA, SALT)),
    "close with half a commitment": close((ANNA, bytes(16))),
    "reveal with a choice twice": reveal((1, 1)),
    "reveal that descends": reveal((2, 1)),
    "reveal of a 13th option": reveal((12,)),
    "reveal with half a salt": reveal((1,), bytes(16)),
    "unknown kind with a float": ("message", bytes.fromhex("9301c8cb3ff0000000000000")),
    "unknown kind, not canonical": ("message", bytes.fromhex("9301ccc8cc01")),
    "counter 0": ("counter", pack((1, 0))),
    "counter of version 2": ("counter", pack((2, 1))),
    "third kind": ("conversation", pack((1, 3, "", (), (1, 1, 0)))),
    "direct with a title": ("conversation", pack((1, 1, "x", (), (1, 1, 0)))),
    "direct with a role": ("conversation", pack((1, 1, "", ((ANNA, 3),), (1, 1, 0)))),
    "direct, attachments for 8 days": ("conversation", pack((1, 1, "", (), (691_200, 1, 0)))),
    "group, attachments for 101 days": ("conversation", pack((1, 2, "", (), (8_726_400, 1, 0)))),
    "member listed": ("conversation", pack((1, 2, "", ((ANNA, 1),), (1, 1, 0)))),
    "roles not sorted": ("conversation", pack((1, 2, "", ((BERT, 2), (ANNA, 3)), (1, 1, 0)))),
    "role twice": ("conversation", pack((1, 2, "", ((ANNA, 2), (ANNA, 3)), (1, 1, 0)))),
    "title of 129 characters": ("conversation", pack((1, 2, "x" * 129, (), (1, 1, 0)))),
    "no lifetime": ("conversation", pack((1, 2, "", (), (1, 0, 0)))),
    "part of version 2": ("history", pack((2, TRANSFER, LAPTOP, 0, 0, PART))),
    "part that is nothing": ("history", pack(())),
    "part 2^20": ("history", pack((1, TRANSFER, LAPTOP, 1 << 20, 0, PART))),
    "part neither last nor not": ("history", pack((1, TRANSFER, LAPTOP, 0, 2, PART))),
    "part for half a device": ("history", pack((1, TRANSFER, LAPTOP[:8], 0, 0, PART))),
    "part that is a picture": ("history", pack((1, TRANSFER, LAPTOP, 0, 0, PICTURE))),
    "part that is empty": (
        "history",
        pack((1, TRANSFER, LAPTOP, 0, 0, (*PART[:2], 0, *PART[3:]))),
    ),
    "part beyond 256 MiB": (
        "history",
        pack((1, TRANSFER, LAPTOP, 0, 0, (*PART[:2], (1 << 28) + 1, *PART[3:]))),
    ),
    "sixth reason": ("readd", pack((1, *READD.to_fields()[:4], 6, *READD.to_fields()[5:]))),
    "half a digest": (
        "readd",
        pack((1, *READD.to_fields()[:5], (7, bytes(16)), NOW_MS, bytes(64))),
    ),
    "request without signature": ("readd", pack((1, *READD.to_fields()[:-1]))),
}


def contents() -> list[Json]:
    """Return the vectors of content.json."""
    found: list[Json] = [good("message", wire) for wire in MESSAGES]
    found += [good("message", wire, kept=True) for wire in UNKNOWN]
    found += [good("counter", (1, counter)) for counter in COUNTERS]
    found += [good("conversation", wire) for wire in CONVERSATIONS]
    found += [good("history", wire) for wire in PARTS]
    for request in (READD, VOTE):
        found.append(good("readd", (1, *request.to_fields()), signed_by="device 1"))
    for why, (where, data) in WRONG.items():
        found.append({"expect": "malformed", "where": where, "why": why, "encoded": data.hex()})
    return found


def sealed_votes() -> list[Json]:
    """Return vectors of votes as they are sealed, for derived.json."""
    booth = content.Booth(CONVERSATION, MESSAGE_ID, ANNA, BERT)
    return [
        formula(
            *("sealed vote", "CNT-71"),
            content.vote_commitment(booth, choices, SALT),
            conversation=CONVERSATION,
            message_id=MESSAGE_ID,
            author=ANNA,
            voter=BERT,
            choices=choices,
            salt=SALT,
        )
        for choices in ((), (1,), (0, 11))
    ]


def answers() -> list[Json]:
    """Return vectors of what answers bind, for derived.json: words, files, a card, a poll."""
    card = content.ContactCard(MESSAGE_ID, 1, BERT, "bert", "Bert")
    poll = content.Poll(MESSAGE_ID, 1, "Where to?", ("home", "去海边"), 1, None)
    said: tuple[Wire, ...] = (
        *("hello", content.quotes.files_said("", [DIGEST])),
        *(content.quotes.card_said(card), content.quotes.poll_said(poll)),
    )
    return [
        formula(
            *("answer", "CNT-29"),
            content.quote_digest(MESSAGE_ID, ANNA, one),
            message_id=MESSAGE_ID,
            author=ANNA,
            said=one,
        )
        for one in said
    ]


def good(where: str, wire: tuple[Wire, ...], **more: Json) -> Json:
    """Return a vector that is accepted."""
    encoded = pack(wire).hex()
    return {"expect": "ok", "where": where, "fields": as_json(wire), "encoded": encoded, **more}
