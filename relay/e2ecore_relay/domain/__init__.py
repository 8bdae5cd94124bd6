"""Pure: what the relay decides, and the ports it needs."""
