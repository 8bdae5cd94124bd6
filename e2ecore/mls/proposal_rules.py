"""Which lists of proposals a commit may contain, judged by the list alone.

What needs the tree (is the leaf sound, is the key new, is the member there) is checked where the
list is applied. Spec: RFC 9420 §12.2 (Proposal List Validation).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.errors import InvalidProposalError
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.proposals import (
    PATH_REQUIRED,
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from e2ecore.mls.psk import ResumptionPskId, ResumptionUsage
from e2ecore.mls.staged import SentProposal


def check_member_list(
    proposals: Sequence[SentProposal], committer: int, suite: CipherSuite
) -> None:
    """Check the list of a member's commit.

    Raises:
        InvalidProposalError: It breaks a rule.
    """
    if not proposals:
        return
    values = [sent.proposal for sent in proposals]
    for sent in proposals:
        check_proposal(sent.proposal, suite)
    _check_leaves(proposals, committer)
    _check_adds(values)
    _check_psks(values, suite)
    if sum(isinstance(value, GroupContextExtensions) for value in values) > 1:
        raise InvalidProposalError("two proposals replace the group's extensions")
    if any(isinstance(value, ReInit) for value in values) and len(values) > 1:
        raise InvalidProposalError("a reinit is not alone")


def check_external_list(proposals: Sequence[SentProposal], suite: CipherSuite) -> None:
    """Check the list of a new member's own commit.

    Raises:
        InvalidProposalError: It breaks a rule.
    """
    values = [sent.proposal for sent in proposals]
    if any(sent.ref is not None for sent in proposals):
        raise InvalidProposalError("an external commit names proposals of members")
    kinds = Counter(map(type, values))
    if kinds[ExternalInit] != 1 or kinds[Remove] > 1:
        raise InvalidProposalError("an external commit has one external init, one remove at most")
    if kinds.keys() - {ExternalInit, Remove, PreSharedKey}:
        raise InvalidProposalError("an external commit contains what only members may propose")
    _check_psks(values, suite)


def needs_path(proposals: Sequence[SentProposal]) -> bool:
    """Tell whether a commit of this list must have an update path."""
    return not proposals or any(isinstance(sent.proposal, PATH_REQUIRED) for sent in proposals)


def check_proposal(proposal: Proposal, suite: CipherSuite) -> None:
    """Check one proposal as far as it can be judged when it arrives.

    Raises:
        InvalidProposalError: No commit could ever contain it.
    """
    if isinstance(proposal, ExternalInit):
        raise InvalidProposalError("only an external commit contains an external init")
    if isinstance(proposal, ReInit) and proposal.version < MLS10:
        raise InvalidProposalError("a reinit to an older version of MLS")
    _check_psks([proposal], suite)


def _check_leaves(proposals: Iterable[SentProposal], committer: int) -> None:
    touched: set[int] = set()
    for sent in proposals:
        match sent.proposal:
            case Update():
                leaf = sent.sender.index
            case Remove(removed):
                leaf = removed
            case _:
                continue
        if leaf == committer:
            raise InvalidProposalError("committers neither update nor remove themselves")
        if leaf in touched:
            raise InvalidProposalError("two proposals concern the same leaf")
        touched.add(leaf)


def _check_adds(values: Iterable[Proposal]) -> None:
    packages = [value.key_package for value in values if isinstance(value, Add)]
    for keys in (
        [package.leaf_node.signature_key for package in packages],
        [package.leaf_node.encryption_key for package in packages],
        [package.init_key for package in packages],
    ):
        if len(set(keys)) != len(keys):
            raise InvalidProposalError("a client is added twice")


def _check_psks(values: Iterable[Proposal], suite: CipherSuite) -> None:
    ids = [value.psk for value in values if isinstance(value, PreSharedKey)]
    if len(set(ids)) != len(ids):
        raise InvalidProposalError("a pre-shared key is named twice")
    for psk_id in ids:
        if len(psk_id.nonce) != suite.nh:
            raise InvalidProposalError("the nonce of a pre-shared key has a wrong size")
        if isinstance(psk_id, ResumptionPskId) and psk_id.usage is not ResumptionUsage.APPLICATION:
            raise InvalidProposalError("a resumption key is used outside of its purpose")
