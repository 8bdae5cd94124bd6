"""What the relay has signed of devices that were removed: waited for, and shown."""

from collections.abc import Collection

import anyio

import e2ecore
from cli_demo import jsonlines
from cli_demo.device_words import DeviceWords
from cli_demo.naming import short
from cli_demo.options import Access
from cli_demo.saying import say
from cli_demo.text import moment


async def settle(engine: e2ecore.Engine, timeout_s: float) -> int:
    """Give the conversations some time to follow; return how many are still to."""
    with anyio.move_on_after(timeout_s):
        while _waiting(await engine.devices.list()):  # noqa: ASYNC110 - nobody tells when it is over
            await anyio.sleep(0.05)
    return _waiting(await engine.devices.list())


def _waiting(known: tuple[e2ecore.Device, ...]) -> int:
    return len({uid for one in known for uid in one.waiting})


async def show_erasures(
    engine: e2ecore.Engine, where: Access, devices: Collection[bytes], words: DeviceWords
) -> None:
    """Show the relay's receipt for each of these devices that is removed by now.

    Args:
        engine: Where they were removed.
        where: How long to wait for a receipt, and how to show it.
        devices: Those that were in use before.
        words: In which language.
    """
    with anyio.move_on_after(where.timeout):
        while any(one.erasure is None for one in await _gone(engine, devices)):  # noqa: ASYNC110
            await anyio.sleep(0.05)
    gone = await _gone(engine, devices)
    left = len({uid for one in gone for uid in one.waiting})
    if left and not where.json:
        say(words.left_over.format(count=left))
    for one in gone:
        if where.json:
            print(jsonlines.dump(_fields(one)))
        elif one.erasure is None:
            say(words.not_erased.format(device=short(one.device_id)))
        else:
            say(say_erasure(one.device_id, one.erasure, words))


async def _gone(engine: e2ecore.Engine, devices: Collection[bytes]) -> list[e2ecore.Device]:
    known = await engine.devices.list()
    return [one for one in known if one.removed_ms is not None and one.device_id in devices]


def say_erasure(device_id: bytes, erasure: e2ecore.DeviceErasure, words: DeviceWords) -> str:
    """Say what a receipt says."""
    return words.erased.format(
        device=short(device_id),
        server=erasure.server_name,
        day=moment(erasure.deleted_ms),
        envelopes=erasure.envelopes,
        conversations=erasure.conversations,
        key_packages=erasure.key_packages,
        blobs=erasure.blobs,
    )


def _fields(one: e2ecore.Device) -> dict[str, object]:
    erasure = one.erasure
    shown: dict[str, object] = {"type": "erased", "device": one.device_id.hex()}
    if erasure is None:
        return {**shown, "deleted_ms": None}
    return {
        **shown,
        "deleted_ms": erasure.deleted_ms,
        "relay": erasure.server_name,
        "envelopes": erasure.envelopes,
        "conversations": erasure.conversations,
        "key_packages": erasure.key_packages,
        "blobs": erasure.blobs,
        "signature": erasure.signature.hex(),
    }
