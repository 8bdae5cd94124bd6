-- Schema 5. Conversations brought in from files: read only, in no group, known to no relay.

-- Which file's conversation it is. Its conversations.uid is random and never leaves this database, so
-- that nobody can begin a conversation of the same id.
CREATE TABLE imported_conversations (
    cid         INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    source      BLOB    NOT NULL UNIQUE, -- 32 bytes: made from what names it in the file; the same at every import
    format      TEXT    NOT NULL, -- of the file
    imported_ms INTEGER NOT NULL -- when it was first brought in
) STRICT;

-- What the file calls those who wrote in it.
CREATE TABLE imported_people (
    cid        INTEGER NOT NULL, -- conversations.cid
    account_id BLOB    NOT NULL, -- 20 bytes: messages.account_id; of no account where the file has only names
    name       TEXT    NOT NULL, -- empty: nobody, notices of the program
    PRIMARY KEY (cid, account_id)
) STRICT, WITHOUT ROWID;
