-- Key packages are handed out for a limited time. Those of before this migration count from now on.
ALTER TABLE key_packages ADD COLUMN published_ms INTEGER NOT NULL DEFAULT 0; -- relay's clock
UPDATE key_packages SET published_ms = unixepoch() * 1000;
