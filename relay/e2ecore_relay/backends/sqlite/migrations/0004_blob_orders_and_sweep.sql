-- What the operator has ordered deleted. Nothing here is ever changed or deleted.
CREATE TABLE blob_orders (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id  BLOB    NOT NULL UNIQUE,            -- 16 bytes: an order read twice is carried out once
    blob_id   BLOB    NOT NULL,
    reference TEXT    NOT NULL,                   -- why, in the operator's words
    time_ms   INTEGER NOT NULL,
    found     INTEGER NOT NULL                    -- 1 share destroyed, 2 gone before, 3 unknown
) STRICT;
CREATE TRIGGER blob_orders_stay BEFORE DELETE ON blob_orders
BEGIN
    SELECT raise(ABORT, 'orders are kept');
END;
CREATE TRIGGER blob_orders_stand BEFORE UPDATE ON blob_orders
BEGIN
    SELECT raise(ABORT, 'orders are not changed');
END;

-- What the sweep deletes next: by id, so that what lies in one folder goes together.
CREATE INDEX blobs_doomed ON blobs (blob_id) WHERE stage = 2;
