"""Routes: whether what the relay did to its route is what a commit did to the group.

The lists of a commit frame say who comes into the route and who leaves it; the commit itself says
who is a member. A member who commits can have the one say something else than the other.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar

Device = TypeVar("Device")


def compare(
    added: Iterable[Device],
    removed: Iterable[Device],
    joined: Iterable[Device],
    left: Iterable[Device],
    members: AbstractSet[Device],
) -> tuple[frozenset[Device], frozenset[Device]]:
    """Compare a route change with what happened to the group.

    Args:
        added: Devices that came into the route, also those that were in both lists.
        removed: Devices that left it.
        joined: Devices that the commit made members; none if it is not in force.
        left: Devices that are members no more by it.
        members: Everybody who is a member now.

    Returns:
        Members without a route, and devices with a route that are no members.
    """
    arriving, leaving = frozenset(added), frozenset(removed)
    cut = (leaving - arriving) & members | (frozenset(joined) & members) - arriving
    strangers = (arriving - members) | (frozenset(left) - leaving - arriving - members)
    return cut, strangers
