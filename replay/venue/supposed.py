"""What REST is taken to have said of a market or series of which the tape holds no answer: what the terms suppose.

Imported recordings often hold frames alone; a strategy that asks for facts before it quotes would never quote there.
Where fees and ticks are supposed they are answered, with what lifecycle messages told and nothing else. Must not know
who asked. Bodies are those of protocol 12.
"""

from typing import Any, Final

import msgspec

from core.actions import Fetch
from core.lifecycle import Phase
from core.records import RestCall
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
_ONE: Final = 10_000


def supposed(asked: Fetch, terms: VenueTerms, facts: Facts, now_ns: int) -> RestCall | None:
    """The answer to `GET /markets/X` or `GET /series/S` by the terms, None = they do not suppose any."""
    parts = asked.path.split("/")
    if len(parts) != 3 or asked.params:
        return None
    _, what, name = parts
    if what == "markets" and terms.ticks and facts.has_book(name):
        body: dict[str, Any] = {"market": _market(name, terms, facts, now_ns)}
    elif what == "series" and terms.fees:
        fees = fee_terms(terms.fees)
        factor = msgspec.Raw(f"{fees.multiplier // _ONE}.{fees.multiplier % _ONE:04d}".encode())
        body = {"series": {"ticker": name, "title": name, "fee_type": fees.fee_type.value, "fee_multiplier": factor}}
    else:
        return None
    return RestCall("GET", path_of(asked), 200, answer=msgspec.json.encode(body).decode())


def _market(name: str, terms: VenueTerms, facts: Facts, now_ns: int) -> dict[str, Any]:
    return {
        "ticker": name,
        "event_ticker": facts.event(name),
        "status": _STATUS[facts.phase(name, now_ns)],
        "price_level_structure": terms.ticks,
    }
