"""The client as a whole against a local exchange: what it says, what it takes, what it does when things go wrong.

What single faults leave on the tape is in tests/capture/test_deck.py; here whole courses are run, and each tape is
replayed afterwards and must tell the same.
"""

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from exchange_venue import MARKETS
from live import QUICK, WRITER, Live, live, place, until
from places import local, recording
from writing import session

from capture.account_api import AccountApi, NewOrder
from capture.auth import Credentials
from capture.deck import Deck, DeckOptions
from capture.link import LinkState
from capture.rest import RestClient
from capture.tape.reader import Ended, Tape
from capture.tape.writer import TapeWriter
from core.desks import Desks
from core.engine import Engine, Step
from core.lifecycle import Phase
from core.records import Kind, Record, decode_gap, decode_opened
from core.state import digest
from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange
from replay.exchange.sandbox import SandboxOptions, SandboxVenue

pytestmark = pytest.mark.integration

A, B, C = MARKETS
BOOK = "orderbook_delta"
EVERYTHING = (
    BOOK, "ticker", "trade", "fill", "market_positions", "user_orders", "order_group_updates", "market_lifecycle_v2",
    "multivariate_market_lifecycle", "communications",
)  # fmt: skip


def replayed(path: Path, until_seq: int) -> Engine:
    """An engine that has stepped the tape up to a seq."""
    engine = Engine()
    for record in Tape.open(path).records(0, until_seq):
        engine.step(record)
    return engine


def instant(desks: Desks) -> tuple[int, str]:
    """Up to which seq the live engine has stepped, and the digest of its state then."""
    return desks.engine.next_seq - 1, digest(desks.engine)


def require_parity(found: Live) -> None:
    """The tape, replayed, gives the state that the live deck had."""
    live_is: tuple[int, str] = found.deck.read(instant)
    seq, live_digest = live_is
    assert digest(replayed(found.path, seq)) == live_digest


def test_it_signs_its_requests_and_is_let_in_and_a_strange_key_is_not(tmp_path: Path) -> None:
    with live(tmp_path, server={"accounts": ("trader", "other")}) as found:
        keys = found.exchange.credentials
        strange = {
            "KALSHI_ACCESS_KEY": keys["trader"].access_key,
            "KALSHI_PRIVATE_KEY_PATH": str(keys["other"].private_key_path),
        }
        with TapeWriter.create(tmp_path / "strange", "demo", session(), options=WRITER) as writer:
            options = DeckOptions(**QUICK | {"max_tries": 2})
            deck = Deck(writer, place(found.exchange), Credentials.load(strange), options)
            deck.start()
            until(lambda: deck.fatal, "giving up")
            deck.stop()
            assert "HTTP 401" in deck.fatal
            assert deck.status().slots[0].link.connected == 0
        assert Kind.OPENED not in {record.kind for record in Tape.open(tmp_path / "strange").records()}
        everything = b"".join(record.payload for record in found.records())
        secret = keys["trader"].private_key_path.read_bytes()
        assert b"KALSHI-ACCESS" not in everything
        assert secret.splitlines()[1] not in everything
        assert keys["trader"].access_key.encode() not in everything


def test_a_fresh_signature_is_made_for_every_attempt(tmp_path: Path) -> None:
    with live(tmp_path, server={"faults": ("http@upgrade,status=503",), "skew_s": 1.0}) as found:
        end_s = time.monotonic() + 1.5  # by then a signature of the first attempt is no good any more
        until(lambda: time.monotonic() > end_s, "the clock")
        found.inject("reset@now")
        until(lambda: found.deck.status().slots[0].link.connection >= 2, "the second connection")
        found.wait_right()
        assert not found.deck.status().slots[0].link.is_key_refused


def test_every_channel_is_subscribed_to_and_every_message_finds_its_place(tmp_path: Path) -> None:
    with live(tmp_path, channels=EVERYTHING) as found:
        assert {s.channel: s.is_live for s in found.deck.status().slots[0].talk.subscriptions} == dict.fromkeys(
            EVERYTHING, True
        )
        found.say("trade", B, 3)
        found.say("ticker", C)
        found.say("lifecycle", A)
        found.say("delta", A, 2)
        until(lambda: found.deck.view(B).trades, "the trades")
        until(lambda: found.deck.view(A).lifecycle.phase is Phase.INACTIVE, "the lifecycle")
        found.wait_right()
        assert len(found.deck.view(B).trades) == 3
        assert found.deck.view(C).ticker is not None
        assert found.deck.status().counts.malformed == {}
        require_parity(found)


