"""Conversations, sending and receiving: pure decisions, no I/O."""
