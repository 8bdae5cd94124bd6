"""Vectors of the encoding: protocol/spec/10-encoding.md."""

from inputs import Json, as_json

from e2ecore_protocol.codec import Wire, pack

VALUES: tuple[Wire, ...] = (
    *(0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1),
    *(-1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63) + 1),
    *(None, False, True, "", "a" * 31, "a" * 32, "\u00fc\U0001f600"),
    *(b"", b"\x00" * 255, b"\x00" * 256, (), tuple(range(15)), tuple(range(16))),
    (((((((),),),),),),),
)

NOT_CANONICAL = {
    "no input": "",
    "no array": "01",
    "bytes behind the value": "9001",
    "array of one without its element": "91",
    "127 in two bytes": "91cc7f",
    "200 as a signed integer": "91d100c8",
    "-1 in two bytes": "91d0ff",
    "short text with a long head": "91d90161",
    "byte string with a long head": "91c5000161",
    "short array with a long head": "dc000101",
    "a float": "91cb3ff0000000000000",
    "a short float": "91ca3f800000",
    "a map": "9180",
    "a map with a key": "91810101",
    "an extension": "91d40100",
    "a timestamp": "91d6ff00000000",
    "the code that MessagePack never uses": "91c1",
    "text that is not UTF-8": "91a1ff",
    "text with a surrogate": "91a3eda080",
    "text with an overlong form": "91a2c080",
    "an integer beyond 2^63 - 1": "91cf8000000000000000",
    "-2^63": "91d38000000000000000",
    "nine arrays deep": "91" * 8 + "90",
    "4 GiB announced": "91c6ffffffff",
    "4 billion elements announced": "ddffffffff",
    "more elements than MAX_ARRAY_ITEMS": "dc2711" + "c0" * 10_001,
}


def encoding() -> list[Json]:
    """Vectors of [ENC-1] to [ENC-12]: each value in an array of one."""
    good: list[Json] = [
        {"expect": "ok", "value": as_json((value,)), "encoded": pack((value,)).hex()}
        for value in VALUES
    ]
    bad: list[Json] = [
        {"expect": "malformed", "why": why, "encoded": encoded}
        for why, encoded in NOT_CANONICAL.items()
    ]
    return [*good, *bad]