def test_commands_are_numbered_once_and_every_one_is_on_the_tape_before_it_is_answered(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        found.inject("reset@now")
        until(lambda: found.deck.status().slots[0].link.connection >= 2, "the second connection")
        found.wait_right()
        found.deck.want((A,))
        until(lambda: found.deck.view(B).owner is None, "the end of B")
        numbers = [json.loads(command)["id"] for command in found.commands()]
        assert numbers == list(range(1, len(numbers) + 1))
        sent: set[int] = set()
        for record in found.records():
            if record.kind == Kind.SENT:
                sent.add(json.loads(record.payload)["id"])
            elif record.kind == Kind.FRAME:
                assert json.loads(record.payload).get("id", 1) in sent


def test_a_whole_bad_day_ends_with_right_books_and_a_tape_that_tells_all_of_it(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    faults = [
        f"drop@frames=2,channel={BOOK}", f"repeat@frames=1,channel={BOOK}", f"reorder@frames=1,channel={BOOK}",
        f"error@now,code=25,channel={BOOK}", "error@now,code=10,channel=trade", "reset@now", "hangup@now",
        "close@now,code=1001", "unknown@frames=1", f"malformed@frames=1,channel={BOOK}",
        f"truncate@frames=1,channel={BOOK}", "unanswered@commands=1", "swap@commands=1", "late@unsubscribe",
        f"restart@frames=1,channel={BOOK}",
    ]  # fmt: skip
    with live(tmp_path) as found:
        for number, fault in enumerate(dice.sample(faults, len(faults))):
            found.inject(fault)
            for _ in range(4):
                found.say("delta", dice.choice(MARKETS), 3)
                found.say("trade", dice.choice(MARKETS))
            if number % 4 == 0:
                found.deck.want(dice.sample(MARKETS, 2))
                found.deck.want(MARKETS)
        found.exchange.control("clear")
        found.say("delta", A)

        def is_over() -> bool:
            found.say("delta", dice.choice(MARKETS))
            return all(map(found.is_right, MARKETS)) and found.deck.status().healthy

        until(is_over, f"the end of it (seed {seed})")
        require_parity(found)
        found.deck.stop()
        wire = [[frame.payload for frame in s.kept if frame.opcode == TEXT] for s in found.exchange.sent]
        records = found.records()
    numbers = [record.connection for record in records if record.kind == Kind.OPENED]
    assert len(numbers) == len(set(numbers)) == len(wire), f"seed {seed}"
    for number, sent in zip(numbers, wire, strict=True):
        taken = [r.payload for r in records if r.kind == Kind.FRAME and r.connection == number]
        # what was written to a connection that was reset may never have arrived; nothing else is missing
        assert taken == sent[: len(taken)], f"connection {number}, seed {seed}"
    assert [r for r in records if r.kind == Kind.FAULT] == []
    assert Tape.open(found.path).ended is Ended.CLEAN_STOP


def test_each_connection_takes_over_from_the_one_before_it(tmp_path: Path) -> None:
    def lowest() -> int:
        return min(slot.link.connection for slot in found.deck.status().slots)

    with live(tmp_path, connections=2) as found:
        for _ in range(2):
            before = max(slot.link.connection for slot in found.deck.status().slots)
            found.inject("reset@now")
            until(lambda before=before: lowest() > before, "both new connections")  # type: ignore[misc]  # bound now
            found.wait_right()
        found.wait_healthy()
        opened = [(record.connection, decode_opened(record.payload).replaces) for record in found.kinds(Kind.OPENED)]
    assert sorted(number for number, _ in opened) == list(range(1, len(opened) + 1))
    replaced = Counter(replaces for _, replaces in opened if replaces)
    assert max(replaced.values()) == 1
    assert [replaces for _, replaces in opened].count(0) == 2


def test_an_exchange_that_goes_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        for _ in range(2):
            found.inject("http@upgrade,status=503")
        found.inject("close@now,code=1001,reason=maintenance")
        until(lambda: found.deck.status().slots[0].link.state is LinkState.WAITING, "the wait")
        until(lambda: not found.deck.view(A).trusted, "the loss of trust")
        assert not found.deck.status().healthy
        found.say("delta", A, 5)
        found.wait_right()
        found.wait_healthy()
        assert found.deck.status().slots[0].link.tries >= 2


def test_a_slow_consumer_of_steps_makes_nothing_else_slow(tmp_path: Path) -> None:
    with live(tmp_path, wait=False) as found:
        found.deck.stop()
        with TapeWriter.create(tmp_path / "second", "demo", session(), options=WRITER) as writer:
            done = [False]

            def dawdle(_record: object, _step: object) -> None:
                while not done[0]:
                    time.monotonic()  # busy, as a strategy that hangs would be

            deck = Deck(
                writer, place(found.exchange), Credentials.load(found.exchange.environ()), DeckOptions(**QUICK),
                on_step=dawdle,
            )  # fmt: skip
            deck.want(MARKETS)
            deck.start()
            until(lambda: deck.status().healthy, "health")
            found.inject(f"drop@frames=1,channel={BOOK}")
            found.say("delta", A)
            found.say("delta", B)
            until(lambda: deck.status().gaps and deck.status().healthy, "the repair")
            done[0] = True
            deck.stop()


def test_a_machine_that_slept_leaves_a_gap_and_new_connections(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        found.deck._pulse._last = tuple(t - 40 * 10**9 for t in found.deck._pulse._last)  # type: ignore[assignment]  # three of them
        until(lambda: found.deck.status().slots[0].link.connection >= 2, "the second connection")
        found.wait_right()
        found.wait_healthy()
        gaps = [decode_gap(record.payload) for record in found.kinds(Kind.GAP_CLOSE)]
        assert [gap.reason for gap in gaps] == ["asleep"]
        require_parity(found)


def test_each_of_the_six_subscriptions_brings_its_messages_to_their_place(tmp_path: Path) -> None:
    with LocalExchange(SandboxVenue(SandboxOptions(markets=2, rate=400, seed=3))) as exchange:
        market = next(found.ticker for found in local(exchange).api().markets(status="open", mve_filter="exclude"))
        with recording(tmp_path, local(exchange), [market]) as found:
            deck = found.deck
            until(lambda: deck.status().healthy and deck.view(market).no, "a book to trade against")
            account = AccountApi(RestClient(found.place.environment, found.place.credentials, lambda _: None))
            order = NewOrder(market=market, side="bid", price=9_900, count=100, client_order_id="mine")
            account.create(msgspec.structs.replace(order, time_in_force="immediate_or_cancel"))
            account.create(msgspec.structs.replace(order, price=100, client_order_id="rests"))
            until(lambda: deck.view(market).fills and deck.view(market).orders, "the fill and the resting order")
            until(lambda: deck.view(market).position == 100 and deck.view(market).position_report, "the position")
            view = deck.view(market)
            exchange.control("deactivate", market=market)
            until(lambda: deck.view(market).lifecycle.phase is Phase.INACTIVE, "the lifecycle")
            types = {json.loads(record.payload)["type"] for record in found.records(Kind.FRAME)}
    assert types > {"orderbook_delta", "ticker", "trade", "fill", "user_order", "market_position"}
    assert "market_lifecycle_v2" in types
    assert view.ticker is not None and view.trades and view.yes
    assert [(fill.count, fill.market) for fill in view.fills] == [(100, market)]
    assert [own.client_order_id for own in view.orders] == ["rests"]
    assert view.position_report is not None and view.position_report.position == 100


def test_a_callback_that_hangs_holds_up_neither_the_reader_nor_the_books_and_misses_nothing(tmp_path: Path) -> None:
    release, seen = threading.Event(), list[int]()

    def hang(record: Record, _step: Step) -> None:
        release.wait(60)
        seen.append(record.seq)

    with live(tmp_path, wait=False, on_step=hang) as found:
        found.wait_right()
        found.say("delta", A, 2_000)
        found.wait_right(A)
        assert seen == []
        release.set()
        until(lambda: seen and seen[-1] > 2_000, "the callback")
    assert seen == list(range(len(seen)))


def test_many_threads_may_ask_and_want_while_frames_come_and_no_thread_is_left(tmp_path: Path) -> None:
    before, wrong, done = {*threading.enumerate()}, list[str](), threading.Event()

    def ask(found: Live) -> None:
        newest = 0
        while not done.is_set():
            view, status = found.deck.view(A), found.deck.status()
            if (view.yes and view.yes[0][0] != 4_200) or view.heard_ns < newest or status.fatal:
                wrong.append(repr((view, status)))
            newest = view.heard_ns
            found.deck.want(MARKETS)

    with live(tmp_path) as found:
        threads = [threading.Thread(target=ask, args=(found,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            found.say("delta", A, 100)
            found.say("trade", B, 20)
        found.wait_right()
        done.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert [s.link.connected for s in found.deck.status().slots] == [1]
        require_parity(found)
        assert {"deck-fold"} < {thread.name for thread in threading.enumerate()}
    until(lambda: {*threading.enumerate()} <= before, "the end of every thread")
