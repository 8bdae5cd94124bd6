-- Schema 13.

-- Where tables and indexes begin, for a repair that cannot read the schema: the same three times, each on
-- a page of its own.
CREATE TABLE landmarks (
    number INTEGER NOT NULL PRIMARY KEY, -- which copy
    copy   BLOB    NOT NULL -- lines of page number and name, the first one with the number of the schema
) STRICT;
