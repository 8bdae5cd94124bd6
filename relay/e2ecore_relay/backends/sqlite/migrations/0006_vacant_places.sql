-- A device that took the place of another one of its account has no leaf before a commit adds it.
ALTER TABLE routes ADD COLUMN vacant_ms INTEGER NOT NULL DEFAULT 0; -- since when; 0: it has one
