-- Schema 10. Files of messages: what names and opens them, where they are, and what the relay said of
-- them. The bytes lie beside the database in a folder of encrypted files, each under a key that is
-- nowhere but in its row here: erased with the row, the file is noise.

-- Files of messages that came, were sent, or are on their way into one.
CREATE TABLE attachments (
    aid        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, -- never reused: also names the local file
    message    INTEGER NOT NULL, -- messages.id; 0: not in a message yet, or not any more
    place      INTEGER NOT NULL, -- which of the message's files, from 0 on
    parcel     INTEGER NOT NULL, -- parcels.pid; 0: not on its way into a message
    blob_id    BLOB    NOT NULL, -- 16 bytes: where it waits at the relay
    item       BLOB    NOT NULL, -- the file as the message has it: name, kind, size, digest, key; empty: gone
    size       INTEGER NOT NULL, -- bytes of the file
    state      INTEGER NOT NULL, -- 1 to be uploaded; 2 uploaded; 3 of others, at the relay; 4 expired; 5 failed
    owed       INTEGER NOT NULL, -- what the relay must be told: 0 nothing; 1 that it is stored; 2 that it is recalled
    salt       BLOB    NOT NULL, -- 24 bytes as long as an upload may be repeated; else empty
    cache_key  BLOB    NOT NULL, -- 32 bytes: opens the local file; empty: there is none
    cached     INTEGER NOT NULL, -- 1: the local file is whole and checked
    used_ms    INTEGER NOT NULL, -- when the local file was last used
    expires_ms INTEGER NOT NULL, -- when the relay deletes it at the latest; 0: not known
    promise    BLOB    NOT NULL, -- 64 bytes: the relay's signature over that; empty: none
    deleted_ms INTEGER NOT NULL, -- when the relay deleted it; 0: not known
    reason     INTEGER NOT NULL, -- ... why, as its receipt says; 0: not known
    receipt    BLOB    NOT NULL, -- 64 bytes: the relay's signature over that; empty: none
    told_late  INTEGER NOT NULL  -- 1: the user knows that the receipt is late
) STRICT;
CREATE INDEX attachments_by_message ON attachments (message, place);
CREATE INDEX attachments_by_blob ON attachments (blob_id);

-- Messages with files that are written when all their files are uploaded; and files of a message that are
-- uploaded once more.
CREATE TABLE parcels (
    pid        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, -- never reused
    cid        INTEGER NOT NULL, -- conversations.cid
    caption    TEXT    NOT NULL, -- what is said of the files
    created_ms INTEGER NOT NULL, -- by our clock
    paused     INTEGER NOT NULL, -- 1: until the user says so
    before     BLOB    NOT NULL  -- 16 bytes: the blob that a file was in, if it is uploaded once more; else empty
) STRICT;
