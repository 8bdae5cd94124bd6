-- Schema 8. Messages that all members have at hand, whose earlier words are kept, and which messages
-- wait for a newer version of the program.

-- What counts of all that was said of a message's pin.
CREATE TABLE pins (
    message    INTEGER NOT NULL PRIMARY KEY, -- messages.id
    account_id BLOB    NOT NULL, -- 20 bytes: who said it
    device_id  BLOB    NOT NULL, -- 16 bytes: ... on which device
    changed_ms INTEGER NOT NULL, -- by the sender's clock; of two the greater counts
    state      INTEGER NOT NULL -- 1 pinned; 0 not any more
) STRICT;

-- Where it is said whether earlier words of edited messages are kept. No row: they are.
CREATE TABLE revision_choices (
    cid  INTEGER NOT NULL PRIMARY KEY, -- conversations.cid; 0: those that have no row of their own
    kept INTEGER NOT NULL -- 1 they are; 0 they are not
) STRICT;

-- Asked when a version is opened that knows more kinds; plain messages write nothing here.
CREATE INDEX messages_unknown ON messages (id) WHERE kind = 0;
