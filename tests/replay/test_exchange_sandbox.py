"""The sandbox: the same from the same seed, books that add up, a clock that keeps its pace, controls that obey."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastloop import run as run_fast
from sandbox_day import ACCOUNT, START_NS, Day

from core.engine import Engine
from core.errors import ConfigError
from core.records import Kind, Record, Session, encode_payload
from core.times import SECOND_NS
from replay.exchange.happenings import Life
from replay.exchange.port import BOOK, LIFECYCLE, Publication, RestRequest
from replay.exchange.sandbox import TICK_NS, SandboxOptions, SandboxVenue
from replay.exchange.specs import MarketStatus

ROOT = Path(__file__).resolve().parents[2]


def digest(seed: int, steps: int = 400) -> str:
    """Of every frame of a day."""
    found = hashlib.sha256()
    for frame in Day(seed).frames(steps):
        found.update(frame)
    return found.hexdigest()


def quiet(**options: Any) -> SandboxVenue:
    """A sandbox without traders."""
    return SandboxVenue(SandboxOptions(**{"markets": 3, "rate": 0, "start_ns": START_NS} | options))


class Crowd:
    """An audience that keeps what it is told."""

    subscriptions = 1

    def __init__(self, at_ns: Callable[[], int] = lambda: 0) -> None:
        self.told: list[Publication] = []
        self.at_ns: list[int] = []
        self._now = at_ns
        self.subscribe: Callable[[], None] = lambda: None

    def publish(self, publication: Publication) -> None:
        self.told.append(publication)
        self.at_ns.append(self._now())

    def skip(self, channel: str, count: int) -> None:
        raise AssertionError((channel, count))

    def broadcast(self, payload: bytes, *, binary: bool = False) -> None:
        raise AssertionError((payload, binary))

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def disconnect_all(self, code: int = 0, reason: str = "") -> None:
        raise AssertionError((code, reason))

    def on_subscribed(self, call: Callable[[], None]) -> None:
        self.subscribe = call


def test_the_same_seed_and_the_same_commands_give_the_same_frames() -> None:
    assert digest(3) == digest(3)
    assert digest(3) != digest(4)


def test_no_hash_seed_changes_a_frame() -> None:
    script = (
        "import hashlib, sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/tests']\n"
        "from sandbox_day import Day\n"
        "found = hashlib.sha256()\n"
        "for frame in Day(3).frames(400): found.update(frame)\n"
        "print(found.hexdigest())"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(ROOT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "4242")
    ]
    assert found == [digest(3)] * 2


def test_a_book_made_of_the_frames_is_the_engines_book_at_every_instant() -> None:
    day = Day(5)
    engine, seq, records = Engine(), 0, 0

    def record(kind: Kind, payload: bytes) -> None:
        nonlocal records
        engine.step(Record(records, day.venue.now_ns, records, 1, int(kind), payload))
        records += 1

    record(Kind.SESSION, encode_payload(Session(uuid="s", environment="sandbox")))
    record(Kind.OPENED, b"{}")
    for market in day.venue.markets():
        book = day.venue.snapshot(market, yes_price=False)
        assert book is not None
        seq += 1
        record(Kind.FRAME, book.render(1, seq))
    known, compared = set(day.venue.markets()), 0
    for _ in range(60):
        for told in day.publications(20):
            if told.channel == BOOK and told.market in known:
                seq += 1
                record(Kind.FRAME, told.template.render(1, seq))
        for market in sorted(known):
            view, book_view = engine.store.view(market), day.venue.engine.reads.book(market)
            assert (tuple(view.yes), tuple(view.no), view.clock) == (book_view.yes, book_view.no, book_view.clock)
            compared += bool(book_view.yes)
    assert compared > 300
    assert engine.counts.rejected == {}


def test_the_rate_is_what_was_asked_for() -> None:
    venue = SandboxVenue(SandboxOptions(markets=20, rate=1_000, seed=2, start_ns=START_NS))
    venue.step(4_000)
    rate = venue.machine.frames / ((venue.now_ns - START_NS) / SECOND_NS)
    assert rate == pytest.approx(1_000, rel=0.15)


def test_markets_close_are_determined_and_settled_and_others_take_their_place() -> None:
    venue = SandboxVenue(SandboxOptions(markets=5, rate=0, seed=2, start_ns=START_NS))
    first = [m for m in venue.markets() if m.startswith("KXSANDBTC")]
    told: list[Publication] = []
    while venue.now_ns < START_NS + 3_600 * SECOND_NS:
        venue.step(1_000)
        told += venue.drain()
    frames = [json.loads(each.template.render(1, 1)) for each in told if each.channel == LIFECYCLE]
    events = {frame["msg"]["event_type"] for frame in frames if frame["msg"].get("market_ticker") == first[0]}
    assert events == {Life.DETERMINED, Life.SETTLED}
    assert venue.engine.reads.market(first[0]).status is MarketStatus.FINALIZED
    active = [m for m in venue.markets() if venue.engine.reads.market(m).status is MarketStatus.ACTIVE]
    assert len([m for m in active if m.startswith("KXSANDBTC")]) == 5
    assert "event_lifecycle" in {frame["type"] for frame in frames}


def test_a_market_whose_close_is_moved_gets_its_result_all_the_same() -> None:
    venue = quiet()
    market = venue.markets()[-1]
    close_ns = venue.engine.reads.market(market).spec.close_ns + 600 * SECOND_NS
    venue.act(lambda now_ns: venue.engine.life.move_close(market, close_ns, now_ns))
    while venue.now_ns < close_ns + 60 * SECOND_NS:
        venue.step(100)
    assert venue.engine.reads.market(market).status is MarketStatus.FINALIZED


def test_a_market_whose_close_comes_sooner_gets_its_result_sooner() -> None:
    venue = quiet()
    market = venue.markets()[-1]
    venue.act(lambda now_ns: venue.engine.life.move_close(market, now_ns + 2 * SECOND_NS, now_ns))
    control(venue, "advance", seconds=8)
    assert venue.engine.reads.market(market).status is MarketStatus.DETERMINED


def test_an_event_that_is_settled_early_has_a_successor_at_once() -> None:
    venue = quiet()
    event = venue.engine.reads.market(venue.markets()[-1]).spec.event_ticker
    for market in [m for m in venue.markets() if m.startswith(event)]:
        control(venue, "settle", market=market, result="yes")
    venue.step(2)
    active = [m for m in venue.markets() if venue.engine.reads.market(m).status is MarketStatus.ACTIVE]
    assert [m for m in active if m.partition("-")[0] == event.partition("-")[0]]


def test_without_traders_only_time_passes() -> None:
    venue = quiet()
    venue.step(10)
    assert (venue.drain(), venue.now_ns) == ([], START_NS + 9 * TICK_NS)


def test_whoever_has_a_key_has_an_account_with_money() -> None:
    venue = quiet(accounts=(), fund=5_000_000)
    answer = venue.rest(RestRequest(method="GET", path="/trade-api/v2/portfolio/balance", account="newcomer"))
    assert (answer.status, json.loads(answer.body)["balance"]) == (200, 500)


def test_what_an_order_leads_to_is_told_at_once() -> None:
    day = Day(1, rate=0)
    market = day.venue.markets()[-1]
    crowd = Crowd()

    async def scene() -> None:
        task = asyncio.create_task(day.venue.play(crowd))
        await asyncio.sleep(0)
        day.ask("POST", "/portfolio/events/orders", day.order(market, price="0.0100"))
        assert [told.channel for told in crowd.told] == [BOOK, "user_orders", "ticker"]
        own = crowd.told[0]
        assert (own.owner, own.owner_template is not None) == (ACCOUNT, True)
        assert b'"client_order_id":"day-1"' not in own.template.render(1, 1)
        task.cancel()

    asyncio.run(scene())


def test_steps_keep_the_pace_of_the_loops_clock() -> None:
    venue = SandboxVenue(SandboxOptions(markets=5, rate=300, seed=2, start_ns=START_NS, speed=2.0, steps=200))

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        crowd = Crowd(lambda: int((loop.time() - begun_s) * 2 * SECOND_NS))
        await venue.play(crowd)
        assert len(crowd.told) > 100
        for told, at_ns in zip(crowd.told, crowd.at_ns, strict=True):
            sent_ms = json.loads(told.template.render(1, 1))["sending_ts_ms"]
            assert abs(sent_ms - (START_NS + at_ns) // 1_000_000) <= 2

    run_fast(scene())


def test_as_fast_as_clients_read_begins_with_the_first_subscription_and_ends_with_its_steps() -> None:
    venue = SandboxVenue(SandboxOptions(markets=5, seed=2, start_ns=START_NS, speed=0, steps=100))
    crowd = Crowd()

    async def scene() -> None:
        task = asyncio.create_task(venue.play(crowd))
        for _ in range(5):
            await asyncio.sleep(0)
        assert venue.machine.steps == 0
        crowd.subscribe()
        await task

    asyncio.run(scene())
    assert venue.machine.steps == 100
    assert crowd.told


def control(venue: SandboxVenue, name: str, **arguments: Any) -> dict[str, Any]:
    """Ask something of it, outside of any server."""

    async def ask() -> dict[str, Any]:
        return dict(await venue.controls[name](arguments))

    return asyncio.run(ask())


def test_controls_move_time_and_markets() -> None:
    venue = quiet()
    market = venue.markets()[-1]
    assert control(venue, "step", count=3)["steps"] == 3
    assert control(venue, "advance", seconds=2)["now_ns"] >= START_NS + 2 * SECOND_NS
    assert control(venue, "speed", speed="max")["speed"] == "max"
    assert control(venue, "pause")["paused"] is True
    assert control(venue, "resume")["paused"] is False
    for name, status in (("deactivate", MarketStatus.INACTIVE), ("activate", MarketStatus.ACTIVE)):
        control(venue, name, market=market)
        assert venue.engine.reads.market(market).status is status
    control(venue, "exchange", pause="trading")
    assert json.loads(Day.ask(_day_of(venue), "GET", "/exchange/status").body)["trading_active"] is False
    control(venue, "exchange", pause="none")
    control(venue, "settle", market=market, result="yes")
    assert venue.engine.reads.market(market).status is MarketStatus.DETERMINED
    control(venue, "advance", seconds=31)
    assert venue.engine.reads.market(market).status is MarketStatus.FINALIZED
    assert control(venue, "totals", account=ACCOUNT)["balance"] == 10_000 * 1_000_000
    assert control(venue, "status")["markets"] == list(venue.markets())


def _day_of(venue: SandboxVenue) -> Day:
    day = Day(1)
    day.venue = venue
    return day


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("step", {"count": 0}, "count 0"),
        ("step", {"count": "many"}, "'many'"),
        ("advance", {"seconds": -1}, "seconds -1"),
        ("speed", {"speed": "fast"}, "write 1, 10 or max"),
        ("settle", {"market": "KXNONE"}, "'KXNONE' is not listed"),
        ("exchange", {"pause": "lunch"}, "'lunch' is none of"),
        ("totals", {"account": "nobody"}, "'nobody' is none of trader"),
    ],
)
def test_a_control_that_makes_no_sense_is_one_sentence(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        control(quiet(), name, **arguments)


def test_a_market_is_not_settled_twice_nor_at_a_price_that_is_none() -> None:
    venue = quiet()
    market = venue.markets()[-1]
    with pytest.raises(ConfigError, match="neither yes nor no"):
        control(venue, "settle", market=market, result="maybe")
    control(venue, "settle", market=market, result="no")
    with pytest.raises(ConfigError, match="it must be"):
        control(venue, "settle", market=market, result="no")


@pytest.mark.parametrize(
    "options", [{"markets": 0}, {"rate": -1}, {"rate": 1e9}, {"speed": -1}, {"speed": float("nan")}]
)
def test_options_have_their_limits(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SandboxOptions(**options)
