"""The typed events of an engine."""
