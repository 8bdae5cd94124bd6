"""Vectors of ops, of their merging, and of comparisons. spec/75-own-devices.md."""

import hashlib

from inputs import NOW_MS, Json, as_json, filler, public, signer

from e2ecore_protocol.codec import Wire, pack

ACCOUNT, TALK, PERSON = filler("account", 20), filler("conversation", 16), filler("person", 20)
NAMES = ("device 1", "device 2", "device 3")
IDS = {name: hashlib.sha256(public(name)).digest()[:16] for name in NAMES}
FIRST, ZERO, SIGNATURE = filler("op", 32), bytes(32), filler("signature", 64)
TIME = NOW_MS << 16
MESSAGE = (filler("message 1", 16), PERSON)
ONE = IDS["device 1"]
TWO = IDS["device 2"]
Op = tuple[Wire, ...]


def op(device: str, number: int, time: int, says: tuple[int, bytes, Wire], seen: Wire) -> Op:
    """Return a signed op, [OPL-1] to [OPL-3]; ``says`` is kind, subject and value."""
    kind, subject, value = says
    before = filler(f"{device} {number - 1}", 32) if number > 1 else ZERO
    fields = (1, IDS[device], number, before, time, kind, subject, seen, value)
    return (*fields, signer(device)(b"e2ecore op v1" + pack((ACCOUNT, hash_of(fields)))))


def hash_of(fields: Op) -> bytes:
    """Return the hash of an op from its fields but the signature, [OPL-2]."""
    return hashlib.sha256(pack(fields)).digest()


VALUES: dict[str, tuple[int, bytes, Wire]] = {
    "mute": (100, TALK, (NOW_MS,)),
    "archive": (101, TALK, (1,)),
    "place": (102, TALK, (0,)),
    "person": (103, PERSON, (1, "bob", "Bobby")),
    "person without handle": (103, PERSON, (0, None, "")),
    "verified": (104, PERSON, (filler("compared", 32),)),
    "not verified": (104, PERSON, (None,)),
    "setting": (105, b"read_receipts", (b"\1",)),
    "retention": (106, TALK, (86_400_000,)),
    "retention elsewhere": (106, b"", (None,)),
    "revisions": (107, TALK, (0,)),
    "revisions as elsewhere": (107, TALK, (None,)),
    "read": (200, TALK, (812,)),
    "cleared": (201, TALK, ((1 << 63) - 1,)),
    "draft": (300, TALK, ("Dear @bob,", MESSAGE, ((PERSON, 5, 4),))),
    "no draft": (300, TALK, ("", None, ())),
    "erased": (400, TALK, (tuple(sorted((MESSAGE, (filler("message 2", 16), PERSON)))),)),
    "blocked": (500, PERSON, (1,)),
    "a kind of later, of a known rule": (299, b"later", (5, "more")),
    "a rule of later": (65_535, bytes(64), ()),
}
SEEN = ((TWO, 7),)
FIELDS = (
    *("version", "device", "number", "prev", "time"),
    *("kind", "subject", "seen", "value", "signature"),
)
GOOD = op("device 1", 2, TIME + 1, (100, TALK, (NOW_MS,)), SEEN)


def but(**changed: Wire) -> bytes:
    """Return the encoding of a good op with one field changed."""
    fields = dict(zip(FIELDS, GOOD, strict=True)) | changed
    return pack(tuple(fields.values()))


def saying(kind: int, subject: bytes, *value: Wire) -> bytes:
    """Return the encoding of an op that says this."""
    return but(kind=kind, subject=subject, value=value, seen=())


