"""What clients say inside the ciphertext. The relay never imports this."""
