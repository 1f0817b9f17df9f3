"""What a backtest is made of: all that must be the same for it to come out the same.

Knows how it is written into a result and read from one. Must not know how it is run.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.actions import RiskLimits, StrategySpec
from replay.backtest.result import ResultError
from replay.venue.terms import VenueTerms


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """tapes: paths, in any order. strategies: in the order of their turns. seed: of what the venue draws, and of dice.

    limits, order_life_s, group_limit: what the run holds to, as in `core.actions.RunTerms`. markets: patterns of
    the markets that are selected for strategies which take what is selected; empty = nobody selects any.

    from_ns, until_ns: when strategies begin, and the last instant that is played (Unix ns), None = as the tape does.
    days: the UTC days that are played, each run of them by itself, empty = all.
    """

    tapes: tuple[str, ...]
    strategies: tuple[StrategySpec, ...]
    venue: VenueTerms = VenueTerms()
    seed: int = 0
    limits: RiskLimits = RiskLimits()
    order_life_s: int = 60
    group_limit: int = 0
    markets: tuple[str, ...] = ()
    from_ns: int | None = None
    until_ns: int | None = None
    days: tuple[str, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Its part of result.json; the tapes are described beside it.

        A group limit is in it where there is one: so the rows of sweeps made before there were any keep their names.
        """
        fuse = {"group_limit": self.group_limit} if self.group_limit else {}
        return {
            "strategies": [msgspec.to_builtins(spec) for spec in self.strategies],
            "seed": self.seed,
            "venue": full(self.venue),
            "hold": {**full(self.limits), "order_life_s": self.order_life_s, **fuse},
            "markets": list(self.markets),
            "from_ns": self.from_ns,
            "until_ns": self.until_ns,
            "days": list(self.days),
        }


def setup_of(manifest: Mapping[str, Any]) -> Setup:
    """The setup of a result; raises ResultError when its manifest does not tell it."""
    try:
        hold = dict(manifest["hold"])
        return Setup(
            tapes=tuple(dict.fromkeys(str(tape["path"]) for tape in manifest["tapes"])),
            strategies=msgspec.convert(manifest["strategies"], tuple[StrategySpec, ...]),
            venue=msgspec.convert(manifest["venue"], VenueTerms),
            seed=msgspec.convert(manifest["seed"], int),
            order_life_s=msgspec.convert(hold.pop("order_life_s"), int),
            group_limit=msgspec.convert(hold.pop("group_limit", 0), int),
            limits=msgspec.convert(hold, RiskLimits),
            markets=msgspec.convert(manifest["markets"], tuple[str, ...]),
            from_ns=msgspec.convert(manifest.get("from_ns"), int | None),
            until_ns=msgspec.convert(manifest["until_ns"], int | None),
            days=msgspec.convert(manifest.get("days", []), tuple[str, ...]),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ResultError(f"the result does not say what it was made of: {error}") from error


def full(value: Any) -> dict[str, Any]:
    """A struct as JSON values with its defaults written out, so that another version's defaults change nothing."""
    found: dict[str, Any] = {}
    for name in value.__struct_fields__:
        part = getattr(value, name)
        found[name] = full(part) if isinstance(part, msgspec.Struct) else part
    return found
