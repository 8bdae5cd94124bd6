-- Schema 3. Commits that not all members can follow: the relay numbers commits, and the epochs of MLS
-- are counted apart from that.

-- Where a conversation stands in the relay's count of commits.
CREATE TABLE log_places (
    cid       INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    log_epoch INTEGER NOT NULL, -- commits in the relay's log that are processed here, in force or not
    floor     INTEGER NOT NULL -- MLS epoch that is over for good: no Welcome leads to it or before it
) STRICT;
INSERT INTO log_places (cid, log_epoch, floor) SELECT cid, epoch, epoch FROM conversations;

-- The last commits of each conversation, and who could not open them.
CREATE TABLE trials (
    cid       INTEGER NOT NULL, -- conversations.cid
    number    INTEGER NOT NULL, -- epoch of the log that the commit ended
    digest    BLOB    NOT NULL, -- 32 bytes: SHA-256 of its payload
    epoch     INTEGER NOT NULL, -- MLS epoch in which it was judged
    judgement INTEGER NOT NULL, -- 1 in force; 2 refused; 3 open; 4 voted down
    sender    BLOB    NOT NULL, -- 16 bytes: device that sent it, by the relay's word
    joined    BLOB    NOT NULL, -- device ids, 16 bytes each, that became members by it
    gone      BLOB    NOT NULL, -- device ids, 16 bytes each, that were members until it
    strangers BLOB    NOT NULL, -- account and device ids, 36 bytes each, let into the route by it
    cut       BLOB    NOT NULL, -- account and device ids, 36 bytes each, of members left out of the route by it
    against   BLOB    NOT NULL, -- device ids, 16 bytes each, that cannot open it
    PRIMARY KEY (cid, number)
) STRICT, WITHOUT ROWID;
