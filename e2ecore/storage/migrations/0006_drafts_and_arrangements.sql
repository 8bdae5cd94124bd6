-- Schema 6. What a person has begun to write, and how they arrange their conversations. Nobody else
-- gets to know any of it.

-- What was begun to be written: one text per conversation.
CREATE TABLE drafts (
    cid        INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    changed_ms INTEGER NOT NULL, -- by our clock
    body       TEXT    NOT NULL, -- the words so far; may be empty where something is answered
    reply      INTEGER NOT NULL, -- messages.id that it answers; 0: none
    mentions   BLOB    NOT NULL -- packed array of [account id, start, length]
) STRICT;

-- Conversations that are not simply listed by their newest message.
CREATE TABLE arrangements (
    cid       INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    pinned_ms INTEGER NOT NULL, -- when it was pinned to the top of the list; 0: it is not
    muted_ms  INTEGER NOT NULL, -- until when it shall not disturb; 0: it may
    archived  INTEGER NOT NULL -- 1: put away, to the end of the list
) STRICT;
