"""Who is in a conversation: intents become commits, commits are judged and applied."""
