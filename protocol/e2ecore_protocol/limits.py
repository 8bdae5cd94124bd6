"""Every number that both sides of the wire must agree on, with its unit and its reason."""

from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
SECOND_MS: Final = 1_000
HOUR_MS: Final = 3_600 * SECOND_MS
DAY_S: Final = 86_400

# --- identifiers, in bytes -------------------------------------------------------------------

ACCOUNT_ID_BYTES: Final = 20
"""Start of SHA-256 over the genesis entry: 160 bits against second preimages, 32 base32 letters."""

DEVICE_ID_BYTES: Final = 16
"""Start of SHA-256 over the device's Ed25519 public key."""

CONVERSATION_ID_BYTES: Final = 16
"""Also the MLS group_id. Random for groups, derived for direct ones; the first bit says which."""

ENVELOPE_ID_BYTES: Final = 16
"""6 bytes of milliseconds and 10 random ones: unique, and near in an index when near in time."""

MESSAGE_ID_BYTES: Final = 16
"""Chosen by the sender, travels inside the ciphertext only."""

CONSENT_ID_BYTES: Final = 16
"""Random; joins a withdrawal to its grant."""

NONCE_BYTES: Final = 32
"""The relay's challenge: never repeats, so a signature over it is of use once."""

KEY_BYTES: Final = 32
"""An Ed25519 public key."""

SIGNATURE_BYTES: Final = 64
"""An Ed25519 signature."""

HASH_BYTES: Final = 32
"""A SHA-256 value."""

# --- encoding ---------------------------------------------------------------------------------

MAX_INTEGER: Final = (1 << 63) - 1
"""Largest integer of any field: what a signed 64-bit database column holds."""

MAX_REQUEST: Final = (1 << 32) - 1
"""Largest request id."""

MAX_DEPTH: Final = 8
"""Deepest nesting of arrays. The deepest frame needs 4; the rest is room."""

MAX_ARRAY_ITEMS: Final = 10_000
"""Longest array of any frame or content: the list of conversations of one device."""

MAX_ELEMENTS: Final = 131_072
"""Most elements of all arrays of one value together: 10,000 conversations of 6 each, twice over.

Bounds the memory that hostile bytes can claim while they are decoded (about 56 bytes each).
"""

# --- sizes ------------------------------------------------------------------------------------

MAX_TEXT_BYTES: Final = MIB
"""Longest text of one message, in UTF-8."""

MAX_ENVELOPE_BYTES: Final = MIB + 64 * KIB
"""Largest application message, proposal or re-add request: the longest text, and MLS."""

MAX_COMMIT_BYTES: Final = 4 * MIB
"""Largest commit: an update path for 1,000 members with hybrid keys needs about 2.5 MiB."""

MAX_WELCOME_BYTES: Final = 4 * MIB
"""Largest Welcome: the ratchet tree of 1,000 members with hybrid keys needs about 3 MiB."""

MAX_FRAME_BYTES: Final = 8 * MIB + 256 * KIB
"""Largest frame: a Commit with the largest commit, the largest Welcome and 2,000 devices."""

MAX_UNAUTHENTICATED_FRAME_BYTES: Final = 64 * KIB
"""Largest frame before authentication. A registration needs about 1 KiB."""

MAX_BATCH_ENVELOPES: Final = 256
"""Most envelopes of one Submit or Deliver: what one relay transaction takes in about 5 ms."""

MAX_BATCH_BYTES: Final = MIB
"""Most payload bytes of one Submit or Deliver. A single envelope may be larger, alone."""

MAX_UNACKED_ENVELOPES: Final = 256
"""Envelopes the relay sends ahead of acknowledgements; beyond, it waits. Signal uses the same."""

MAX_UNACKED_BYTES: Final = MIB
"""Payload bytes the relay sends ahead of acknowledgements; one larger envelope is allowed."""

MAX_ACKNOWLEDGED_LOGS: Final = 512
"""Most logs of one Ack. More than a window of envelopes can come from."""

MAX_KEY_PACKAGE_BYTES: Final = 8 * KIB
"""Largest key package. A hybrid post-quantum one has about 3 KiB."""

MAX_ENTRY_BYTES: Final = KIB
"""Largest entry of an account chain. The largest kind needs about 400 bytes."""

