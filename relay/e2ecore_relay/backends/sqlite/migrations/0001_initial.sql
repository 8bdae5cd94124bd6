-- Accounts, their chains and devices. A number (account, device) is given once and never reused:
-- AUTOINCREMENT, because routes and answers outlive a device.
CREATE TABLE accounts (
    account    INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id BLOB    NOT NULL UNIQUE,           -- 20 bytes
    handle     TEXT    UNIQUE,                    -- NULL: the account has none
    head_seq   INTEGER NOT NULL,
    head_hash  BLOB    NOT NULL,                  -- 32 bytes
    closed     INTEGER NOT NULL DEFAULT 0,        -- 1: closed for good; the handle stays taken
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE chain_entries (
    account INTEGER NOT NULL REFERENCES accounts,
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL,                     -- 32 bytes
    entry   BLOB    NOT NULL,                     -- encoded, as received
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    device     INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES accounts,
    device_id  BLOB    NOT NULL,                  -- 16 bytes
    key        BLOB    NOT NULL,                  -- Ed25519 public key, 32 bytes
    added_ms   INTEGER NOT NULL,
    removed_ms INTEGER NOT NULL DEFAULT 0,        -- 0: live
    UNIQUE (account, device_id)
) STRICT;

-- Waiting key packages. AUTOINCREMENT: an id seen once means one package, handed out once.
CREATE TABLE key_packages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    device      INTEGER NOT NULL REFERENCES devices,
    last_resort INTEGER NOT NULL,                 -- 1: handed out when no other is left, and kept
    key_package BLOB    NOT NULL
) STRICT;
CREATE INDEX key_packages_of ON key_packages (device, last_resort, id);

-- Logs: one for each conversation, one inbox for each device that ever got something.
CREATE TABLE logs (
    lid   INTEGER PRIMARY KEY AUTOINCREMENT,
    name  BLOB    NOT NULL UNIQUE,                -- conversation id, or 8 bytes: device number
    kind  INTEGER NOT NULL,                       -- 0 inbox, 1 direct, 2 group
    epoch INTEGER NOT NULL,
    head  INTEGER NOT NULL DEFAULT 0              -- highest seq when envelopes were last deleted;
                                                  -- the true head is the larger of this and of the
                                                  -- highest stored seq
) STRICT;

-- Who reads which log, and how far.
CREATE TABLE routes (
    lid    INTEGER NOT NULL REFERENCES logs,
    device INTEGER NOT NULL REFERENCES devices,
    start  INTEGER NOT NULL,                      -- reads what is above this
    cursor INTEGER NOT NULL,                      -- has acknowledged up to this
    until  INTEGER NOT NULL DEFAULT 0,            -- 0: member; else removed by this commit, its last
    PRIMARY KEY (lid, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX routes_of ON routes (device, lid);

-- What a device must never see: it was removed, had not read everything, and was added again.
CREATE TABLE holes (
    lid    INTEGER NOT NULL,
    device INTEGER NOT NULL,
    first  INTEGER NOT NULL,                      -- both inclusive
    last   INTEGER NOT NULL,
    PRIMARY KEY (lid, device, first)
) STRICT, WITHOUT ROWID;

-- Envelopes nobody may forget yet. The rowid follows arrival; the index finds a log's part.
-- (A table clustered by log costs 3.6 times as much to append to.)
CREATE TABLE envelopes (
    id         INTEGER PRIMARY KEY,
    lid        INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    sender     INTEGER NOT NULL,                  -- device that does not get it back, or 0
    expires_ms INTEGER NOT NULL,                  -- of a gap marker: when it was made
    short      INTEGER NOT NULL DEFAULT 0,        -- 1: lifetime below the maximum
    first      INTEGER NOT NULL DEFAULT 0,        -- gap marker: first missing seq; else 0
    shared     INTEGER NOT NULL DEFAULT 0,        -- payload in shared_payloads, or 0
    item       BLOB    NOT NULL                   -- encoded delivery item; empty for a gap marker
) STRICT;
CREATE UNIQUE INDEX envelopes_of ON envelopes (lid, seq);
CREATE INDEX envelopes_short ON envelopes (expires_ms) WHERE short = 1;

-- A Welcome for many: stored once.
CREATE TABLE shared_payloads (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    refs    INTEGER NOT NULL,
    payload BLOB    NOT NULL
) STRICT;
CREATE TRIGGER envelopes_release AFTER DELETE ON envelopes WHEN old.shared <> 0
BEGIN
    UPDATE shared_payloads SET refs = refs - 1 WHERE id = old.shared;
END;
CREATE TRIGGER shared_payloads_end AFTER UPDATE OF refs ON shared_payloads WHEN new.refs <= 0
BEGIN
    DELETE FROM shared_payloads WHERE id = new.id;
END;

-- First answers to accepted envelopes, which a repeat gets again: one row per device and generation of
-- the journal.
CREATE TABLE answers (
    device   INTEGER NOT NULL,
    last_id  BLOB    NOT NULL,                    -- highest envelope id in this row
    first_id BLOB    NOT NULL,                    -- lowest
    time_ms  INTEGER NOT NULL,                    -- when the newest was given
    given    BLOB    NOT NULL,                    -- envelope id (16), seq (8), time (8), repeated
    PRIMARY KEY (device, last_id)
) STRICT, WITHOUT ROWID;

-- What was accepted in the last seconds, as it came: one row per transaction. Most of it is read and
-- forgotten before it would have been worth a row of its own. The rest moves to envelopes, answers.
CREATE TABLE journal (
    id        INTEGER PRIMARY KEY,                -- order of commits; the oldest leave first, and
                                                  -- AUTOINCREMENT would cost each commit a page
    envelopes BLOB    NOT NULL,                   -- see journal.py
    answers   BLOB    NOT NULL
) STRICT;
