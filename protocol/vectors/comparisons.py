"""Vectors of comparisons, spec/75-own-devices.md, [OPL-50]: frames, fingerprints, a whole one."""

import hashlib

from inputs import Json, as_json, filler

from e2ecore_protocol.codec import Wire, pack

PRINT = filler("fingerprint", 16)
HASHES = tuple(sorted(filler(f"op {n}", 32) for n in range(3)))

QUESTIONS: dict[str, Wire] = {
    "all of it": ((None, b"", PRINT),),
    "a list of all": ((None, b"", True),),
    "ranges": ((5, b"", PRINT), (5, b"\1", None), (5, b"\1\0", True)),
}
ANSWERS: dict[str, Wire] = {
    "nothing answered": (),
    "it agrees": ((None, b"", None),),
    "lists": ((5, b"", HASHES), (6, bytes(32), ()), (None, b"", PRINT)),
    "the rest not yet": ((5, b"", None), (7, b"", HASHES), (9, b"", None)),
}
NO_FRAMES: dict[str, Wire] = {
    "other version": (2, ((None, b"", PRINT),)),
    "no ranges": (1,),
    "ranges are no array": (1, b""),
    "a field too many": (1, ((None, b"", PRINT),), None),
    "range is no array": (1, (5,)),
    "range of two": (1, ((5, b""),)),
    "negative time": (1, ((-1, b"", PRINT),)),
    "long prefix": (1, ((5, bytes(33), PRINT),)),
    "prefix behind everything": (1, ((None, b"\0", PRINT),)),
    "an empty range": (1, ((0, b"", PRINT),)),
    "not ascending": (1, ((5, b"", PRINT), (5, b"", PRINT))),
    "behind everything": (1, ((None, b"", PRINT), (5, b"", PRINT))),
    "two that agree": (1, ((4, b"", None), (5, b"", None), (6, b"", PRINT))),
    "short fingerprint": (1, ((5, b"", PRINT[:15]),)),
    "said in words": (1, ((5, b"", "list"),)),
    "said false": (1, ((5, b"", False),)),
}
NO_QUESTIONS: dict[str, Wire] = {
    "no range": (),
    "asks a list": ((5, b"", HASHES),),
    "ends with what is not asked": ((5, b"", PRINT), (None, b"", None)),
}
NO_ANSWERS: dict[str, Wire] = {
    "answers with a question": ((5, b"", True),),
    "half a hash": ((5, b"", (HASHES[0][:16],)),),
    "hashes not ascending": ((5, b"", tuple(reversed(HASHES))),),
    "a hash twice": ((5, b"", (HASHES[0], HASHES[0])),),
}


def frames() -> list[Json]:
    """Return vectors of frames."""
    good: list[Json] = [
        {
            "what": what,
            "expect": "ok",
            "ranges": as_json(ranges),
            "encoded": pack((1, ranges)).hex(),
        }
        for what, cases in (("question", QUESTIONS), ("answer", ANSWERS))
        for ranges in cases.values()
    ]
    bad = {
        "question": NO_FRAMES | {why: (1, ranges) for why, ranges in NO_QUESTIONS.items()},
        "answer": NO_FRAMES | {why: (1, ranges) for why, ranges in NO_ANSWERS.items()},
    }
    wrong: list[Json] = [
        {"what": what, "expect": "malformed", "why": why, "encoded": pack(frame).hex()}
        for what, cases in bad.items()
        for why, frame in cases.items()
    ]
    return [*good, *wrong]


def fingerprint(hashes: list[bytes]) -> bytes:
    """Return what stands for ops, [OPL-52]."""
    total = sum(int.from_bytes(one) for one in hashes) % 2**256
    return hashlib.sha256(len(hashes).to_bytes(8) + total.to_bytes(32)).digest()[:16]


def fingerprints() -> list[Json]:
    """Return vectors of fingerprints; the sum of the last one goes beyond 2^256."""
    cases = [[], [HASHES[0]], list(HASHES), [b"\xff" * 32, b"\xfe" * 32]]
    return [
        {
            "what": "fingerprint",
            "expect": "ok",
            "hashes": [one.hex() for one in hashes],
            "fingerprint": fingerprint(hashes).hex(),
        }
        for hashes in cases
    ]


def split(first: int, end: int) -> list[int]:
    """Return where a range is cut into sixteen, [OPL-55]."""
    return [first + (end - first) * part // 16 for part in range(1, 16)]


def whole() -> Json:
    """Return a comparison of 1,000 ops, of which each side lacks one.

    Op n has the time n and the hash ``filler("op n", 32)``. Who asks lacks op 500, who answers 20.
    """
    names = {n: filler(f"op {n}", 32) for n in range(1, 1_001)}
    ours = [n for n in names if n != 500]  # noqa: PLR2004 - as said above
    theirs = [n for n in names if n != 20]  # noqa: PLR2004

    def of(side: list[int], lower: int, upper: int | None) -> list[int]:
        return [n for n in side if lower <= n and (upper is None or n < upper)]

    def parts(side: list[int], lower: int, upper: int | None) -> list[tuple[int, int | None]]:
        inside = of(side, lower, upper)
        cuts = [inside[place] for place in split(0, len(inside))]
        return list(zip([lower, *cuts], [*cuts, upper], strict=True))

    def said(side: list[int], lower: int, upper: int | None) -> bytes:
        return fingerprint([names[n] for n in of(side, lower, upper)])

    ranges = parts(ours, 0, None)
    asked = [(upper, b"", said(ours, lower, upper)) for lower, upper in ranges]
    answered: list[tuple[int | None, bytes, bytes | None]] = []
    for lower, upper in ranges:
        if said(ours, lower, upper) == said(theirs, lower, upper):
            if answered and answered[-1][2] is None:
                answered.pop()
            answered.append((upper, b"", None))
        else:
            answered.extend(
                (inner_upper, b"", said(theirs, inner, inner_upper))
                for inner, inner_upper in parts(theirs, lower, upper)
            )
    return {
        "what": "comparison",
        "expect": "ok",
        "ops": 1_000,
        "asker_lacks": 500,
        "answerer_lacks": 20,
        "question": pack((1, tuple(asked))).hex(),
        "answer": pack((1, tuple(answered))).hex(),
    }
