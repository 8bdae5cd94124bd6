-- Schema 17.

-- What the devices of this account have told each other of the state that they share, as far as nothing
-- overwrites it. Empty as long as one device counts.
CREATE TABLE ops (
    hash      BLOB    NOT NULL PRIMARY KEY, -- 32 bytes
    time      INTEGER NOT NULL, -- hybrid: milliseconds since 1970, then 16 bits that count
    device_id BLOB    NOT NULL, -- who says it
    number    INTEGER NOT NULL, -- of that device's ops
    kind      INTEGER NOT NULL, -- what it says; its hundreds tell how it is merged
    subject   BLOB    NOT NULL, -- what it is about
    op        BLOB    NOT NULL -- encoded and signed
) STRICT, WITHOUT ROWID;
CREATE INDEX ops_by_slot ON ops (kind, subject);
CREATE INDEX ops_by_device ON ops (device_id, number);

-- Where this device stands in its own list of ops. It stays when the ops go: no number is used twice.
CREATE TABLE op_authors (
    device_id BLOB    NOT NULL PRIMARY KEY, -- 16 bytes
    number    INTEGER NOT NULL, -- of its last op
    prev_hash BLOB    NOT NULL, -- of its last op
    time      INTEGER NOT NULL, -- the greatest hybrid time written or received
    told      INTEGER NOT NULL -- up to which number the other devices were told
) STRICT, WITHOUT ROWID;

-- Messages that were erased on one of the devices of this account: they are never stored again.
CREATE TABLE erased_names (
    conversation BLOB NOT NULL, -- id at the relay
    uid          BLOB NOT NULL, -- message id
    account_id   BLOB NOT NULL, -- its author
    PRIMARY KEY (conversation, uid, account_id)
) STRICT, WITHOUT ROWID;

-- How far conversations are read and erased on any device of this account, by numbers of the relay's log.
CREATE TABLE shared_marks (
    cid         INTEGER NOT NULL PRIMARY KEY, -- the conversation
    read_seq    INTEGER NOT NULL, -- up to it everything is read
    cleared_seq INTEGER NOT NULL -- up to it everything is erased
) STRICT;
