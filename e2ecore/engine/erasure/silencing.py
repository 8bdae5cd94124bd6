"""What was said of messages, and has not left when these are erased, says nothing any more."""

from collections.abc import Container
from typing import Final

from e2ecore.engine.running.job import Job
from e2ecore.storage import outbox
from e2ecore_protocol.content.messages import decode_content
from e2ecore_protocol.content.polls import Vote, VoteReveal
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.revisions import Edit

_PRIVATE: Final = (Edit, Reaction, Vote, VoteReveal)
"""What has words, signs or choices in it. Recalls, pins and closes are for others: they leave."""


def silence_remarks(job: Job, cid: int, uids: Container[bytes], silence: bytes) -> None:
    """Have ``silence`` sent in place of what this user said of messages that are being erased.

    Args:
        job: The work under way.
        cid: Conversation.
        uids: Ids of the messages.
        silence: Content that says nothing, encoded: counters must not be missing.
    """
    for row in outbox.with_content(job.tx, cid):
        content = None if row.message else decode_content(row.content)
        if isinstance(content, _PRIVATE) and content.message_id in uids:
            outbox.replace_content(job.tx, row.oid, silence)
