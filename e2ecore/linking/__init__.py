"""Linking a device, without network and storage: the code, the keys, and the order of messages.

Spec: protocol/spec/70-linking.md
"""
