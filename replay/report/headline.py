"""The first screen in words: what was run, what came of it, what is to be doubted, what was supposed.

Knows a result's manifest and tables. Must not know HTML. Every sentence is plain text.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import pyarrow as pa

from replay.report import source
from replay.report.curves import drawdown_of, pnl_of
from replay.report.parts import Fact, Tile, Top
from replay.when import format_duration, format_time

QUEUES: Final = {
    "pessimistic": "nobody ahead of our orders ever cancels: fills come late, if at all",
    "proportional": "cancellations are spread evenly over the queue",
    "power": "cancellations come more from the back of a long queue than from its front",
    "optimistic": "everybody who cancels was ahead of us: an upper bound, no forecast",
}
"""The queue models in words, by name."""


def dollars(money: int) -> str:
    """`$1,234.56`, cents rounded; below a cent as many digits as it takes: `$0.0012`."""
    sign, size = "\u2212" if money < 0 else "", abs(money)
    if 0 < size < 10_000:
        return f"{sign}${size / 1e6:.6f}".rstrip("0")
    return f"{sign}${size / 1e6:,.2f}"


def contracts(count: int) -> str:
    """Contracts from 1/100, with as many digits as it takes."""
    whole = f"{count / 100:,.2f}"
    return whole.rstrip("0").rstrip(".")


class Numbers:
    """The totals that the first screen needs, each from the tables themselves."""

    def __init__(self, tables: Mapping[str, pa.Table], start_cash: int) -> None:
        markets, fills, orders = tables["markets"], tables["fills"], tables["orders"]
        self.pnl = int(source.ints(markets, "pnl").sum())
        self.trusted = int(source.ints(markets, "pnl_trusted").sum())
        self.untrusted = int(source.ints(markets, "pnl_untrusted").sum())
        self.fees = int(source.ints(fills, "fee").sum())
        self.orders, self.fills = orders.num_rows, fills.num_rows
        self.filled_orders = int((source.ints(orders, "filled") > 0).sum())
        self.contracts = int(source.ints(fills, "count").sum())
        self.untrusted_fills = int((~source.flags(fills, "trusted")).sum())
        self.takers = int(source.flags(fills, "is_taker").sum())
        self.markets = markets.num_rows
        self.traded = int((source.ints(markets, "fills") > 0).sum())
        drawdown = drawdown_of(pnl_of(tables["equity"], start_cash))
        self.drawdown = int(drawdown.max()) if len(drawdown) else 0


def top_of(tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> Top:
    """The first screen."""
    numbers = Numbers(tables, int(manifest["start_cash"]))
    names = ", ".join(strategy["name"] for strategy in manifest["strategies"]) or "no strategy"
    return Top(
        title=f"{names}: backtest",
        subtitle=_subtitle(manifest["tapes"]),
        headline=headline(numbers, sum(span_of(tape) for tape in manifest["tapes"])),
        tiles=_tiles(numbers),
        pnl=numbers.pnl,
        trusted=numbers.trusted,
        untrusted=numbers.untrusted,
        warnings=warnings(tables, manifest, numbers),
        assumptions=assumptions(manifest),
    )


def span_of(tape: Mapping[str, Any]) -> int:
    """How long a tape of the manifest is (ns)."""
    return int(tape["until_ns"]) - int(tape["from_ns"])


def _subtitle(tapes: Sequence[Mapping[str, Any]]) -> str:
    if not tapes:
        return "no tape"
    named = [PurePath(tape["path"]).name for tape in tapes]
    first, last = min(int(tape["from_ns"]) for tape in tapes), max(int(tape["until_ns"]) for tape in tapes)
    shown = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    begin, end = (format_time(at_ns)[:16].replace("T", " ") for at_ns in (first, last))
    return f"{shown} \u00b7 {begin} to {end.removeprefix(begin[:11])} UTC"


def headline(numbers: Numbers, span_ns: int) -> str:
    """The run in one sentence or two."""
    where = f"in {format_duration(span_ns)} of tape"
    if not numbers.orders:
        return f"Placed no order {where}, so nothing was won or lost."
    if not numbers.fills:
        return f"Placed {_many(numbers.orders, 'order')} {where}, and none was filled, so nothing was won or lost."
    did = "Made" if numbers.pnl > 0 else "Lost" if numbers.pnl < 0 else "Neither made nor lost money"
    amount = f" {dollars(abs(numbers.pnl))}" if numbers.pnl else ""
    return (
        f"{did}{amount} {where}, after {dollars(numbers.fees)} of fees, with {_many(numbers.fills, 'fill')} "
        f"in {_many(numbers.traded, 'market')}."
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _tiles(numbers: Numbers) -> list[Tile]:
    mood = "good" if numbers.pnl > 0 else "bad" if numbers.pnl < 0 else "plain"
    share = (
        f"{100 * numbers.filled_orders / numbers.orders:.0f} % of {numbers.orders:,} orders" if numbers.orders else ""
    )
    bought = f"{contracts(numbers.contracts)} contracts \u00b7 {share}" if share else ""
    doubted = bool(numbers.untrusted or numbers.untrusted_fills)
    return [
        Tile("Profit and loss", dollars(numbers.pnl), "after fees, open positions at their mark", mood),
        Tile(
            "While the book was trusted", dollars(numbers.trusted),
            f"{dollars(numbers.untrusted)} while it was not", "plain" if not doubted else "doubt",
        ),
        Tile("Fills", f"{numbers.fills:,}", bought),
        Tile("Fees", dollars(numbers.fees), f"{numbers.takers:,} of the fills took"),
        Tile("Deepest drawdown", dollars(-numbers.drawdown) if numbers.drawdown else "$0.00", "from the best so far"),
    ]  # fmt: skip


def warnings(tables: Mapping[str, pa.Table], manifest: Mapping[str, Any], numbers: Numbers) -> list[str]:
    """What a reader has to know before believing the numbers."""
    found = []
    if numbers.untrusted_fills:
        found.append(
            f"{_many(numbers.untrusted_fills, 'fill')} of {numbers.fills:,} happened while something of the book was "
            f"missing: {dollars(numbers.untrusted)} of the result rests on that."
        )
    markets = tables["markets"].to_pylist()
    still_open = [row for row in markets if row["position"] and row["mark_by"] != "settled"]
    if still_open and not manifest.get("notes"):
        how = ", ".join(sorted({row["mark_by"] for row in still_open}))
        found.append(f"{_many(len(still_open), 'market')} had not settled when the tape ended: marked by {how}.")
    supposed = sum("suppos" in row["fee_terms"] or "assum" in row["fee_terms"] for row in markets)
    if supposed:
        found.append(f"The tape does not tell the fees of {_many(supposed, 'market')}: they were supposed.")
    found += [_sentence(note) for note in manifest.get("notes", ())][:NOTES]
    if 0 < numbers.fills < FEW_FILLS:
        found.append(f"{_many(numbers.fills, 'fill')} are too few to tell skill from luck.")
    return found


NOTES: Final = 6
"""Of the result's own notes: more do not fit on the first screen."""

