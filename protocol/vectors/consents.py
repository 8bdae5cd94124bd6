"""Vectors of consent records: good ones with commitments, and for each bound one beyond it."""

import hashlib
from dataclasses import replace

from inputs import NOW_MS, Json, filler

from e2ecore_protocol.chain import ConsentRecord, Controller, Times, commitment, hash_of_notice
from e2ecore_protocol.codec import Wire, pack

NOTICE = "May others see when you are online?\n"
OPERATOR = Controller("The Operator", "privacy@relay.example", "1 Harbour Road")
DAY_MS = 86_400_000


def record(name: str) -> ConsentRecord:
    """Return a record with every field filled."""
    return ConsentRecord(
        1,
        filler(f"consent {name}", 16),
        filler("account", 20),
        filler("device", 16),
        "presence",
        "colleagues only",
        3,
        "en",
        hash_of_notice(NOTICE),
        ("when the person was online",),
        (OPERATOR,),
        ("relay",),
        ("contacts",),
        DAY_MS // 1000,
        "CN",
        "in the app, at any time",
        Times(NOW_MS, NOW_MS + 30 * DAY_MS),
    )


def good() -> dict[str, ConsentRecord]:
    """Return records that hold."""
    full = record("one")
    sparse = replace(
        full, scope="", recipients=(), retention_s=None, jurisdiction="", times=Times(NOW_MS, None),
        controllers=(OPERATOR._replace(address=""),),
    )  # fmt: skip
    chinese = replace(full, notice_language="zh-CN", scope="仅限同事", data=("在线时间",))
    return {"every field": full, "what may be left out": sparse, "Chinese": chinese}


def malformed() -> dict[str, tuple[str, bytes]]:
    """Return encodings with one fault."""
    fields = record("one").to_fields()

    def with_field(place: int, value: Wire) -> tuple[str, bytes]:
        return "CHN-43", pack((*fields[:place], value, *fields[place + 1 :]))

    return {
        "version 2": with_field(0, 2),
        "short consent id": with_field(1, bytes(15)),
        "purpose with a space": with_field(4, "be present"),
        "scope too long": with_field(5, "x" * 257),
        "notice version 0": with_field(6, 0),
        "no language": with_field(7, ""),
        "short hash": with_field(8, bytes(31)),
        "no kind of data": with_field(9, ()),
        "empty kind of data": with_field(9, ("",)),
        "nobody answers": with_field(10, ()),
        "no contact": with_field(10, (("The Operator", "", ""),)),
        "nine places": with_field(11, ("relay",) * 9),
        "retention below 0": with_field(13, -1),
        "no way to withdraw": with_field(15, ""),
        "one time": with_field(16, (NOW_MS,)),
        "a field too few": ("CHN-43", pack(fields[:16])),
        "a byte behind": ("ENC-6", pack(fields) + b"\x00"),
    }


def consents() -> list[Json]:
    """Return the vectors of consents.json."""
    found: list[Json] = []
    for name, one in good().items():
        salt, encoded = filler(f"salt {name}", 32), one.encode()
        found.append(
            {
                "name": name,
                "expect": "ok",
                "notice": NOTICE,
                "encoded": encoded.hex(),
                "salt": salt.hex(),
                "commitment": commitment(salt, encoded).hex(),
                "entry_body": pack(one.granted(salt).to_fields()).hex(),
            }
        )
        if commitment(salt, encoded) != hashlib.sha256(salt + encoded).digest():
            raise AssertionError(name)
    found += [
        {"name": name, "expect": "malformed", "clause": clause, "encoded": data.hex()}
        for name, (clause, data) in malformed().items()
    ]
    return found
