"""The product's story in half a minute: real processes, a real relay, and every claim checked."""
