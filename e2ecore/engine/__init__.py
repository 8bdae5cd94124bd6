"""The shell: the only place where the pure packages, the store and the network meet."""
