"""Linking a device: codes, keys, the order of messages."""
