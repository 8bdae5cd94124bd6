-- Schema 18. History that one device of a person gives to another.

-- What this device gives, until everything of it has arrived or was given up.
CREATE TABLE history_gifts (
    transfer  BLOB    NOT NULL PRIMARY KEY, -- 16 bytes, random
    device_id BLOB    NOT NULL, -- 16 bytes: who gets it
    since_ms  INTEGER NOT NULL, -- messages that were sent then or later
    upto_mid  INTEGER NOT NULL, -- arrival number of the last one
    waiting   BLOB    NOT NULL, -- packed array of conversations.cid that are still to be given
    cid       INTEGER NOT NULL, -- the one being given; 0: none
    cursor    INTEGER NOT NULL, -- messages.id of the last message that is in a part
    place     INTEGER NOT NULL, -- how many of this conversation are in parts
    amount    INTEGER NOT NULL, -- how many of this conversation there are in all, when it began
    parts     INTEGER NOT NULL, -- how many were made
    messages  INTEGER NOT NULL, -- how many are in them
    total     INTEGER NOT NULL, -- how many there are in all, when it began
    withheld  BLOB    NOT NULL, -- packed array of [conversation id, number]: what a sender does not want copied
    state     INTEGER NOT NULL, -- 1 parts are being made; 2 all are made; 3 all are at the relay; 4 given up
    began_ms  INTEGER NOT NULL -- by our clock
) STRICT, WITHOUT ROWID;

-- Parts on their way, in both directions. Their files are in attachments.
CREATE TABLE history_parts (
    part      INTEGER NOT NULL PRIMARY KEY, -- with the cid of our devices' conversation it is attachments.message
    transfer  BLOB    NOT NULL, -- 16 bytes
    number    INTEGER NOT NULL, -- from 0 on
    device_id BLOB    NOT NULL, -- 16 bytes: the other device
    aid       INTEGER NOT NULL, -- attachments.aid of its file
    is_ours   INTEGER NOT NULL, -- 1: we give it
    pid       INTEGER NOT NULL, -- parcels.pid of a part that we bring to the relay; 0: it is there
    is_last   INTEGER NOT NULL -- 1: the last one of its transfer
) STRICT;

-- What this device gets.
CREATE TABLE history_takings (
    transfer  BLOB    NOT NULL PRIMARY KEY, -- 16 bytes
    device_id BLOB    NOT NULL, -- 16 bytes: who gives it
    messages  INTEGER NOT NULL, -- how many were new here
    next      INTEGER NOT NULL, -- number of the part that is to be stored next
    state     INTEGER NOT NULL, -- 1 more is to come; 2 all is here; 3 more is to come, a part was lost; 4 all but what was lost is here
    began_ms  INTEGER NOT NULL -- by our clock
) STRICT, WITHOUT ROWID;

-- Where the messages of a transfer go in each conversation.
CREATE TABLE history_places (
    transfer    BLOB    NOT NULL, -- 16 bytes
    uid         BLOB    NOT NULL, -- 16 bytes: conversation id
    first_order INTEGER NOT NULL, -- of the first message of this transfer
    PRIMARY KEY (transfer, uid)
) STRICT, WITHOUT ROWID;
