"""What the local exchange answers passes the exchange's own schema, where that lies beside the repository."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from fastloop import run
from house import House
from sample_tapes import Script
from sandbox_asked import GROUPS, ORDERS, a_market, ask, busy, order

from replay.exchange.playhead import MAX
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.sandbox import SandboxVenue
from replay.exchange.specs import YES_WINS
from replay.exchange.taped import TapedVenue

SCHEMA: Final = Path(__file__).parents[2] / "shared/protocol/openapi.yaml"

LEFT_OUT: Final = (
    "/api_keys", "/communications", "/fcm", "/historical/", "/incentive_programs", "/live_data", "/milestones",
    "/multivariate_event_collections", "/portfolio/deposits", "/portfolio/intra_exchange", "/portfolio/subaccounts",
    "/portfolio/target_balance", "/portfolio/withdrawals", "/search", "/structured_targets",
    "/account/api_usage_level", "candlesticks", "forecast_percentile_history", "/metadata",
)  # fmt: skip
"""Parts of paths that the sandbox does not serve; all other GETs of the schema have to be answered."""

SERVED: Final = "/historical/cutoff"


def converted(node: Any) -> Any:
    """JSON schema of OpenAPI 3.0: what is nullable may be null, whatever stands beside it."""
    if isinstance(node, list):
        return [converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: converted(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


class Reference:
    """The schema; `faults` says what is wrong with an answer."""

    def __init__(self) -> None:
        yaml = pytest.importorskip("yaml", reason="PyYAML comes with the test dependencies")
        jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with the test dependencies")

        class Loader(yaml.CSafeLoader):  # type: ignore[misc, name-defined]  # found at run time
            yaml_implicit_resolvers = {  # noqa: RUF012  # as in its base
                first: [pair for pair in pairs if not pair[0].endswith(":timestamp")]
                for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
            }

        told = yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=Loader)  # of the safe loader's kind
        self.paths = told["paths"]
        self._responses = told["components"]["responses"]
        self._components = {"components": {"schemas": converted(told["components"]["schemas"])}}
        self._validator = jsonschema.Draft202012Validator

    def reads(self) -> list[str]:
        """The paths of GETs that the local exchange serves."""
        gets = [path for path, operations in self.paths.items() if "get" in operations]
        return [path for path in gets if path == SERVED or not any(part in path for part in LEFT_OUT)]

    def faults(self, operation: str, answer: RestAnswer) -> list[str]:
        """operation: `GET /path/{of}/the/schema`; empty = nothing is wrong."""
        method, path = operation.split(" ")
        said = self.paths[path][method.lower()]["responses"].get(str(answer.status))
        if said is None:
            return [f"{operation} has no {answer.status}: {answer.body!r}"]
        said = self._responses[said["$ref"].rpartition("/")[2]] if "$ref" in said else said
        if "content" not in said:
            return [f"{operation}: a body where there is none"] * bool(answer.body)
        schema = converted(said["content"]["application/json"]["schema"])
        found = self._validator({**schema, **self._components}).iter_errors(json.loads(answer.body))
        return [f"{operation}: {'/'.join(map(str, fault.path))}: {fault.message}" for fault in found]


@pytest.fixture(scope="module")
def reference() -> Reference:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not there")
    return Reference()


@pytest.fixture(scope="module")
def venue() -> SandboxVenue:
    """A sandbox in which the account has everything that can be listed."""
    made = busy()
    market = a_market(made)
    taken = {"price": "0.9900", "time_in_force": "immediate_or_cancel"}
    paid = next(m for m in made.engine.reads.markets() if "TEMP" in m and m != market and made.engine.reads.book(m).no)
    for name in (market, paid):
        assert b'"fill_count":"5.00"' in ask(made, "POST", ORDERS, body=order(name, **taken)).body
    made.act(lambda now_ns: made.engine.life.determine(paid, YES_WINS, now_ns))
    until_ns = made.now_ns + 31 * 10**9
    made.leap(until_ns=until_ns)
    return made


def test_every_read_passes_the_schema(reference: Reference, venue: SandboxVenue) -> None:
    market = a_market(venue)
    event = venue.engine.reads.market(market).spec.event_ticker
    group = json.loads(ask(venue, "POST", f"{GROUPS}/create", body={"contracts_limit": 3}).body)["order_group_id"]
    placed = json.loads(ask(venue, "POST", ORDERS, body=order(market, order_group_id=group)).body)["order_id"]
    series = venue.engine.reads.event(event).series_ticker
    names = {
        "ticker": market,
        "event_ticker": event,
        "series_ticker": series,
        "order_id": placed,
        "order_group_id": group,
    }
    found, asked, empty = [], 0, []
    for path in reference.reads():
        query = [("tickers", market)] if path == "/markets/orderbooks" else [("settlement_status", "all")]
        answer = ask(venue, "GET", path.format(**names), query)
        found += reference.faults(f"GET {path}", answer) if answer.status == 200 else [f"{path}: {answer.body!r}"]
        asked += 1
        empty += [path for value in json.loads(answer.body).values() if value == []]
    assert found == []
    assert asked > 25
    assert set(empty) <= {"/series/fee_changes", "/events/fee_changes", "/account/limits"}


def test_what_is_made_up_for_a_tape_passes_the_schema(reference: Reference, tmp_path: Path) -> None:
    ticker = "KXA-26AUG10-T50"
    script = Script().session().opened().subscribed(1).subscribed(2, "trade")
    tape = script.snapshot(ticker, [("0.4", "1.00")], []).trade(ticker, "0.4", "1.00").tape(tmp_path / "tape")

    async def played() -> TapedVenue:
        venue = TapedVenue.of(tape, speed=MAX)
        await venue.play(House())
        return venue

    venue = run(played())
    names = {"ticker": ticker, "event_ticker": "KXA-26AUG10", "series_ticker": "KXA"}
    found, unknown = [], {"order_id": "none", "order_group_id": "none"}
    for path in reference.reads():
        whole = f"/trade-api/v2{path.format(**names, **unknown)}"
        answer = venue.rest(RestRequest(method="GET", path=whole, query=(("tickers", ticker),)))
        found += reference.faults(f"GET {path}", answer)
        assert (answer.status == 404) == any(f"{{{name}}}" in path for name in unknown)
    assert found == []


def test_every_write_passes_the_schema(reference: Reference, venue: SandboxVenue) -> None:
    market, found = a_market(venue), []

    def done(method: str, path: str, name: str, body: Any = None) -> Any:
        answer = ask(venue, method, path.format(order_id=name, order_group_id=name), [("market_ticker", market)], body)
        found.extend(reference.faults(f"{method} {path}", answer))
        return json.loads(answer.body or b"{}")

    one, named = f"{ORDERS}/{{order_id}}", {"market_ticker": market}
    placed = done("POST", ORDERS, "", order(market))["order_id"]
    done("POST", ORDERS, "", order(market, price="0.9900", time_in_force="immediate_or_cancel"))
    done("POST", f"{one}/amend", placed, order(market, price="0.0200"))
    done("POST", f"{one}/decrease", placed, {"reduce_to": "1.00", **named})
    done("DELETE", one, placed)
    done("DELETE", one, placed)
    batch = done("POST", f"{ORDERS}/batched", "", {"orders": [order(market), order("KXNO")]})["orders"]
    done(
        "DELETE", f"{ORDERS}/batched", "", {"orders": [{"order_id": batch[0]["order_id"], **named}, {"order_id": "x"}]}
    )
    done("DELETE", ORDERS, "")
    group = done("POST", f"{GROUPS}/create", "", {"contracts_limit": 3})["order_group_id"]
    for action in ("limit", "trigger", "reset"):
        done("PUT", f"{GROUPS}/{{order_group_id}}/{action}", group, {"contracts_limit": 2})
    done("DELETE", f"{GROUPS}/{{order_group_id}}", group)
    done("POST", ORDERS, "", order(market, count=5))
    assert found == []
