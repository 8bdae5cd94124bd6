"""What the user says of others: what they call them, and who is a contact.

It is noted on the account's row, and told to our other devices. Somebody who is a contact because
they talk to us is one on each device that hears them: that is not told.
"""

from collections.abc import Sequence

from e2ecore.engine.own_talk.oplog import say, slot
from e2ecore.engine.running.job import Job
from e2ecore.storage import chains
from e2ecore.storage.chains import ChainAccountRow
from e2ecore.sync import merging
from e2ecore.sync.people import person
from e2ecore_protocol.content.op_bodies import Person
from e2ecore_protocol.content.ops import Op


def set_name(job: Job, account_id: bytes, name: str) -> None:
    """Call somebody by a name, which makes them a contact; empty: by none of our own."""
    row = chains.account(job.tx, account_id)
    if row is not None:
        kept = row._replace(name=name)
        _change(job, row, kept._replace(contact=1, forgotten=0) if name else kept)


def note_contact(job: Job, account_id: bytes) -> None:
    """Somebody was looked up: they are a contact from now on, also if they were forgotten."""
    row = chains.account(job.tx, account_id)
    if row is not None and not row.is_contact:
        _change(job, row, row._replace(contact=1, forgotten=0))


def forget(job: Job, account_id: bytes) -> None:
    """Have somebody not among the contacts any more, and without a name of our own."""
    row = chains.account(job.tx, account_id)
    if row is not None:
        _change(job, row, row._replace(name="", forgotten=1))


def say_person(job: Job, row: ChainAccountRow) -> None:
    """Tell our other devices what is so of somebody."""
    say(job, row.account_id, Person(int(row.is_contact), row.handle or None, row.name))


def apply_person(job: Job, account_id: bytes, kept: Sequence[Op] | None = None) -> None:
    """Bring what is noted of somebody to what counts on all our devices.

    Somebody of whom this device knows nothing is asked for, if they are a contact.

    Args:
        job: The work under way.
        account_id: Who.
        kept: The ops about them; None: they are looked up.
    """
    kept = slot(job, Person.KIND, account_id) if kept is None else kept
    said = person(kept, job.relay_ms)
    if said is None or account_id == job.own.account_id:
        return
    row = chains.account(job.tx, account_id)
    if row is None:
        if said.contact:
            job.effects.fetch.add(account_id)
        return
    now = row._replace(
        handle=row.handle or said.handle or "",
        contact=row.contact or said.contact,
        forgotten=1 - said.contact,
        name=said.name,
    )
    if now != row:
        chains.save_account(job.tx, now)
    if merging.wants_settling(kept, job.relay_ms):
        say(job, account_id, said)


def _change(job: Job, before: ChainAccountRow, after: ChainAccountRow) -> None:
    if after != before:
        chains.save_account(job.tx, after)
        if after.account_id != job.own.account_id:
            say_person(job, after)
