-- Schema 15.

-- Devices of this account that were removed, and the relay's proof that it keeps nothing for them.
CREATE TABLE removals (
    device_id     BLOB    NOT NULL PRIMARY KEY, -- 16 bytes
    reason        INTEGER NOT NULL, -- as in the account chain
    since_ms      INTEGER NOT NULL, -- when this device learned of it, by its clock
    told_late     INTEGER NOT NULL DEFAULT 0, -- 1: the app was told that the proof is late
    server_name   TEXT    NOT NULL DEFAULT '', -- the relay that signed
    deleted_ms    INTEGER NOT NULL DEFAULT 0, -- by its clock
    envelopes     INTEGER NOT NULL DEFAULT 0, -- that the device had not fetched
    conversations INTEGER NOT NULL DEFAULT 0, -- the device was in
    key_packages  INTEGER NOT NULL DEFAULT 0, -- to invite it by
    blobs         INTEGER NOT NULL DEFAULT 0, -- that waited for it alone
    signature     BLOB    NOT NULL DEFAULT x'' -- 64 bytes; empty: not proven yet
) STRICT;
