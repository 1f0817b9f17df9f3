"""What the operator wants recorded: markets, series, events or everything, and whether a market belongs to it.

Knows tickers and how they nest. Must not know how markets are found or asked for.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.errors import ConfigError

COMBO_PREFIX: Final = "KXMVE"
"""What every combo's ticker begins with (protocol 8.8): 99.8 % of all markets, and of little use to anybody else."""

PUBLIC_CHANNELS: Final = ("orderbook_delta", "ticker", "trade", "market_lifecycle_v2")
"""What is subscribed to unless the operator names channels: all that is public about a market."""

PRIVATE_CHANNELS: Final = ("fill", "market_positions", "user_orders", "order_group_updates")
COMBO_LIFECYCLE: Final = "multivariate_market_lifecycle"
CHANNELS: Final = (*PUBLIC_CHANNELS, *PRIVATE_CHANNELS, COMBO_LIFECYCLE, "communications")
"""Every channel that `capture` can subscribe to (protocol 7; the reference feeds want other filters than markets)."""

MAX_NAMES: Final = 10_000
"""Tickers given by hand; whoever wants more wants a series or everything, which are found by listing."""

_TICKER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHOWN: Final = 60  # characters of a refused text that an error names


@dataclass(frozen=True, slots=True)
class Selection:
    """What to record. Make it with `select`, which checks it.

    markets, series, events: tickers, in the order given. everything: all markets there are. combos: combos too; one
    named as a market is recorded without that.
    """

    markets: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    everything: bool = False
    combos: bool = False

    @property
    def is_open_ended(self) -> bool:
        """True when markets that do not exist yet may come to belong to it."""
        return bool(self.everything or self.series or self.events)

    def covers(self, market: str, event: str = "", series: str = "") -> bool:
        """Whether a market belongs to it. Event and series may be "" when they are not known.

        Then the event is all but the market's last segment and the series what precedes the first hyphen, as with
        every ticker seen so far (protocol 12.3, 12.5).
        """
        if market in self.markets:
            return True
        if not self.combos and is_combo(market):
            return False
        event = event or market.rpartition("-")[0]
        return self.everything or event in self.events or (series or series_of(event)) in self.series


def select(
    *,
    markets: Iterable[str] | None = None,
    series: Iterable[str] | None = None,
    events: Iterable[str] | None = None,
    everything: bool = False,
    combos: bool = False,
) -> Selection:
    """A selection that selects something; ConfigError when it is empty, names no ticker, or cannot match anything."""
    wanted = Selection(
        _tickers(markets or (), "--market"),
        _tickers(series or (), "--series"),
        _tickers(events or (), "--event"),
        everything,
        combos,
    )
    if not (wanted.markets or wanted.is_open_ended):
        raise ConfigError("nothing is selected; name markets by --market, --series or --event, or take --all")
    for option, names in (("--series", wanted.series), ("--event", wanted.events)):
        for name in names:
            if is_combo(name) and not combos:
                raise ConfigError(f"{option} {name} holds combos only, which are left out by default; add --combos")
    return wanted


def choose_channels(names: Iterable[str] | None, *, combos: bool = False) -> tuple[str, ...]:
    """The channels to subscribe to: those named, or the public ones; ConfigError for one that does not exist."""
    named = tuple(dict.fromkeys(names or ()))
    for name in named:
        if name not in CHANNELS:
            raise ConfigError(f"--channel {name[:_SHOWN]!r} does not exist; there are {', '.join(CHANNELS)}")
    if named:
        return named
    return (*PUBLIC_CHANNELS, COMBO_LIFECYCLE) if combos else PUBLIC_CHANNELS


def is_combo(ticker: str) -> bool:
    """True for the ticker of a combo, or of a series or an event of combos."""
    return ticker.startswith(COMBO_PREFIX)


def series_of(event: str) -> str:
    """The series of an event by its ticker; the event itself knows better (protocol 12.3)."""
    return event.partition("-")[0]


def _tickers(names: Iterable[str], option: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in names))
    for name in found:
        if _TICKER.fullmatch(name) is None:
            raise ConfigError(f"{option} {name[:_SHOWN]!r} is no ticker; they look like KXBTC-26NOV23-T50")
    if len(found) > MAX_NAMES:
        raise ConfigError(
            f"{option} is given {len(found):,} times, the limit is {MAX_NAMES:,}; select a series or --all"
        )
    return found
