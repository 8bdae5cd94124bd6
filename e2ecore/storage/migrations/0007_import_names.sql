-- Schema 7. The ids of imported messages are noted behind the import, not with it: they lie all over
-- the table, and noting each cost more than storing the message.

-- How far arrivals and message_names have got in each conversation.
CREATE TABLE marks (
    cid   INTEGER NOT NULL PRIMARY KEY, -- conversations.cid
    upto  INTEGER NOT NULL, -- messages.id: messages up to it are in arrivals
    named INTEGER NOT NULL -- messages.id: messages up to it are in message_names
) STRICT;
INSERT INTO marks (cid, upto, named) SELECT cid, upto, upto FROM arrival_marks;
DROP TABLE arrival_marks;
ALTER TABLE marks RENAME TO arrival_marks;
