"""The devices of one account: linked, seated in every conversation, removed."""
