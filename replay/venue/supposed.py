"""What REST is taken to have said of a market or series where the tape holds no answer to that very request.

A strategy that asks for facts before it quotes would never quote there. A market of which the tape has told the prices
otherwise, by a list of markets or a lifecycle message, is answered with what was told; imported recordings often hold
frames alone, and then what the terms suppose is the answer. Must not know who asked. Bodies are those of protocol 12.
"""

from typing import Any, Final

import msgspec

from core.actions import Fetch
from core.cells import NEVER
from core.lifecycle import Phase
from core.records import RestCall
from replay.exchange.wording_base import multiplier, ranges, rfc3339
from replay.venue.facts import Facts, fee_terms
from replay.venue.library import path_of
from replay.venue.terms import VenueTerms

_STATUS: Final = {
    Phase.UNKNOWN: "active",  # its book is on the tape
    Phase.INITIALIZED: "initialized",
    Phase.ACTIVE: "active",
    Phase.INACTIVE: "inactive",
    Phase.CLOSED: "closed",
    Phase.DETERMINED: "determined",
    Phase.SETTLED: "finalized",
}


def supposed(asked: Fetch, terms: VenueTerms, facts: Facts, now_ns: int) -> RestCall | None:
    """The answer to `GET /markets/X` or `GET /series/S`, None = neither the tape nor the terms say enough for one."""
    parts = asked.path.split("/")
    if len(parts) != 3 or asked.params:
        return None
    _, what, name = parts
    if what == "markets" and (terms.ticks or facts.reference.ranges(name)) and facts.has_book(name):
        body: dict[str, Any] = {"market": _market(name, terms, facts, now_ns)}
    elif what == "series" and terms.fees:
        fees = fee_terms(terms.fees)
        factor = multiplier(fees.multiplier)
        body = {"series": {"ticker": name, "title": name, "fee_type": fees.fee_type.value, "fee_multiplier": factor}}
    else:
        return None
    return RestCall("GET", path_of(asked), 200, answer=msgspec.json.encode(body).decode())


def _market(name: str, terms: VenueTerms, facts: Facts, now_ns: int) -> dict[str, Any]:
    bands, close_ns = facts.reference.ranges(name), facts.times(name)[1]
    return {
        "ticker": name,
        "event_ticker": facts.event(name),
        "status": _STATUS[facts.phase(name, now_ns)],
        **({"price_ranges": ranges(bands)} if bands else {"price_level_structure": terms.ticks}),
        **({"close_time": rfc3339(close_ns)} if close_ns < NEVER else {}),
    }
