"""Consent: what a person can agree to, in which words, and how anybody checks that they did.

Pure: no database, no network, no clock of its own.
Spec: protocol/spec/80-chain-and-consent.md
"""
