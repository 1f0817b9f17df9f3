"""How fast requests may leave: the exchange's token buckets, kept here so that it need not refuse (protocol 11.1).

Knows what requests cost and when the next may leave. Must not know what a request is for, nor wait: it says how long.
A cancel never waits behind anything but cancels: reads have a bucket of their own, and of the one for writes a part
is kept for what is urgent.
"""

import itertools
import re
import threading
from dataclasses import dataclass
from typing import Final

from core.answers import Costs, Limits

DEFAULT_COST: Final = 10
BASIC: Final = Limits("basic", read_rate=200, read_capacity=200, write_rate=100, write_capacity=100)
"""The smallest tier: right until the account says otherwise."""

URGENT_SHARE: Final = 5
"""One of so many tokens of the write bucket is kept for urgent requests."""

BALANCE: Final = ("GET", "/portfolio/balance")
BALANCE_NS: Final = 10**9
"""Asking for the balance has a bucket of its own: one a second, no burst."""

ORDERS: Final = "/portfolio/events/orders"
_KNOWN: Final = (
    ("GET", "/portfolio/orders/queue_positions", DEFAULT_COST),  # no order's id
    ("DELETE", f"{ORDERS}/{{order_id}}", 2),
    ("GET", "/portfolio/orders/{order_id}", 2),
)
_PARAMETER: Final = re.compile(r"\{[^}]*\}|(?<=/):[^/]+|(?<=/)\*[^/]*")
"""A part of a path that stands for any: {order_id} or :order_id, and *rest for all that follows."""

_READS: Final = ("GET", "HEAD")
_SECOND_NS: Final = 10**9


@dataclass(slots=True)
class _Bucket:
    """A bucket as the instant at which it is full again. rate: tokens a second; capacity: tokens."""

    rate: float
    capacity: float
    full_ns: int = 0

    def delay_ns(self, tokens: float, now_ns: int, kept: float = 0.0) -> int:
        """How long until so many tokens can be taken and `kept` are left."""
        missing_ns = max(self.full_ns, now_ns) + self._ns(tokens + kept) - now_ns - self._ns(self.capacity)
        return max(missing_ns, 0)

    def take(self, tokens: float, now_ns: int) -> None:
        self.full_ns = max(self.full_ns, now_ns) + self._ns(tokens)

    def drain(self, now_ns: int) -> None:
        self.full_ns = now_ns + self._ns(self.capacity)

    def _ns(self, tokens: float) -> int:
        return int(tokens / self.rate * _SECOND_NS)


class Buckets:
    """The budgets of one account, of which this process uses `share` (0 to 1]; any thread. Times are monotonic ns."""

    def __init__(self, share: float = 1.0) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"a share of {share}; more than 0 and at most 1")
        self._share = share
        self._lock = threading.Lock()
        self._costs: tuple[tuple[str, re.Pattern[str], int], ...] = ()
        self._default = DEFAULT_COST
        self._balance_ns = 0
        self.learn_limits(BASIC)
        self.learn_costs(Costs(DEFAULT_COST))

    def learn_limits(self, limits: Limits) -> None:
        """Take the account's own budgets; the buckets begin full."""
        with self._lock:
            self._read = _Bucket(limits.read_rate * self._share, limits.read_capacity * self._share)
            self._write = _Bucket(limits.write_rate * self._share, limits.write_capacity * self._share)

    def learn_costs(self, costs: Costs) -> None:
        """Take what requests cost from the exchange; what it does not name costs what it is known to."""
        with self._lock:
            self._default = costs.default
            # what names no parameter first: a path that is listed for itself is meant when it is asked for
            told = sorted((*costs.costs, *_KNOWN), key=lambda cost: bool(_PARAMETER.search(cost[1])))
            self._costs = tuple((method.upper(), _pattern(path), tokens) for method, path, tokens in told)

    def cost(self, method: str, path: str) -> int:
        """Tokens of a request; the path without its query."""
        for known, pattern, tokens in self._costs:
            if known == method and pattern.fullmatch(path):
                return tokens
        return self._default

    def reserve(self, method: str, path: str, now_ns: int, *, urgent: bool = False, items: int = 1) -> int:
        """0 = the request may leave now and is paid for; else how long (ns) to wait before asking again.

        items: how many a batch holds. A batch that exceeds the bucket is let go when the bucket is full: the exchange
        will refuse it, and say so.
        """
        with self._lock:
            bucket = self._read if method in _READS else self._write
            if (method, path) == BALANCE:
                if now_ns < self._balance_ns:
                    return self._balance_ns - now_ns
                self._balance_ns = now_ns + int(BALANCE_NS / self._share)
                return 0
            kept = 0.0 if urgent or bucket is self._read else bucket.capacity / URGENT_SHARE
            tokens = min(self.cost(method, path) * items, bucket.capacity - kept)
            delay_ns = bucket.delay_ns(tokens, now_ns, kept)
            if not delay_ns:
                bucket.take(tokens, now_ns)
            return delay_ns

    def refused(self, method: str, now_ns: int) -> None:
        """The exchange answered 429: the bucket was emptier than we thought."""
        with self._lock:
            (self._read if method in _READS else self._write).drain(now_ns)


def _pattern(path: str) -> re.Pattern[str]:
    """A path with parameters as a pattern; the prefix up to the version of the API is left out."""
    bare = path.split("?")[0].removeprefix("/trade-api/v2")
    fixed = map(re.escape, _PARAMETER.split(bare))
    free = [".+" if found.startswith("*") else "[^/]+" for found in _PARAMETER.findall(bare)]
    return re.compile("".join(part + any_ for part, any_ in itertools.zip_longest(fixed, free, fillvalue="")))
