"""Consents: purposes, notices, ledger, papers."""
