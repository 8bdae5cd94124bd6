"""Vectors of linking a device, made from the specification alone: its own curve, its own hashes."""

import hashlib
import hmac

import msgpack
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from inputs import Json, filler, public, signer

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
M = bytes.fromhex("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312")
N = bytes.fromhex("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3")
SERVER, ACCOUNT = "relay.example", filler("account", 20)
CODES = ("482913507138", "000000000001", "999999999990", "001230045600")
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Add two points of edwards25519."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(n: int, point: Point) -> Point:
    """Multiply a point."""
    found = (0, 1)
    while n:
        if n & 1:
            found = add(found, point)
        point, n = add(point, point), n >> 1
    return found


def decode(data: bytes) -> Point:
    """Read a point as RFC 8032 writes it."""
    value = int.from_bytes(data, "little")
    y = value & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    return (P - x if x & 1 != value >> 255 else x), y


def encode(point: Point) -> bytes:
    """Write a point as RFC 8032 does."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sha(*parts: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(b"".join(parts)).digest()


def enc(*values: object) -> bytes:
    """Encode an array; nothing here needs more of the encoding than MessagePack has."""
    packed: bytes = msgpack.packb(values, use_bin_type=True)
    return packed


def expand(key: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand with SHA-256."""
    found = block = b""
    while len(found) < size:
        block = hmac.digest(key, block + info + bytes((len(found) // 32 + 1,)), "sha256")
        found += block
    return found[:size]


def check_digit(digits: str) -> str:
    """ISO/IEC 7064 MOD 11,10."""
    p = 10
    for digit in digits:
        p = ((int(digit) + p) % 10 or 10) * 2 % 11
    return str((11 - p) % 10)


def codes() -> list[Json]:
    """Return codes that are right, and the same with one digit changed."""
    found: list[Json] = []
    for code in CODES:
        good = code[:-1] + check_digit(code[:-1])
        found.append({"what": "code", "expect": "ok", "digits": good, "number": int(good[:5])})
        bad = good[:3] + str((int(good[3]) + 1) % 10) + good[4:]
        found.append({"what": "code", "expect": "malformed", "digits": bad, "why": "a slip"})
    found.append({"what": "code", "expect": "malformed", "digits": "12345", "why": "too short"})
    return found


def exchange(code: str) -> tuple[bytes, bytes, bytes]:
    """Return both messages of SPAKE2, and the key."""
    pw = code.encode()
    blind = expand(hmac.digest(bytes(32), pw, "sha256"), b"SPAKE2 pw", 48)
    w = int.from_bytes(blind) % L
    x = int.from_bytes(filler("x" + code, 64)) % L
    y = int.from_bytes(filler("y" + code, 64)) % L
    id_a = b"e2ecore link new v1 " + SERVER.encode()
    id_b = b"e2ecore link existing v1 " + SERVER.encode()
    point_x = encode(add(times(x, BASE), times(w, decode(M))))
    point_y = encode(add(times(y, BASE), times(w, decode(N))))
    z = encode(times(x, add(decode(point_y), times(L - w, decode(N)))))
    key = sha(sha(pw), sha(id_a), sha(id_b), point_x, point_y, z)
    return b"A" + point_x, b"B" + point_y, key


def derived(prk: bytes, name: str) -> bytes:
    """Return the key with a name."""
    return expand(prk, f"e2ecore link {name} v1".encode(), 32)


def confirmed(prk: bytes, side: str, transcript: bytes) -> bytes:
    """Return what shows that a side has the key."""
    return hmac.digest(derived(prk, f"confirm {side}"), transcript, "sha256")


def run(code: str, handle: str | None) -> Json:
    """Return one whole ceremony: up to the check string, and on if the account moves."""
    pake_a, pake_b, key = exchange(code)
    nonce_a, nonce_b = filler("nonce a" + code, 32), filler("nonce b" + code, 32)
    new, old = public("new device"), public("existing device")
    label = b"e2ecore link commitment v1"
    commitment_a = sha(label, enc(nonce_a, new))
    commitment_b = sha(label, enc(nonce_b, ACCOUNT, old))
    seen = (SERVER, int(code[:5]), pake_a, commitment_a, pake_b, commitment_b)
    transcript = sha(b"e2ecore link transcript v1", enc(*seen))
    prk = hmac.digest(transcript, key, "sha256")

    def sealed(side: str, *values: object, count: int = 0) -> bytes:
        aead = ChaCha20Poly1305(derived(prk, f"seal {side}"))
        return aead.encrypt(count.to_bytes(12), enc(*values), transcript)

    shown = enc(nonce_a, new, nonce_b, ACCOUNT, old)
    check = int.from_bytes(expand(prk, b"e2ecore link check v1" + shown, 8)) % 1_000_000
    messages = (
        enc(1, pake_a, commitment_a),
        enc(2, pake_b, commitment_b, confirmed(prk, "existing", transcript)),
        enc(3, confirmed(prk, "new", transcript), sealed("new", 1, nonce_a, new)),
        enc(4, sealed("existing", 2, nonce_b, ACCOUNT, old, handle)),
    )
    moving = (7, 5, filler("prev" + code, 32), filler("identity", 32), handle or "")
    moves = (
        sealed("existing", *moving, count=1),
        sealed("new", 4, filler("signature", 64), count=1),
    )
    return {
        "what": "ceremony",
        "expect": "ok",
        "code": code,
        "server_name": SERVER,
        "account_id": ACCOUNT.hex(),
        "handle": handle,
        "key": key.hex(),
        "transcript": transcript.hex(),
        "messages": [message.hex() for message in messages],
        "check": f"{check:06}",
        "moves": [enc(4, one).hex() for one in moves],
    }


def confirmation(*, early: int, spoilt: bool = False) -> Json:
    """Return the body that tells of a second confirmation."""
    by = filler("existing device", 16)
    fields = [1, filler("device", 16), by, early, 1_760_000_000_000, filler("ref", 32)]
    fields += [filler("enc", 1120), filler("sealed", 48)]
    message = b"e2ecore key handover v1" + enc(ACCOUNT, *fields[1:])
    return {
        "what": "confirmation",
        "expect": "malformed" if spoilt else "ok",
        "body": enc(*fields, signer("identity")(message)).hex(),
        "early": early,
        "context": enc(ACCOUNT, fields[1], fields[5]).hex(),
        "account_id": ACCOUNT.hex(),
        "signed": message.hex(),
        "identity_key": public("identity").hex(),
    }


def linking() -> list[Json]:
    """Return all vectors."""
    good = [code[:-1] + check_digit(code[:-1]) for code in CODES]
    told = [confirmation(early=0), confirmation(early=1), confirmation(early=2, spoilt=True)]
    return [*codes(), run(good[0], "alice"), run(good[1], None), run(good[2], "a.b_c"), *told]
