"""What `parity` and `causality` found, as lines of text for people. Every function gives lines; nobody here prints.

Knows words, columns and units. Must not know how an answer was found.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from core.actions import Action, Amend, Cancel, Decision, Fetch, Place, Say
from core.money import format_price, format_size

if TYPE_CHECKING:
    from replay.backtest.foresight import Foresight
    from replay.causality import Causality
    from replay.lint import Finding
    from replay.parity import Difference, Parity, Sight

LISTED: Final = 20
"""Longest list shown to people; `--json` has all of it."""


def parity_lines(parity: "Parity") -> Iterator[str]:
    """Whether live and replay decided the same, and if not, all about the first place where they part."""
    sessions = f"{parity.sessions} session{'' if parity.sessions == 1 else 's'}"
    by = "both paths" if parity.path == "both" else f"the path {parity.path}"
    if parity.equal:
        yield f"equal        {parity.decisions:,} decisions in {sessions}, live and replayed by {by}"
    else:
        yield f"DIFFERENT    after {parity.decisions:,} equal decisions in {sessions}, replayed by {by}"
    if parity.disagreement:
        yield f"UNSTEADY     the replay {parity.disagreement}"
    if parity.first_difference is not None:
        yield from _difference_lines(parity.first_difference)
    if parity.unjudged:
        yield f"not judged   {parity.unjudged:,} decisions beyond what the live run is known to have stepped"
    if parity.unrecorded:
        yield f"unrecorded   {parity.unrecorded:,} decisions while the disk took nothing"
    if parity.skipped:
        yield f"skipped      {parity.skipped} sessions"
    yield f"hash seeds   {', '.join(parity.hash_seeds)}"
    yield f"decisions    {parity.decision_digest}"
    for note in parity.notes:
        yield f"note         {note}"
    yield from _finding_lines(parity.findings)


def causality_lines(causality: "Causality") -> Iterator[str]:
    """Whether any decision depended on what came after it."""
    places = len({trial.place for trial in causality.trials})
    tried = f"{len(causality.trials)} false futures at {places} places, {causality.decisions:,} decisions"
    yield f"{'causal' if causality.causal else 'NOT CAUSAL':<12} {tried}"
    if causality.unsteady:
        yield "UNSTEADY     it does not decide the same twice, whatever comes after"
    if causality.impure:
        yield f"impure       {causality.impure}"
    changed = [trial for trial in causality.trials if not trial.same]
    for trial in changed[:LISTED]:
        yield f"  changed    up to record {trial.place}, by a future that is {_FUTURES[trial.future.value]}"
    found = causality.look_ahead
    if found is not None:
        yield f"first        record {found.cause} ({found.kind})"
        yield f"  decided    {_decision_text(found.decided)}"
        yield f"  instead    {_decision_text(found.instead)}"
    for note in causality.notes:
        yield f"what ran     {note}"


def foresight_lines(found: "Foresight") -> Iterator[str]:
    """The same of a backtest's result, tape by tape."""
    for one in found.tapes:
        if len(found.tapes) > 1:
            yield f"tape         {one.tape}"
        yield from causality_lines(one)
    for change in found.changed:
        yield f"note         {change}"


_FUTURES: Final = {
    "cut": "cut off",
    "prices": "at other prices",
    "shuffled": "in another order",
    "garbage": "garbage",
}


def _difference_lines(found: "Difference") -> Iterator[str]:
    yield f"first        session {found.session}, record {found.seq} ({found.kind}): {found.what}"
    if found.recorded is not None or found.replayed is not None:
        yield f"  live       {_decision_text(found.recorded)}"
        yield f"  replay     {_decision_text(found.replayed)}"
    if found.fields:
        yield f"  differs    {', '.join(found.fields)}"
    yield f"  record     {found.head.rstrip()}"
    for sight in found.sights:
        yield from _sight_lines(sight)


def _sight_lines(sight: "Sight") -> Iterator[str]:
    bid = "nobody bids" if sight.bid is None else f"bid {format_price(sight.bid)} x {format_size(sight.bid_size)}"
    ask = "nobody offers" if sight.ask is None else f"ask {format_price(sight.ask)} x {format_size(sight.ask_size)}"
    flaw = f", {sight.flaw}" if sight.flaw else ""
    yield f"  market     {sight.market}: {bid}, {ask}{flaw}; position {format_size(sight.position)}"
    for order in sight.orders[:LISTED]:
        price, size = format_price(order.price), format_size(order.remaining)
        yield f"  order      {order.client_order_id}: {order.side} {size} at {price}, {order.state}"


def _decision_text(decision: Decision | None) -> str:
    if decision is None:
        return "nothing"
    refused = f", refused: {decision.refused}" if decision.refused else ""
    who = decision.strategy or "the host"
    return f"{who} #{decision.number}: {_action_text(decision.action)}{refused}"


def _action_text(action: Action) -> str:
    match action:
        case Place() | Amend():
            verb = type(action).__name__.lower()
            order = f"{format_size(action.count)} at {format_price(action.price)}"
            return f"{verb} {action.market} {action.side} {order} ({action.client_order_id})"
        case Cancel():
            return f"cancel {action.market} ({action.client_order_id})"
        case Fetch():
            return f"fetch {action.path}"
        case Say():
            return f"say {action.text!r}"
        case _:
            return f"{type(action).__name__.lower()} {', '.join(action.markets)}"


def _finding_lines(findings: "tuple[Finding, ...]") -> Iterator[str]:
    for finding in findings[:LISTED]:
        yield f"lint         {finding.path}:{finding.line}: {finding.what}"
    if len(findings) > LISTED:
        yield f"lint         and {len(findings) - LISTED} more"
