"""Account chains: checked entry by entry, stored, and compared with what was known before."""

from collections.abc import Sequence

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.people import apply_person, note_contact
from e2ecore.engine.arrival.notices import note_keys
from e2ecore.engine.errors import ChainInvalidError
from e2ecore.engine.membership.heirs import follow_move
from e2ecore.engine.own_devices.seating import note_own_chain
from e2ecore.engine.own_talk.oplog import slot
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.events import ContactChainInvalid, KeyChanged
from e2ecore.ids import AccountId
from e2ecore.messaging.safety_number import Party, device_set_hash, fingerprint
from e2ecore.storage import chains
from e2ecore.storage.chains import ChainAccountRow, ChainEntryRow, Verification
from e2ecore.sync import merging
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.errors import ChainError
from e2ecore_protocol.chain.state import AccountState, extend, start
from e2ecore_protocol.content.op_bodies import Verified
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.accounts import ChainHead


def party_of(chain: AccountState) -> Party:
    """Return what an account contributes to a safety number."""
    keys = tuple(one.key for one in chain.live_devices())
    return Party(chain.account_id, chain.identity_key, keys)


def store_chain(
    job: Job,
    account_id: bytes,
    entries: Sequence[bytes],
    *,
    handle: str | None = None,
    is_contact: bool = False,
) -> AccountState:
    """Check entries that follow what is known of an account, and store them.

    Args:
        job: The work under way.
        account_id: Whose chain it is said to be.
        entries: Encoded entries behind the known head, in order. May begin earlier.
        handle: What the directory calls the account, if it was asked.
        is_contact: The user asked for this account.

    Raises:
        ChainInvalidError: It breaks a rule, or contradicts what was known.
    """
    known = job.state.chain(job.tx, account_id)
    try:
        fresh = _behind(known, [Entry.decode(data) for data in entries])
        if known is None:
            chain = start(fresh, ED25519.verify)
        else:
            chain = extend(known, fresh, ED25519.verify)
    except (ChainError, MalformedError, SignatureError) as error:
        raise ChainInvalidError(type(error).__name__) from error
    if chain.account_id != account_id:
        raise ChainInvalidError("not the chain of this account")
    rows = [ChainEntryRow(account_id, one.seq, one.hash(), one.encode()) for one in fresh]
    chains.append(job.tx, rows)
    _store_account(job, known, chain, handle)
    if is_contact:
        note_contact(job, account_id)
    job.state.keep_chain(chain)
    if (
        known is not None
        and account_id == job.own.account_id
        and _devices(known) != _devices(chain)
    ):
        note_own_chain(job, known, chain)
    return chain


def _behind(known: AccountState | None, entries: list[Entry]) -> list[Entry]:
    """Leave out what is known already, but for the head, whose repetition is compared."""
    if known is None:
        return entries
    for entry in entries:
        if entry.seq == known.head_seq and entry.hash() != known.head_hash:
            raise ChainInvalidError("another entry than the one that was known")
    return [entry for entry in entries if entry.seq > known.head_seq]


def _store_account(
    job: Job,
    known: AccountState | None,
    chain: AccountState,
    handle: str | None,
) -> None:
    row = chains.account(job.tx, chain.account_id) or ChainAccountRow(
        chain.account_id, "", "", 0, b"", Verification.UNVERIFIED, b"", 0, 0
    )
    row = row._replace(
        handle=handle or row.handle,
        head_seq=chain.head_seq,
        head_hash=chain.head_hash,
        checked_ms=job.now_ms,
    )
    if known is not None and _devices(known) != _devices(chain):
        was_verified = row.verification != Verification.UNVERIFIED
        if was_verified:
            same = row.verified == fingerprint(party_of(chain))
            row = row._replace(verification=Verification.VERIFIED if same else Verification.CHANGED)
            job.state.forget_changed_contacts()
        if chain.account_id != job.own.account_id:
            job.effects.events.append(KeyChanged(AccountId(chain.account_id), was_verified))
            note_keys(job, chain.account_id)
            follow_move(job, chain)
    chains.save_account(job.tx, row)
    if known is None:
        job.state.keep_chain(chain)
        apply_verified(job, chain.account_id)
        apply_person(job, chain.account_id)


def _devices(chain: AccountState) -> bytes:
    return device_set_hash(one.key for one in chain.live_devices())


def set_verification(job: Job, account_id: bytes, verification: Verification) -> None:
    """Store what the user decided about a contact's keys."""
    chain, row = job.state.chain(job.tx, account_id), chains.account(job.tx, account_id)
    if chain is None or row is None:
        return
    verified = fingerprint(party_of(chain)) if verification is Verification.VERIFIED else b""
    chains.save_account(job.tx, row._replace(verification=verification, verified=verified))
    job.state.forget_changed_contacts()


def apply_verified(job: Job, account_id: bytes) -> None:
    """Bring a contact's verification to what was last compared on any of our devices.

    Whether it still holds is judged by the chain that this device sees.
    """
    op = merging.written_last(slot(job, Verified.KIND, account_id), job.relay_ms)
    body = None if op is None else op.body()
    chain, row = job.state.chain(job.tx, account_id), chains.account(job.tx, account_id)
    if not isinstance(body, Verified) or chain is None or row is None:
        return
    compared = body.compared or b""
    verification = Verification.UNVERIFIED
    if compared:
        same = compared == fingerprint(party_of(chain))
        verification = Verification.VERIFIED if same else Verification.CHANGED
    chains.save_account(job.tx, row._replace(verification=verification, verified=compared))
    job.state.forget_changed_contacts()


def chain_refused(account_id: bytes, error: Exception) -> ContactChainInvalid:
    """Return the event that tells that a chain was not used."""
    return ContactChainInvalid(AccountId(account_id), str(error))


def compare_heads(job: Job, heads: Sequence[ChainHead]) -> list[bytes]:
    """Compare the relay's chain heads with ours.

    Returns:
        The accounts whose chains have grown.
    """
    grown: list[bytes] = []
    for head in heads:
        known = job.state.chain(job.tx, head.account_id)
        if known is None:
            continue
        if head.seq > known.head_seq:
            grown.append(head.account_id)
        elif head.seq < known.head_seq:
            error = ChainInvalidError("shorter than what was known")
            job.effects.events.append(chain_refused(head.account_id, error))
        elif head.hash != known.head_hash:
            error = ChainInvalidError("another head than the one that was known")
            job.effects.events.append(chain_refused(head.account_id, error))
    return grown
