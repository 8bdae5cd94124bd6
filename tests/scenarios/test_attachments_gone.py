"""Once the relay has deleted a file, what anybody has kept of it does not open any more.

Real relay, real sockets, real databases. Before the deletion somebody copies everything that the
relay has on its disk; afterwards somebody takes the relay's disk again and the recipient's
database, with all keys. The kept ciphertext stays shut.
"""

import os
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.attachments.format import ContentKey, FileKey, RelayShare, content_key
from e2ecore.engine.files import fetching, uploading
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.storage import attachments
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore.transport.dialing import dial
from e2ecore_relay.backends.sqlite.database import DATABASE_NAME, KEY_NAME
from e2ecore_relay.server.relay import Relay
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.pages import opened_pages, plain_pages
from tests.support.relay import relay_at, where
from tests.vectors import minimal_file

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"])]
DATA = os.urandom(700_000)


async def device(folder: Path, relay: Relay, handle: str) -> Engine:
    url, ca_file = where(relay)
    return await open_device(folder / f"{handle}.db", lambda: dial(url, ca_file=ca_file))


def disk_of(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def relay_image(folder: Path) -> bytes:
    """All that the relay's database, its log and its free pages say to somebody with its key."""
    key = bytes.fromhex((folder / KEY_NAME).read_text().strip())
    return opened_pages(folder / DATABASE_NAME, key)


def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], list[bytes]]:
    """Note every share that a device gets, and every content key that it makes of one."""
    shares: list[bytes] = []
    keys: list[bytes] = []

    def noted(file_key: FileKey, share: RelayShare, blob_id: bytes) -> ContentKey:
        key = content_key(file_key, share, blob_id)
        shares.append(share.raw)
        keys.append(key.raw)
        return key

    for module in (fetching, uploading):
        monkeypatch.setattr(module, "content_key", noted)
    return shares, keys


def minimal_open(blob: bytes, row: AttachmentRow, share: bytes) -> bytes:
    """Open a blob by the specification alone."""
    item = decode_item(row)
    return minimal_file.open_file(
        blob,
        blob_id=row.blob_id,
        share=share,
        file_key=item.file_key,
        size=item.size,
        digest=item.digest,
    )


@pytest.mark.slow
@pytest.mark.clause("GB42012-8.1.1e")
async def test_after_deletion_no_disk_and_no_device_opens_what_somebody_has_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares, keys = watched(monkeypatch)
    async with relay_at(tmp_path, blob_min_free_bytes=0) as relay:
        alice = await device(tmp_path, relay, "alice")
        bob = await device(tmp_path, relay, "bob")
        async with alice, bob:
            await alice.register("alice")
            await bob.register("bob")
            at_alice, at_bob = alice.events(), bob.events()
            chat, _ = await pair(alice, bob)
            secret = tmp_path / "secret.bin"
            secret.write_bytes(DATA)
            upload = await chat.send_file(secret)
            with anyio.fail_after(PATIENCE_S):
                await upload.sent()
            seen = (await until(at_bob, e2ecore.MessageReceived)).message
            aid = seen.attachment.attachment_id
            row = bob._core.read(lambda tx: attachments.get(tx, aid))
            assert row is not None
            file_key = decode_item(row).file_key
            kept = disk_of(tmp_path / "relay")
            (blob,) = [data for path, data in kept.items() if path.name == row.blob_id.hex()]

            assert minimal_open(blob, row, shares[0]) == DATA
            assert shares[0] in relay_image(tmp_path / "relay"), "as long as it waits there"
            await seen.attachment.download(tmp_path / "out")
            gone = await until(at_alice, e2ecore.BlobDeleted)
            assert gone.deletion.reason is e2ecore.DeletionReason.ALL_FETCHED
            assert set(shares) == {shares[0]}
            after = disk_of(tmp_path / "relay")
            assert row.blob_id.hex() not in {one.name for one in after}
            images = [relay_image(tmp_path / "relay"), *after.values()]
    images.append(relay_image(tmp_path / "relay"))
    images += [plain_pages(tmp_path / f"{name}.db", PASSPHRASE) for name in ("alice", "bob")]
    assert (tmp_path / "out").read_bytes() == DATA
    assert not any(secret in image for image in images for secret in (shares[0], *keys))
    assert file_key in images[-1], "the recipient's message still has the other half"
