"""Vectors of signals: whole ones, and ones with one fault each. spec/50-content.md, [CNT-80]."""

from inputs import NOW_MS, Json, as_json, filler, signer
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from e2ecore_protocol.codec import Wire, pack

CONVERSATION, EPOCH = filler("conversation", 16), 7
KEY, NONCE = filler("signal key", 32), filler("signal nonce", 24)
PLAIN = 216
SIGNATURE = filler("signature", 64)


def signed(*fields: Wire) -> tuple[Wire, ...]:
    """Return the fields of a signal with its signature, [CNT-83]."""
    message = b"e2ecore signal v1" + pack((CONVERSATION, EPOCH, *fields))
    return (*fields, signer("device 1")(message))


def padded(content: bytes, filling: bytes = b"") -> bytes:
    """Return what is sealed, [CNT-81]."""
    return (len(content).to_bytes(2) + content + filling).ljust(PLAIN, b"\0")


def sealed(plain: bytes, nonce: bytes = NONCE) -> bytes:
    """Return the payload of a Signal frame, [CNT-80]."""
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plain, b"", nonce, KEY)


GOOD = (
    signed(1, 1, 3, NOW_MS, 1),
    signed(1, 1, 0, 0, 0),
    signed(1, 1, (1 << 32) - 1, (1 << 63) - 1, 1),
)
UNKNOWN: tuple[tuple[Wire, ...], ...] = ((1, 2, 3, NOW_MS, SIGNATURE), (1, 0))
TYPING = pack(GOOD[0])
WRONG: dict[str, bytes] = {
    "length beyond the end": b"\x00\xd7" + padded(TYPING)[2:],
    "something in the padding": padded(TYPING, b"\1"),
    "length of nothing": padded(b""),
    "length cuts the content": (len(TYPING) - 1).to_bytes(2) + padded(TYPING)[2:],
    "length takes padding for content": (len(TYPING) + 1).to_bytes(2) + padded(TYPING)[2:],
    "other version": padded(pack((2, *GOOD[0][1:]))),
    "no kind": padded(pack((1,))),
    "kind as text": padded(pack((1, "typing"))),
    "leaf beyond u32": padded(pack((1, 1, 1 << 32, NOW_MS, 1, SIGNATURE))),
    "third state": padded(pack((1, 1, 3, NOW_MS, 2, SIGNATURE))),
    "state by truth": padded(pack((1, 1, 3, NOW_MS, True, SIGNATURE))),
    "half a signature": padded(pack((1, 1, 3, NOW_MS, 1, SIGNATURE[:32]))),
    "no signature": padded(pack((1, 1, 3, NOW_MS, 1))),
    "a field too many": padded(pack((*GOOD[0], None))),
    "unknown kind with a float": padded(bytes.fromhex("930102cb3ff0000000000000")),
    "not canonical": padded(b"\x96\xcc\x01" + TYPING[2:]),
}


def signals() -> list[Json]:
    """Return the vectors of signals.json."""
    head: Json = {
        "expect": "key",
        "key": KEY.hex(),
        "conversation": CONVERSATION.hex(),
        "epoch": EPOCH,
        "signed_by": "device 1",
    }
    good: list[Json] = [
        {
            "expect": "ok",
            "fields": as_json(fields),
            "encoded": pack(fields).hex(),
            "payload": sealed(padded(pack(fields))).hex(),
        }
        for fields in GOOD
    ]
    ignored: list[Json] = [
        {
            "expect": "ignored",
            "encoded": pack(fields).hex(),
            "payload": sealed(padded(pack(fields))).hex(),
        }
        for fields in UNKNOWN
    ]
    wrong: list[Json] = [
        {"expect": "malformed", "why": why, "payload": sealed(plain).hex()}
        for why, plain in WRONG.items()
    ]
    return [head, *good, *ignored, *wrong, *closed()]


def closed() -> list[Json]:
    """Return vectors of signals that do not open."""
    whole = sealed(padded(TYPING))
    other = bytes((whole[0] ^ 1,)) + whole[1:]
    cut = {
        "a nonce of another signal": other,
        "a changed bit": whole[:40] + bytes((whole[40] ^ 1,)) + whole[41:],
        "a changed tag": whole[:-1] + bytes((whole[-1] ^ 1,)),
        "a byte too few": whole[:-1],
        "a byte too many": whole + b"\0",
    }
    return [{"expect": "closed", "why": why, "payload": one.hex()} for why, one in cut.items()]
