"""A certificate authority for one run, so that peers speak TLS as we do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of a server certificate for `localhost` and 127.0.0.1."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def make(cls, home: Path) -> Certificates:
        """Write a new authority and a certificate into `home`."""
        home.mkdir(parents=True, exist_ok=True)
        made = cls(home / "ca.pem", home / "server.pem", home / "server.key")
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(made.authority))
        server.private_key_pem.write_to_path(str(made.key))
        for blob in server.cert_chain_pems:
            blob.write_to_path(str(made.chain), append=True)
        return made
