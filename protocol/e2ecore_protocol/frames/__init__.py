"""What a client and the relay say to each other."""
