"""Messages, transcripts and welcomes against the published vectors."""

from collections.abc import Callable

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls import transcript
from e2ecore.mls.codec import Reader, decode_all, opaque
from e2ecore.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    read_body,
    signed_part,
)
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info import GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.key_schedule import (
    ConfirmationKey,
    MembershipKey,
    SenderDataSecret,
    confirmation_tag,
    epoch_secret,
    epoch_secrets,
    welcome_secret,
)
from e2ecore.mls.labels import decrypt_with_label, sign_with_label, verify_with_label
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.private_message import MessageKeys, PrivateMessage, bucketed
from e2ecore.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    Update,
)
from e2ecore.mls.psk import psk_secret
from e2ecore.mls.public_message import PublicMessage, membership_tag
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.rows import Rows
from e2ecore.mls.secret_tree import SecretTree
from e2ecore.mls.welcome_create import welcome_keys
from tests.support.cases import Case, cases
from tests.support.mls_groups import SeededRng

PROTECTION = cases("mls/message-protection.json")
TRANSCRIPTS = cases("mls/transcript-hashes.json")
WELCOMES = cases("mls/welcome.json")
MESSAGES = cases("mls/messages.json")
LEAF = 1
LABEL = "FramedContentTBS"


def suite_id(case: Case) -> str:
    return f"suite {case.number('cipher_suite')}"


def context_of(case: Case) -> GroupContext:
    return GroupContext(
        case.number("cipher_suite"),
        case.hex("group_id"),
        case.number("epoch"),
        case.hex("tree_hash"),
        case.hex("confirmed_transcript_hash"),
        (),
    )


def keys_of(case: Case) -> MessageKeys:
    """Open the secrets of a group of two in which member 1 speaks."""
    suite, context = SUITES[case.number("cipher_suite")], context_of(case)
    tree = SecretTree(suite, context.epoch, 2, Rows())
    tree.start(case.hex("encryption_secret"))
    return MessageKeys(
        suite,
        group_id=context.group_id,
        epoch=context.epoch,
        context=context.encode(),
        sender_data=SenderDataSecret(case.hex("sender_data_secret")),
        tree=tree,
    )


def open_genuine(case: Case, keys: MessageKeys, message: bytes) -> bytes:
    """Decrypt a PrivateMessage, verify it, and return its encoded content."""
    private = decode_message(message)
    assert isinstance(private, PrivateMessage)
    leaf, generation, guard = keys.open_sender(private)
    assert leaf == LEAF
    opened = keys.open(private, leaf, generation, guard)
    signed = keys.signed_part(leaf, private.content_type, opened.authenticated_data, opened.encoded)
    verify_with_label(keys.suite, case.hex("signature_pub"), LABEL, signed, opened.signature)
    keys.tree.consume(opened.step)
    return opened.encoded


def encoded_content(case: Case, name: str) -> bytes:
    return opaque(case.hex(name)) if name == "application" else case.hex(name)


@pytest.mark.spec("RFC 9420 §6.3 (Encoding and Decoding a Private Message)")
@pytest.mark.spec("RFC 9420 §6.3.1 (Content Encryption)")
@pytest.mark.parametrize("name", ["proposal", "commit", "application"])
@pytest.mark.parametrize("case", PROTECTION, ids=suite_id)
def test_private_message_opens_and_what_we_seal_opens_too(case: Case, name: str) -> None:
    keys, content = keys_of(case), encoded_content(case, name)
    assert open_genuine(case, keys, case.hex(f"{name}_priv")) == content
    content_type = ContentType[name.upper()]
    signer = case.signing_key("signature_priv", keys.suite)
    signed = keys.signed_part(LEAF, content_type, b"in clear", content)
    tag = opaque(b"any tag") if name == "commit" else b""
    message = keys_of(case).seal(
        content + opaque(sign_with_label(signer, LABEL, signed)) + tag,
        leaf=LEAF,
        content_type=content_type,
        authenticated_data=b"in clear",
        padding=bucketed,
        rng=SeededRng("guard"),
    )
    assert open_genuine(case, keys_of(case), message) == content


@pytest.mark.spec("RFC 9420 §6.2 (Encoding and Decoding a Public Message)")
@pytest.mark.parametrize("name", ["proposal", "commit"])
@pytest.mark.parametrize("case", PROTECTION, ids=suite_id)
def test_public_message_is_signed_and_tagged_by_a_member(case: Case, name: str) -> None:
    suite, context = SUITES[case.number("cipher_suite")], context_of(case).encode()
    message = case.hex(f"{name}_pub")
    public = decode_message(message)
    assert isinstance(public, PublicMessage)
    content = public.authenticated.content
    assert content.encoded == case.hex(name)
    assert content.sender == Sender(SenderType.MEMBER, LEAF)
    signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, context)
    signature = public.authenticated.signature
    verify_with_label(suite, case.hex("signature_pub"), LABEL, signed, signature)
    key = MembershipKey(case.hex("membership_key"))
    assert membership_tag(suite, key, public.authenticated, context) == public.membership_tag
    assert encode_message(public) == message


