"""Erasing: on request, when the time is over, and what must not leave any more."""
