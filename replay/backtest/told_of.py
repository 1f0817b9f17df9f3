"""What a result says about itself in sentences: what was supposed, and what its reader must not overlook.

Pure: manifest and tables in, sentences out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from replay.backtest.marks import RULE
from replay.backtest.setup import Setup

UNTRUSTED_SHARE: Final = 0.05
"""From so much of the time in play on, doubt is worth a sentence of its own."""


def assumptions(setup: Setup, venue: Iterable[str], tapes: list[dict[str, Any]]) -> list[str]:
    """What was supposed: by the venue, in the accounts, and of tapes that do not follow each other cleanly."""
    said = [*venue, RULE]
    said.append(
        "a stretch that touches a span of doubt counts as untrusted whole; such stretches are a second long at most"
    )
    if len(tapes) > 1:
        said.append("tapes are played in the order of their beginnings; cash goes on from one to the next")
        said.append("what is held when a tape ends stays at its last mark, and is not traded on the next tape")
    late = [two for one, two in pairwise(tapes) if two["from_ns"] < one["until_ns"]]
    if late:
        said.append(f"the tape {late[0]['path']} begins before the one before it has ended; each was played by itself")
    if setup.from_ns is not None:
        said.append("the run begins at a chosen instant: strategies have seen nothing before it, the venue everything")
    if setup.until_ns is not None:
        said.append("the tapes were played up to a chosen instant only")
    if setup.days:
        said.append(
            f"only these UTC days were played, each run of them by itself: {', '.join(setup.days)}; what is held when "
            "one ends stays at its last mark"
        )
    return said


def notes(manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> list[str]:
    """What its reader must not overlook: failures, that nothing was done and why, doubt, guesses."""
    sums = manifest["totals"]
    said = [
        f"{fault['where']} failed on tape {fault['tape']} and traded no more in its session: {fault['error']}"
        for fault in manifest["faults"]
    ]
    said += [f"a glance could not be compiled, so it is slow: {slow}" for slow in manifest["slow_glances"]]
    said += [f"the tape {tape['path']} is empty" for tape in manifest["tapes"] if not tape["records"]]
    said += [f"no market of the tapes fits {pattern}" for pattern in manifest.get("absent_markets", ())]
    said += [_own(tape) for tape in manifest["tapes"] if "own_orders" in tape]
    if not sums["orders"]:
        said += _idle(manifest, tables)
    elif not sums["fills"]:
        said.append(f"none of {sums['orders']:,} orders was filled")
    if sums["untrusted_fills"]:
        said.append(
            f"{sums['untrusted_fills']:,} of {sums['fills']:,} fills fell into spans in which the book was in doubt"
        )
    said += _doubt(tables)
    if sums["open_markets"]:
        said.append(f"markets still open at the end: {sums['open_markets']}; what is held there is counted at its mark")
    if sums["refused_orders"]:
        said.append(f"the venue refused {sums['refused_orders']:,} of {sums['orders']:,} orders: {_refusals(tables)}")
    return said


def _own(tape: Mapping[str, Any]) -> str:
    """That the tape is one of a live run."""
    found = tape["own_orders"]
    doubt = ", not every contract for certain" if found["missed"] or found["excess"] or found["unsure"] else ""
    return f"{found['orders']:,} orders of the account that recorded {tape['path']} are taken out of its book{doubt}"


def _idle(manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> list[str]:
    """Why there is no order, as far as it can be told."""
    decisions, sums = tables["decisions"], manifest["totals"]
    if not sums["decisions"]:
        names = ", ".join(spec["name"] for spec in manifest["strategies"])
        said = [f"{names} decided nothing at all"]
        if not manifest["markets"]:
            said.append("if it waits for markets to be selected, select some: --market '*'")
        else:
            said.append("no market was selected: the tapes hold no price of one that fits")
        return said
    said = [f"no order was placed in {sums['decisions']:,} decisions"]
    refused = Counter(reason for reason in decisions.column("refused").to_pylist() if reason)
    said += [f"refused by the run's limits {count:,} times: {reason}" for reason, count in refused.most_common(3)]
    words = decisions.filter(pc.equal(decisions.column("do"), "say")).column("action").to_pylist()
    last = [msgspec.json.decode(action) for action in words[-3:]]
    said += [f"{told.get('market', '') or 'it'} said: {told['text']}" for told in last]
    if sums["not_on_tape"]:
        venue = manifest["venue"]
        hint = "" if venue["fees"] and venue["ticks"] else "; --fees and --ticks suppose those of markets"
        said.append(
            f"{sums['not_on_tape']:,} requests by REST had no answer on the tape, so facts may have been missing{hint}"
        )
    return said


def _doubt(tables: Mapping[str, pa.Table]) -> list[str]:
    """How much of the time in which something was quoted or held a book of it was in doubt."""
    equity = tables["equity"]
    in_play = equity.filter(pc.greater(equity.column("exposure"), 0))
    doubtful = in_play.num_rows - (pc.sum(in_play.column("trusted")).as_py() or 0)
    if not doubtful or doubtful < UNTRUSTED_SHARE * in_play.num_rows:
        return []
    percent = 100 * doubtful // in_play.num_rows
    return [f"for {percent} % of the time in which something was quoted or held, a book of it was in doubt"]


def _refusals(tables: Mapping[str, pa.Table]) -> str:
    ends = Counter(end for end in tables["orders"].column("end").to_pylist() if end.startswith("refused"))
    return ", ".join(f"{end.removeprefix('refused:')} {count:,}" for end, count in ends.most_common(3))
