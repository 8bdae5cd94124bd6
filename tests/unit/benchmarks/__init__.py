"""Tests: unit, benchmarks."""
