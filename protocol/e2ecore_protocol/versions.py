"""Protocol versions and how two sides agree on one. Spec: protocol/spec/90-versioning.md."""

from typing import Final

from e2ecore_protocol.errors import NoCommonVersionError

PROTOCOL_VERSION: Final = 1
"""Newest version that this package speaks."""

MIN_PROTOCOL_VERSION: Final = 1
"""Oldest version that this package speaks."""


def choose_version(min_version: int, max_version: int) -> int:
    """Choose the newest version that both sides speak.

    Args:
        min_version: Oldest version that the other side speaks.
        max_version: Newest version that the other side speaks.

    Raises:
        NoCommonVersionError: There is none.
    """
    chosen = min(PROTOCOL_VERSION, max_version)
    if chosen < max(MIN_PROTOCOL_VERSION, min_version):
        raise NoCommonVersionError(
            f"we speak {MIN_PROTOCOL_VERSION} to {PROTOCOL_VERSION}, "
            f"they speak {min_version} to {max_version}"
        )
    return chosen
