-- Accounts of people under 14. The date is all that is kept of a person's age.
CREATE TABLE minors (
    account   INTEGER PRIMARY KEY REFERENCES accounts,
    until_ms  INTEGER NOT NULL,                   -- the mark ends then, and all below with it
    marked_by INTEGER NOT NULL                    -- 1 the account itself, 2 the operator
) STRICT;
CREATE INDEX minors_until ON minors (until_ms);

-- Whose guardian is whose. Ended links stay as long as the mark: none of them may come back.
CREATE TABLE guardian_links (
    link_id  BLOB    PRIMARY KEY,                 -- 16 bytes
    ward     INTEGER NOT NULL REFERENCES minors ON DELETE CASCADE,
    guardian INTEGER NOT NULL REFERENCES accounts,
    document BLOB    NOT NULL,                    -- signed by both
    ended_ms INTEGER NOT NULL DEFAULT 0           -- 0: it holds
) STRICT, WITHOUT ROWID;
CREATE INDEX guardian_links_of_ward ON guardian_links (ward);
CREATE INDEX guardian_links_of_guardian ON guardian_links (guardian) WHERE ended_ms = 0;

-- What guardians have approved, and taken back.
CREATE TABLE guardian_approvals (
    ward       INTEGER NOT NULL REFERENCES minors ON DELETE CASCADE,
    consent_id BLOB    NOT NULL,                  -- 16 bytes
    guardian   INTEGER NOT NULL REFERENCES accounts,
    document   BLOB    NOT NULL,                  -- signed by the guardian
    retraction BLOB    NOT NULL DEFAULT x'',      -- empty: the approval stands
    given_ms   INTEGER NOT NULL,
    PRIMARY KEY (ward, consent_id)
) STRICT, WITHOUT ROWID;

-- Who of the two wants an end, and of what.
CREATE TABLE guardian_endings (
    link_id  BLOB    NOT NULL REFERENCES guardian_links ON DELETE CASCADE,
    account  INTEGER NOT NULL REFERENCES accounts,
    scope    INTEGER NOT NULL,                    -- 1 the link, 2 the mark as well
    document BLOB    NOT NULL,                    -- signed by the account
    PRIMARY KEY (link_id, account)
) STRICT, WITHOUT ROWID;
