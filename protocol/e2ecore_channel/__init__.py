"""Carries frames over a byte stream: TLS, WebSocket, batching. Shared by client and relay."""
