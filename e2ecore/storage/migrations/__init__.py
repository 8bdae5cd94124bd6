"""Numbered schema steps, never edited once released."""
