-- Schema 14.

-- What exports that were imported prove of consents, to be looked at. Nothing is ever allowed by it.
CREATE TABLE consent_papers (
    account_id  BLOB    NOT NULL PRIMARY KEY, -- 20 bytes: who has agreed
    entries     INTEGER NOT NULL, -- length of the chain in it: the longer one is the newer
    document    BLOB    NOT NULL, -- the file, byte for byte
    imported_ms INTEGER NOT NULL -- by our clock
) STRICT;
