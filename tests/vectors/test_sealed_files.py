"""The vectors of sealed files, opened by ours and by one that knows only the specification."""

import hashlib
import json
from pathlib import Path
from typing import Final, TypedDict

import pytest

from e2ecore.attachments.errors import (
    AttachmentChunkError,
    AttachmentDamagedError,
    AttachmentDigestError,
    AttachmentKeyError,
    AttachmentPaddingError,
    AttachmentSizeError,
)
from e2ecore.attachments.format import (
    FileKey,
    FileOpener,
    RelayShare,
    SealedFile,
    blob_size,
    check_blob_size,
    content_key,
    padded_size,
)
from e2ecore.crypto.chunked import HEADER_BYTES, SEALED_CHUNK_BYTES
from tests.vectors import minimal_file

FOLDER = Path(__file__).parents[2] / "protocol/vectors"
ERRORS: Final[dict[str, type[AttachmentDamagedError]]] = {
    "size": AttachmentSizeError,
    "key": AttachmentKeyError,
    "chunk": AttachmentChunkError,
    "padding": AttachmentPaddingError,
    "digest": AttachmentDigestError,
}


class Vector(TypedDict, total=False):
    what: str
    expect: str
    why: str
    name: str
    size: int
    padded: int
    blob_size: int
    blob_id: str
    share: str
    file_key: str
    salt: str
    digest: str
    blob_digest: str
    blob_begins: str
    content_key: str


def vectors(what: str) -> list[Vector]:
    found: list[Vector] = json.loads((FOLDER / "sealed-files.json").read_text())["vectors"]
    return [one for one in found if one["what"] == what]


GOOD = [one for one in vectors("blob") if one["expect"] == "ok"]
WRONG = [one for one in vectors("blob") if one["expect"] != "ok"]


def raw(vector: Vector, name: str) -> bytes:
    return bytes.fromhex(str(vector[name]))  # type: ignore[literal-required]


def file_of(vector: Vector) -> bytes:
    digest = hashlib.sha256(f"file {vector['name']}".encode()).digest()
    return (digest * (vector["size"] // 32 + 1))[: vector["size"]]


def sealed(vector: Vector, file: bytes, share: bytes | None = None, *, pad: bytes = b"") -> bytes:
    """The blob of a vector as our code makes it."""
    chosen = RelayShare(share or raw(vector, "share"))
    key = content_key(FileKey(raw(vector, "file_key")), chosen, raw(vector, "blob_id"))
    whole = file + pad

    def read(begin: int, out: memoryview) -> None:
        out[:] = whole[begin : begin + len(out)]

    source = SealedFile(key, raw(vector, "salt"), len(whole), read)
    found = b""
    while run := source.run_at(len(found)):
        found += run
    return found


def opened(vector: Vector, blob: bytes) -> bytes:
    """What our code makes of a blob."""
    check_blob_size(vector["size"], len(blob))
    share, file_key = RelayShare(raw(vector, "share")), FileKey(raw(vector, "file_key"))
    key = content_key(file_key, share, raw(vector, "blob_id"))
    opener = FileOpener(key, blob[:HEADER_BYTES], vector["size"])
    found = b"".join(
        opener.open(number, blob[slice(*opener.range_of(number, 1))])
        for number in range(opener.chunks)
    )
    if hashlib.sha256(found).digest() != raw(vector, "digest"):
        raise AttachmentDigestError
    return found


def minimally_opened(vector: Vector, blob: bytes) -> bytes:
    return minimal_file.open_file(
        blob,
        blob_id=raw(vector, "blob_id"),
        share=raw(vector, "share"),
        file_key=raw(vector, "file_key"),
        size=vector["size"],
        digest=raw(vector, "digest"),
    )


@pytest.mark.parametrize("vector", vectors("size"), ids=lambda one: str(one["size"]))
def test_a_file_is_padded_as_the_vectors_say(vector: Vector) -> None:
    assert padded_size(vector["size"]) == vector["padded"] == minimal_file.padded(vector["size"])
    assert blob_size(vector["size"]) == vector["blob_size"]


def test_the_content_key_is_that_of_the_vectors() -> None:
    (vector,) = vectors("content key")
    share, file_key = RelayShare(raw(vector, "share")), FileKey(raw(vector, "file_key"))
    key = content_key(file_key, share, raw(vector, "blob_id"))
    assert key.raw == raw(vector, "content_key")


@pytest.mark.parametrize("vector", GOOD, ids=lambda one: one["name"])
def test_a_file_is_sealed_to_the_bytes_of_the_vectors_and_opened_by_both(vector: Vector) -> None:
    file = file_of(vector)
    blob = sealed(vector, file)
    assert hashlib.sha256(blob).digest() == raw(vector, "blob_digest")
    assert blob.startswith(raw(vector, "blob_begins"))
    assert opened(vector, blob) == minimally_opened(vector, blob) == file


def _with_fault(vector: Vector) -> bytes:
    """The faulty blob that a vector describes."""
    file = file_of(vector)
    blob = sealed(vector, file)
    one, two = HEADER_BYTES + SEALED_CHUNK_BYTES, HEADER_BYTES + 2 * SEALED_CHUNK_BYTES
    flips = {
        "a bit of the salt": 3,
        "a bit of the commitment": 40,
        "a bit of the first chunk": HEADER_BYTES,
        "a bit of a tag": two - 1,
        "a bit of the last chunk": len(blob) - 1,
    }
    why = vector["why"]
    if why in flips:
        changed = bytearray(blob)
        changed[flips[why]] ^= 1
        return bytes(changed)
    other = hashlib.sha256(b"other share").digest()
    behind = bytes(padded_size(len(file)) - len(file) - 1) + b"\1"
    made = {
        "sealed with another share": lambda: sealed(vector, file, other),
        "two chunks swapped": lambda: (
            blob[:HEADER_BYTES] + blob[one:two] + blob[HEADER_BYTES:one] + blob[two:]
        ),
        "a chunk cut off": lambda: blob[:two],
        "a chunk doubled": lambda: blob[:one] + blob[HEADER_BYTES:],
        "a byte more": lambda: blob + b"\0",
        "the header alone": lambda: blob[:HEADER_BYTES],
        "something behind the end": lambda: sealed(vector, file, pad=behind),
        "another file": lambda: sealed(vector, b"\1" + file[1:]),
    }
    return made[why]()


@pytest.mark.parametrize("vector", WRONG, ids=lambda one: one["why"])
def test_a_blob_with_one_fault_is_refused_for_it_by_both(vector: Vector) -> None:
    blob = _with_fault(vector)
    assert hashlib.sha256(blob).digest() == raw(vector, "blob_digest")
    with pytest.raises(ERRORS[vector["expect"]]):
        opened(vector, blob)
    with pytest.raises(ValueError, match=vector["expect"]):
        minimally_opened(vector, blob)
