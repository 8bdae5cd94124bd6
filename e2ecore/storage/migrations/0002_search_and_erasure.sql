-- Schema 2. Finding messages by what is in them, and erasing them for good. The search index itself is
-- the virtual table search, made by e2ecore.storage.search_index when it is first needed: it can be
-- dropped and built anew from the messages at any time, and nothing else depends on it.

-- Which message arrived as which. Filled later than messages, so that receiving costs nothing more.
CREATE TABLE arrivals (
    mid INTEGER NOT NULL PRIMARY KEY, -- messages.mid; also the row id in the search index
    id  INTEGER NOT NULL -- messages.id
) STRICT;

-- Between which times the messages of 1024 neighbouring arrival numbers were sent.
CREATE TABLE arrival_times (
    block    INTEGER NOT NULL PRIMARY KEY, -- arrivals.mid >> 10
    first_ms INTEGER NOT NULL, -- no message of the block was sent before
    last_ms  INTEGER NOT NULL -- ... nor after
) STRICT;

-- How far arrivals has got in each conversation.
CREATE TABLE arrival_marks (
    cid  INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    upto INTEGER NOT NULL -- messages.id: live messages up to it are in arrivals
) STRICT;

-- How far the search index has got. One row.
CREATE TABLE search_state (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- there is one index
    made_with   TEXT    NOT NULL, -- the rules that its tokens were made by; empty: there is no index
    noted_mid   INTEGER NOT NULL, -- every message with a lower or this arrival number is in arrivals
    indexed_mid INTEGER NOT NULL, -- ... and in the index
    damaged     INTEGER NOT NULL -- 1: not to be asked any more; to be dropped and built anew
) STRICT;
INSERT INTO search_state (one, made_with, noted_mid, indexed_mid, damaged) VALUES (1, '', 0, 0, 0);

-- Erasures of many messages under way: what a crash interrupted goes on at the next start.
CREATE TABLE erasures (
    eid   INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, -- never reused
    cid   INTEGER NOT NULL, -- conversations.cid
    below INTEGER NOT NULL, -- messages.id: of that conversation, everything below it goes
    state INTEGER NOT NULL -- 1 messages are being deleted; 2 the index is being cleaned of them
) STRICT;

-- Conversations whose messages are erased after a time.
CREATE TABLE retentions (
    cid     INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    keep_ms INTEGER NOT NULL -- how long after it was stored here a message is erased
) STRICT;
