-- Schema 20. What uploads, receipts and the local copies ask for, found without reading every file that
-- was ever sent; and the parts of a transfer in order.
CREATE INDEX attachments_by_parcel ON attachments (parcel, place) WHERE parcel != 0;
CREATE INDEX attachments_owing ON attachments (aid) WHERE owed != 0;
CREATE INDEX attachments_unproven ON attachments (expires_ms, aid)
    WHERE state = 2 AND receipt = x'' AND told_late = 0 AND expires_ms != 0;
CREATE INDEX attachments_kept ON attachments (used_ms, aid, size) WHERE cache_key != x'';
CREATE INDEX history_parts_of ON history_parts (transfer, number);

-- How often files that are on their way into a message were forwarded to come here; 0: they were not.
ALTER TABLE parcels ADD COLUMN forwards INTEGER NOT NULL DEFAULT 0;
