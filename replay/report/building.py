"""A whole page from a result and its tapes: every part made, and for each part that is empty the reason.

Knows which parts there are. Must not know HTML.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from replay.progress import Progress, silent
from replay.purged import purged
from replay.report import curves, headline, markets, measures, source
from replay.report.axis import axis_of
from replay.report.markets import Drawn, Place
from replay.report.parts import Page
from replay.report.sights import MakeJudge, Sight, watch


def look(
    result: source.Result, tapes: Sequence[Path], make_judge: MakeJudge | None = None, progress: Progress = silent
) -> list[Drawn]:
    """The charted markets of a result, with what its tapes show of them; each tape is walked once.

    tapes: where they lie now, in the order of the manifest; one that is not there is a reason, no error.
    """
    tables, named = result.tables, result.manifest["tapes"]
    drawn: dict[Place, Drawn] = {}
    places = markets.chosen(tables["markets"])
    for number, told in enumerate(named):
        here = [place for place in places if place.tape == number]
        if not here:
            continue
        wanted = [markets.span_of(tables, place, told) for place in here]
        path = tapes[number] if number < len(tapes) else None
        missing = ""
        sights: Sequence[Sight | None] = [None] * len(here)
        try:
            if path is None:
                missing = f"the tape {told['path']} was not at hand when this report was made"
            else:
                sights = watch(purged(Tape.open(path)), wanted, make_judge, progress)
        except (TapeError, OSError) as error:
            missing = f"the tape could not be read when this report was made: {error}"
        for place, span, sight in zip(here, wanted, sights, strict=True):
            drawn[place] = Drawn(place, span, sight, missing or _unseen(sight))
    return [drawn[place] for place in places if place in drawn]


def _unseen(sight: Sight | None) -> str:
    return "" if sight is not None and sight.prices else "the tape holds no price of this market"


def page_of(result: source.Result, drawn: Sequence[Drawn], columns: int = curves.COLUMNS) -> Page:
    """The page; market charts are thinned to `columns` pixels."""
    tables, manifest = result.tables, result.manifest
    axis, orders, fills = axis_of(manifest["tapes"]), tables["orders"], tables["fills"]
    page = Page(
        top=headline.top_of(tables, manifest),
        axis=axis,
        equity=curves.equity_of(tables, int(manifest["start_cash"]), axis),
        activity=curves.activity_of(tables, axis),
        markouts=measures.mark_outs(fills),
        outcomes=measures.outcomes(orders),
        rates=measures.rates(orders, fills, sum(map(headline.span_of, manifest["tapes"]))),
        queue=measures.queue(orders),
        wait=measures.wait(fills),
        latency=measures.latency(orders, fills),
        quantiles=measures.quantiles(orders, fills),
        regimes=markets.regime_rows(tables, drawn),
        markets=markets.rows_of(tables["markets"], [one.place for one in drawn]),
        charts=[markets.chart_of(tables, one, columns) for one in drawn],
        facts=headline.facts(manifest),
        missing={},
        notes=_notes(tables, drawn),
    )
    page.missing.update(_missing(tables, page, drawn))
    return page


def _missing(tables: Mapping[str, pa.Table], page: Page, drawn: Sequence[Drawn]) -> dict[str, str]:
    """Section to why it is empty."""
    orders, fills = tables["orders"], tables["fills"]
    found = {}
    no_order, no_fill = _no_order(tables["decisions"]), _no_fill(orders)
    if not tables["equity"].num_rows:
        found["equity"] = no_order if not orders.num_rows else "The result holds no row of equity."
    if not orders.num_rows:
        found |= dict.fromkeys(("activity", "orders", "queue"), no_order)
    elif not page.queue.labels:
        found["queue"] = "No order came to rest, so none had a place in a queue."
    if not page.latency.labels:
        found["latency"] = no_order if not orders.num_rows else "No order reached the venue before the tape ended."
    if not fills.num_rows:
        found |= dict.fromkeys(("markouts", "fees", "wait"), no_order if not orders.num_rows else no_fill)
    elif not source.ints(fills, "fee").any():
        found["fees"] = "No fill was charged a fee, by the terms that the table of markets names."
    if fills.num_rows and not page.wait.labels:
        found["wait"] = "No fill was of an order that had rested: all of them took."
    if not page.markets:
        found["markets"] = "The strategy neither held, quoted nor asked for any market."
    if not page.regimes:
        found["regimes"] = _no_regime(page, drawn)
    return found


def _no_order(decisions: pa.Table) -> str:
    if not decisions.num_rows:
        return "No order was placed: the strategy decided nothing on this tape."
    reasons = Counter(
        refused
        for do, refused in zip(source.texts(decisions, "do"), source.texts(decisions, "refused"), strict=True)
        if do == "place"
    )
    if not reasons:
        return f"No order was placed: none of the strategy's {decisions.num_rows:,} decisions was to place one."
    told = ", ".join(f"{count:,} \u00d7 {reason or 'sent'}" for reason, count in reasons.most_common(3))
    return f"No order reached the venue: {told}."


def _no_fill(orders: pa.Table) -> str:
    ends = Counter(end.partition(":")[0] for end in source.texts(orders, "end"))
    told = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
    return f"No order was filled: of {orders.num_rows:,} orders, {told}."


def _no_regime(page: Page, drawn: Sequence[Drawn]) -> str:
    if not page.charts:
        return "There is no market to tell a regime of."
    missing = [one.missing for one in drawn if one.missing]
    if len(missing) == len(drawn):
        return f"Regimes are told from the tape, and {missing[0]}."
    return "Nobody told the regimes: the report was made without a judge of them."


def _notes(tables: Mapping[str, pa.Table], drawn: Sequence[Drawn]) -> dict[str, str]:
    """Section to what a reader should know of how it was drawn."""
    notes = {}
    if (count := tables["markets"].num_rows) > len(drawn):
        notes["charts"] = f"Charts are of the {len(drawn)} markets with the most fills; the table has all {count:,}."
    missed = sum(one.sight.missed for one in drawn if one.sight is not None)
    if missed:
        notes["prices"] = (
            f"In {missed:,} places prices moved faster than they are kept: the oldest moves there are left out."
        )
    return notes
