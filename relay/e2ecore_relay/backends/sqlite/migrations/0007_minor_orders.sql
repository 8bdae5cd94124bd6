-- What the operator has decided of marks of children. Nothing here is ever changed or deleted. It holds no date: what
-- is left of a person's age goes with the mark.
CREATE TABLE minor_orders (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id   BLOB    NOT NULL UNIQUE,           -- 16 bytes: an order read twice is carried out once
    account_id BLOB    NOT NULL,                  -- 20 bytes
    marked     INTEGER NOT NULL,                  -- 1: marked, or marked anew; 0: the mark was lifted
    reason     INTEGER NOT NULL,                  -- 1 person, 2 guardian, 3 authority, 4 finding, 5 correction
    reference  TEXT    NOT NULL,                  -- where the papers are, in the operator's words
    time_ms    INTEGER NOT NULL
) STRICT;
CREATE TRIGGER minor_orders_stay BEFORE DELETE ON minor_orders
BEGIN
    SELECT raise(ABORT, 'orders are kept');
END;
CREATE TRIGGER minor_orders_stand BEFORE UPDATE ON minor_orders
BEGIN
    SELECT raise(ABORT, 'orders are not changed');
END;
