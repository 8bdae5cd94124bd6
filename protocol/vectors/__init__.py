"""Test vectors, and the program that makes them."""
