"""The processes that are measured: each speaks JSON lines on its standard input and output."""