WRONG: dict[str, bytes] = {
    "other version": but(version=2),
    "no fields": pack(()),
    "a field too few": pack(GOOD[:-1]),
    "a field too many": pack((*GOOD, None)),
    "short device id": but(device=bytes(15)),
    "number 0": but(number=0),
    "first, and follows another": but(number=1),
    "second, and follows nothing": but(prev=ZERO),
    "short hash": but(prev=bytes((1,)) * 31),
    "negative time": but(time=-1),
    "kind 0": but(kind=0),
    "kind beyond u16": but(kind=1 << 16),
    "long subject": but(kind=199, subject=bytes(65)),
    "saw itself": but(seen=((ONE, 1),)),
    "saw a device twice": but(seen=((TWO, 7), (TWO, 8))),
    "saw devices out of order": but(seen=tuple(sorted(((TWO, 7), (bytes(16), 1)), reverse=True))),
    "saw number 0": but(seen=((TWO, 0),)),
    "saw too many": but(seen=tuple((n.to_bytes(16), 1) for n in range(33))),
    "value is no array": but(value=5),
    "half a signature": but(signature=SIGNATURE[:32]),
    "not canonical": b"\xdc\x00\x0a" + pack(GOOD)[1:],
    "a read marker saw something": but(kind=200),
    "a delete saw something": but(kind=400, value=((MESSAGE,),)),
    "mute of a person": saying(100, PERSON, 0),
    "mute by truth": saying(100, TALK, *(True,)),
    "archive 2": saying(101, TALK, 2),
    "place without a value": saying(102, TALK),
    "person of a conversation": saying(103, TALK, 1, None, ""),
    "bad handle": saying(103, PERSON, 1, "Bob", ""),
    "long name": saying(103, PERSON, 1, None, "x" * 65),
    "half of what was compared": saying(104, PERSON, bytes(31)),
    "setting without a name": saying(105, b"", b""),
    "setting with a capital": saying(105, b"Theme", b""),
    "setting that begins with a digit": saying(105, b"2fa", b""),
    "setting beyond ASCII": saying(105, "größe".encode(), b""),
    "long setting": saying(105, b"theme", bytes(4_097)),
    "retention of a person": saying(106, PERSON, None),
    "revisions kept twice": saying(107, TALK, 2),
    "read up to nothing": saying(200, TALK, None),
    "a number that is none, of a kind of later": saying(299, b"", b"5"),
    "no number, of a kind of later": saying(299, b""),
    "draft with a reply of three fields": saying(300, TALK, "x", (*MESSAGE, 0), ()),
    "mention beyond the draft": saying(300, TALK, "x", None, ((PERSON, 0, 2),)),
    "mentions overlap": saying(300, TALK, "xxx", None, ((PERSON, 0, 2), (PERSON, 1, 1))),
    "nothing erased": saying(400, TALK, ()),
    "erased twice": saying(400, TALK, (MESSAGE, MESSAGE)),
    "erased out of order": saying(400, TALK, ((b"\1" * 16, PERSON), (bytes(16), PERSON))),
    "too many erased": saying(400, TALK, tuple((n.to_bytes(16), PERSON) for n in range(257))),
    "blocked 2": saying(500, PERSON, 2),
}


def ops() -> list[Json]:
    """Return vectors of single ops."""
    good = [op("device 1", 1, TIME, VALUES[name], ()) for name in VALUES]
    found: list[Json] = [
        {
            "what": "op",
            "expect": "ok",
            "fields": as_json(one),
            "encoded": pack(one).hex(),
            "hash": hash_of(one[:-1]).hex(),
        }
        for one in (*good, GOOD)
    ]
    bad: list[Json] = [
        {"what": "op", "expect": "malformed", "why": why, "encoded": data.hex()}
        for why, data in WRONG.items()
    ]
    strange = {
        "a signature of another device": but(device=TWO, seen=()),
        "a signature for another value": but(value=(NOW_MS + 1,)),
        "a signature for another account": pack(
            (*GOOD[:-1], signer("device 1")(b"e2ecore op v1" + pack((PERSON, hash_of(GOOD[:-1])))))
        ),
    }
    unsigned: list[Json] = [
        {"what": "op", "expect": "signature", "why": why, "encoded": data.hex()}
        for why, data in strange.items()
    ]
    return [*found, *bad, *unsigned]


def mute(device: int, number: int, minute: int, *seen: tuple[int, int], value: int = 0) -> Op:
    """Return an op of a register. Devices are named by their place in NAMES, from 1 on."""
    return about(100, TALK, (value,), (device, number, minute), *seen)


def about(
    kind: int, subject: bytes, value: Wire, who: tuple[int, int, int], *seen: tuple[int, int]
) -> Op:
    """Return an op by device, number and minute."""
    device, number, minute = who
    named = tuple(sorted((IDS[NAMES[one - 1]], upto) for one, upto in seen))
    time = TIME + (minute * 60_000 << 16)
    return op(NAMES[device - 1], number, time, (kind, subject, value), named)


