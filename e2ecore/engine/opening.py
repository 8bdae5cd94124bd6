"""What ``open`` makes of its arguments."""

import os
from pathlib import Path

from e2ecore.crypto.suites import ENGINE_SUITES, CipherSuite
from e2ecore.engine.errors import UnsupportedSuiteError
from e2ecore.transport.dialing import dial as dial_url
from e2ecore.transport.login import Dial, FrameChannel


def chosen_suite(code: int) -> CipherSuite:
    """Return the cipher suite with a number.

    Raises:
        UnsupportedSuiteError: Conversations cannot be begun with it.
    """
    for suite in ENGINE_SUITES:
        if suite.code == code:
            return suite
    raise UnsupportedSuiteError


def dial_of(
    relay: str | Dial | None,
    relay_ca: str | os.PathLike[str] | None,
    *,
    allow_plain_loopback: bool,
) -> Dial | None:
    """Return what opens a channel to the relay that the app named in one way or another."""
    if not isinstance(relay, str):
        return relay
    url = relay

    async def dial() -> FrameChannel:
        ca_file = None if relay_ca is None else Path(relay_ca)
        return await dial_url(url, ca_file=ca_file, allow_plain_loopback=allow_plain_loopback)

    return dial
