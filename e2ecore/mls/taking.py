"""One message for a group: read, verified, and what follows from it.

Spec: RFC 9420 §6 (Message Framing).
"""

from dataclasses import dataclass, field

from e2ecore.mls.applying import LifetimePolicy, check_alone
from e2ecore.mls.commit_process import stage_commit
from e2ecore.mls.credential_policy import (
    CredentialPolicy,
    accept_basic,
    judge_added,
    judge_changed,
)
from e2ecore.mls.errors import (
    DuplicateMessageError,
    InvalidProposalError,
    MalformedMessageError,
    UnsupportedError,
)
from e2ecore.mls.external_senders import check_senders, judge_senders
from e2ecore.mls.framing import AuthenticatedContent, Sender, SenderType, WireFormat
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.members import Member
from e2ecore.mls.message import decode_message
from e2ecore.mls.pending import PendingProposal, proposal_ref
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.proposal_rules import check_proposal
from e2ecore.mls.proposals import Add, Commit, GroupContextExtensions, Proposal, Update
from e2ecore.mls.psk import PskStore
from e2ecore.mls.public_message import PublicMessage
from e2ecore.mls.received import ApplicationMessage, OutsideProposal, Received, ReceivedProposal
from e2ecore.mls.receiving import (
    FROM_OUTSIDE,
    Genuine,
    external_sender,
    handshake_of,
    open_private,
    open_public,
)
from e2ecore.mls.staged import SentProposal, StagedCommit


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOptions:
    """How to judge a message.

    Attributes:
        lifetimes: For the leaves of clients that a commit adds.
        psks: External pre-shared keys, and other groups with resumption keys.
        policy: Asked about new and changed credentials.
        join_requests: Take proposals of clients that want to be added.
    """

    lifetimes: LifetimePolicy
    psks: PskStore = field(default_factory=lambda: PskStore({}))
    policy: CredentialPolicy = accept_basic
    join_requests: bool = False


def take_message(state: GroupState, message: bytes, options: TakeOptions) -> Received:
    """Decrypt and verify one message; keep it if it is a proposal, stage it if it is a commit.

    Raises:
        UsageError: We are no longer a member.
        PeerError: It was refused, and nothing changed; sub-classes say why.
    """
    state.check_member()
    decoded = decode_message(message)
    if isinstance(decoded, PrivateMessage):
        genuine = open_private(state, decoded)
        if isinstance(genuine.opened.body, bytes):
            return _application(genuine, genuine.opened.body)
        return _private_handshake(state, genuine, options)
    if isinstance(decoded, PublicMessage):
        return _handshake(state, open_public(state, decoded), None, options)
    raise MalformedMessageError("not a message within a group")


def _application(genuine: Genuine, data: bytes) -> ApplicationMessage:
    opened = genuine.opened
    genuine.keys.tree.consume(opened.step)
    return ApplicationMessage(
        genuine.sender,
        genuine.keys.epoch,
        opened.step.generation,
        opened.authenticated_data,
        data,
    )


def _private_handshake(state: GroupState, genuine: Genuine, options: TakeOptions) -> Received:
    step = genuine.opened.step
    authenticated = handshake_of(state, genuine)
    received = _handshake(state, authenticated, (step.leaf, step.generation), options)
    if not isinstance(received, StagedCommit):
        genuine.keys.tree.consume(step)
    return received


def _handshake(
    state: GroupState,
    authenticated: AuthenticatedContent,
    key: tuple[int, int] | None,
    options: TakeOptions,
) -> Received:
    content = authenticated.content
    if isinstance(content.body, bytes | Commit):
        return stage_commit(
            state,
            authenticated,
            psks=options.psks,
            lifetimes=options.lifetimes,
            key=key,
            policy=options.policy,
        )
    return _proposal(state, authenticated, content.body, options)


def _proposal(
    state: GroupState,
    authenticated: AuthenticatedContent,
    proposal: Proposal,
    options: TakeOptions,
) -> ReceivedProposal | OutsideProposal:
    """Check and keep a proposal.

    One that is encrypted anew is not a repeat, but what it proposes is here already: a reference
    names content and signature (RFC 9420 §5.2 (Hash-Based Identifiers)), no generation, and equal
    content is signed equally by Ed25519. It is kept once.
    """
    if state.current.suspended:
        raise InvalidProposalError("the group was closed by a reinit")
    sender, data = authenticated.content.sender, authenticated.content.authenticated_data
    _check_outside(sender, proposal, options)
    check_proposal(proposal, state.suite)
    ref = proposal_ref(state.suite, authenticated)
    if ref not in state.pending.by_ref:
        sent = SentProposal(proposal, sender, ref)
        check_alone(state.tree, state.context.group_id, sent)
        _judge(state, sent, options.policy)
        state.pending.add(PendingProposal(ref, sent))
    elif authenticated.wire_format is WireFormat.PUBLIC_MESSAGE:
        raise DuplicateMessageError
    if sender.type is SenderType.MEMBER:
        member = Member.of(sender.index, state.tree.member(sender.index))
        return ReceivedProposal(member, proposal, ref, data)
    listed = external_sender(state, sender) if sender.type is SenderType.EXTERNAL else None
    return OutsideProposal(listed, proposal, ref, data)


def _check_outside(sender: Sender, proposal: Proposal, options: TakeOptions) -> None:
    """Refuse what may not come from outside. Spec: RFC 9420 §12.1.8 (External Proposals)."""
    if sender.type is SenderType.EXTERNAL and not isinstance(proposal, FROM_OUTSIDE):
        raise MalformedMessageError("an external sender proposes what only members may")
    if sender.type is SenderType.NEW_MEMBER_PROPOSAL and not options.join_requests:
        raise UnsupportedError("clients that ask to be added are not heard here")


def _judge(state: GroupState, sent: SentProposal, policy: CredentialPolicy) -> None:
    """Ask about a credential that a proposal would bring in."""
    group_id, proposal = state.context.group_id, sent.proposal
    match proposal:
        case Add(package):
            judge_added(policy, group_id, package.leaf_node)
        case Update(leaf):
            index = sent.sender.index
            before = Member.of(index, state.tree.member(index))
            judge_changed(policy, group_id, before, Member.of(index, leaf))
        case GroupContextExtensions(extensions):
            check_senders(state.suite, extensions)
            judge_senders(policy, group_id, state.context.extensions, extensions)
        case _:
            return
