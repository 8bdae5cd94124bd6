"""What the devices of one account tell each other: ops, and what follows from them."""