YEAR = 366 * 1_440
DRAFTS = (("a", None, ()), ("b", None, ()), ("c", None, ()))
# Ops; which are kept; which count, the first one first.
CASES: dict[str, tuple[list[Op], list[int], list[int]]] = {
    "nobody knew of the other: the later": ([mute(1, 1, 5), mute(2, 1, 6)], [0, 1], [1]),
    "written in view of a later one": ([mute(1, 1, 9), mute(2, 1, 6, (1, 1))], [1], [1]),
    "own later op, with an earlier time": ([mute(1, 1, 9), mute(1, 2, 3)], [1], [1]),
    "one from the future": ([mute(1, 1, YEAR), mute(2, 1, 0)], [0, 1], [1]),
    "only one, from the future": ([mute(1, 1, YEAR)], [0], [0]),
    "all from the future": ([mute(1, 1, YEAR), mute(2, 1, YEAR + 1)], [0, 1], [1]),
    "each claims to have had the other": (
        [mute(1, 1, 5, (2, 1)), mute(2, 1, 6, (1, 1))],
        [0, 1],
        [1],
    ),
    "one device went two ways": (
        sorted([mute(1, 1, 5, value=1), mute(1, 1, 5, value=2)], key=lambda one: hash_of(one[:-1])),
        [1],
        [1],
    ),
    "the greatest, though earlier": (
        [about(200, TALK, (9,), (1, 1, 0)), about(200, TALK, (8,), (2, 1, 5))],
        [0],
        [0],
    ),
    "two drafts": (
        [about(300, TALK, DRAFTS[0], (1, 1, 0)), about(300, TALK, DRAFTS[1], (2, 1, 5))],
        [0, 1],
        [1, 0],
    ),
    "a draft in view of one of two": (
        [
            about(300, TALK, DRAFTS[0], (1, 1, 0)),
            about(300, TALK, DRAFTS[1], (2, 1, 5)),
            about(300, TALK, DRAFTS[2], (3, 1, 1), (1, 1)),
        ],
        [1, 2],
        [1, 2],
    ),
    "what was erased": (
        [about(400, TALK, ((MESSAGE,),), (one, one, 0)) for one in (1, 2, 3)],
        [0, 1, 2],
        [0, 1, 2],
    ),
    "blocked, and unblocked without knowing": (
        [about(500, PERSON, (1,), (1, 1, 0)), about(500, PERSON, (0,), (2, 1, 5))],
        [0, 1],
        [0],
    ),
    "blocked, and unblocked": (
        [about(500, PERSON, (1,), (1, 1, 0)), about(500, PERSON, (0,), (2, 1, 5), (1, 1))],
        [1],
        [],
    ),
}


def merging() -> list[Json]:
    """Return vectors of slots: what is kept of ops, and what counts, [OPL-32] and [OPL-33]."""
    return [
        {
            "what": "merging",
            "expect": "ok",
            "why": why,
            "now_ms": NOW_MS + 60 * 60_000,
            "ops": [pack(one).hex() for one in given],
            "kept": sorted(hash_of(given[place][:-1]).hex() for place in kept),
            "counts": [hash_of(given[place][:-1]).hex() for place in counts],
        }
        for why, (given, kept, counts) in CASES.items()
    ]


CONTENTS: dict[str, tuple[Wire, ...]] = {
    "told": (1, 1001, (pack(GOOD),)),
    "compared": (1, 1002, TWO, filler("session", 16), b"\x92\x01\x90"),
    "answered": (1, 1003, ONE, filler("session", 16), b"\x92\x01\x90"),
    "wanted": (1, 1004, TWO, (FIRST,)),
}
NO_CONTENTS: dict[str, Wire] = {
    "other version": (2, 1004, TWO, (FIRST,)),
    "no kind": (1,),
    "kind 0": (1, 0, TWO),
    "kind as text": (1, "told"),
    "told nothing": (1, 1001, ()),
    "told an empty op": (1, 1001, (b"",)),
    "told too much": (1, 1001, (b"x",) * 257),
    "short session": (1, 1002, TWO, bytes(15), b"x"),
    "empty frame": (1, 1002, TWO, bytes(16), b""),
    "wanted nothing": (1, 1004, TWO, ()),
    "wanted half a hash": (1, 1004, TWO, (FIRST[:16],)),
    "wanted of nobody": (1, 1004, b"", (FIRST,)),
}


def contents() -> list[Json]:
    """Return vectors of what own devices say to each other."""
    good: list[Json] = [
        {"what": "content", "expect": "ok", "fields": as_json(one), "encoded": pack(one).hex()}
        for one in CONTENTS.values()
    ]
    later = {"what": "content", "expect": "ignored", "encoded": pack((1, 1999, "later")).hex()}
    bad: list[Json] = [
        {"what": "content", "expect": "malformed", "why": why, "encoded": pack(one).hex()}
        for why, one in NO_CONTENTS.items()
    ]
    return [*good, {**later}, *bad]
