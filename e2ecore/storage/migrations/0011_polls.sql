-- Schema 11. Votes on polls. A poll itself is a row of messages, its content in messages.ext.

-- Who has voted, sealed: one row per person and poll, the vote that counts most until now.
CREATE TABLE poll_votes (
    message    INTEGER NOT NULL, -- messages.id of the poll
    account_id BLOB    NOT NULL, -- 20 bytes: who
    device_id  BLOB    NOT NULL, -- 16 bytes: ... from which device
    changed_ms INTEGER NOT NULL, -- by the sender's clock; of two the greater counts
    commitment BLOB    NOT NULL, -- 32 bytes: hash of salt and choices
    PRIMARY KEY (message, account_id)
) STRICT, WITHOUT ROWID;

-- What opens our own votes, from each time that we have voted: a close may count an earlier one.
CREATE TABLE own_votes (
    message    INTEGER NOT NULL, -- messages.id of the poll
    commitment BLOB    NOT NULL, -- as in poll_votes
    choices    INTEGER NOT NULL, -- bit 0 is the first option
    salt       BLOB    NOT NULL, -- 32 random bytes
    due        INTEGER NOT NULL, -- 1: a close counts it, and the others have not been told yet
    PRIMARY KEY (message, commitment)
) STRICT, WITHOUT ROWID;
-- Asked with every receipt.
CREATE INDEX own_votes_due ON own_votes (due, message) WHERE due = 1;

-- The close that counts, of polls that are closed.
CREATE TABLE poll_closes (
    message    INTEGER NOT NULL PRIMARY KEY, -- messages.id of the poll
    seq        INTEGER NOT NULL, -- the relay's number of the close; the smallest counts
    account_id BLOB    NOT NULL, -- 20 bytes: who closed
    counted    BLOB    NOT NULL -- packed array of [account id, commitment]
) STRICT;

-- Closes of ours that have no number yet.
CREATE TABLE own_closes (
    oid     INTEGER NOT NULL PRIMARY KEY, -- outbox.oid
    message INTEGER NOT NULL, -- messages.id of the poll
    counted BLOB    NOT NULL -- as in poll_closes
) STRICT;

-- Votes that were opened. They count if their commitment is the one that was closed with.
CREATE TABLE poll_reveals (
    message    INTEGER NOT NULL, -- messages.id of the poll
    account_id BLOB    NOT NULL, -- 20 bytes: who
    commitment BLOB    NOT NULL, -- 32 bytes, from salt and choices as they were said
    choices    INTEGER NOT NULL, -- bit 0 is the first option
    PRIMARY KEY (message, account_id, commitment)
) STRICT, WITHOUT ROWID;

-- Polls that this device is to close at a time.
CREATE TABLE poll_deadlines (
    message   INTEGER NOT NULL PRIMARY KEY, -- messages.id of the poll
    closes_ms INTEGER NOT NULL -- by our clock
) STRICT;

-- The relay's number of what waits: of several closes the smallest counts.
ALTER TABLE early_remarks ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
