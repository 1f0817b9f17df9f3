"""capture.fold: the thread that follows the log, with a real log and desks, and links that only note what they get."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import WRITER, until
from lives import read
from wire import frame
from writing import session

from capture.fold import Fold
from capture.hook import Hook
from capture.tape.writer import TapeWriter
from core.conversation import DeskOptions
from core.desks import Desks
from core.engine import Step
from core.records import Control, Heartbeat, Kind, Opened, Record, StoredGap, encode_payload

SNAPSHOT = {"market_ticker": "A", "market_id": "x", "yes_dollars_fp": [["0.4000", "1.00"]]}


class Ear:
    """Stands where a link would: notes what it is to send, and sends as long as `works`."""

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self.works = True
        self.sent: list[bytes] = []
        self.given_up: list[str] = []

    def send(self, connection: int, text: bytes) -> bool:
        assert connection == self.connection
        self.sent.append(text)
        return self.works

    def reconnect(self, connection: int, why: str) -> None:
        assert connection == self.connection
        self.given_up.append(why)


class Folding:
    """A tape and a fold that follows it."""

    def __init__(self, path: Path, ears: list[Ear], hook: Hook | None = None) -> None:
        self.path = path
        self.writer = TapeWriter.create(path, "demo", session(), options=WRITER)
        self.desks = Desks(len(ears), DeskOptions(channels=("orderbook_delta",)))
        self.fold = Fold(self.writer.follow("fold"), self.desks, ears, self.writer, hook)

    def put(self, kind: Kind, payload: bytes = b"", connection: int = 0) -> None:
        self.writer.append(kind, payload, connection)

    def wait(self) -> None:
        """Until everything appended was stepped."""
        until(lambda: self.fold.read(lambda desks: desks.engine.next_seq) > self.writer.head_seq, "the fold")

    def kinds(self, kind: Kind) -> list[Record]:
        return [record for record in read(self.path) if record.kind == kind]


@contextlib.contextmanager
def folding(root: Path, *ears: Ear, hook: Hook | None = None) -> Iterator[Folding]:
    found = Folding(root / "tape", list(ears) or [Ear(1)], hook)
    found.fold.start()
    try:
        yield found
    finally:
        found.fold.stop(5.0)
        found.writer.close()


def want(*markets: str) -> bytes:
    return encode_payload(Control("want", markets))


def test_what_the_desks_ask_for_is_sent_and_views_are_of_one_instant(tmp_path: Path) -> None:
    ear = Ear(1)
    with folding(tmp_path, ear) as found:
        assert found.fold.is_alive
        found.put(Kind.CONTROL, want("A"))
        found.put(Kind.OPENED, encode_payload(Opened()), 1)
        until(lambda: ear.sent, "the subscribe")
        found.put(Kind.SENT, ear.sent[0], 1)
        found.put(Kind.FRAME, frame("subscribed", {"channel": "orderbook_delta", "sid": 1}, id=1), 1)
        found.put(Kind.FRAME, frame("orderbook_snapshot", SNAPSHOT, sid=1, seq=1), 1)
        found.wait()
        assert found.fold.view("A").yes == ((4_000, 100),)
        assert found.fold.stop(5.0)
        assert not found.fold.is_alive


def test_a_command_that_cannot_be_sent_is_asked_for_again(tmp_path: Path) -> None:
    ear = Ear(1)
    ear.works = False
    with folding(tmp_path, ear) as found:
        found.put(Kind.CONTROL, want("A"))
        found.put(Kind.OPENED, encode_payload(Opened()), 1)
        until(lambda: len(ear.sent) == 1, "the subscribe")
        ear.works = True

        def is_asked_again() -> bool:
            found.put(Kind.HEARTBEAT, encode_payload(Heartbeat(0)))
            return len(ear.sent) == 2

        until(is_asked_again, "the second subscribe")


def test_nothing_is_sent_on_a_connection_that_no_link_has(tmp_path: Path) -> None:
    ear = Ear(0)
    with folding(tmp_path, ear) as found:
        found.put(Kind.CONTROL, want("A"))
        found.put(Kind.OPENED, encode_payload(Opened()), 1)
        found.wait()
        assert ear.sent == []


def test_markets_that_cannot_be_had_are_named_on_the_tape(tmp_path: Path) -> None:
    ear = Ear(1)
    with folding(tmp_path, ear) as found:
        found.put(Kind.CONTROL, want("A"))
        found.put(Kind.OPENED, encode_payload(Opened()), 1)
        until(lambda: ear.sent, "the subscribe")
        found.put(Kind.FRAME, frame("error", {"code": 11, "msg": "no such market"}, id=1), 1)
        until(lambda: len(found.kinds(Kind.CONTROL)) == 2, "the word")
        control = found.kinds(Kind.CONTROL)[1]
        assert control.payload == (
            b'{"action":"unplaced","markets":["A"],"detail":"orderbook_delta: error 11: no such market"}'
        )


def test_every_step_goes_to_the_hook_in_order(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with TapeWriter.create(tmp_path / "faults", "demo", session(), options=WRITER) as log:
        hook = Hook(lambda record, step: seen.append((record.seq, step.now_ns)), log)
        hook.start()
        with folding(tmp_path, hook=hook) as found:
            for _ in range(3_000):
                found.put(Kind.FRAME_PING, b"heartbeat", 1)
            found.wait()
        assert hook.stop(5.0)
    assert [seq for seq, _ in seen] == list(range(3_001))


def test_an_error_of_the_fold_itself_is_never_silent(tmp_path: Path) -> None:
    with folding(tmp_path) as found:
        found.put(Kind.CONTROL, b"this is no control")
        until(lambda: found.fold.failed, "the failure")
        assert found.fold.failed.startswith("DecodeError")
        until(lambda: not found.fold.is_alive, "the end")
        (fault,) = found.kinds(Kind.FAULT)
        assert b'"where":"fold"' in fault.payload
        assert found.writer.append(Kind.FRAME, b"recording goes on") > 0


def test_stopping_steps_everything_that_was_appended(tmp_path: Path) -> None:
    with folding(tmp_path) as found:
        for _ in range(5_000):
            found.put(Kind.FRAME_PING, b"heartbeat", 1)
        assert found.fold.stop(20.0)
        assert found.desks.engine.next_seq == found.writer.head_seq + 1


def test_gaps_that_a_probe_found_go_on_the_tape_and_then_the_connection_is_given_up(tmp_path: Path) -> None:
    ear = Ear(1)
    with folding(tmp_path, ear) as found:
        found.put(Kind.CONTROL, want("A"))
        found.put(Kind.OPENED, encode_payload(Opened()), 1)
        found.put(Kind.FRAME, frame("subscribed", {"channel": "orderbook_delta", "sid": 1}, id=1), 1)
        for seq in [9, *[5] * 40]:
            found.put(Kind.FRAME, frame("orderbook_snapshot", SNAPSHOT, sid=1, seq=seq), 1)
        until(lambda: ear.given_up, "the end of the connection")
        (gap,) = found.kinds(Kind.GAP_CLOSE)
        assert b'"reason":"mute","connection":1' in gap.payload
        assert ear.given_up == ["the numbering of subscription 1 went back"]


@pytest.mark.parametrize("readers", [4])
def test_many_read_while_it_steps(tmp_path: Path, readers: int) -> None:
    with folding(tmp_path) as found:
        stop, counts = threading.Event(), [0] * readers

        def look(number: int) -> None:
            while not stop.is_set():
                last = counts[number]
                counts[number] = found.fold.read(lambda desks: desks.engine.counts.records)
                assert counts[number] >= last

        threads = [threading.Thread(target=look, args=(number,)) for number in range(readers)]
        for thread in threads:
            thread.start()
        for _ in range(3_000):
            found.put(Kind.FRAME_PING, b"heartbeat", 1)
        found.wait()
        stop.set()
        for thread in threads:
            thread.join()


def test_a_gap_of_the_recorder_and_any_step_reach_whoever_hooks(tmp_path: Path) -> None:
    gaps: list[str] = []

    def note(_record: Record, step: Step) -> None:
        gaps.extend(gap.reason for gap in step.gaps)

    with TapeWriter.create(tmp_path / "faults", "demo", session(), options=WRITER) as log:
        hook = Hook(note, log)
        hook.start()
        with folding(tmp_path, hook=hook) as found:
            found.put(Kind.GAP_CLOSE, encode_payload(StoredGap("maintenance", from_ns=1, until_ns=2)))
            found.wait()
        hook.stop(5.0)
    assert gaps == ["maintenance"]