MAX_SERVER_NAME_BYTES: Final = 255
"""Longest name of a relay: a DNS name."""

MAX_DETAIL_BYTES: Final = 512
"""Longest explanation of a failure, in UTF-8. For logs and developers, never parsed."""

# --- accounts ---------------------------------------------------------------------------------

MIN_HANDLE_CHARS: Final = 3
MAX_HANDLE_CHARS: Final = 32
HANDLE_PATTERN: Final = "[a-z][a-z0-9_.]{2,31}"
"""A handle: a small letter, then small letters, digits, ``_`` and ``.``. No look-alikes."""

MAX_DEVICES: Final = 6
"""Live devices of one account: a phone, a tablet, two computers, and two to change them."""

MAX_CHAIN_ENTRIES: Final = 4_096
"""Longest account chain: one change a day for eleven years. Bounds what a stranger must check."""

MAX_ENTRIES_PER_FRAME: Final = 256
"""Entries of one AppendChain, or of one page of an account chain."""

MAX_HEADS_PER_FRAME: Final = 1_000
"""Accounts of one FetchHeads: all members of the largest group."""

MAX_KEY_PACKAGES_PER_FRAME: Final = 100
"""One-time key packages published at once, and the most the relay keeps for one device."""

KEY_PACKAGES_LOW: Final = 20
"""At or below this number of one-time key packages a device publishes new ones."""

ONE_TIME_KEY_PACKAGE_S: Final = 80 * DAY_S
"""Seconds for which a relay hands out a one-time key package, which MUST be valid as long."""

LAST_RESORT_KEY_PACKAGE_S: Final = 350 * DAY_S
"""The same for a last resort: who was away for most of a year can still be added."""

MAX_CLAIMED_ACCOUNTS: Final = 100
"""Accounts of one ClaimKeyPackages: 100 accounts x 6 devices x 8 KiB fit one frame."""

MAX_PURPOSE_CHARS: Final = 64
"""Longest name of a consent purpose."""

MAX_CONSENT_RECORD_BYTES: Final = 16_384
"""Largest record of a consent: every list full of short sentences."""

MAX_CONSENT_TEXT_CHARS: Final = 256
"""Longest text in the record of a consent: a sentence, not a document."""

MAX_CONSENT_ITEMS: Final = 8
"""Most entries of each list in the record of a consent."""

# --- conversations ----------------------------------------------------------------------------

MAX_MEMBERS: Final = 1_000
"""Accounts of one conversation."""

MAX_MEMBER_DEVICES: Final = 2_000
"""Devices, that is MLS leaves, of one conversation."""

MAX_CONVERSATIONS: Final = 10_000
"""Conversations of one device."""

MAX_TITLE_CHARS: Final = 128
"""Longest title of a conversation."""

MAX_DISPLAY_NAME_CHARS: Final = 64
"""Longest display name of a person."""

MAX_POLL_QUESTION_CHARS: Final = 300
"""Longest question of a poll."""

MIN_POLL_OPTIONS: Final = 2
MAX_POLL_OPTIONS: Final = 12
"""Options of a poll: what is still read."""

MAX_POLL_OPTION_CHARS: Final = 100
"""Longest option of a poll."""

VOTE_SALT_BYTES: Final = 32
"""Salt of a sealed vote: as long as the hash, so that trying salts is no better than guessing."""

MAX_CONVERSATION_INFO_BYTES: Final = 64 * KIB
"""Largest ``conversation`` extension: 1,000 roles of 24 bytes and the longest title, twice over."""

MAX_DIRECT_ATTEMPT: Final = 15
"""Largest attempt number of a direct conversation id: how often two people may start afresh."""

MAX_OWN_TOPIC: Final = 255
"""Largest number of a topic among own devices."""

MAX_OWN_BODY_BYTES: Final = 512 * KIB
"""Largest body of what own devices say to each other: some thousands of operations."""

MAX_ENVELOPE_LIFETIME_S: Final = 30 * DAY_S
"""Seconds an envelope waits for its readers at most; also the default."""

MAX_RETRY_AFTER_MS: Final = 24 * HOUR_MS
"""Longest pause that the relay may ask for."""

PAST_EPOCHS_ACCEPTED: Final = 2
"""Past epochs of which the relay still takes application messages; clients keep the keys of 3."""

