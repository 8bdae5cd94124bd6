"""For app developers: an in-process relay with faults, seeded randomness, a virtual clock."""
