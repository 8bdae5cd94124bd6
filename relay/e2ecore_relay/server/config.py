"""All settings: one frozen value, from one TOML file, checked at the start.

Every option is described in docs/operating-the-relay.md; a test compares the names.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Literal, TypeAlias

import cattrs
from cattrs.errors import ClassValidationError

from e2ecore_protocol.limits import (
    MAX_ATTACHMENT_TTL_DIRECT_S,
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_BLOB_BYTES,
)
from e2ecore_relay.domain.rates import Rate

LogFormat: TypeAlias = Literal["auto", "console", "json"]
"""How log lines look; "auto" is "console" on a terminal, else "json"."""

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
"""From which level on events are logged."""

_MAX_PORT: Final = 65_535


_AT_LEAST_ONE: Final = (
    "max_connections",
    "max_unauthenticated",
    "blob_connections",
    "max_blob_bytes",
    "blob_ttl_direct_s",
    "blob_ttl_group_s",
)
_AT_MOST: Final = {
    "max_blob_bytes": MAX_BLOB_BYTES,
    "blob_ttl_direct_s": MAX_ATTACHMENT_TTL_DIRECT_S,
    "blob_ttl_group_s": MAX_ATTACHMENT_TTL_GROUP_S,
}
"""What the protocol fixes: an operator may set less."""


class ConfigError(Exception):
    """The configuration cannot be used. The text names the option and what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayConfig:
    """What an operator can choose. Units are in the names.

    A rate is written as ``{ burst = 600, per_second = 100 }``.
    """

    data: Path = Path("relay-data")
    """Directory of the database, its key and the development certificates."""
    host: str = "127.0.0.1"
    """Address to listen on; "0.0.0.0" or "::" for all."""
    port: int = 7443
    """Port for clients (WebSocket over TLS); 0 takes any free one."""
    http_host: str = "127.0.0.1"
    """Address for information, health and metrics. Not meant for the public."""
    http_port: int = 7480
    """Port for information, health and metrics; 0 takes any free one."""
    server_name: str = "localhost"
    """The relay's own name: clients sign it, so it must not change later."""
    tls: bool = True
    """False only behind a proxy that ends TLS on the same machine."""
    certificate_file: Path | None = None
    """PEM certificate chain. Without it a development authority is made in the data directory."""
    certificate_key_file: Path | None = None
    """PEM private key of the certificate."""
    registration: bool = True
    """Take new accounts?"""
    min_free_bytes: int = 256 << 20
    """Below this much free disk space no new accounts are taken."""
    max_connections: int = 20_000
    """Most connections; further ones are closed at once."""
    max_unauthenticated: int = 1_000
    """Most connections that have not authenticated, and besides, as many that have not said
    anything at all; the oldest are closed for new ones."""
    handshake_timeout_s: float = 10.0
    """From TCP connect to the end of the WebSocket handshake."""
    authentication_timeout_s: float = 15.0
    """From the challenge to a good answer."""
    idle_timeout_s: float = 135.0
    """Silence after which a connection counts as dead."""
    unacknowledged_timeout_s: float = 600.0
    """A client that acknowledges nothing for so long, though it should, is disconnected."""
    drain_timeout_s: float = 10.0
    """How long a stopping relay lets connections finish."""
    reconnect_spread_s: float = 2.0
    """A stopping relay asks clients to come back at a random time within this."""
    answers_kept_s: int = 7 * 86_400
    """How long a repeated envelope is recognised."""
    expiry_interval_s: float = 30.0
    """How often expired envelopes are looked for."""
    connections_per_address: Rate = field(default_factory=lambda: Rate(20_000, 1_000))
    """New connections from one IPv4 address or IPv6 /64."""
    registrations_per_address: Rate = field(default_factory=lambda: Rate(1_000, 1))
    """New accounts from one IPv4 address or IPv6 /64."""
    envelopes_per_device: Rate = field(default_factory=lambda: Rate(20_000, 1_000))
    """Envelopes submitted by one device."""
    envelopes_per_account: Rate = field(default_factory=lambda: Rate(40_000, 2_000))
    """Envelopes submitted by all devices of one account."""
    signals_per_device: Rate = field(default_factory=lambda: Rate(30, 5))
    """Signals of one device in all conversations; each goes to 256 readers at most."""
    signals_per_conversation: Rate = field(default_factory=lambda: Rate(6, 1))
    """Signals of one device in one conversation."""
    requests_per_account: Rate = field(default_factory=lambda: Rate(5_000, 100))
    """All other requests of all devices of one account."""
    commits_per_conversation: Rate = field(default_factory=lambda: Rate(100, 0.2))
    """Commits of one device in one conversation: how often it can hold up the others."""
    key_packages_per_account: Rate = field(default_factory=lambda: Rate(5_000, 10))
    """Accounts whose key packages one account claims."""
    rendezvous_per_account: Rate = field(default_factory=lambda: Rate(10, 1 / 60))
    """Rendezvous that one account opens: codes to link a device with."""
    visits_per_address: Rate = field(default_factory=lambda: Rate(20, 1 / 30))
    """Rendezvous that one IPv4 address or IPv6 /64 joins, or tries to."""
    blob_port: int = 0
    """Port for the bytes of attachments (HTTP over TLS); 0 takes any free one: clients are told."""
    blob_public_port: int = 0
    """Port that clients are told, where something stands in between; 0: the one listened on."""
    blob_connections: int = 1_000
    """Most connections for bytes; further ones are closed at once."""
    blob_idle_timeout_s: float = 60.0
    """A transfer that does not move for so long is broken off."""
    max_blob_bytes: int = MAX_BLOB_BYTES
    """Largest attachment, with padding."""
    blob_ttl_direct_s: int = MAX_ATTACHMENT_TTL_DIRECT_S
    """How long an attachment of a direct conversation waits at most. 7 days cannot be exceeded."""
    blob_ttl_group_s: int = MAX_ATTACHMENT_TTL_GROUP_S
    """How long an attachment of a group waits at most. 100 days cannot be exceeded."""
    blob_bytes_per_account: int = 16 << 30
    """What all waiting attachments of one sender may take up."""
    blobs_per_account: int = 10_000
    """How many attachments of one sender may wait."""
    blob_bytes_per_conversation: int = 32 << 30
    """What all waiting attachments of one conversation may take up."""
    blob_min_free_bytes: int = 1 << 30
    """Below this much free disk space no attachments are taken: the rest is for messages."""
    clock_doubt_s: float = 3_600.0
    """For so long the clock must have been ahead before attachments expire by it."""
    log_level: LogLevel = "info"
    """From which level on events are logged."""
    log_format: LogFormat = "auto"
    """How log lines look."""

    def __post_init__(self) -> None:
        """Check what types cannot.

        Raises:
            ConfigError: An option has an impossible value.
        """
        for name in ("port", "http_port", "blob_port", "blob_public_port"):
            if not 0 <= getattr(self, name) <= _MAX_PORT:
                raise ConfigError(f"{name}: must be from 0 to {_MAX_PORT}")
        if (self.certificate_file is None) != (self.certificate_key_file is None):
            raise ConfigError("certificate_file and certificate_key_file: give both or neither")
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: must be 1 or more")
        for name, most in _AT_MOST.items():
            if getattr(self, name) > most:
                raise ConfigError(f"{name}: must be {most} or less")
        for option in fields(self):
            _check_amount(option.name, getattr(self, option.name))