FEW_FILLS: Final = 30
"""Below it a mean's own uncertainty is of the size of the spread: the usual rule of thumb for a normal mean."""


def assumptions(manifest: Mapping[str, Any]) -> list[str]:
    """What the simulation supposed, as the result says, and the queue model in words where it does not."""
    said = [_sentence(sentence) for sentence in manifest.get("assumptions", ())]
    queue = str(manifest.get("venue", {}).get("queue", ""))
    words = QUEUES.get(queue.partition("@")[0], "")
    if words and not any(queue.partition("@")[0] in sentence for sentence in said):
        said.insert(0, f"Place in the queue by the model {queue}: {words}.")
    return said


def _sentence(told: object) -> str:
    """With a capital and a full stop, as the page's own."""
    text = str(told)
    return text[:1].upper() + text[1:].removesuffix(".") + "." if text else text


def facts(manifest: Mapping[str, Any]) -> list[Fact]:
    """What is needed to have the same run again."""
    found = [
        Fact("tapedeck", str(manifest.get("tapedeck", ""))),
        Fact("command", " ".join(str(word) for word in manifest.get("command", ()))),
        Fact("seed", str(manifest.get("seed", ""))),
        Fact("orders hash", str(manifest.get("orders_hash", ""))),
        Fact("cash at the beginning", dollars(int(manifest["start_cash"]))),
    ]
    for strategy in manifest["strategies"]:
        params = ", ".join(f"{name}={value}" for name, value in dict(strategy.get("params", {})).items())
        found.append(Fact(f"strategy {strategy['name']}", f"{strategy['path']} {params or '(defaults)'}"))
    for tape in manifest["tapes"]:
        span = f"{format_time(int(tape['from_ns']))} to {format_time(int(tape['until_ns']))}"
        found.append(
            Fact(f"tape {PurePath(tape['path']).name}", f"{tape['records']:,} records, {span}, {tape['digest']}")
        )
    venue = ", ".join(_flat(dict(manifest.get("venue", {}))))
    return [*found, Fact("venue", venue or "as the program supposes by default")]


def _flat(told: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`latency.order_ns=50000000` and so on."""
    found = []
    for name, value in told.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [f"{prefix}{name}={value}"]
    return found
