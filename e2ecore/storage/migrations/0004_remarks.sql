-- Schema 4. What is said of messages afterwards: reactions, other words, that they are taken back; and
-- how far others have read. Nothing here is written for a plain text.

-- Where the message of an id is. Filled with arrivals, so that receiving costs nothing more.
CREATE TABLE message_names (
    uid BLOB    NOT NULL, -- messages.uid; not unique, for senders choose them
    id  INTEGER NOT NULL, -- messages.id
    PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;
INSERT INTO message_names (uid, id)
    SELECT m.uid, m.id FROM arrivals AS a CROSS JOIN messages AS m ON m.id = a.id ORDER BY m.uid;

-- What people think of messages: one row per person and message.
CREATE TABLE reactions (
    message    INTEGER NOT NULL, -- messages.id
    account_id BLOB    NOT NULL, -- 20 bytes: who
    device_id  BLOB    NOT NULL, -- 16 bytes: ... from which device
    changed_ms INTEGER NOT NULL, -- by the sender's clock; of two the greater counts
    signs      BLOB    NOT NULL, -- packed array of texts; of none: taken back
    PRIMARY KEY (message, account_id)
) STRICT, WITHOUT ROWID;

-- What edited messages said before, or in an edit that another one had already replaced.
CREATE TABLE revisions (
    message    INTEGER NOT NULL, -- messages.id
    changed_ms INTEGER NOT NULL, -- when it was said, by the sender's clock
    device_id  BLOB    NOT NULL, -- 16 bytes: ... on which device
    body       TEXT    NOT NULL, -- the words
    PRIMARY KEY (message, changed_ms, device_id)
) STRICT, WITHOUT ROWID;

-- What refers to messages that are known to be missing, until they come or the time is over.
CREATE TABLE early_remarks (
    cid        INTEGER NOT NULL, -- conversations.cid
    device_id  BLOB    NOT NULL, -- 16 bytes: device that said it
    counter    INTEGER NOT NULL, -- its counter for this
    account_id BLOB    NOT NULL, -- 20 bytes: its account
    uid        BLOB    NOT NULL, -- messages.uid of what it refers to
    author     BLOB    NOT NULL, -- 20 bytes: messages.account_id of what it refers to
    content    BLOB    NOT NULL, -- as it came
    stored_ms  INTEGER NOT NULL, -- by our clock
    PRIMARY KEY (cid, device_id, counter)
) STRICT, WITHOUT ROWID;

-- How far others have read what this device has sent, as far as they want that to be known.
CREATE TABLE reads (
    cid        INTEGER NOT NULL, -- conversations.cid
    account_id BLOB    NOT NULL, -- 20 bytes: who
    upto       INTEGER NOT NULL, -- our messages up to this counter
    PRIMARY KEY (cid, account_id)
) STRICT, WITHOUT ROWID;

-- Conversations in which this user lets others know what was read.
CREATE TABLE reading_shared (
    cid  INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    told INTEGER NOT NULL -- conversations.read_order when others were last told; 0: never
) STRICT;

-- Messages that erase themselves.
CREATE TABLE expiries (
    message    INTEGER NOT NULL PRIMARY KEY, -- messages.id
    expires_ms INTEGER NOT NULL -- by our clock
) STRICT;
CREATE INDEX expiries_due ON expiries (expires_ms); -- asked at every sweep