def _check_amount(name: str, value: object) -> None:
    if isinstance(value, Rate) and not (value.burst >= 1 and value.per_second > 0):
        raise ConfigError(f"{name}: burst must be 1 or more, per_second above 0")
    is_amount = isinstance(value, int | float) and not isinstance(value, bool)
    if is_amount and name.endswith(("_s", "_bytes")) and float(str(value)) < 0:
        raise ConfigError(f"{name}: must not be negative")


def load_config(file: Path | None, overrides: Mapping[str, object]) -> RelayConfig:
    """Read the configuration file, if there is one, and put the command line's options over it.

    Args:
        file: TOML; every key must be a known option.
        overrides: Options that were given otherwise, by name.

    Raises:
        ConfigError: The file cannot be read, or an option is unknown or has a wrong value.
    """
    options: dict[str, object] = {}
    if file is not None:
        try:
            options = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"{file}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: not TOML: {error}") from error
    return parse_config({**options, **overrides})


def parse_config(options: Mapping[str, object]) -> RelayConfig:
    """Check options and return them as a value.

    Raises:
        ConfigError: An option is unknown or has a wrong value.
    """
    try:
        return _CONVERTER.structure(dict(options), RelayConfig)
    except ClassValidationError as error:
        raise ConfigError("; ".join(_explain(error))) from error


def _explain(error: ClassValidationError) -> list[str]:
    found = []
    for inner, note in error.group_exceptions()[0]:
        reason = inner if not isinstance(inner, ExceptionGroup) else inner.exceptions[0]
        found.append(f"{note.name}: {reason}")
    for other in error.group_exceptions()[1]:
        extra = getattr(other, "extra_fields", None)
        found.append(f"{', '.join(sorted(extra))}: no such option" if extra else str(other))
    return found


def _strictly(kind: type) -> Callable[[object, object], object]:
    def structure(value: object, _: object) -> object:
        allowed = (int, float) if kind is float else (kind,)
        if type(value) not in allowed:
            raise ConfigError(f"must be {_NAMES[kind]}, not {value!r}")
        return value

    return structure


_NAMES: Final = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}


def _path(value: object, _: object) -> Path:
    if not isinstance(value, str | Path):
        raise ConfigError(f"must be a path, not {value!r}")
    return Path(value).expanduser()


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in _NAMES:
        converter.register_structure_hook(kind, _strictly(kind))
    converter.register_structure_hook(Path, _path)
    return converter


_CONVERTER: Final = _converter()
