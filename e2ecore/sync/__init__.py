"""How the devices of one account come to agree: ops, their times, their merging and comparison.

Pure: no database, no network, no clock of its own.
Spec: protocol/spec/75-own-devices.md
"""
