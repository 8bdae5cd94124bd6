-- Schema 9.

-- What the person has agreed to. The account chain has it as well, but only as a commitment.
CREATE TABLE consents (
    consent_id BLOB    NOT NULL PRIMARY KEY, -- 16 random bytes, as in the chain
    purpose    TEXT    NOT NULL, -- what for
    record     BLOB    NOT NULL, -- encoded; empty: it was given on another device
    salt       BLOB    NOT NULL, -- 32 random bytes that open the chain's commitment; or empty
    notice     TEXT    NOT NULL, -- the text that was shown; or empty
    wanted     INTEGER NOT NULL, -- 0: withdrawn
    settled    INTEGER NOT NULL, -- 1: the chain says the same
    place      INTEGER NOT NULL -- order of the decisions
) STRICT;
CREATE INDEX consents_unsettled ON consents (place) WHERE settled = 0;
