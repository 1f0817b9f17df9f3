"""A backtest's result as lines of text for people: what it came to, by which fills, and what not to overlook.

Every function gives lines; nobody here prints. Units: dollars, contracts, cents.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from replay.backtest.points import ranked
from replay.backtest.proof import Repetition
from replay.backtest.result import Result
from replay.backtest.sweep import PARTS, TABLE, Swept
from replay.when import format_duration

LISTED: Final = 8
"""Markets shown to people; the result has all of them."""

_MARKS: Final = {"mark_1s": "1 s", "mark_10s": "10 s", "mark_60s": "60 s", "settlement": "settlement"}


def result_lines(result: Result) -> Iterator[str]:
    """The summary that a terminal shows."""
    manifest, sums = result.manifest, result.totals
    span_ns = sum(tape["until_ns"] - tape["from_ns"] for tape in manifest["tapes"])
    names = ", ".join(spec["name"] for spec in manifest["strategies"])
    count = len(manifest["tapes"])
    yield f"backtest     {names} over {count} tape{_s(count)}, {format_duration(span_ns)}"
    yield (
        f"pnl          {dollars(sums['pnl'])} of {dollars(sums['start_cash'])}: {dollars(sums['pnl_trusted'])} in "
        f"trusted spans, {dollars(sums['pnl_untrusted'])} in doubt"
    )
    yield f"             {dollars(sums['fees'])} of fees included; deepest fall {dollars(sums['max_drawdown'])}"
    if sums["open_markets"]:
        markets = "1 market" if sums["open_markets"] == 1 else f"{sums['open_markets']:,} markets"
        yield f"still held   in {markets}, worth {dollars(sums['open_value'])} at the mark"
    yield f"orders       {sums['orders']:,}, of which {_filled(sums)}; {sums['decisions']:,} decisions"
    yield f"fills        {sums['fills']:,} of {contracts(sums['contracts'])} contracts, {_makers(sums)}{_gain(sums)}"
    yield f"mark-outs    {_markouts(sums['markouts'])}"
    yield from _markets(result)
    venue = manifest["venue"]
    yield f"supposed     queue {venue['queue']}, {_latency(venue['latency'])}; see docs/BACKTESTS.md and result.json"
    for note in manifest["notes"]:
        yield f"note         {note}"
    yield f"orders hash  {result.orders_hash}"


def repetition_lines(found: Repetition) -> Iterator[str]:
    """Whether a result came out the same when it was made again, and if not, where it parts."""
    rows = sum(found.rows.values())
    if found.equal:
        yield f"equal        {rows:,} rows in {len(found.rows)} tables, made again by bytes and by columns"
    else:
        yield "DIFFERENT    from what the result holds, made again by bytes and by columns"
    if found.first_difference is not None:
        parting = found.first_difference
        fields = ", ".join(parting.fields) or "all"
        yield f"first        by {parting.by}: table {parting.table}, row {parting.row}: {fields}"
        yield f"  recorded   {_row(parting.recorded, parting.fields)}"
        yield f"  repeated   {_row(parting.repeated, parting.fields)}"
    for change in found.changed:
        yield f"note         {change}, so a difference says nothing"
    yield f"hash seeds   {', '.join(found.hash_seeds)}"
    yield f"orders hash  {found.orders_hash}"


def swept_lines(found: Swept) -> Iterator[str]:
    """The best points of a sweep, what the chosen one did on what was held out, and what that is worth."""
    ran = f"{found.ran:,} backtests run now, {found.found:,} found done"
    yield f"sweep        {found.points:,} points by {found.by}; {ran}"
    for part, words in zip(PARTS, ("chosen by", "held out"), strict=True):
        if len(found.parts) > 1:
            yield f"{words:<12} {_some(found.parts[part])}"
    chosen = [row for row in found.rows if row["part"] == PARTS[0] and not row["problem"]]
    judged = {row["point"]: row for row in found.rows if row["part"] == PARTS[1]}
    for row in ranked(chosen, found.by)[:LISTED]:
        rest = judged.get(row["point"])
        yield f"  {_point(row):<44} {_figures(row)}{'' if rest is None else f'; held out {_won(rest)}'}"
    if len(chosen) > LISTED:
        yield f"  and {len(chosen) - LISTED:,} more in {TABLE}"
    if found.best is None:
        yield "best         none: every point failed"
    else:
        yield f"best         {_point(found.best)}: {_figures(found.best)}"
    if found.held_out is not None:
        yield f"on the rest  {_point(found.held_out)}: {_figures(found.held_out)}"
    elif found.best is not None:
        yield "held out     nothing, so nothing is known of how it does on other days; give --hold-out"
    yield f"honestly     {found.words}"
    for problem in found.problems[:LISTED]:
        yield f"note         {problem}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _point(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row["set"].items()) or "as it is"


def _figures(row: Mapping[str, Any]) -> str:
    if row["problem"] or row["pnl"] is None:
        return f"failed: {row['problem']}"
    traded = f"{row['fills']:,} fills of {contracts(row['contracts'])} contracts"
    fall = dollars(row["max_drawdown"])
    return f"{dollars(row['pnl'])}, {dollars(row['pnl_untrusted'])} of it in doubt; {traded}, deepest fall {fall}"


def _won(row: Mapping[str, Any]) -> str:
    return "failed" if row["problem"] or row["pnl"] is None else dollars(row["pnl"])


def _row(values: Mapping[str, Any] | None, fields: tuple[str, ...]) -> str:
    if values is None:
        return "no such row"
    chosen = {name: value for name, value in values.items() if name in fields} if fields else values
    return ", ".join(f"{name} {value}" for name, value in chosen.items())


def dollars(money: int) -> str:
    """Money with its sign before the dollar."""
    return f"{'-' if money < 0 else ''}${abs(money) / 1e6:,.4f}"


def contracts(count: int) -> str:
    """1/100 contracts as people count them."""
    return f"{count / 100:,.2f}"


def share(part: int, whole: int) -> str:
    """A share in percent, "none" where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _filled(sums: Mapping[str, Any]) -> str:
    if not sums["orders"]:
        return "none was filled"
    whole = share(sums["contracts"], sums["ordered"])
    return f"{share(sums['filled_orders'], sums['orders'])} traded; {whole} of contracts"


