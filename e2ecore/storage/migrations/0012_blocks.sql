-- Schema 12.

-- Accounts whose words are not wanted here. Nobody else learns of it.
CREATE TABLE blocks (
    account_id BLOB    NOT NULL PRIMARY KEY, -- 20 bytes
    since_ms   INTEGER NOT NULL -- by this device's clock
) STRICT;