MAX_MISSING_COUNTERS: Final = 64
"""Missing counters named by one receipt for one sender."""

MAX_ATTACHMENT_TTL_DIRECT_S: Final = 7 * DAY_S
"""Seconds an attachment waits at most in a direct conversation (GB/T 42012 8.1.1 e)."""

MAX_ATTACHMENT_TTL_GROUP_S: Final = 100 * DAY_S
"""Seconds an attachment waits at most in a group (GB/T 42012 8.1.1 e)."""

# --- blobs ------------------------------------------------------------------------------------

BLOB_ID_BYTES: Final = 16
"""Random, chosen by the device that sends: a repeated CreateBlob is recognised by it."""

BLOB_SHARE_BYTES: Final = 32
"""The relay's part of a content key: as long as the key, so that without it nothing is known."""

BLOB_TOKEN_BYTES: Final = 32
"""Random; whoever shows it may upload or fetch one blob. The relay keeps only its SHA-256."""

MAX_BLOB_BYTES: Final = (4 << 30) + (64 << 20)
"""Largest blob: a file of 4 GiB with its tags, padded by Padmé to the next 64 MiB."""

MAX_BLOBS_PER_FRAME: Final = 256
"""Blobs of one QueryBlobs or BlobsDeleted. An album has fewer."""

BLOB_TOKEN_S: Final = 3_600
"""Seconds within which a fetch token begins requests. One that runs on may take longer."""

BLOB_UPLOAD_S: Final = DAY_S
"""Seconds that an upload may stand still before the relay gives its room away."""

BLOB_RECEIPT_KEPT_S: Final = 30 * DAY_S
"""Seconds for which a relay can show the receipt of a blob that is gone: as long as a notice."""

BLOB_LATE_S: Final = 6 * 3_600
"""Seconds after its expiry until a blob MUST be gone: room for doubtful clocks and pauses."""

DEVICE_RECEIPT_LATE_S: Final = 600
"""Seconds after which a receipt for a removed device is late, while the relay can be reached."""

# --- what is said of messages -----------------------------------------------------------------

MAX_MENTIONS: Final = 100
"""People named in one text."""

MAX_REACTIONS: Final = 8
"""Different signs by which one person reacts to one message."""

MAX_REACTION_BYTES: Final = 64
"""One sign, in UTF-8: the longest joined emoji have about 35 bytes."""

MAX_FORWARDS: Final = 255
"""Where the count of how often a text was forwarded stops."""

MAX_TEXT_LIFETIME_S: Final = 365 * DAY_S
"""Seconds after which a text disappears at the latest, if its sender wants it to."""

MAX_PINS: Final = 32
"""Pinned messages that are shown of one conversation: those that were pinned last."""

EDIT_WINDOW_MS: Final = 24 * HOUR_MS
"""How long after it was sent an author may edit a text: what others have answered stays true."""

# --- files in messages ------------------------------------------------------------------------

FILE_KEY_BYTES: Final = 32
"""The sender's part of a content key: random, one for each upload."""

MAX_ATTACHMENT_BYTES: Final = 4 << 30
"""Largest file of a message: 4 GiB, the most that every common file system can hold."""

MAX_ATTACHMENTS: Final = 32
"""Files of one message: an album that fits a screen or two."""

MAX_CAPTION_BYTES: Final = 64 * KIB
"""Longest text beside files, in UTF-8: with 32 previews it fits an envelope."""

MAX_FILE_NAME_BYTES: Final = 255
"""Longest name of a file, in UTF-8: what file systems take."""

MAX_MEDIA_TYPE_CHARS: Final = 127
"""Longest media type: RFC 6838 asks for no more than 127 characters on each side, far too many."""

MAX_MEDIA_SIDE: Final = 65_535
"""Width and height of a picture, in pixels: what JPEG can say."""

MAX_WAVEFORM_BYTES: Final = 128
"""Bars of the picture of a voice note: as many as a phone shows."""

MAX_PREVIEW_BYTES: Final = 16 * KIB
"""Largest preview of a file: 32 of them stay below half an envelope."""

MAX_PREVIEW_SIDE: Final = 320
"""Width and height of a preview, in pixels: what 16 KiB can show."""

# --- linking a device ---------------------------------------------------------------------------

