"""Fuzzing: whatever the bytes are, a decoder returns a value or says whose fault it is.

``python -m tests.fuzz NAME --seconds N`` runs one harness, with atheris where it is installed.
"""
