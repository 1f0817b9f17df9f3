"""A small REST exchange of listings, for tests of whoever asks for markets, events and series.

What it holds is plain dictionaries that a test may change while it runs.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

PREFIX: Final = "/trade-api/v2"
OPEN_TIME: Final = "2026-08-11T00:00:00Z"
CLOSE_TIME: Final = "2026-12-11T00:00:00Z"

_FILTERS: Final = {
    "unopened": ("initialized",),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined"),
    "settled": ("finalized",),
}


def market(ticker: str, status: str = "active", **more: Any) -> dict[str, Any]:
    """A Market's body with the fields of protocol 12.3 that matter to a recorder."""
    body = {
        "ticker": ticker,
        "event_ticker": ticker.rpartition("-")[0],
        "market_type": "binary",
        "status": status,
        "title": f"Will {ticker} be?",
        "yes_sub_title": "yes",
        "no_sub_title": "no",
        "created_time": OPEN_TIME,
        "open_time": OPEN_TIME,
        "close_time": CLOSE_TIME,
        "latest_expiration_time": CLOSE_TIME,
        "settlement_timer_seconds": 60,
        "yes_bid_dollars": "0.4000",
        "yes_bid_size_fp": "10.00",
        "yes_ask_dollars": "0.4200",
        "yes_ask_size_fp": "10.00",
        "no_bid_dollars": "0.5800",
        "no_ask_dollars": "0.6000",
        "last_price_dollars": "0.4100",
        "volume_fp": "100.00",
        "volume_24h_fp": "10.00",
        "open_interest_fp": "5.00",
        "notional_value_dollars": "1.0000",
        "previous_price_dollars": "0.4100",
        "previous_yes_bid_dollars": "0.4000",
        "previous_yes_ask_dollars": "0.4200",
        "result": "",
        "can_close_early": True,
        "expiration_value": "",
        "rules_primary": "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "exchange_index": 0,
    }
    return {**body, **more}


class CatalogueServer:
    """A context manager: inside of it `url` answers.

    markets: bodies by ticker. series: the tickers there are; events are those of the markets, under the series before
    their first hyphen. created: Unix seconds by ticker, 0 where it has none. refuse: status of every answer, 0 = none.
    unlisted: markets that GET /markets leaves out. archived: those that only the archive has. asked: the paths so far,
    with their queries.
    """

    def __init__(self, *markets: dict[str, Any], page: int = 1_000) -> None:
        self.markets = {body["ticker"]: body for body in markets}
        self.series = {ticker.partition("-")[0] for ticker in self.markets}
        self.created: dict[str, int] = {}
        self.refuse = 0
        self.unlisted: set[str] = set()
        self.archived: set[str] = set()
        self.active = (True, True)
        self.schedule: dict[str, Any] = {"standard_hours": [], "maintenance_windows": []}
        self.asked: list[str] = []
        self.heard = threading.Condition()
        self.page = page
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with outer.heard:
                    outer.asked.append(self.path.removeprefix(PREFIX))
                    outer.heard.notify_all()
                status, body = outer.answer(self.path)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait_asked(self, path: str, timeout_s: float) -> None:
        """Wait until somebody has asked for that path."""
        with self.heard:
            assert self.heard.wait_for(lambda: path in self.asked, timeout_s), self.asked

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        parts = urlsplit(path.removeprefix(PREFIX))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        words = parts.path.strip("/").split("/")
        if self.refuse:
            return self.refuse, {"error": {"code": "unavailable", "message": "not now"}}
        match words:
            case ["exchange", "status"]:
                return 200, {"exchange_active": self.active[0], "trading_active": self.active[1]}
            case ["exchange", "schedule"]:
                return 200, {"schedule": self.schedule}
            case ["markets"]:
                return 200, self._listing(query)
            case ["markets", ticker] if ticker in self.markets and ticker not in self.archived:
                return 200, {"market": self.markets[ticker]}
            case ["historical", "markets", ticker] if ticker in self.archived:
                return 200, {"market": self.markets[ticker]}
            case ["events"]:
                named = query["tickers"].split(",")
                return 200, {"events": [self._event(n) for n in named if self._of_event(n) and n not in self.unlisted]}
            case ["events", ticker] if self._of_event(ticker):
                return 200, {"event": self._event(ticker), "markets": self._of_event(ticker)}
            case ["series", "fee_changes"]:
                return 200, {"series_fee_change_arr": []}
            case ["series", ticker] if ticker in self.series:
                return 200, {"series": self._series(ticker)}
            case _:
                return 404, {"error": {"code": "not_found", "message": "not found"}}

    def _listing(self, query: dict[str, str]) -> dict[str, Any]:
        fitting = [body for ticker, body in sorted(self.markets.items()) if self._fits(ticker, body, query)]
        begin = int(query.get("cursor") or 0)
        page = fitting[begin : begin + self.page]
        end = begin + len(page)
        return {"markets": page, "cursor": str(end) if end < len(fitting) else ""}

    def _fits(self, ticker: str, body: dict[str, Any], query: dict[str, str]) -> bool:
        return (
            ticker not in self.unlisted | self.archived
            and ("tickers" not in query or ticker in query["tickers"].split(","))
            and query.get("series_ticker", ticker.partition("-")[0]) == ticker.partition("-")[0]
            and query.get("event_ticker", body["event_ticker"]) == body["event_ticker"]
            and ("status" not in query or body["status"] in _FILTERS[query["status"]])
            and self.created.get(ticker, 0) >= int(query.get("min_created_ts", 0))
            and not (query.get("mve_filter") == "exclude" and ticker.startswith("KXMVE"))
        )

    def _of_event(self, event: str) -> list[dict[str, Any]]:
        return [body for _, body in sorted(self.markets.items()) if body["event_ticker"] == event]

    def _event(self, ticker: str) -> dict[str, Any]:
        return {
            "event_ticker": ticker,
            "series_ticker": ticker.partition("-")[0],
            "title": "",
            "sub_title": "",
            "collateral_return_type": "",
            "mutually_exclusive": False,
            "category": "",
        }

    def _series(self, ticker: str) -> dict[str, Any]:
        return {
            "ticker": ticker,
            "frequency": "daily",
            "title": "",
            "category": "",
            "tags": [],
            "settlement_sources": [],
            "contract_url": "",
            "contract_terms_url": "",
            "fee_type": "quadratic",
            "fee_multiplier": 1,
            "additional_prohibitions": [],
        }
