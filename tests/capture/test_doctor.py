"""What the doctor finds on a healthy machine, and what it says of each thing that is not."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_venue import ScriptedVenue
from http_server import HttpServer, reply

from capture.doctor import Finding, Health, Patient, examine
from capture.environments import environment
from replay.exchange.local import LocalExchange
from replay.exchange.port import RestAnswer

ANSWERS = {
    "/exchange/status": b'{"exchange_active":true,"trading_active":true}',
    "/portfolio/balance": b'{"balance":100,"balance_dollars":"1.0000"}',
    "/account/limits": b'{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":200},'
    b'"write":{"refill_rate":100,"bucket_capacity":100}}',
}
LISTEN_S = 0.2


@pytest.fixture
def venue() -> ScriptedVenue:
    made = ScriptedVenue()
    made.answers = {("GET", f"/trade-api/v2{path}"): RestAnswer(200, body) for path, body in ANSWERS.items()}
    return made


@pytest.fixture
def exchange(venue: ScriptedVenue) -> Iterator[LocalExchange]:
    with LocalExchange(venue) as running:
        yield running


def examined(url: str, environ: dict[str, str], place: Path) -> dict[str, Finding]:
    return {found.name: found for found in examine(Patient(environment(url), environ, place, listen_s=LISTEN_S))}


def test_where_nothing_is_wrong_everything_is_looked_at(exchange: LocalExchange, tmp_path: Path) -> None:
    found = examined(exchange.rest_url, exchange.environ(), tmp_path / "not" / "yet")
    assert list(found) == ["key", "disk", "sync", "exchange", "clock", "account", "messages"]
    assert {found[name].health for name in ("key", "exchange", "clock", "account")} == {Health.FINE}
    assert found["account"].what.endswith("its tier is basic")
    assert found["disk"].health is (Health.FINE if shutil.disk_usage(tmp_path).free >= 10 << 30 else Health.DOUBTFUL)
    assert Health.BAD not in {finding.health for finding in found.values()}
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_the_rest_is_looked_at_all_the_same(exchange: LocalExchange, tmp_path: Path) -> None:
    found = examined(exchange.rest_url, {}, tmp_path)
    assert found["key"].health is Health.BAD
    assert "KALSHI_ACCESS_KEY" in found["key"].what
    assert found["exchange"].health is Health.FINE
    assert (found["account"].health, found["messages"].health) == (Health.SKIPPED, Health.SKIPPED)


def test_a_key_of_another_account_is_named(exchange: LocalExchange, tmp_path: Path) -> None:
    found = examined(exchange.rest_url, {**exchange.environ(), "KALSHI_ACCESS_KEY": "unknown-key"}, tmp_path)
    assert found["account"].health is Health.BAD
    assert "NOT_FOUND" in found["exchange"].what + found["account"].what
    assert found["messages"].health is Health.BAD
    assert "401" in found["messages"].what


def test_an_exchange_that_is_paused_is_no_obstacle(
    venue: ScriptedVenue, exchange: LocalExchange, tmp_path: Path
) -> None:
    paused = RestAnswer(200, b'{"exchange_active":true,"trading_active":false}')
    venue.answers["GET", "/trade-api/v2/exchange/status"] = paused
    found = examined(exchange.rest_url, exchange.environ(), tmp_path)
    assert (found["exchange"].health, found["exchange"].what) == (Health.DOUBTFUL, "it answers and is paused")


def test_an_exchange_that_does_not_answer_is_named_with_a_remedy(exchange: LocalExchange, tmp_path: Path) -> None:
    environ = exchange.environ()
    with HttpServer(reply(500, b"<html>")) as server:
        found = examined(server.url, environ, tmp_path)
    assert found["exchange"].health is Health.BAD
    assert "500" in found["exchange"].what and found["exchange"].remedy
    assert found["account"].health is Health.SKIPPED
    assert found["messages"].health is Health.BAD


def test_a_clock_that_is_wrong_is_named(exchange: LocalExchange, tmp_path: Path) -> None:
    body = ANSWERS["/exchange/status"]
    with HttpServer(reply(200, body, Date="Thu, 26 Nov 2099 20:00:00 GMT")) as server:
        found = examined(server.url, exchange.environ(), tmp_path)
    assert found["clock"].health is Health.BAD
    assert "behind the exchange's" in found["clock"].what and "NTP" in found["clock"].remedy


def test_no_finding_holds_a_secret(exchange: LocalExchange, tmp_path: Path) -> None:
    found = examined(exchange.rest_url, exchange.environ(), tmp_path)
    assert exchange.access_key not in repr(found)
