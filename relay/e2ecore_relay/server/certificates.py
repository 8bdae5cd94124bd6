"""TLS for the relay: the operator's certificate, or one from a development authority made here."""

import os
import ssl
from pathlib import Path
from typing import Final, NamedTuple

import trustme

from e2ecore_channel import server_context
from e2ecore_relay.server.config import ConfigError, RelayConfig

CA_NAME: Final = "development-ca.pem"
CERTIFICATE_NAME: Final = "development-certificate.pem"
KEY_NAME: Final = "development-key.pem"


class Certificates(NamedTuple):
    """What to serve with.

    Attributes:
        context: None without TLS.
        ca_file: What clients of a development relay trust; None with the operator's certificate.
        created: Files that were made now.
    """

    context: ssl.SSLContext | None
    ca_file: Path | None
    created: list[Path]


def load_certificates(config: RelayConfig) -> Certificates:
    """Load the configured certificate; without one, make a development authority once and use that.

    Raises:
        ConfigError: A file is missing or does not fit.
    """
    if not config.tls:
        return Certificates(None, None, [])
    if config.certificate_file is not None and config.certificate_key_file is not None:
        try:
            context = server_context(config.certificate_file, config.certificate_key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"certificate_file, certificate_key_file: {error}") from error
        return Certificates(context, None, [])
    ca_file = config.data / CA_NAME
    certificate, key = config.data / CERTIFICATE_NAME, config.data / KEY_NAME
    created = []
    if not (ca_file.exists() and certificate.exists() and key.exists()):
        created = _make_development_files(config, ca_file, certificate, key)
    return Certificates(server_context(certificate, key), ca_file, created)


def _make_development_files(
    config: RelayConfig, ca_file: Path, certificate: Path, key: Path
) -> list[Path]:
    """Make an authority and one certificate. The authority's key is not kept: it signs once."""
    names = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", config.server_name]))
    authority = trustme.CA(organization_name="e2ecore relay", organization_unit_name="development")
    issued = authority.issue_cert(*names)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    _write(key, issued.private_key_pem.bytes(), 0o600)
    _write(certificate, chain, 0o644)
    _write(ca_file, authority.cert_pem.bytes(), 0o644)
    return [ca_file, certificate, key]


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_suffix(".new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
    temporary.rename(path)
