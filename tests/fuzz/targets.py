"""The one registry of harnesses, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.fuzz.file_targets import FILE_TARGETS
from tests.fuzz.mls_targets import MLS_TARGETS
from tests.fuzz.op_targets import OP_TARGETS
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import WIRE_TARGETS

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {**MLS_TARGETS, **WIRE_TARGETS, **FILE_TARGETS, **OP_TARGETS}
)
