"""Embedded: one encrypted SQLite file, one process."""
