-- The relay's parts of content keys. Rows are laid out ahead, all zero, and only ever overwritten in place:
-- a row that moved or was deleted would leave its bytes behind in the page that it was in. See shares.py.
CREATE TABLE blob_shares (
    slot  INTEGER PRIMARY KEY,
    share BLOB    NOT NULL                        -- 32 bytes; zeros: free, or destroyed
) STRICT;

-- Slots that may be taken. A slot comes back once its blob is buried.
CREATE TABLE blob_free_slots (
    slot INTEGER PRIMARY KEY
) STRICT;

-- Blobs: ciphertexts of attachments, whose bytes are in files of their own.
-- AUTOINCREMENT: a number means one blob for ever.
CREATE TABLE blobs (
    blob         INTEGER PRIMARY KEY AUTOINCREMENT,
    blob_id      BLOB    NOT NULL UNIQUE,         -- 16 bytes; also names the bytes
    lid          INTEGER NOT NULL,                -- log of the conversation it is for
    account      INTEGER NOT NULL REFERENCES accounts,
    device       INTEGER NOT NULL REFERENCES devices, -- that made it
    size         INTEGER NOT NULL,                -- bytes, padding included
    expires_ms   INTEGER NOT NULL,                -- as promised
    due_ms       INTEGER NOT NULL,                -- when the sweep takes it; 0 once doomed
    stage        INTEGER NOT NULL,                -- 0 uploading, 1 complete, 2 doomed: share destroyed
    reason       INTEGER NOT NULL,                -- why it will be deleted, when the sweep takes it
    recipients   INTEGER NOT NULL,                -- devices that it is or was for
    waiting      INTEGER NOT NULL,                -- those that still need it
    slot         INTEGER NOT NULL,                -- its share
    upload_token BLOB    NOT NULL UNIQUE,         -- SHA-256 of the token
    promise      BLOB    NOT NULL                 -- signature, 64 bytes
) STRICT;
CREATE INDEX blobs_due ON blobs (stage, due_ms);
CREATE INDEX blobs_of_account ON blobs (account);

-- For whom a blob waits, or waited.
CREATE TABLE blob_recipients (
    blob            INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
    device          INTEGER NOT NULL REFERENCES devices,
    acknowledgement BLOB    NOT NULL DEFAULT x'', -- signature of the device; empty: it still waits
    fetch_token     BLOB    UNIQUE,               -- SHA-256 of the token; NULL: none was asked for
    token_until_ms  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (blob, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_recipients_waiting ON blob_recipients (device, blob) WHERE acknowledgement = x'';

-- What accounts (kind 0) and conversations (kind 1) take up. Kept by the triggers.
CREATE TABLE blob_usage (
    kind  INTEGER NOT NULL,
    owner INTEGER NOT NULL,                       -- account, or log
    size  INTEGER NOT NULL,
    blobs INTEGER NOT NULL,
    PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER blobs_made AFTER INSERT ON blobs
BEGIN
    INSERT INTO blob_usage VALUES (0, new.account, new.size, 1), (1, new.lid, new.size, 1)
    ON CONFLICT DO UPDATE SET size = size + excluded.size, blobs = blobs + 1;
END;
CREATE TRIGGER blobs_buried AFTER DELETE ON blobs
BEGIN
    UPDATE blob_usage SET size = size - old.size, blobs = blobs - 1
        WHERE (kind, owner) IN ((0, old.account), (1, old.lid));
    DELETE FROM blob_usage WHERE (kind, owner) IN ((0, old.account), (1, old.lid)) AND blobs = 0;
    INSERT INTO blob_free_slots VALUES (old.slot);
END;

-- Receipts of blobs that are gone.
CREATE TABLE blob_receipts (
    blob_id   BLOB    NOT NULL PRIMARY KEY,
    device    INTEGER NOT NULL,                   -- that made the blob
    reason    INTEGER NOT NULL,
    time_ms   INTEGER NOT NULL,
    signature BLOB    NOT NULL,                   -- 64 bytes
    forget_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_receipts_old ON blob_receipts (forget_ms);

-- One row: the key that signs promises and receipts, and how far time was counted (domain/clock.py).
CREATE TABLE blob_office (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    seed          BLOB,                           -- 32 bytes; NULL until the first start is done
    now_ms        INTEGER NOT NULL DEFAULT 0,
    steady_ms     INTEGER NOT NULL DEFAULT 0,
    boot          BLOB    NOT NULL DEFAULT x'',
    lead_ms       INTEGER NOT NULL DEFAULT 0,
    lead_since_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO blob_office (id) VALUES (1);
