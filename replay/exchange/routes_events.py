"""The sandbox's events and series by REST (protocol 12).

Knows filters and pages, and that combos are never among the events.
"""

from collections.abc import Callable, Sequence
from typing import Any

from replay.exchange import bodies
from replay.exchange.bodies import Body, ok
from replay.exchange.engine import MatchingEngine
from replay.exchange.paging import Filters
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.queries import invalid_field
from replay.exchange.trade_log import TradeLog
from replay.exchange.wording_base import COMBOS, rfc3339

Handler = Callable[[RestRequest, Sequence[str]], RestAnswer]


class EventRoutes:
    """Reads that everybody may make. market_body: a Market by its ticker."""

    def __init__(
        self, engine: MatchingEngine, log: TradeLog, now_ns: Callable[[], int], market_body: Callable[[str], Body]
    ) -> None:
        self._engine = engine
        self._log = log
        self._now_ns = now_ns
        self._market_body = market_body

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path, handler; what is more special comes first."""
        return (
            ("GET", "/events", self._events),
            ("GET", "/events/multivariate", self._combos),
            ("GET", "/events/fee_changes", self._fee_changes),
            ("GET", "/events/{}", self._event),
            ("GET", "/series", self._all_series),
            ("GET", "/series/fee_changes", _no_series_changes),
            ("GET", "/series/{}", self._series),
        )

    def _events(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=200, usual=200, times=("close",))
        return invalid_field("GetEvents") if asked is None else self._listed(asked, combos=False)

    def _combos(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=200, usual=100)
        if asked is None:
            return invalid_field("GetMultivariateEvents")
        return self._listed(asked, combos=True)

    def _listed(self, asked: Filters, *, combos: bool) -> RestAnswer:
        found = []
        for ticker in self._log.events:
            statuses = [self._engine.reads.market(m).status.value for m in self._markets_of(ticker)]
            series = self._engine.reads.event(ticker).series_ticker
            is_asked = ticker.startswith(COMBOS) is combos and asked.within(self._closes(ticker))
            if is_asked and asked.takes(ticker, event=ticker, series=series, statuses=statuses):
                found.append(ticker)
        page, cursor = asked.page(found)
        return ok({"events": [self._event_body(ticker, nested=asked.nested) for ticker in page], "cursor": cursor})

    def _closes(self, ticker: str) -> Callable[[str], list[str]]:
        reads = self._engine.reads
        return lambda _about: [rfc3339(reads.market(market).spec.close_ns) for market in self._markets_of(ticker)]

    def _event(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        nested = dict(request.query).get("with_nested_markets") == "true"
        body: dict[str, Any] = {"event": self._event_body(parts[0], nested=nested)}
        body["markets"] = [] if nested else [self._market_body(ticker) for ticker in self._markets_of(parts[0])]
        return ok(body)

    def _event_body(self, ticker: str, *, nested: bool) -> Body:
        reads = self._engine.reads
        body = bodies.event(reads.event(ticker), reads.override(ticker), self._now_ns())
        if nested:
            body["markets"] = [self._market_body(market) for market in self._markets_of(ticker)]
        return body

    def _markets_of(self, event_ticker: str) -> list[str]:
        reads = self._engine.reads
        return [market for market in reads.markets() if reads.market(market).spec.event_ticker == event_ticker]

    def _fee_changes(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        """Newest first. Whether the exchange lists those that are in force already is not known; ours always are."""
        asked = Filters.of(request.query, most=1_000, usual=100)
        if asked is None:
            return invalid_field("GetEventFeeChanges")
        found = [change for change in reversed(self._log.fee_changes) if asked.event in ("", change[0].event_ticker)]
        page, cursor = found[asked.start : asked.start + asked.limit], asked.page([""] * len(found))[1]
        return ok({"event_fee_changes": [bodies.event_fee_change(*change) for change in page], "cursor": cursor})

    def _all_series(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        return ok({"series": [self._series_body(ticker) for ticker in self._log.series]})

    def _series(self, _request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        return ok({"series": self._series_body(parts[0])})

    def _series_body(self, ticker: str) -> Body:
        spec = self._log.series[ticker]
        return bodies.series(ticker, spec.title.partition(" on ")[0], spec)


def _no_series_changes(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    """The sandbox's series keep their fees."""
    return ok({"series_fee_change_arr": []})
