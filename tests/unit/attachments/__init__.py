"""Attachments without disk or network."""
