-- Schema 16.

-- That whoever uses this account is under 14. At most one row; the date is all that is kept of an age.
CREATE TABLE guardian_mark (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- one row at most
    until_ms  INTEGER NOT NULL, -- the fourteenth birthday, or an earlier one
    marked_by INTEGER NOT NULL, -- 1 the person, 2 the relay's operator
    told      INTEGER NOT NULL  -- 1: the relay knows
) STRICT;

-- Who is whose guardian: invited, in force, over.
CREATE TABLE guardian_links (
    link_id    BLOB    NOT NULL PRIMARY KEY, -- 16 bytes
    role       INTEGER NOT NULL, -- 1: this account is the ward; 2: it is the guardian
    other      BLOB    NOT NULL, -- account id of the other side
    document   BLOB    NOT NULL, -- what both have signed, or the ward alone until now
    notice     TEXT    NOT NULL, -- the text that both were shown
    state      INTEGER NOT NULL, -- see storage.guardians
    until_ms   INTEGER NOT NULL, -- when the ward's mark ends; 0: not known
    wishes     INTEGER NOT NULL, -- 1: the ward wants the mark to end, 2: the guardian does, 3: both
    changed_ms INTEGER NOT NULL -- by this device's clock
) STRICT;

-- What a ward wants to agree to, on both sides.
CREATE TABLE guardian_requests (
    consent_id BLOB    NOT NULL PRIMARY KEY, -- 16 bytes
    link_id    BLOB    NOT NULL, -- the link between the two
    record     BLOB    NOT NULL, -- all that it is about
    salt       BLOB    NOT NULL, -- of the commitment; 32 bytes
    notice     TEXT    NOT NULL, -- the text that was shown
    state      INTEGER NOT NULL, -- see storage.guardians
    changed_ms INTEGER NOT NULL -- by this device's clock
) STRICT;
CREATE INDEX guardian_requests_of ON guardian_requests (link_id);

-- What the relay is to be told, in order.
CREATE TABLE guardian_errands (
    number   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- in this order
    document BLOB    NOT NULL -- signed
) STRICT;

-- Youth mode had been kept among the small things; it says something about a person.
CREATE TABLE youth_mode (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), -- one row at most
    lock BLOB    NOT NULL -- since when, and what is known of the passcode: not the passcode
) STRICT;
INSERT INTO youth_mode (one, lock) SELECT 1, value FROM settings WHERE name = 'youth_mode';
DELETE FROM settings WHERE name = 'youth_mode';
