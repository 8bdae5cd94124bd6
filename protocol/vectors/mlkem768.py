"""ML-KEM-768 encapsulation with chosen randomness, which cryptographic libraries do not offer.

For vectors only: neither constant in time nor fast. Spec: FIPS 203, algorithms 4 to 12, 14 and 17.
"""

import hashlib
from itertools import islice
from typing import TypeAlias

Poly: TypeAlias = list[int]

Q = 3329
N = 256
K = 3
ETA = 2
DU = 10
DV = 4
_REVERSED = [int(f"{i:07b}"[::-1], 2) for i in range(128)]
_ZETAS = [pow(17, power, Q) for power in _REVERSED]
_GAMMAS = [pow(17, 2 * power + 1, Q) for power in _REVERSED]


def bits(data: bytes) -> list[int]:
    """Bits of each byte, the lowest first."""
    return [byte >> i & 1 for byte in data for i in range(8)]


def decode(width: int, data: bytes) -> Poly:
    """ByteDecode."""
    flat = bits(data)
    return [
        sum(bit << i for i, bit in enumerate(flat[at : at + width]))
        for at in range(0, len(flat), width)
    ]


def encode(width: int, poly: Poly) -> bytes:
    """ByteEncode."""
    whole = sum(number << (width * i) for i, number in enumerate(poly))
    return whole.to_bytes(N * width // 8, "little")


def compress(width: int, poly: Poly) -> Poly:
    """Compress: to the nearest multiple of Q / 2^width."""
    return [((number << width) + Q // 2) // Q % (1 << width) for number in poly]


def sample_ntt(seed: bytes) -> Poly:
    """SampleNTT: uniform numbers below Q."""
    stream = hashlib.shake_128(seed).digest(2048)
    found = (
        number
        for a, b, c in zip(*(iter(stream),) * 3, strict=False)
        for number in (a + 256 * (b % 16), b // 16 + 16 * c)
        if number < Q
    )
    return list(islice(found, N))


def sample_cbd(seed: bytes, counter: int) -> Poly:
    """SamplePolyCBD over PRF: small numbers."""
    flat = bits(hashlib.shake_256(seed + bytes((counter,))).digest(64 * ETA))
    pairs = [flat[at : at + 2 * ETA] for at in range(0, len(flat), 2 * ETA)]
    return [(sum(four[:ETA]) - sum(four[ETA:])) % Q for four in pairs]


def ntt(poly: Poly) -> Poly:
    """NTT."""
    f, zetas, length = list(poly), iter(_ZETAS[1:]), N // 2
    while length > 1:
        for start in range(0, N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
        length //= 2
    return f


def ntt_inverse(poly: Poly) -> Poly:
    """The inverse of NTT."""
    f, zetas, length = list(poly), iter(_ZETAS[:0:-1]), 2
    while length < N:
        for start in range(0, N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [number * 3303 % Q for number in f]


def product(left: list[Poly], right: list[Poly]) -> Poly:
    """The sum of the products of pairs, all in the NTT domain."""
    total = [0] * N
    for a, b in zip(left, right, strict=True):
        for i, gamma in enumerate(_GAMMAS):
            x, y = 2 * i, 2 * i + 1
            total[x] = (total[x] + a[x] * b[x] + a[y] * b[y] * gamma) % Q
            total[y] = (total[y] + a[x] * b[y] + a[y] * b[x]) % Q
    return total


def plus(*polys: Poly) -> Poly:
    """The sum."""
    return [sum(numbers) % Q for numbers in zip(*polys, strict=True)]


def encapsulate(public: bytes, m: bytes) -> tuple[bytes, bytes]:
    """Return shared secret and ciphertext for the random input ``m`` of 32 bytes."""
    digest = hashlib.sha3_512(m + hashlib.sha3_256(public).digest()).digest()
    secret, r = digest[:32], digest[32:]
    rho = public[384 * K :]
    t = [decode(12, public[384 * i : 384 * (i + 1)]) for i in range(K)]
    y = [ntt(sample_cbd(r, i)) for i in range(K)]
    u = [
        plus(
            ntt_inverse(product([sample_ntt(rho + bytes((i, j))) for j in range(K)], y)),
            sample_cbd(r, K + i),
        )
        for i in range(K)
    ]
    message = [bit * ((Q + 1) // 2) for bit in bits(m)]
    v = plus(ntt_inverse(product(t, y)), sample_cbd(r, 2 * K), message)
    first = b"".join(encode(DU, compress(DU, poly)) for poly in u)
    return secret, first + encode(DV, compress(DV, v))