def _makers(sums: Mapping[str, Any]) -> str:
    return f"{share(sums['maker_contracts'], sums['contracts'])} as maker" if sums["contracts"] else "nothing traded"


def _gain(sums: Mapping[str, Any]) -> str:
    if not sums["contracts"]:
        return ""
    return f", {sums['pnl'] / sums['contracts'] / 100:+.3f} cents a contract"


def _markouts(found: Mapping[str, Any]) -> str:
    told = [
        f"{words} {known['mean'] / 100:+.2f} c" + (f" (of {100 * known['share']:.0f} %)" if known["share"] < 1 else "")
        for name, words in _MARKS.items()
        if (known := found[name])["mean"] is not None
    ]
    return ", ".join(told) or "not known: nothing traded, or no book after it"


def _markets(result: Result) -> Iterator[str]:
    rows = result.tables["markets"].sort_by([("pnl", "descending")]).to_pylist()
    if not rows:
        return
    head = f"{'market':<34} {'orders':>7} {'fills':>7} {'bought':>10} {'sold':>10} {'pnl':>12} {'in doubt':>12}"
    yield f"{head}  marked by"
    shown = rows if len(rows) <= LISTED else rows[: LISTED // 2] + rows[-LISTED // 2 :]
    for row in shown:
        yield (
            f"{row['market']:<34} {row['orders']:>7,} {row['fills']:>7,} {contracts(row['bought']):>10} "
            f"{contracts(row['sold']):>10} {dollars(row['pnl']):>12} "
            f"{dollars(row['pnl_untrusted']):>12}  {row['mark_by']}"
        )
    if len(rows) > len(shown):
        yield f"             and {len(rows) - len(shown)} markets between the best and the worst"


def _latency(latency: Mapping[str, Any]) -> str:
    drawn = ", drawn from the tape's round trips" if latency["is_drawn"] else ""
    parts = (f"{name} {latency[f'{name}_ns'] / 1e6:g} ms" for name in ("feed", "order", "answer"))
    return f"latency {', '.join(parts)}{drawn}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
