-- Schema 1. Every table is STRICT and every column NOT NULL; an empty text or blob, or 0, stands for
-- "none" where the comment says so. Times are UTC milliseconds. There is no index without a query
-- that needs it: on the path of one message each further b-tree costs an encrypted page.

-- Who we are. One row, from the first moment that keys exist.
CREATE TABLE account (
    one          INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- there is one account per database
    account_id   BLOB    NOT NULL, -- 20 bytes: start of SHA-256 of the genesis entry
    device_id    BLOB    NOT NULL, -- 16 bytes: start of SHA-256 of the device's public key
    identity_key BLOB    NOT NULL, -- 32 bytes: Ed25519 seed that signs the account chain
    device_key   BLOB    NOT NULL, -- 32 bytes: Ed25519 seed of this device, also its MLS signature key
    handle       TEXT    NOT NULL, -- directory name at the relay; empty: none
    display_name TEXT    NOT NULL, -- what we tell others to call us; empty: none
    relay        TEXT    NOT NULL, -- address of the relay we registered with
    state        INTEGER NOT NULL, -- 1 keys made, registration not yet confirmed; 2 registered; 3 closed
    created_ms   INTEGER NOT NULL -- when the keys were made
) STRICT;

-- Account chains as checked by this device, our own included.
CREATE TABLE chain_entries (
    account_id BLOB    NOT NULL, -- 20 bytes: whose chain
    seq        INTEGER NOT NULL, -- place in the chain, from 0 (genesis) on, without gaps
    hash       BLOB    NOT NULL, -- 32 bytes: what the next entry must name
    entry      BLOB    NOT NULL, -- the signed entry, byte for byte
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

-- One row per account we know: contacts, members, ourselves.
CREATE TABLE chain_accounts (
    account_id   BLOB    NOT NULL PRIMARY KEY, -- 20 bytes
    handle       TEXT    NOT NULL, -- as the directory last said; empty: unknown
    display_name TEXT    NOT NULL, -- as its owner last said; empty: unknown
    head_seq     INTEGER NOT NULL, -- seq of the last checked entry
    head_hash    BLOB    NOT NULL, -- 32 bytes: its hash
    verification INTEGER NOT NULL, -- 0 unverified; 1 verified in person; 2 changed since: stop
    verified     BLOB    NOT NULL, -- what was compared (hash over keys and devices); empty: nothing
    contact      INTEGER NOT NULL, -- 1 we looked it up or talked to it; 0 only a fellow member
    checked_ms   INTEGER NOT NULL  -- when the relay last confirmed the head
) STRICT, WITHOUT ROWID;

-- Asked before every message that is sent; almost always empty.
CREATE INDEX chain_accounts_changed ON chain_accounts (account_id) WHERE verification = 2;

-- A conversation, and the state of ours that belongs to all of it.
CREATE TABLE conversations (
    cid          INTEGER NOT NULL PRIMARY KEY, -- local number, < 2^31; also names its rows in mls_rows
    uid          BLOB    NOT NULL UNIQUE, -- 16 bytes: conversation id = MLS group id
    kind         INTEGER NOT NULL, -- 1 direct; 2 group; 3 imported from a file
    title        TEXT    NOT NULL, -- empty for direct ones
    state        INTEGER NOT NULL, -- 1 creating; 2 active; 3 left; 4 removed; 5 healing (asked for re-add); 6 failed; 7 lost
    peer         BLOB    NOT NULL, -- direct: the other account, 20 bytes; else empty
    epoch        INTEGER NOT NULL, -- MLS epoch, as of the last merged commit
    cursor       INTEGER NOT NULL, -- relay seq up to which everything is processed
    own_counter  INTEGER NOT NULL, -- counter of our last application message; never reused
    next_order   INTEGER NOT NULL, -- the order that the next message gets within this conversation
    last_mid     INTEGER NOT NULL, -- arrival number of the newest message; 0: none
    read_order   INTEGER NOT NULL, -- messages below this order are read
    unread       INTEGER NOT NULL, -- foreign messages from read_order on
    info         BLOB    NOT NULL, -- content of the group's conversation extension, as last agreed
    healing_ms   INTEGER NOT NULL, -- when re-add was last asked for; 0: never
    created_ms   INTEGER NOT NULL -- when it was made or joined here
) STRICT;

-- Member devices, also those that left: their counters must survive a re-add.
CREATE TABLE members (
    cid             INTEGER NOT NULL, -- conversations.cid
    device_id       BLOB    NOT NULL, -- 16 bytes
    account_id      BLOB    NOT NULL, -- 20 bytes
    leaf            INTEGER NOT NULL, -- leaf index in the group; -1: no member now
    role            INTEGER NOT NULL, -- 1 member; 2 admin; 3 owner
    receive_counter INTEGER NOT NULL, -- counter of the last application message taken from it
    receive_missing BLOB    NOT NULL, -- counters below it that never came, as packed by messaging
    receipt_counter INTEGER NOT NULL, -- receive_counter as of the last receipt we sent
    delivered_upto  INTEGER NOT NULL, -- it says it stored our messages up to this counter
    delivered_gaps  BLOB    NOT NULL, -- ... except these counters, as packed by messaging
    PRIMARY KEY (cid, device_id)
) STRICT, WITHOUT ROWID;

-- History. The row id clusters a conversation, so that a page of it is a few neighbouring pages.
CREATE TABLE messages (
    id         INTEGER NOT NULL PRIMARY KEY, -- cid << 32 | order; live order starts at 2^31
    mid        INTEGER NOT NULL, -- arrival number across all conversations, ascending
    uid        BLOB    NOT NULL, -- 16 bytes: message id, chosen by the sender
    account_id BLOB    NOT NULL, -- 20 bytes: who sent it
    device_id  BLOB    NOT NULL, -- 16 bytes: ... from which device
    counter    INTEGER NOT NULL, -- the sending device's counter in this conversation
    seq        INTEGER NOT NULL, -- number in the relay's log; 0: own and not yet accepted
    sent_ms    INTEGER NOT NULL, -- by the sender's clock
    stored_ms  INTEGER NOT NULL, -- by our clock, when it was stored
    kind       INTEGER NOT NULL, -- 1 text; 0 of a newer version, kept as it came
    state      INTEGER NOT NULL, -- 0 received; 1 own, queued; 2 own, accepted; 3 own, failed
    body       TEXT    NOT NULL, -- text; empty for other kinds
    ext        BLOB    NOT NULL  -- content of other kinds as it came; else empty
) STRICT;

-- Effects of committed transactions that the relay has not accepted yet.
CREATE TABLE outbox (
    oid         INTEGER NOT NULL PRIMARY KEY, -- order of submission
    cid         INTEGER NOT NULL, -- 0: no conversation
    message     INTEGER NOT NULL, -- messages.id; 0: not a message of the history
    kind        INTEGER NOT NULL, -- envelope kind: 1 application, 2 proposal, 5 re-add request
    epoch       INTEGER NOT NULL, -- the MLS epoch that payload is encrypted in
    counter     INTEGER NOT NULL, -- own_counter inside the payload; 0: none
    envelope_id BLOB    NOT NULL, -- 16 bytes: the same at every attempt
    payload     BLOB    NOT NULL, -- the final bytes, sent again unchanged after a crash; empty: not encrypted yet
    content     BLOB    NOT NULL, -- plaintext, to encrypt again when the epoch is over; empty: drop instead
    attempts    INTEGER NOT NULL, -- how often it was refused
    next_ms     INTEGER NOT NULL  -- not to be sent before
) STRICT;

-- What the user wants done by a commit, until one of ours that does it is merged.
CREATE TABLE intents (
    iid         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, -- never reused: reported to the app
    cid         INTEGER NOT NULL, -- conversations.cid
    kind        INTEGER NOT NULL, -- as listed in messaging
    args        BLOB    NOT NULL, -- canonical encoding of what is wanted
    state       INTEGER NOT NULL, -- 1 wanted; 2 commit made, not yet accepted
    epoch       INTEGER NOT NULL, -- epoch that the commit starts from; 0 while only wanted
    envelope_id BLOB    NOT NULL, -- 16 bytes: of the commit; recognises its echo; empty: none
    pending     BLOB    NOT NULL, -- the encoded pending commit; empty: none
    attempts    INTEGER NOT NULL, -- lost races and refusals
    next_ms     INTEGER NOT NULL, -- not to be tried before
    created_ms  INTEGER NOT NULL -- when it was wished
) STRICT;

-- How far the device's own log at the relay is processed. One row.
CREATE TABLE inbox_cursor (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- there is one inbox
    seq INTEGER NOT NULL -- everything up to it is processed
) STRICT;
INSERT INTO inbox_cursor (one, seq) VALUES (1, 0);

-- Envelopes that could not be processed: set aside, so that the rest goes on.
CREATE TABLE quarantine (
    qid         INTEGER NOT NULL PRIMARY KEY, -- order of setting aside
    cid         INTEGER NOT NULL, -- 0: from the inbox log
    seq         INTEGER NOT NULL, -- number in that log
    kind        INTEGER NOT NULL, -- envelope kind
    epoch       INTEGER NOT NULL, -- as the relay said
    envelope_id BLOB    NOT NULL, -- 16 bytes
    payload     BLOB    NOT NULL, -- as it came, still encrypted
    error       TEXT    NOT NULL, -- name of the error, never content
    created_ms  INTEGER NOT NULL -- when it was set aside
) STRICT;

-- Private parts of key packages that we published and that a Welcome may use.
CREATE TABLE key_packages (
    ref         BLOB    NOT NULL PRIMARY KEY, -- hash reference by which a Welcome names it
    bundle      BLOB    NOT NULL, -- encoded package with its private keys
    last_resort INTEGER NOT NULL, -- 1: stays after use, until replaced
    state       INTEGER NOT NULL, -- 1 made; 2 published; 3 replaced, kept for a Welcome under way
    expires_ms  INTEGER NOT NULL  -- end of its lifetime
) STRICT;

-- MLS state as small rows: one application message changes one of them.
CREATE TABLE mls_rows (
    gid   INTEGER NOT NULL, -- conversations.cid
    kind  INTEGER NOT NULL, -- as listed in e2ecore.mls.rows
    epoch INTEGER NOT NULL, -- 0 for rows that belong to no single epoch
    idx   INTEGER NOT NULL, -- leaf, secret tree node or proposal number
    value BLOB    NOT NULL, -- encoded by e2ecore.mls
    PRIMARY KEY (gid, kind, epoch, idx)
) STRICT, WITHOUT ROWID;

-- Public nodes of ratchet trees, too long for the table above: row ids keep them whole on a page.
CREATE TABLE mls_nodes (
    id    INTEGER NOT NULL PRIMARY KEY, -- conversations.cid << 32 | node index
    value BLOB    NOT NULL -- encoded by e2ecore.mls; no row: blank
) STRICT;

-- Small things that have no table of their own.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY, -- lower_case
    value BLOB NOT NULL -- encoded by whoever owns the name
) STRICT, WITHOUT ROWID;
