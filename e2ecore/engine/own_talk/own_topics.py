"""Who takes what our own devices say to each other, by topic.

A taker works in the transaction of the batch that brought it. It looks at everything before it
changes anything: what it refuses, by a ``PeerError`` or ``MalformedError``, is set aside like any
envelope that is not right. To add a topic, add a number to ``OwnTopic`` and a taker to ``_TAKERS``.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from e2ecore.engine.own_devices.handing import take_key_handover
from e2ecore.engine.own_talk.op_talk import take_ops
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror, Peer
from e2ecore.engine.taking_along.announced import take_part
from e2ecore_protocol.content.own import Own

Taker: TypeAlias = Callable[[Job, Mirror, Peer, bytes], None]
"""Takes a body that another device of ours has sent: the conversation, the sender, the bytes."""


_TAKERS: Final[Mapping[int, Taker]] = {
    OwnTopic.OPS: take_ops,
    OwnTopic.HISTORY: take_part,
    OwnTopic.IDENTITY_KEY: take_key_handover,
}


def take_own(job: Job, mirror: Mirror, sender: Peer, content: Own) -> None:
    """Hand what a sibling says to whoever takes it; a topic of a newer version is dropped."""
    taker = _TAKERS.get(content.topic)
    if taker is not None:
        taker(job, mirror, sender, content.body)