@pytest.mark.spec("RFC 9420 §8.2 (Transcript Hashes)")
@pytest.mark.parametrize("case", TRANSCRIPTS, ids=suite_id)
def test_commit_extends_both_transcript_hashes(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    data = case.hex("authenticated_content")
    authenticated = decode_all(AuthenticatedContent.read, data)
    assert authenticated.encode() == data
    confirmed = transcript.confirmed_hash(
        suite, case.hex("interim_transcript_hash_before"), authenticated.confirmed_input()
    )
    assert confirmed == case.hex("confirmed_transcript_hash_after")
    tag = confirmation_tag(suite, ConfirmationKey(case.hex("confirmation_key")), confirmed)
    assert tag == authenticated.confirmation_tag
    after = transcript.interim_hash(suite, confirmed, tag)
    assert after == case.hex("interim_transcript_hash_after")


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.parametrize("case", WELCOMES, ids=suite_id)
def test_welcome_opens_with_the_init_key_and_proves_itself(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    package, welcome = decode_message(case.hex("key_package")), decode_message(case.hex("welcome"))
    assert isinstance(package, KeyPackage)
    assert isinstance(welcome, Welcome)
    (mine,) = [item for item in welcome.secrets if item.new_member == package.ref()]
    secrets = decode_all(
        GroupSecrets.read,
        decrypt_with_label(
            suite,
            case.hpke_key("init_priv", suite),
            "Welcome",
            welcome.encrypted_group_info,
            mine.secrets.kem_output,
            mine.secrets.ciphertext,
        ),
    )
    check_group_info(suite, secrets, welcome, case.hex("signer_pub"))


def check_group_info(
    suite: CipherSuite, secrets: GroupSecrets, welcome: Welcome, signer: bytes
) -> None:
    psk = psk_secret(suite, [])
    key, nonce = welcome_keys(suite, welcome_secret(suite, secrets.joiner, psk))
    data = suite.aead.open(key, nonce, welcome.encrypted_group_info, b"")
    info = decode_all(GroupInfo.read, data)
    assert info.encode() == data
    verify_with_label(suite, signer, "GroupInfoTBS", info.signed_part(), info.signature)
    epoch = epoch_secrets(suite, epoch_secret(suite, secrets.joiner, psk, info.context.encode()))
    confirmed = info.context.confirmed_transcript_hash
    assert confirmation_tag(suite, epoch.confirmation, confirmed) == info.confirmation_tag


ROUND_TRIPS: dict[str, Callable[[bytes], bytes]] = {
    "ratchet_tree": lambda data: RatchetTree.decode(SUITES[1], data).encode(),
    "group_secrets": lambda data: decode_all(GroupSecrets.read, data).encode(),
    "add_proposal": lambda data: decode_all(Add.read, data).encode(),
    "update_proposal": lambda data: decode_all(Update.read, data).encode(),
    "remove_proposal": lambda data: decode_all(Remove.read, data).encode(),
    "pre_shared_key_proposal": lambda data: decode_all(PreSharedKey.read, data).encode(),
    "re_init_proposal": lambda data: decode_all(ReInit.read, data).encode(),
    "external_init_proposal": lambda data: decode_all(ExternalInit.read, data).encode(),
    "group_context_extensions_proposal": lambda data: decode_all(
        GroupContextExtensions.read, data
    ).encode(),
    "commit": lambda data: decode_all(Commit.read, data).encode(),
}
MLS_MESSAGES = (
    "mls_welcome",
    "mls_group_info",
    "mls_key_package",
    "public_message_application",
    "public_message_proposal",
    "public_message_commit",
    "private_message",
)


@pytest.mark.spec("RFC 9420 §6 (Message Framing)")
@pytest.mark.parametrize("name", [*MLS_MESSAGES, *ROUND_TRIPS])
def test_each_wire_type_decodes_and_encodes_to_the_same_bytes(name: str) -> None:
    def through(data: bytes) -> bytes:
        return encode_message(decode_message(data))

    convert = ROUND_TRIPS.get(name, through)
    for case in MESSAGES:
        data = case.hex(name)
        assert convert(data) == data


@pytest.mark.spec("RFC 9420 §2.1 (Presentation Language)")
@pytest.mark.parametrize("name", MLS_MESSAGES)
def test_parsed_content_is_a_slice_of_what_was_received(name: str) -> None:
    for case in MESSAGES[:20]:
        message = decode_message(case.hex(name))
        if isinstance(message, PublicMessage):
            content = message.authenticated.content
            again = Reader(content.encoded)
            assert read_body(again, content.content_type) == content.body
            assert decode_all(FramedContent.read, content.encode()) == content
