"""The port for strategies: what one is given, what it may do, and how its parameters are read.

A strategy is a class. It says which markets it wants to hear of, overrides the hooks it needs, looks at state through
its context and asks for things by the context's commands. It must not reach for the clock, dice, files, the network or
a thread of its own: the context has the time and dice, so that what ran live is what replays.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, get_args, get_origin, get_type_hints

import msgspec

from core.context import Context
from core.errors import ConfigError
from core.fetched import Fetched
from core.gaps import Gap
from core.health import Health
from core.messages.types import Fill, Trade
from core.orders import OwnOrder
from core.window import Window

TOP: Final = "top"
EVERY: Final = "every"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters: fields with types, defaults, and limits by `Annotated[int, msgspec.Meta(ge=1, le=10)]`."""


class Strategy:
    """Base of strategies. Every hook gets the context first; none has to be overridden.

    Params: the class of its parameters. book_wakes: TOP calls on_book when a best price or its size has changed, EVERY
    at every change of the book. A hook that raises ends the strategy for this session: its orders are cancelled.

    glance: a static method of plain arithmetic, glance(ours, mine, now_ns, bid, bid_size, ask, ask_size, what, price,
    count, taker), that is asked before on_book, on_trade and on_ticker: they are called only where it says True. ours,
    mine: integers that it keeps, for the strategy and for the market; numbers: how many of each. A price of -1: nobody
    bids, nobody offers. what: 0 the book has changed; 1 a trade of so many contracts (1/100) at a price (of yes), whose
    taker bought 1 yes or 2 no; 2 a ticker. In a replay it is compiled where it can be, so it must do nothing that
    64-bit integers cannot.
    """

    Params: ClassVar[type[msgspec.Struct]] = Params
    book_wakes: ClassVar[str] = TOP
    glance: ClassVar[Callable[..., bool] | None] = None
    numbers: ClassVar[tuple[int, int]] = (0, 0)

    def __init__(self, params: Any) -> None:
        """params: an instance of `Params`."""
        self.params = params

    def markets(self) -> tuple[str, ...] | None:
        """The markets whose hooks are called; None = every one. Asked again after every call of any strategy's hook."""
        return None

    def on_start(self, ctx: Context) -> None:
        """Account and tape agree; from now on orders are taken. Once a session: see on_health for holds after it."""

    def on_book(self, ctx: Context, market: Window) -> None:
        """A book has changed."""

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        """A public trade."""

    def on_ticker(self, ctx: Context, market: Window) -> None:
        """The exchange's summary of a market."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """The account traded; positions and orders show it already. Not called twice for one fill."""

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        """Something is known anew of one of this strategy's orders; its end may be told by fill, frame and answer."""

    def on_position(self, ctx: Context, market: str) -> None:
        """The exchange said what is held in a market."""

    def on_lifecycle(self, ctx: Context, market: Window) -> None:
        """A market was opened, paused, determined, settled or changed."""

    def on_health(self, ctx: Context, health: Health) -> None:
        """The connection, the exchange, or what may be done has changed."""

    def on_gap(self, ctx: Context, gap: Gap) -> None:
        """Something may be missing from here, or is no longer."""

    def on_timer(self, ctx: Context, name: str) -> None:
        """A timer has gone off."""

    def on_rest(self, ctx: Context, fetched: Fetched) -> None:
        """REST answered, whoever asked."""

    def on_failed(self, ctx: Context, path: str) -> None:
        """A Fetch of this strategy came to nothing."""

    def on_selected(self, ctx: Context, markets: tuple[str, ...]) -> None:
        """Another strategy of this run has chosen these markets, best first."""


def read_params(kind: type[Strategy], given: Mapping[str, Any]) -> Any:
    """The parameters from names and values as text or of their own type; the rest have their defaults.

    A list is written with commas. Raises ConfigError that names the parameter, the value and what it may be.
    """
    types = get_type_hints(kind.Params, include_extras=True)
    unknown = [name for name in given if name not in types]
    if unknown:
        names = ", ".join(types) or "none"
        raise ConfigError(f"{kind.__name__} has no parameter {unknown[0]!r}; it has {names}")
    values = {name: _split(value) if _is_list(types[name]) else value for name, value in given.items()}
    try:
        return msgspec.convert(values, kind.Params, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        wrong = next((name for name in given if re.search(rf"\$\.{re.escape(name)}(?!\w)", str(error))), "")
        value = f"{wrong}={given[wrong]!r}: " if wrong else ""
        raise ConfigError(f"{kind.__name__}: {value}{error}") from error


def params_json(params: Any) -> dict[str, Any]:
    """Parameters as the JSON object that SESSION keeps."""
    found: dict[str, Any] = msgspec.to_builtins(params)
    return found


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if annotation in (tuple, list) or origin in (tuple, list):
        return True
    return any(_is_list(part) for part in get_args(annotation)) if origin is not None else False


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
