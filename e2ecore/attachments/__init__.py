"""Attachments without disk or network: keys, chunks, sizes, names.

Spec: protocol/spec/45-sealed-files.md
"""
