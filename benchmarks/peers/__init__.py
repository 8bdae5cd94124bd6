"""Foreign programs, installed by the benchmark itself: what they need, and why one is missing."""
