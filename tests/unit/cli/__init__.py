"""The command line: words, shapes, screens."""
