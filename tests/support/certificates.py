"""A certificate authority for tests, made anew for each run."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files for a server on this machine."""

    ca_file: Path
    server_file: Path


def make_certificates(folder: Path, *names: str) -> Certificates:
    """Write a CA and a certificate for ``localhost`` and 127.0.0.1, or for other names."""
    authority = trustme.CA()
    server = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    server.private_key_and_cert_chain_pem.write_to_path(str(server_file))
    return Certificates(ca_file, server_file)
