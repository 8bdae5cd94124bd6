"""The relay client: connect, authenticate, resume, back off."""
