"""Tests: unit, mls."""
