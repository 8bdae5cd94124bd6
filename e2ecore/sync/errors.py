"""What can be wrong with the ops of one's own devices."""

from e2ecore.errors import PeerError
from e2ecore_protocol.content.ops import Op


class ForkedDeviceError(PeerError):
    """One of your devices has said two different things in the same place of its list of ops.

    Its database was set back to an older copy, or somebody else has its key. If you did not
    restore it yourself, remove it from your account. What it said still counts.
    """

    def __init__(self, first: Op, second: Op) -> None:
        super().__init__(f"device {first.device_id.hex()} forked near op {first.number}")
        self.first = first
        """One of the two ops, by which anybody can check it."""
        self.second = second
        """The other one: of the same number, or next to it and not linked to it."""


class EndlessComparisonError(PeerError):
    """Comparing with another of your devices did not end. What was found holds; try later."""


class ComparisonError(PeerError):
    """Another of your devices compared ops against the rules. What it said was dropped."""
