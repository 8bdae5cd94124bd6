"""Generators of checked-in documents; each has a test that its output is current."""
