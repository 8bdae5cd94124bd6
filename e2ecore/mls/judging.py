"""Asks the credential policy about everything that a commit brings.

Spec: RFC 9420 §5.3.1 (Credential Validation).
"""

from collections.abc import Iterable

from e2ecore.mls.applying import Applied
from e2ecore.mls.credential_policy import (
    CredentialPolicy,
    judge_added,
    judge_changed,
    judge_rejoined,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.external_senders import judge_senders
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode


def judge_applied(
    policy: CredentialPolicy, applied: Applied, extensions: Iterable[Extension]
) -> None:
    """Ask about what a list of proposals brings. ``extensions`` are the group's until now.

    Raises:
        CredentialError: The policy refuses something; it may raise others.
    """
    group_id = applied.group_id
    for leaf, package in applied.joined:
        judge_added(policy, group_id, package.leaf_node, leaf)
    for before, now in applied.updated:
        judge_changed(policy, group_id, before, now)
    if applied.new_extensions is not None:
        judge_senders(policy, group_id, extensions, applied.new_extensions)


def judge_newcomer(policy: CredentialPolicy, applied: Applied, node: LeafNode, leaf: int) -> None:
    """Ask whether one who adds itself is who it says, and who it was if it replaces itself.

    Raises:
        CredentialError: The policy refuses it, or it removes somebody else than its old self.
    """
    for before in applied.removed:
        judge_rejoined(policy, applied.group_id, before, Member.of(leaf, node))
    if not applied.removed:
        judge_added(policy, applied.group_id, node, leaf)
