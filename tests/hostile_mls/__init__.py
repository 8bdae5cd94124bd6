"""One rule of MLS broken at a time, by a member with real keys."""
