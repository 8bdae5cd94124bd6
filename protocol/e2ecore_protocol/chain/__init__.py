"""The account chain: entries, rules and the state they add up to."""
