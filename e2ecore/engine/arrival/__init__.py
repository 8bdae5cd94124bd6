"""What the relay delivers: taken, judged and stored, one batch in one transaction."""
