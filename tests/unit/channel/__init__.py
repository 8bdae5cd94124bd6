"""Tests: channel."""
