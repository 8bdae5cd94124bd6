"""The shell: connections, sessions, HTTP, configuration."""