RENDEZVOUS_NUMBERS: Final = 100_000
"""Numbers of rendezvous: five digits, which a person can type."""

VACANCY_S: Final = 20
"""How long a group waits for a member whose account has moved: somebody online adds the device."""

RENDEZVOUS_S: Final = 600
"""Seconds for which a rendezvous is open: time to find the other device and compare."""

MAX_RENDEZVOUS_BYTES: Final = 4 * KIB
"""Largest message of a rendezvous. The longest one of linking has about 400 bytes."""

MAX_RENDEZVOUS_MESSAGES: Final = 32
"""Messages of one rendezvous, both sides together. Linking needs eight."""

LINK_CODE_DIGITS: Final = 12
"""Digits of the code that links a device: 5 of the number, 6 that are secret, 1 to check them."""

# --- signals ----------------------------------------------------------------------------------

SIGNAL_NONCE_BYTES: Final = 24
"""Of XChaCha20-Poly1305: long enough to be drawn at random by any number of devices."""

SIGNAL_PLAIN_BYTES: Final = 216
"""What is sealed in every signal, padded: twice what is needed, so more kinds can look alike."""

SIGNAL_BYTES: Final = 256
"""Every signal: nonce, ciphertext and tag. One length, so that no two can be told apart by it."""

MAX_SIGNAL_READERS: Final = 256
"""Devices of the largest route in which signals are forwarded: bounds what one frame can cause."""

SIGNAL_AGE_MS: Final = 10 * SECOND_MS
"""Age beyond which a signal says nothing any more: longer than any way that is not broken."""

TYPING_REPEAT_MS: Final = 3 * SECOND_MS
"""Least pause between two signals of somebody who goes on typing."""

TYPING_SHOWN_MS: Final = 7 * SECOND_MS
"""How long one signal counts: two repetitions and a second for the way, so one may get lost."""

# --- own devices ------------------------------------------------------------------------------

MAX_OP_BYTES: Final = 64 * KIB
"""Largest op: the longest draft that is shared, with its mentions."""

MAX_OP_SUBJECT_BYTES: Final = 64
"""Longest subject of an op: the name of a setting, or an id."""

MAX_OP_SEEN: Final = 32
"""Devices named by one op as overwritten: five times as many as an account has at a time."""

MAX_OP_ERASED: Final = 256
"""Messages erased by one op: as many as one transaction takes in."""

MAX_SHARED_DRAFT_BYTES: Final = 48 * KIB
"""Longest draft that is shared, in UTF-8. A longer one stays on its device."""

MAX_SETTING_BYTES: Final = 4 * KIB
"""Largest value of a shared setting."""

MAX_OP_AHEAD_MS: Final = 10 * 60 * SECOND_MS
"""How far an op's time may lie ahead of the clock before it counts as one from the future."""

MAX_OPS_PER_CONTENT: Final = 256
"""Ops of one OpsTold, which has MAX_ENVELOPE_BYTES besides."""

MAX_OPS_WANTED: Final = 4_096
"""Ops that one OpsWanted asks for: 140 kB of hashes."""

MAX_COMPARISON_BYTES: Final = 256 * KIB
"""Largest frame of a comparison: 7,000 hashes, and still a quarter of an envelope."""

MAX_COMPARISON_ROUNDS: Final = 256
"""Questions of one comparison: enough for two million ops of which none is shared."""

# --- connection -------------------------------------------------------------------------------

SUBPROTOCOL: Final = "e2ecore.v1"
"""The WebSocket subprotocol that both sides must name."""

HANDSHAKE_TIMEOUT_S: Final = 10
"""Seconds from TCP connect to the end of the WebSocket handshake; then the side gives up."""

AUTHENTICATION_TIMEOUT_S: Final = 15
"""Seconds from the Challenge to a good Authenticate; then the relay closes."""

PING_INTERVAL_S: Final = 45
"""Seconds of silence after which the client pings: below the 60 s of common proxies and NATs."""

IDLE_TIMEOUT_S: Final = 135
"""Seconds without any byte after which a side takes the other for gone: three ping intervals."""

MAX_CLOCK_DIFFERENCE_MS: Final = 15 * 60 * SECOND_MS
"""Difference of clocks beyond which a client says so: lifetimes would be judged wrongly."""
