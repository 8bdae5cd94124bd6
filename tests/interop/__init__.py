"""Tests: MLS with another implementation as partner."""
