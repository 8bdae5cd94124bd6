"""Samples of the wire format: one strategy per frame, valid by construction."""

from typing import TypeVar

from hypothesis import strategies as st

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    INBOX,
    NO_ENVELOPE,
    Accepted,
    Account,
    Ack,
    AcknowledgeBlob,
    AcknowledgedLog,
    AppendChain,
    ApprovalState,
    Authenticate,
    BlobCreated,
    BlobGranted,
    BlobStates,
    CaughtUp,
    ChainHead,
    ChainHeads,
    Challenge,
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    CloseRendezvous,
    Commit,
    Committed,
    Conversations,
    ConversationState,
    CreateBlob,
    DeletionReceipt,
    Deliver,
    Delivery,
    DeviceAddress,
    DeviceKeyPackage,
    Envelope,
    EnvelopeKind,
    Failed,
    FetchBlob,
    FetchChain,
    FetchGuardianship,
    FetchHeads,
    Frame,
    Gap,
    GoAway,
    Guardianship,
    JoinRendezvous,
    KeyPackages,
    LeaveConversation,
    ListConversations,
    LiveBlob,
    LookupHandle,
    MarkMinor,
    MinorMark,
    Ok,
    OpenRendezvous,
    PassRendezvous,
    PublishKeyPackages,
    QueryBlobs,
    Ready,
    RecallBlob,
    Refused,
    Register,
    Registered,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
    RouteChange,
    Signal,
    Signalled,
    Submit,
    SubmitGuardian,
    Submitted,
    WardState,
)
from e2ecore_protocol.limits import (
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_BLOB_BYTES,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_INTEGER,
    RENDEZVOUS_NUMBERS,
    SIGNAL_BYTES,
)

Item = TypeVar("Item")

numbers = st.integers(0, MAX_INTEGER)
positive = st.integers(1, MAX_INTEGER)
requests = st.integers(0, 2**32 - 1)
versions = st.integers(1, 0xFFFF)
accounts = st.binary(min_size=20, max_size=20)
ids = st.binary(min_size=16, max_size=16)
keys = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
payloads = st.binary(min_size=1, max_size=300)
handles = st.from_regex("[a-z][a-z0-9_.]{2,31}", fullmatch=True)
codes = st.sampled_from(ErrorCode)
pauses = st.integers(0, 86_400_000)
chain_entries = st.binary(min_size=1, max_size=1024)
seqs = st.integers(0, 4095)
kinds = st.sampled_from([1, 2])


def some(items: st.SearchStrategy[Item], least: int = 0) -> st.SearchStrategy[tuple[Item, ...]]:
    """A short tuple of items."""
    return st.lists(items, min_size=least, max_size=4).map(tuple)


addresses = st.builds(DeviceAddress, accounts, ids)
envelopes = st.builds(
    Envelope,
    ids,
    ids,
    st.sampled_from([1, 2, 5]),
    numbers,
    st.integers(1, MAX_ENVELOPE_LIFETIME_S),
    payloads,
)
results = st.one_of(
    st.builds(Accepted, positive, numbers),
    st.builds(Refused, codes, pauses, st.none() | numbers),
)


def _deliveries(
    log: st.SearchStrategy[bytes], kind: EnvelopeKind, extra: st.SearchStrategy[object]
) -> st.SearchStrategy[Delivery]:
    return st.builds(
        Delivery, log, positive, st.just(int(kind)), numbers, ids, numbers, payloads, extra
    )


def _gap(log: bytes, bounds: tuple[int, int], time_ms: int) -> Delivery:
    gap = Gap(min(bounds), max(bounds))
    return Delivery(log, gap.to_seq, int(EnvelopeKind.GAP), 0, NO_ENVELOPE, time_ms, b"", gap)


deliveries = st.one_of(
    _deliveries(ids, EnvelopeKind.APPLICATION, st.none()),
    _deliveries(ids, EnvelopeKind.PROPOSAL, st.none()),
    _deliveries(ids, EnvelopeKind.READD_REQUEST, st.none()),
    _deliveries(
        ids,
        EnvelopeKind.COMMIT,
        st.builds(RouteChange, some(addresses), some(addresses), addresses),
    ),
    _deliveries(st.just(INBOX), EnvelopeKind.WELCOME, ids),
    _deliveries(st.just(INBOX), EnvelopeKind.NOTICE, st.none()),
    st.builds(_gap, ids | st.just(INBOX), st.tuples(positive, positive), numbers),
)

sizes = st.integers(1, MAX_BLOB_BYTES)
ports = st.integers(1, 0xFFFF)
receipts = st.builds(DeletionReceipt, ids, st.integers(1, 6), numbers, signatures)
live_blobs = st.builds(LiveBlob, ids, sizes, st.integers(0, 1), numbers, numbers, numbers)

documents = st.binary(min_size=1, max_size=512)
endings = st.lists(documents, max_size=2).map(tuple)
wards = st.builds(WardState, documents, numbers, endings)

