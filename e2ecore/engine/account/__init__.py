"""Our own account, the accounts of others, and what a person has agreed to."""
