"""Messaging Layer Security: RFC 9420 and nothing else."""
