"""What an app does with a conversation: read it, write to it, search it, arrange it."""
