"""Small tasks that run for the life of the engine, each woken by a signal."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.account.accounts import make_key_packages, published
from e2ecore.engine.account.chains import chain_refused, compare_heads, store_chain
from e2ecore.engine.account.people import apply_person
from e2ecore.engine.arrival.receiving import expire_held, look_again
from e2ecore.engine.errors import ChainInvalidError, EngineClosedError
from e2ecore.engine.membership.unopened import ask_with_fresh_keys
from e2ecore.engine.own_devices.succeeding import take_places
from e2ecore.engine.running.job import Job, nothing
from e2ecore.engine.running.restoring import restore_chain, take_numbers
from e2ecore.engine.running.resuming import (
    ask_for_routes,
    conversations_amiss,
    conversations_in_use,
)
from e2ecore.errors import E2EError, TransientError
from e2ecore.storage import chains, ops
from e2ecore.transport.errors import ConnectionLostError, RelayRefusedError
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.content.op_bodies import Person
from e2ecore_protocol.frames.accounts import Account, ChainHead, ChainHeads, FetchChain, FetchHeads
from e2ecore_protocol.frames.conversations import Conversations, ListConversations
from e2ecore_protocol.frames.key_packages import PublishKeyPackages
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import MAX_CHAIN_ENTRIES, MAX_HEADS_PER_FRAME

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

NOTE_S: Final = 0.02
"""How long the relay's acceptance waits for another job to be stored with."""
TROUBLE_S: Final = 1.0
"""How long to wait when the disk or the relay says no for now."""
MAX_PAUSE_S: Final = 60.0
"""Longest pause before a task that ended by a defect is begun anew; it doubles each time."""
ROUTE_S: Final = 2.0
"""How long to wait for the explanation why the relay does not deliver a conversation any more."""
MAX_STRANGERS: Final = 1_000
"""Contacts of other devices that are asked for over one connection."""
LOOK_S: Final = 0.5
"""How often envelopes that are held back are looked at."""


async def note_acceptances(core: "Core") -> None:
    """Store what the relay accepted, when no other job has done so on its way."""
    while True:
        await core.note_signal.wait()
        while (oldest := core.state.oldest_accepted()) is not None:
            await anyio.sleep(NOTE_S)
            if core.state.oldest_accepted() is oldest:
                await core.jobs.run(nothing)  # every job notes them


async def watch_held(core: "Core") -> None:
    """Give up on envelopes that were held back for too long."""
    while True:
        await core.holding.wait()
        await anyio.sleep(LOOK_S)
        await core.jobs.run(expire_held)


async def pause_sender(core: "Core") -> None:
    """Let the sender go on after refusals were seen to."""
    while True:
        await core.pause_signal.wait()
        pauses, core.pauses = core.pauses, []
        longest = max(pauses, default=0)
        if longest:
            await anyio.sleep(longest / 1000)
            core.sender.restart()
        core.sender.paused = False
        core.after_jobs()


async def supply_key_packages(core: "Core") -> None:
    """Publish key packages when few are left at the relay."""
    while True:
        await core.supply_signal.wait()
        try:
            await _supply(core)
        except E2EError:
            continue  # the next connection says again how many are left
        core.supplied.settle()


async def _supply(core: "Core") -> None:
    left = core.key_packages_left
    link = core.need_link()
    supply = await core.jobs.run(lambda job: make_key_packages(job, left))
    if not supply.refs:
        return
    await link.request(PublishKeyPackages(0, supply.one_time, supply.last_resort), Ok)
    core.key_packages_left = left + len(supply.one_time)

    def work(job: Job) -> None:
        published(job, supply)
        ask_with_fresh_keys(job)

    await core.jobs.run(work)


async def fetch_chains(core: "Core") -> None:
    """Fetch account chains that envelopes held back are waiting for."""
    while True:
        await core.fetch_signal.wait()
        if core.link is None:
            continue
        due, core.fetch_due = core.fetch_due, set()
        answered: set[bytes] = set()
        for account_id in due:
            try:
                await fetch_chain(core, account_id)
            except ConnectionLostError:
                core.fetch_due |= due - answered
                break
            except (ChainInvalidError, RelayRefusedError):
                answered.add(account_id)
            else:
                answered.add(account_id)

        def work(job: Job, answered: set[bytes] = answered) -> None:
            note_fetched(job, answered)
            look_again(job, list(job.state.held), answered)

        core.jobs.submit(work, core.in_trouble)


