-- Schema 19. What a person says of others, and settings that an app lets all devices know.

-- what the user calls it; empty: nothing of their own
ALTER TABLE chain_accounts ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- 1 the user wants it out of the contacts
ALTER TABLE chain_accounts ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

-- Settings of apps, which all devices of the account know. Those of the engine itself are never here.
CREATE TABLE app_settings (
    name  TEXT NOT NULL PRIMARY KEY, -- lower case
    value BLOB NOT NULL -- packed: a truth value, a number, a text or bytes
) STRICT, WITHOUT ROWID;
