"""What stands between an HTTP request and the venue: signature, budget, and the 429 and 401 that follow.

Knows paths and token buckets. Must not know the server library or what the venue answers.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from replay.exchange.keyring import AuthFailure, Keyring, is_signed_attempt
from replay.exchange.options import RestBudget
from replay.exchange.port import RestAnswer, RestRequest, Venue

ROOT: Final = "/trade-api/v2"
SOCKET_PATH: Final = "/trade-api/ws/v2"

_PRIVATE: Final = (
    "/portfolio", "/account/limits", "/api_keys", "/communications", "/historical/fills", "/historical/orders",
)  # fmt: skip

DEFAULT_COST: Final = 10
CANCEL_COST: Final = 2
TOO_MANY: Final = RestAnswer(429, b'{"error":"too many requests"}')
"""A string, not an object, and no Retry-After (protocol 11.1)."""


class RestMeddler(Protocol):
    """What faults need to get between a request and its answer."""

    def instead(self, request: RestRequest) -> RestAnswer | None:
        """An answer that comes instead of everything else; None = go on."""

    def answer(self, request: RestRequest, venue: Venue) -> RestAnswer:
        """The venue's answer, or what becomes of it."""


class Gate:
    """Answers requests in the order: faults, signature, budget, venue."""

    def __init__(self, venue: Venue, keyring: Keyring, budget: RestBudget) -> None:
        self._venue = venue
        self._keyring = keyring
        self._buckets = Buckets(budget)
        self.meddler: RestMeddler | None = None

    def answer(self, request: RestRequest, now_ns: int) -> RestAnswer:
        """The answer to a request that came at this moment (Unix ns); request.account is not looked at."""
        if self.meddler is not None and (instead := self.meddler.instead(request)):
            return instead
        account = self.account_of(request.headers, request.method, request.path, now_ns)
        if isinstance(account, AuthFailure):
            return RestAnswer(account.status, account.body)
        if not self._buckets.spend(account, request.method, request.path, now_ns):
            return TOO_MANY
        signed = RestRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            body=request.body,
            account=account,
            headers=request.headers,
        )
        return self.meddler.answer(signed, self._venue) if self.meddler else self._venue.rest(signed)

    def account_of(self, headers: Mapping[str, str], method: str, path: str, now_ns: int) -> str | AuthFailure:
        """Who signed it, "" = a public path that nobody signed. A signature that is given must be right."""
        if needs_signature(path) or is_signed_attempt(headers):
            return self._keyring.verify(headers, method, path, now_ns // 1_000_000)
        return ""


def needs_signature(path: str) -> bool:
    """True for the socket and for what concerns an account (protocol 2.3)."""
    below = path.removeprefix(ROOT)
    return path == SOCKET_PATH or any(below == name or below.startswith(name + "/") for name in _PRIVATE)


class Buckets:
    """Two token buckets for each account: reads and writes, refilled without pause."""

    def __init__(self, budget: RestBudget) -> None:
        self._budget = budget
        self._levels: dict[tuple[str, bool], tuple[float, int]] = {}

    def spend(self, account: str, method: str, path: str, now_ns: int) -> bool:
        """Take what the request costs; False = there is too little, and nothing was taken."""
        writes = method != "GET"
        rate = self._budget.write_per_s if writes else self._budget.read_per_s
        if not rate:
            return True
        full = float(rate * self._budget.capacity_s)
        level, then_ns = self._levels.get((account, writes), (full, now_ns))
        level = min(full, level + max(0, now_ns - then_ns) * rate / 1e9)
        cost = cost_of(method, path)
        self._levels[account, writes] = (level - cost if level >= cost else level), now_ns
        return level >= cost


def cost_of(method: str, path: str) -> int:
    """Tokens for one request; a batch's items are the venue's to count."""
    below = path.removeprefix(ROOT)
    single = below.startswith(("/portfolio/events/orders/", "/portfolio/orders/"))
    if single and method in ("DELETE", "GET") and not below.endswith("/batched"):
        return CANCEL_COST
    return DEFAULT_COST
