"""Which markets are worth attention: a score from a market's figures, and a choice that does not flap.

Knows integers only. Must not know where figures come from. Prices in 1/10,000 dollar, sizes in 1/100 contract.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import msgspec

from core.times import SECOND_NS

WHOLE: Final = 1_000
"""A score, and each part of it before it is weighed, goes from 0 to this."""

FULL_DEPTH: Final = 10_000_000
FULL_VOLUME: Final = 1_000_000_000
FULL_ACTIVITY: Final = 10_000_000
"""What counts as a whole of each: 100,000 contracts, 10 million contracts, 10,000 events a window (in thousandths)."""

FULL_CLOSE_S: Final = 30 * 86_400
"""A month to the close is a whole, and so is everything later."""

_LOG: Final = 1_024


class Figures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a market is judged by. depth: the smaller side's contracts near the best price.

    volume: contracts traded in about a day. activity: events of the last while, in thousandths. left_ns: ns until
    the market closes, 0 = not known.
    """

    bid: int | None = None
    ask: int | None = None
    depth: int = 0
    volume: int = 0
    activity: int = 0
    left_ns: int = 0

    @property
    def spread(self) -> int | None:
        """Ask less bid; None = a side is empty."""
        return None if self.bid is None or self.ask is None else self.ask - self.bid


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a market must have to be ranked, and how much each part counts (a negative weight: the less the better)."""

    min_spread: int = 0
    max_spread: int = 1_000
    min_depth: int = 0
    min_volume: int = 0
    min_left_s: int = 0
    max_left_s: int = 0
    weight_spread: int = 0
    weight_depth: int = 0
    weight_volume: int = 0
    weight_activity: int = 0
    weight_close: int = 0


def unfit(figures: Figures, rules: Rules) -> str:
    """Why a market is not ranked, "" = it is."""
    spread = figures.spread
    if spread is None:
        return "one-sided"
    if spread <= 0:
        return "crossed"
    if not rules.min_spread <= spread <= rules.max_spread:
        return "spread"
    if figures.depth < rules.min_depth:
        return "depth"
    if figures.volume < rules.min_volume:
        return "volume"
    left_s = figures.left_ns // SECOND_NS
    if figures.left_ns and (left_s < rules.min_left_s or 0 < rules.max_left_s < left_s):
        return "time to close"
    return ""


def score(figures: Figures, rules: Rules) -> int:
    """0 to WHOLE of a market that is fit; the mean of its parts by their weights, 0 when nothing has a weight."""
    close = logarithmic(figures.left_ns // SECOND_NS, FULL_CLOSE_S) if figures.left_ns else WHOLE
    parts = (
        (rules.weight_spread, WHOLE * min(figures.spread or 0, rules.max_spread) // max(rules.max_spread, 1)),
        (rules.weight_depth, logarithmic(figures.depth, FULL_DEPTH)),
        (rules.weight_volume, logarithmic(figures.volume, FULL_VOLUME)),
        (rules.weight_activity, logarithmic(figures.activity, FULL_ACTIVITY)),
        (rules.weight_close, close),
    )
    whole = sum(abs(weight) for weight, _ in parts)
    found = sum(weight * part if weight > 0 else -weight * (WHOLE - part) for weight, part in parts)
    return found // whole if whole else 0


def logarithmic(value: int, full: int) -> int:
    """0 to WHOLE as the logarithm of 1 + value goes from none to that of `full`; never less for a larger value."""
    return min(WHOLE * _log2(max(value, 0) + 1) // _log2(full + 1), WHOLE)


def choose(scores: Mapping[str, int], selected: tuple[str, ...], top: int, margin: int) -> tuple[str, ...]:
    """The `top` best markets, best first, ties by name; `selected` stays unless something is better by the margin.

    A chosen market goes when it has no score any more, or when one that is not chosen scores higher by more than the
    margin. Without that the order stays too, until somebody is behind one that is worse by more than the margin.
    """
    kept = {market: scores[market] + margin for market in selected if market in scores}
    best = sorted(scores, key=lambda market: (-kept.get(market, scores[market]), market))[:top]
    still = tuple(market for market in selected if market in best)
    is_in_order = all(scores[before] + margin >= scores[after] for before, after in pairwise(still))
    if len(still) == len(best) == len(selected) and is_in_order:
        return selected
    return tuple(sorted(best, key=lambda market: (-scores[market], market)))


def _log2(value: int) -> int:
    """The logarithm of a number from 1 up, in 1/1,024, with straight lines between powers of two."""
    exponent = value.bit_length() - 1
    return exponent * _LOG + ((value << 10) >> exponent) - _LOG
