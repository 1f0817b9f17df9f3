"""capture.deck: live capture against a local exchange, fault by fault, and what the tape then says."""

import threading
import time
from pathlib import Path

import pytest
from exchange_venue import MARKETS
from live import QUICK, Live, live, place, until

from capture.auth import Credentials
from capture.deck import Deck, DeckOptions, DeckStatus
from capture.link import LinkState
from capture.tape.errors import TapeError
from capture.tape.reader import Ended, Tape
from core.engine import Engine, Step
from core.records import Kind, Record, decode_closed, decode_gap, decode_opened
from replay.exchange.framing import CLOSE, PING, TEXT
from replay.exchange.options import Limits

A, B, C = MARKETS
BOOK = "orderbook_delta"


def is_up(found: Live, connection: int) -> bool:
    """Whether that connection, or a later one, is up and all is well with it."""
    return found.deck.status().slots[0].link.connection >= connection and found.deck.status().healthy


def gap_reasons(path: Path) -> list[str]:
    """The gaps a replay of the tape finds, in order, each once."""
    engine, reasons = Engine(), {}
    for record in Tape.open(path).records():
        for gap in engine.step(record).gaps:
            reasons[gap.number] = gap.reason
    return list(reasons.values())


def test_it_connects_subscribes_and_is_healthy_and_stops_with_a_goodbye(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        status = found.deck.status()
        assert (status.healthy, status.why_not, status.fatal, status.wanted) == (True, (), "", 3)
        (slot,) = status.slots
        assert (slot.link.state, slot.link.connection, slot.talk.is_complete) == (LinkState.UP, 1, True)
        began_s = time.monotonic()
        found.deck.stop()
        assert time.monotonic() - began_s < 2.0
        found.deck.stop()
        assert found.deck.status().slots[0].link.state is LinkState.STOPPED
    kinds = [record.kind for record in found.records()]
    assert kinds.index(Kind.OPENED) < kinds.index(Kind.SENT) < kinds.index(Kind.FRAME)
    assert kinds[-3:].count(Kind.CLOSED) == 1
    (closed,) = found.kinds(Kind.CLOSED)
    assert decode_closed(closed.payload).code == 1_000
    assert found.kinds(Kind.SENT_CLOSE) != found.kinds(Kind.FRAME_CLOSE) != []
    assert Tape.open(found.path).ended is Ended.CLEAN_STOP


def test_a_second_deck_in_a_session_is_refused_before_it_records_anything(tmp_path: Path) -> None:
    """It would number its connections alike: its snapshots were taken for late ones, and an old book stayed trusted."""
    with live(tmp_path) as found:
        found.deck.stop()
        credentials = Credentials.load(found.exchange.environ())
        second = Deck(found.writer, place(found.exchange), credentials, DeckOptions(**QUICK))
        with pytest.raises(AssertionError, match="one deck to a session"):
            second.start()
    assert [decode_opened(record.payload).replaces for record in found.kinds(Kind.OPENED)] == [0]


def test_every_frame_the_exchange_sent_is_on_the_tape_byte_for_byte_and_in_order(tmp_path: Path) -> None:
    with live(tmp_path, server={"ping_every_s": 0.05}) as found:
        for _ in range(20):
            found.say(count=250)
            found.say("trade", B, 50)
        found.wait_right()
        until(lambda: found.deck.status().lag_records == 0, "the fold")
        found.deck.stop()
        (sent,) = found.exchange.sent
        wire = [(frame.opcode, frame.payload) for frame in sent.kept]
    opcodes = {Kind.FRAME: TEXT, Kind.FRAME_PING: PING, Kind.FRAME_CLOSE: CLOSE}
    tape = [(opcodes[Kind(r.kind)], r.payload) for r in found.records() if r.kind in opcodes]
    assert len(tape) > 6_000
    assert tape == wire
    (goodbye,) = found.kinds(Kind.SENT_CLOSE)
    pings = [record for record in found.kinds(Kind.FRAME_PING) if record.seq < goodbye.seq]
    assert len(pings) == len(found.kinds(Kind.SENT_PONG)) > 0


def test_a_lost_frame_is_a_gap_that_a_snapshot_closes(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        found.inject(f"drop@frames=1,channel={BOOK}")
        found.say(market=A)
        found.say(market=B)
        until(lambda: found.deck.status().gaps == 1, "the gap")
        found.wait_right()
        found.wait_healthy()
        (command,) = [c for c in found.commands() if b"get_snapshot" in c]
        assert all(market.encode() in command for market in MARKETS)
        assert found.deck.status().slots[0].link.connected == 1
    assert gap_reasons(found.path) == ["sequence"]


@pytest.mark.parametrize("code", [10, 25])
def test_a_terminal_error_has_the_channel_subscribed_anew(tmp_path: Path, code: int) -> None:
    with live(tmp_path) as found:
        found.inject(f"error@now,code={code},channel={BOOK}")
        until(lambda: found.deck.status().gaps == 1, "the end of the subscription")
        found.wait_right()
        found.wait_healthy()
        found.say(count=3)
        found.wait_right()
        again = [c for c in found.commands() if b'"subscribe"' in c][3:]
        assert len(again) == 1
        assert BOOK.encode() in again[0]
    assert gap_reasons(found.path) == ["terminal"]


@pytest.mark.parametrize("end", ["reset@now", "hangup@now", "close@now,code=1001", "half@frames=1"])
def test_a_lost_connection_is_replaced_and_everything_subscribed_anew(tmp_path: Path, end: str) -> None:
    limits = type(QUICK["limits"])(connect_s=5.0, silent_s=0.5, message_s=0.5, close_s=0.5, poll_s=0.02)
    with live(tmp_path, limits=limits, server={"ping_every_s": 0.1}) as found:
        found.inject(end)
        found.say()
        until(lambda: is_up(found, 2), "the second connection")
        found.say(count=3)
        found.wait_right()
        found.deck.stop()
    opened = [(record.connection, decode_opened(record.payload).replaces) for record in found.kinds(Kind.OPENED)]
    assert opened[:2] == [(1, 0), (2, 1)]
    assert len([c for c in found.commands() if b'"subscribe"' in c]) == 3 * len(opened)
    assert set(gap_reasons(found.path)) == {"reconnect"}


def test_an_exchange_that_is_down_is_tried_again_until_it_is_back(tmp_path: Path) -> None:
    with live(tmp_path, server={"faults": ("http@upgrade,status=502", "http@upgrade,status=503")}, wait=False) as found:
        found.wait_right()
        (slot,) = found.deck.status().slots
        assert (slot.link.tries, slot.link.connected) == (2, 1)
        assert "503" in slot.link.last_error


def test_a_stall_under_healthy_pings_is_found_by_a_probe_and_costs_the_connection(tmp_path: Path) -> None:
    with live(tmp_path, data_deadline_s=0.5, server={"ping_every_s": 0.1}) as found:
        found.inject("stall@now,for=120s")
        found.say(count=5)
        until(lambda: is_up(found, 2), "the second connection")
        found.wait_right()
        found.deck.stop()
    mute = [decode_gap(record.payload) for record in found.kinds(Kind.GAP_CLOSE)]
    assert [(gap.reason, gap.connection) for gap in mute[:1]] == [("mute", 1)]
    assert mute[0].until_ns - mute[0].from_ns >= 500_000_000
    first = decode_closed(found.kinds(Kind.CLOSED)[0].payload)
    assert first.reason == "no data, and no answer to a probe"
    assert gap_reasons(found.path)[:2] == ["mute", "reconnect"]


def test_a_quiet_exchange_is_probed_and_nothing_is_lost_for_it(tmp_path: Path) -> None:
    with live(tmp_path, data_deadline_s=0.2) as found:
        until(lambda: found.deck.status().slots[0].talk.probes >= 2, "two probes")
        status = found.deck.status()
        assert (status.healthy, status.gaps, status.slots[0].link.connected) == (True, 0, 1)


def test_one_mute_market_is_found_although_the_others_are_lively(tmp_path: Path) -> None:
    with live(tmp_path, audit_quiet_s=0.3, audit_every_s=0.1) as found:
        found.inject(f"mute@now,market={B},for=200ms")
        found.say(market=B)

        def is_found() -> bool:
            found.say(market=A)
            return bool(found.kinds(Kind.GAP_CLOSE))

        until(is_found, "the audit")
        gap = decode_gap(found.kinds(Kind.GAP_CLOSE)[0].payload)
        assert (gap.reason, gap.markets) == ("mute", (B,))
        found.wait_right()


def test_markets_come_and_go_while_it_runs(tmp_path: Path) -> None:
    with live(tmp_path, markets=(A,)) as found:
        found.deck.want((A, B, C))
        found.wait_right()
        found.deck.want((C,))
        until(lambda: [s.markets for s in found.deck.status().slots[0].talk.subscriptions] == [1, 1, 1], "the end of A")
        found.say(market=C)
        found.wait_right(C)
        assert found.deck.view(A).owner is None
        found.deck.want(())
        until(lambda: not found.exchange.control("subscriptions")["subscriptions"], "the end of it all")
        assert found.deck.status().healthy
    assert [r.kind for r in found.records() if r.kind == Kind.CONTROL] == [Kind.CONTROL] * 4


def test_markets_are_split_over_connections_and_the_whole_channels_are_on_the_first(tmp_path: Path) -> None:
    with live(tmp_path, connections=2, channels=(BOOK, "market_lifecycle_v2")) as found:
        slots = found.deck.status().slots
        assert [slot.talk.wanted for slot in slots] == [2, 1]
        assert [[s.channel for s in slot.talk.subscriptions] for slot in slots] == [
            [BOOK, "market_lifecycle_v2"],
            [BOOK],
        ]
        found.say(count=3, market=B)
        found.say("lifecycle")
        found.wait_right()
        found.deck.stop()
    numbers = {record.connection for record in found.kinds(Kind.OPENED)}
    assert numbers == {1, 2}


def test_a_full_subscription_spills_over_to_the_next_connection(tmp_path: Path) -> None:
    limits = Limits(markets_per_subscription=2)
    with live(tmp_path, connections=2, channels=(BOOK,), server={"limits": limits}, markets_per_command=1) as found:
        found.wait_right()
        assert found.deck.status().unplaced == ()


def test_a_lost_answer_is_asked_for_again(tmp_path: Path) -> None:
    with live(tmp_path, server={"faults": ("unanswered@commands=1",)}) as found:
        assert found.deck.status().slots[0].link.connected == 1
        assert len([c for c in found.commands() if b'"subscribe"' in c]) == 4


def test_a_refused_key_is_reported_after_three_tries_and_tried_on(tmp_path: Path) -> None:
    faults = tuple("http@upgrade,status=401" for _ in range(3))
    with live(tmp_path, server={"faults": faults}, wait=False) as found:
        until(lambda: found.deck.fatal, "the verdict")
        assert "refused the key again and again: HTTP 401" in found.deck.fatal
        status = found.deck.status()
        assert (status.healthy, status.fatal, status.slots[0].link.state) == (
            False, found.deck.fatal, LinkState.WAITING,
        )  # fmt: skip


def test_with_a_limit_of_tries_it_gives_up_and_says_why(tmp_path: Path) -> None:
    faults = tuple("http@upgrade,status=503" for _ in range(3))
    with live(tmp_path, server={"faults": faults}, wait=False, max_tries=2) as found:
        until(lambda: found.deck.fatal, "giving up")
        assert "gave up after 2 tries: HTTP 503" in found.deck.fatal
        assert found.deck.status().slots[0].link.state is LinkState.GAVE_UP


def test_whatever_the_exchange_sends_is_recorded_and_the_books_stay_right(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        for fault in ("unknown", "malformed", "truncate", "reorder", "repeat", "corrupt,how=utf8", "restart"):
            name, _, more = fault.partition(",")
            found.inject(f"{name}@frames=1,channel={BOOK}" + (f",{more}" if more else ""))
            found.say(count=3)
            found.wait_right()
        until(lambda: found.deck.status().counts.malformed, "what could not be read")
        counts = found.deck.status().counts
        assert counts.unknown == {"type:market_weather": 1}
        found.wait_healthy()


def test_every_step_is_handed_on_in_order_and_what_the_function_does_is_its_own_affair(tmp_path: Path) -> None:
    seen: list[int] = []

    def note(record: Record, step: Step) -> None:
        seen.append(record.seq)
        assert step.now_ns
        if record.kind == Kind.OPENED:
            raise SystemExit(3)

    with live(tmp_path, wait=False, on_step=note) as found:
        until(lambda: found.deck.view(A).trusted, "the book")
    assert seen == list(range(seen[-1] + 1))
    assert [b"SystemExit: 3" in record.payload for record in found.kinds(Kind.FAULT)] == [True] * len(
        found.kinds(Kind.OPENED)
    )


def test_status_and_views_can_be_read_by_many_while_frames_come(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        stop, statuses = threading.Event(), list[DeckStatus]()

        def read() -> None:
            while not stop.is_set():
                statuses.append(found.deck.status())
                found.deck.view(A)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for _ in range(10):
            found.say(count=200)
        found.wait_right()
        stop.set()
        for reader in readers:
            reader.join()
        assert [s.now_ns for s in sorted(statuses, key=lambda s: s.now_ns)]
        assert max(s.counts.frames for s in statuses) > 500


@pytest.mark.parametrize("state", ["never started", "connecting", "hung upgrade", "waiting", "stalled"])
def test_it_stops_within_two_seconds_in_every_state(tmp_path: Path, state: str) -> None:
    faults = {
        "hung upgrade": ("hang@upgrade,for=60s",),
        "waiting": tuple("http@upgrade,status=429" for _ in range(9)),
    }.get(state, ())
    with live(tmp_path, server={"faults": faults}, wait=False) as found:
        if state == "waiting":
            until(lambda: found.deck.status().slots[0].link.tries, "the refusal")
        elif state == "stalled":
            found.wait_right()
            found.inject("stall@now,for=60s")
            found.inject("noping@now,for=60s,pongs=no")
        began_s = time.monotonic()
        found.deck.stop()
        assert time.monotonic() - began_s < 2.0
        assert found.deck.status().slots[0].link.state is LinkState.STOPPED


def test_it_goes_on_when_the_recorder_is_closed_under_it(tmp_path: Path) -> None:
    with live(tmp_path, server={"ping_every_s": 0.1}) as found:
        found.writer.abandon()
        until(lambda: found.deck.status().slots[0].link.state is LinkState.STOPPED, "the end of the link")
        assert "abandoned" in " ".join(found.deck.status().why_not)
        with pytest.raises(TapeError):
            found.deck.want(())
