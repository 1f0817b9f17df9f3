"""Strategies as the command line names them: short names, parameters by --set and --params, the limits of a run.

Knows options and how they are read. Must not know what a run or a backtest does with them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.actions import RiskLimits, StrategySpec

SHIPPED: dict[str, str] = {
    "scanner": "strategies.scanner:Scanner",
    "market-maker": "strategies.market_maker:MarketMaker",
}
"""Short names of the strategies that come with the program."""

MOST = 1e9
"""Contracts, dollars or seconds that an option may say: more is no limit, and no number is none either."""

Strategies = Annotated[
    list[str], typer.Argument(metavar="STRATEGY...", help="scanner, market-maker, package.module:Class, file.py:Class")
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="A parameter; NAME.K=V with several.")]
ParamsFile = Annotated[
    Path | None, typer.Option("--params", metavar="FILE.toml", help="Parameters: a table for each strategy.")
]
MaxOrder = Annotated[float, typer.Option("--max-order", min=0.01, help="Contracts of one order.")]
MaxContracts = Annotated[float, typer.Option("--max-contracts", min=0.01, help="Contracts held in a market.")]
MaxExposure = Annotated[float, typer.Option("--max-exposure", min=0.01, help="Dollars that could be lost in all.")]
MaxDayLoss = Annotated[float, typer.Option("--max-day-loss", min=0.01, help="Dollars lost in a UTC day.")]
MaxMarkets = Annotated[int, typer.Option("--max-markets", min=1, help="Markets with orders or a position.")]

GroupLimit = Annotated[
    float,
    typer.Option(
        "--group-limit", metavar="CONTRACTS", min=0.0, help="All orders go once so many match within 15 s; 0 = never."
    ),
]


def path_of(strategy: str) -> str:
    """The import path of a strategy as it is written on the command line."""
    return SHIPPED.get(strategy, strategy)


def specify(strategies: list[str], given: list[str], params: Path | None) -> "tuple[StrategySpec, ...]":
    """The strategies with their parameters; raises ConfigError. given: k=v, or name.k=v where there are several."""
    from core.errors import ConfigError
    from replay.loading import specify as specify_one

    names = [_name_of(strategy) for strategy in strategies]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ConfigError(f"strategy {twice} is named twice; a run has each once")
    values = _values(names, given, params)
    return tuple(specify_one(n, path_of(s), values[n]) for n, s in zip(names, strategies, strict=True))


def _name_of(strategy: str) -> str:
    return strategy if strategy in SHIPPED else strategy.rpartition(":")[2] or strategy


def _values(names: list[str], given: list[str], params: Path | None) -> dict[str, dict[str, Any]]:
    from core.errors import ConfigError

    values: dict[str, dict[str, Any]] = {name: {} for name in names}
    if params is not None:
        for name, table in _read_toml(params).items():
            if name not in values or not isinstance(table, dict):
                raise ConfigError(f"{params}: [{name}] is no strategy of this run; it has {', '.join(names)}")
            values[name].update(table)
    for pair in given:
        key, equals, value = pair.partition("=")
        name, dot, parameter = key.rpartition(".")
        if not equals or not parameter or (dot and name not in values):
            raise ConfigError(f"--set {pair!r}: write parameter=value, or one of {', '.join(names)} before a dot")
        if not dot and len(names) > 1:
            raise ConfigError(f"--set {pair!r}: say whose it is, such as {names[0]}.{key}=...")
        values[name or names[0]][parameter] = value
    return values


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    from core.errors import ConfigError

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--params {path}: {error}") from error


def limits_of(
    *, max_order: float, max_contracts: float, max_exposure: float, max_day_loss: float, max_markets: int
) -> "RiskLimits":
    """What a run may do at most, from contracts and dollars; raises ConfigError."""
    from core.actions import RiskLimits

    require_numbers(max_order, max_contracts, max_exposure, max_day_loss)
    return RiskLimits(
        order=round(max_order * 100),
        market=round(max_contracts * 100),
        exposure=round(max_exposure * 1_000_000),
        day_loss=round(max_day_loss * 1_000_000),
        markets=max_markets,
    )


def group_limit_of(contracts: float) -> int:
    """What all orders of a run may match within 15 s (1/100 contract), 0 = no limit; raises ConfigError."""
    from core.errors import ConfigError

    require_numbers(contracts)
    limit = round(contracts * 100)
    if contracts and not limit:
        raise ConfigError(f"--group-limit {contracts:g} is less than the smallest size, 0.01 contracts; 0 is no limit")
    return limit


def require_numbers(*values: float) -> None:
    """What the command line's own limits let pass."""
    from core.errors import ConfigError

    if any(not value < MOST for value in values):
        raise ConfigError(f"{max(values):g} is no limit that can be kept; give numbers below {MOST:g}")