FRAMES: dict[type[Frame], st.SearchStrategy[Frame]] = {
    Register: st.builds(
        Register, requests, st.tuples(chain_entries, chain_entries), st.none() | handles
    ),
    Authenticate: st.builds(Authenticate, versions, accounts, ids, signatures),
    LookupHandle: st.builds(LookupHandle, requests, handles),
    FetchChain: st.builds(FetchChain, requests, accounts, seqs),
    FetchHeads: st.builds(FetchHeads, requests, some(accounts, 1)),
    AppendChain: st.builds(AppendChain, requests, some(chain_entries, 1)),
    PublishKeyPackages: st.builds(
        PublishKeyPackages, requests, some(payloads), st.none() | payloads
    ),
    ClaimKeyPackages: st.builds(ClaimKeyPackages, requests, some(accounts, 1)),
    ClaimDeviceKeyPackages: st.builds(
        ClaimDeviceKeyPackages, requests, accounts, ids, st.integers(1, 100)
    ),
    Submit: st.builds(Submit, requests, some(envelopes, 1)),
    Commit: st.builds(
        Commit,
        requests,
        ids,
        ids,
        numbers,
        payloads,
        st.none() | kinds,
        some(addresses),
        some(addresses),
        st.none() | payloads,
    ),
    Ack: st.builds(Ack, some(st.builds(AcknowledgedLog, ids | st.just(INBOX), positive), 1)),
    ListConversations: st.builds(ListConversations, requests),
    LeaveConversation: st.builds(LeaveConversation, requests, ids),
    Signal: st.builds(Signal, ids, st.binary(min_size=SIGNAL_BYTES, max_size=SIGNAL_BYTES)),
    Signalled: st.builds(Signalled, ids, st.binary(min_size=SIGNAL_BYTES, max_size=SIGNAL_BYTES)),
    Challenge: st.builds(Challenge, versions, versions, st.just("relay.example"), keys, numbers),
    Ready: st.builds(Ready, numbers, numbers),
    Ok: st.builds(Ok, requests),
    Failed: st.builds(
        Failed,
        requests,
        codes,
        st.text(max_size=100),
        pauses,
        st.none() | numbers | accounts | st.just("multi_device_sync"),
    ),
    GoAway: st.builds(GoAway, codes, pauses),
    CaughtUp: st.builds(CaughtUp),
    Registered: st.builds(Registered, requests, accounts),
    Account: st.builds(Account, requests, accounts, st.none() | handles, some(chain_entries), seqs),
    ChainHeads: st.builds(ChainHeads, requests, some(st.builds(ChainHead, accounts, seqs, keys))),
    KeyPackages: st.builds(
        KeyPackages, requests, some(st.builds(DeviceKeyPackage, accounts, ids, payloads))
    ),
    Conversations: st.builds(
        Conversations,
        requests,
        some(st.builds(ConversationState, ids, kinds, numbers, numbers, numbers)),
    ),
    Submitted: st.builds(Submitted, requests, some(results, 1)),
    Committed: st.builds(Committed, requests, numbers, numbers),
    Deliver: st.builds(Deliver, some(deliveries, 1)),
    CreateBlob: st.builds(
        CreateBlob, requests, ids, ids, sizes, st.integers(1, MAX_ATTACHMENT_TTL_GROUP_S)
    ),
    FetchBlob: st.builds(FetchBlob, requests, ids),
    AcknowledgeBlob: st.builds(AcknowledgeBlob, requests, ids, signatures),
    RecallBlob: st.builds(RecallBlob, requests, ids),
    QueryBlobs: st.builds(QueryBlobs, requests, some(ids, 1)),
    BlobCreated: st.builds(BlobCreated, requests, keys, keys, numbers, ports, keys, signatures),
    BlobGranted: st.builds(
        BlobGranted, requests, keys, keys, numbers, sizes, numbers, ports, keys, signatures
    ),
    OpenRendezvous: st.builds(OpenRendezvous, requests),
    JoinRendezvous: st.builds(JoinRendezvous, requests, st.integers(0, RENDEZVOUS_NUMBERS - 1)),
    PassRendezvous: st.builds(PassRendezvous, payloads),
    CloseRendezvous: st.builds(CloseRendezvous),
    RendezvousOpened: st.builds(
        RendezvousOpened, requests, st.integers(0, RENDEZVOUS_NUMBERS - 1), numbers
    ),
    RendezvousMessage: st.builds(RendezvousMessage, payloads),
    RendezvousClosed: st.builds(RendezvousClosed),
    MarkMinor: st.builds(MarkMinor, requests, numbers),
    SubmitGuardian: st.builds(SubmitGuardian, requests, documents),
    FetchGuardianship: st.builds(FetchGuardianship, requests),
    Guardianship: st.builds(
        Guardianship,
        requests,
        st.none() | st.builds(MinorMark, numbers, st.integers(1, 2)),
        st.none() | documents,
        some(st.builds(ApprovalState, documents, st.none() | documents)),
        endings,
        some(wards),
    ),
    BlobStates: st.builds(BlobStates, requests, some(live_blobs), some(receipts)),
}
"""One strategy for each frame that there is."""

any_frame = st.one_of(*FRAMES.values())
