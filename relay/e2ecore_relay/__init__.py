"""The reference relay."""
