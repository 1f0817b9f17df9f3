"""How a local exchange is set up: where it listens, whom it lets in, its limits, its faults.

Knows values and what is allowed for them. Must not know sockets, keys or what is served.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from core.errors import ConfigError

HOSTS: Final = ("127.0.0.1", "::1", "localhost")
"""Where it may listen: nobody but this machine is ever served."""

CURRENT: Final = "current"
RECORDED: Final = "recorded"
DIALECTS: Final = (CURRENT, RECORDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may ask for; 0 = no limit.

    The first two are the exchange's published numbers (protocol 11), the third is ours: several busy seconds of a
    session that takes every market, after which a client that does not read loses its subscriptions (error 25).
    """

    markets_per_subscription: int = 500_000
    commands_per_s: int = 10_000
    queue_frames: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBudget:
    """Token buckets as in protocol 11.1: a request costs 10 tokens if nothing else is said. 0 = no limit."""

    read_per_s: int = 0
    write_per_s: int = 0
    capacity_s: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Everything a server can be told before it starts.

    port 0 lets the system choose. accounts: each gets a throw-away key pair, of which the first is the exchange's
    `access_key`; access_key and key_path (a PEM file, private or public) give the first account a pair that exists.
    dialect: "current" replies carry sending_ts_ms, "recorded" ones do not. keep_frames keeps every frame sent, for
    tests that compare. faults are texts that `faults.parse` reads; fault_seed makes their dice.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    accounts: tuple[str, ...] = ("trader",)
    access_key: str = ""
    key_path: Path | None = None
    key_type: str = "rsa"
    skew_s: float = 15.0
    ping_every_s: float = 10.0
    ping_payload: bytes = b"heartbeat"
    dialect: str = CURRENT
    limits: Limits = field(default_factory=Limits)
    rest_budget: RestBudget = field(default_factory=RestBudget)
    faults: tuple[str, ...] = ()
    fault_seed: int = 0
    keep_frames: bool = False

    def __post_init__(self) -> None:
        if self.host not in HOSTS:
            raise ConfigError(f"a local exchange listens on {', '.join(HOSTS)} only, not on {self.host!r}")
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is not between 0 (any free one) and 65535")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("TLS takes a certificate and its key: give both or neither")
        if self.dialect not in DIALECTS:
            raise ConfigError(f"dialect {self.dialect!r} is none of {', '.join(DIALECTS)}")
        if not self.accounts:
            raise ConfigError("an exchange has at least one account")
        if bool(self.access_key) != (self.key_path is not None):
            raise ConfigError("an access key belongs to a key file: give both or neither")