def ask_for_contacts(job: Job) -> None:
    """Fetch the chains of people who are contacts on another device, and unknown on this one."""
    for account_id in ops.strangers(job.tx, Person.KIND, MAX_STRANGERS):
        apply_person(job, account_id)


def note_fetched(job: Job, accounts: Iterable[bytes]) -> None:
    """Remember that the relay was asked for these chains just now."""
    answers = job.state.answers
    answers.update({account_id: answers.get(account_id, 0) + 1 for account_id in accounts})


async def keep_going(chore: Callable[["Core"], Awaitable[None]], core: "Core") -> None:
    """Run a task for the life of the engine.

    A full disk or the like only interrupts it; a defect ends the connection, and both begin anew.
    """
    pause_s = TROUBLE_S
    while True:
        try:
            return await chore(core)
        except EngineClosedError:
            return None
        except TransientError:
            await anyio.sleep(TROUBLE_S)
        except Exception as error:  # noqa: BLE001 - told, logged, and begun anew
            core.in_trouble(error)
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)


async def fetch_chain(core: "Core", account_id: bytes, *, is_contact: bool = False) -> AccountState:
    """Fetch what the relay has of an account's chain beyond what is known; check and store it.

    Raises:
        ChainInvalidError: It was not used; the app was told by an event, too.
        E2EError: The relay did not answer.
    """
    chain = await core.jobs.run(lambda job: job.state.chain(job.tx, account_id))
    while True:
        start = 0 if chain is None else chain.head_seq
        answer = await core.need_link().request(FetchChain(0, account_id, start), Account)
        chain = await take_chain(core, account_id, answer, is_contact=is_contact)
        if chain.head_seq >= answer.head_seq or chain.head_seq >= MAX_CHAIN_ENTRIES - 1:
            return chain


async def take_chain(
    core: "Core", account_id: bytes, answer: Account, *, is_contact: bool
) -> AccountState:
    """Check and store one page of a chain.

    Raises:
        ChainInvalidError: It was not used; the app was told by an event, too.
    """

    def work(job: Job) -> AccountState:
        if answer.account_id != account_id:
            raise ChainInvalidError("the chain of another account")
        return store_chain(
            job,
            account_id,
            answer.entries,
            handle=answer.handle,
            is_contact=is_contact,
        )

    try:
        chain = await core.jobs.run(work)
    except ChainInvalidError as error:
        core.emit(chain_refused(account_id, error))
        raise
    if answer.head_seq < chain.head_seq:
        stale = ChainInvalidError("shorter than what was known")
        core.emit(chain_refused(account_id, stale))
    return chain


async def compare_chains(core: "Core") -> None:
    """After each connection, see whether the chains of the accounts we know have changed.

    Then whether the relay still delivers every conversation that we are in.
    """
    while True:
        await core.chains_signal.wait()
        await core.jobs.run(ask_for_contacts)
        rows = core.read(chains.accounts)
        ids = [row.account_id for row in rows]
        try:
            for at in range(0, len(ids), MAX_HEADS_PER_FRAME):
                await _compare(core, tuple(ids[at : at + MAX_HEADS_PER_FRAME]))
            await take_places(core)
            await _compare_routes(core)
        except E2EError:
            continue


async def _compare(core: "Core", accounts: tuple[bytes, ...]) -> None:
    answer = await core.need_link().request(FetchHeads(0, accounts), ChainHeads)
    grown = await core.jobs.run(lambda job: compare_heads(job, answer.heads))
    for account_id in grown:
        await fetch_chain(core, account_id)
    await _compare_own(core, answer.heads)


async def _compare_own(core: "Core", heads: Iterable[ChainHead]) -> None:
    """See whether the relay has our own chain as it is."""
    own = await core.jobs.run(lambda job: job.state.chain(job.tx, job.own.account_id))
    for head in heads:
        if own is not None and head.account_id == own.account_id and head.seq < own.head_seq:
            await restore_chain(core, head.seq)


async def _compare_routes(core: "Core") -> None:
    """See whether the relay still delivers every conversation in which we are a member."""
    await core.all_here.wait()
    mine = await core.jobs.run(lambda job: conversations_in_use(job.tx))
    if not (mine or await core.jobs.run(lambda job: conversations_amiss(job.tx))):
        return
    answer = await core.need_link().request(ListConversations(0), Conversations)
    await core.jobs.run(lambda job: take_numbers(job, answer.conversations))
    missing = mine - {one.conversation for one in answer.conversations}
    if missing:
        await anyio.sleep(ROUTE_S)  # the commit that removes us may be on its way
    await core.jobs.run(lambda job: ask_for_routes(job, missing))
