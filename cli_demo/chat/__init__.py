"""The chat in a terminal: Textual widgets fed with view values, and the code that fetches them."""
