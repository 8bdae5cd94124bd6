"""TLS settings: version 1.3 only, both sides ours, nothing to configure but whom to trust."""

import ssl
from pathlib import Path

from e2ecore_channel.errors import BadAddressError


def client_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Return a context that checks the relay's certificate and name.

    Args:
        ca_file: PEM file with the only certificates to trust; None for the system's.

    Raises:
        BadAddressError: The file cannot be read or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise BadAddressError(f"no certificates in {ca_file}: {error.strerror or error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def server_context(certificate_file: str | Path, key_file: str | Path) -> ssl.SSLContext:
    """Return a context for a relay.

    No session tickets: they cost every connection two more messages, and clients keep theirs open.

    Args:
        certificate_file: PEM file with the certificate, then its chain.
        key_file: PEM file with the private key.

    Raises:
        OSError: A file cannot be read, or the two do not fit (ssl.SSLError).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(str(certificate_file), str(key_file))
    return context
