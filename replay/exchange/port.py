"""What the server and a venue say to each other: frames with their numbers left open, requests and answers.

Knows the shapes only. A venue is what happens behind the server: a tape that plays, or a matching engine. It numbers
nothing and knows no socket; the hub knows who is subscribed, gives sid and seq, and knows no book.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

BOOK: Final = "orderbook_delta"
TICKER: Final = "ticker"
TRADE: Final = "trade"
LIFECYCLE: Final = "market_lifecycle_v2"
COMBO_LIFECYCLE: Final = "multivariate_market_lifecycle"
FILL: Final = "fill"
POSITIONS: Final = "market_positions"
ORDERS: Final = "user_orders"
GROUPS: Final = "order_group_updates"
COMMUNICATIONS: Final = "communications"

CHANNELS: Final = (
    BOOK, TICKER, TRADE, FILL, POSITIONS, ORDERS, GROUPS, LIFECYCLE, COMBO_LIFECYCLE, COMMUNICATIONS,
    "cfbenchmarks_value", "cfbenchmarks_value_5hz", "pyth_value",
)  # fmt: skip
"""Every channel there is (protocol 4.1)."""

PRIVATE: Final = (FILL, POSITIONS, ORDERS, GROUPS)
"""Channels that tell an account of itself, on all its sessions."""

UNSEQUENCED: Final = (TICKER, FILL, POSITIONS, ORDERS)
"""Channels whose frames carry no seq (protocol 6)."""

UNFILTERED: Final = (LIFECYCLE, COMBO_LIFECYCLE, GROUPS, COMMUNICATIONS)
"""Channels that know no market filter (protocol 7)."""


ABNORMAL: Final = 1_006
"""What RFC 6455 calls the end of a connection without a close frame; never on the wire."""


class Template(msgspec.Struct, frozen=True, gc=False):
    """A server frame with its numbers left open: before + sid + between + seq + after.

    between: None = this frame has no seq, and `after` follows the sid. `after` ends with the frame's newline, if any.
    A frame from a tape keeps every other byte as it was recorded.
    """

    before: bytes
    between: bytes | None
    after: bytes

    def render(self, sid: int, seq: int) -> bytes:
        """The frame's bytes; seq is ignored where the frame has none."""
        if self.between is None:
            return b"%b%d%b" % (self.before, sid, self.after)
        return b"%b%d%b%d%b" % (self.before, sid, self.between, seq, self.after)


class Publication(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One frame for everybody who is subscribed to `channel`, and to `market` where the channel knows markets.

    market: "" = the channel's subscribers whatever their filter. template: as written with no-side prices on the no
    scale. yes_template: the same for subscriptions with use_yes_price, None = no difference.
    account: only this account's sessions get it (private channels), "" = everybody.
    owner: the account whose own order caused it, "" = none; its sessions get owner_template (owner_yes_template).
    """

    channel: str
    market: str
    template: Template
    yes_template: Template | None = None
    account: str = ""
    owner: str = ""
    owner_template: Template | None = None
    owner_yes_template: Template | None = None


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request whose signature, if it needs one, was found good.

    path: without the query, from the root ("/trade-api/v2/markets"). query: name and value pairs in order, decoded.
    account: whose key signed it, "" = unsigned. headers: lower-case names.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    account: str = ""
    headers: dict[str, str] = {}


class RestAnswer(msgspec.Struct, frozen=True):
    """An HTTP answer; body is JSON unless content_type says otherwise."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Audience(Protocol):
    """What the hub offers to a venue. Everything is called on the server's event loop."""

    def publish(self, publication: Publication) -> None:
        """Number the frame for each subscription that wants it and queue it there."""

    def skip(self, channel: str, count: int) -> None:
        """Leave so many numbers out on every subscription of a sequenced channel: a tape knows that frames are missing
        here, and clients must see it too."""

    def broadcast(self, payload: bytes, *, binary: bool = False) -> None:
        """Queue these very bytes for every session: a frame that belongs to no subscription, such as one that is no
        JSON."""

    async def drained(self) -> None:
        """Return when every client's queue has room: what a venue awaits that can go as fast as it is read."""

    def disconnect_all(self, code: int = 0, reason: str = "") -> None:
        """End every session once what is queued for it was sent: by a close frame, by the end of the TCP connection
        without one (code ABNORMAL), or by a TCP reset (code 0), which may lose what the client has not read yet."""

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are now, over all sessions."""

    def on_subscribed(self, call: Callable[[], None]) -> None:
        """Call this after every command that added a market or a channel to a subscription."""


class Venue(Protocol):
    """What is behind the server. Every method is called on the server's event loop and must not block."""

    async def play(self, audience: Audience) -> None:
        """Publish until there is nothing more to publish, or until cancelled. Called once."""

    def markets(self) -> tuple[str, ...]:
        """Every market there is, sorted."""

    def snapshot(self, market: str, *, yes_price: bool) -> Template | None:
        """The book as an orderbook_snapshot; None = nothing is sent now (a tape's own snapshot will come)."""

    def ticker(self, market: str) -> Template | None:
        """The latest ticker frame, for send_initial_snapshot; None = there is none."""

    def market_of(self, market_id: str) -> str:
        """The ticker of a market's uuid (ticker subscriptions may name ids), "" = unknown."""

    def rest(self, request: RestRequest) -> RestAnswer:
        """Answer a request; unknown paths get 404."""

    @property
    def controls(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
        """What scripts may ask of it beside the protocol (pause, resume, step, seek, speed ...), by name."""
