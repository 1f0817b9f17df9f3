"""capture.link: one slot through good and bad days, against servers that do exactly what a script says."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import until
from lives import read
from scripted_server import PING, QUICK, TEXT, Peer, Script, closing, frame, serving
from writing import ENOSPC, FaultyDisk, session

from capture.limits import WireRefused
from capture.link import KEY_TRIES, Link, LinkState, Taken, TakenTexts
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from capture.wire import Wire
from core.records import Kind, Record, decode_closed, decode_opened

OPTIONS = WriterOptions(sync_interval_s=0.01, reserve_bytes=4_096, roll_bytes=1 << 20, retry_s=0.01)


class Dice:
    """Dice that show the same share of what they might, and remember what that was."""

    def __init__(self, share: float = 0.0) -> None:
        self.share = share
        self.ceilings: list[float] = []

    def uniform(self, a: float, b: float, /) -> float:
        self.ceilings.append(b)
        return a + (b - a) * self.share


class Slot:
    """A link to a scripted server, and the tape it records on."""

    def __init__(self, root: Path, url: str, *, share: float = 0.0, max_tries: int = 0, slot: int = 0) -> None:
        self.disk = FaultyDisk()
        self.path = root / "tape"
        self.writer = TapeWriter.create(self.path, "demo", session(), options=OPTIONS, disk=self.disk)
        self.dice = Dice(share)
        self.url = url
        self.bugs = 0
        self.link = Link(
            slot, url, self.wire, self.writer, numbers=itertools.count(10), dice=self.dice, max_tries=max_tries
        )

    def wire(self, taken: Taken, taken_texts: TakenTexts) -> Wire:
        if self.bugs:
            self.bugs -= 1
            raise RuntimeError("a bug")
        return Wire(self.url, dict, taken, QUICK, taken_texts=taken_texts)

    def wait_up(self, connection: int) -> None:
        until(lambda: self.link.connection >= connection, f"connection {connection}")

    def wait_taken(self, payload: bytes) -> None:
        until(lambda: any(record.payload == payload for record in read(self.path)), f"{payload!r}")

    def stop(self) -> None:
        self.link.stop()
        assert self.link.join(5.0), "it does not stop"

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in read(self.path) if record.kind == kind]


@contextlib.contextmanager
def linked(
    root: Path, *scripts: Script, share: float = 0.0, max_tries: int = 0, slot: int = 0, start: bool = True
) -> Iterator[Slot]:
    """A slot whose link runs; stopped at the end."""
    with serving(*scripts) as server:
        found = Slot(root, server.url(), share=share, max_tries=max_tries, slot=slot)
        if start:
            found.link.start()
        try:
            yield found
        finally:
            found.link.abort()
            assert found.link.join(5.0)
            found.writer.close()


def holding(*payloads: bytes) -> Script:
    """Sends these and keeps the connection, with pings so that it is not taken for dead."""

    def script(peer: Peer) -> None:
        peer.upgrade(*(frame(TEXT, payload) for payload in payloads))
        while not peer.released.wait(0.1):
            peer.send(frame(PING, b"heartbeat"))

    return script


def refusing(status: str, *more: str) -> Script:
    return lambda peer: peer.refuse(status, more=more)


def test_a_connection_is_opened_on_the_tape_before_its_frames_and_closed_after_them(tmp_path: Path) -> None:
    with linked(
        tmp_path, lambda peer: peer.upgrade(frame(TEXT, b"one"), closing(1001, b"bye")), holding(b"two")
    ) as slot:
        slot.wait_taken(b"two")
        slot.stop()
        opened = [(record.connection, decode_opened(record.payload)) for record in slot.of(Kind.OPENED)]
        assert [(number, o.url, o.replaces) for number, o in opened] == [(1, slot.url, 0), (10, slot.url, 1)]
        closed = [(record.connection, decode_closed(record.payload)) for record in slot.of(Kind.CLOSED)]
        assert (closed[0][0], closed[0][1].code, closed[0][1].reason) == (1, 1001, "closed: bye")
        assert closed[1][0] == 10
        frames = [(record.connection, record.payload) for record in slot.of(Kind.FRAME)]
        assert frames == [(1, b"one"), (10, b"two")]
        kinds = [record.kind for record in read(slot.path) if record.connection == 1]
        assert (kinds[0], kinds[-1]) == (Kind.OPENED, Kind.CLOSED)


def test_the_first_connection_of_a_slot_has_the_number_of_the_slot(tmp_path: Path) -> None:
    with linked(tmp_path, holding(), slot=3) as slot:
        slot.wait_up(4)
        assert slot.link.connection == 4


def test_what_is_refused_is_tried_again_and_the_reason_is_known(tmp_path: Path) -> None:
    with linked(tmp_path, refusing("502 Bad Gateway"), refusing("503 Busy"), holding()) as slot:
        slot.wait_up(1)
        status = slot.link.status
        assert (status.state, status.tries, status.connected, status.is_key_refused) == (LinkState.UP, 2, 1, False)
        assert "503" in status.last_error
        assert slot.of(Kind.OPENED)[0].connection == 1, "an attempt that failed uses up no number"


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_key_refused_three_times_is_reported_and_tried_on_once_a_minute(tmp_path: Path, status: str) -> None:
    refusal = refusing(status, "Date: Thu, 26 Nov 2026 19:00:00 GMT")
    with linked(tmp_path, *[refusal] * KEY_TRIES, holding()) as slot:
        until(lambda: slot.link.status.is_key_refused, "the third refusal")
        assert "the exchange's clock: Thu, 26 Nov 2026" in slot.link.status.last_error
        until(lambda: slot.link.status.state is LinkState.WAITING, "the wait")
        slot.link.hurry("the operator mended it")
        slot.wait_up(1)
        assert not slot.link.status.is_key_refused


@pytest.mark.parametrize(
    ("refused", "wait_s"),
    [
        (WireRefused(503, ""), 0.0),
        (WireRefused(429, ""), 30.0),
        (WireRefused(429, "", retry_after_s=90), 90.0),
        (WireRefused(503, "", retry_after_s=100_000), 900.0),
        (WireRefused(0, "bad certificate", is_untrusted=True), 60.0),
    ],
)
def test_what_asks_for_a_longer_wait_gets_it_within_reason(tmp_path: Path, refused: WireRefused, wait_s: float) -> None:
    with linked(tmp_path, holding(), start=False) as slot:
        assert slot.link._refused(refused) == wait_s


def test_a_peer_that_accepts_and_drops_is_called_upon_less_and_less_often(tmp_path: Path) -> None:
    with linked(tmp_path, lambda peer: peer.upgrade(frame(TEXT, b"x"), closing(1000))) as slot:
        until(lambda: len(slot.dice.ceilings) >= 8, "eight connections")
        assert slot.dice.ceilings[:8] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_with_a_limit_of_tries_it_gives_up(tmp_path: Path) -> None:
    with linked(tmp_path, refusing("500 No"), max_tries=3) as slot:
        assert slot.link.join(5.0)
        assert (slot.link.status.state, slot.link.status.tries) == (LinkState.GAVE_UP, 3)


def test_a_command_goes_out_on_the_connection_it_names_or_on_none(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        heard.append(peer.frame()[1])
        peer.hold()

    with linked(tmp_path, script) as slot:
        slot.wait_up(1)
        assert not slot.link.send(0, b"no")
        assert not slot.link.send(2, b"no")
        assert slot.link.send(1, b"yes")
        until(lambda: heard, "the command")
        slot.link.abort()
        assert slot.link.join(5.0)
        assert not slot.link.send(1, b"late")
        assert heard == [b"yes"]
        assert [record.payload for record in slot.of(Kind.SENT)] == [b"yes"]


def test_commands_of_many_threads_during_reconnects_go_out_once_or_are_refused(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        for _ in range(50):
            opcode, payload = peer.frame()
            heard.extend([payload] * (opcode == TEXT))  # not our goodbye at the end
        peer.reset()

    with linked(tmp_path, script) as slot:
        results: list[list[bytes]] = [[] for _ in range(8)]

        def send(number: int) -> None:
            for n in range(200):
                text = b"%d-%d" % (number, n)
                connection = slot.link.connection
                if slot.link.send(connection, text):
                    results[number].append(b"%d %b" % (connection, text))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(slot.dice.ceilings) > 0, "a reconnect")
        slot.stop()
        taken = [b"%d %b" % (record.connection, record.payload) for record in slot.of(Kind.SENT)]
        assert len(set(taken)) == len(taken)
        said = {text for result in results for text in result}
        assert said <= set(taken), "what was said to have gone is on the tape, under its connection"
        assert {text.split(b" ")[1] for text in taken} >= set(heard)
        assert len(set(heard)) == len(heard)


def test_a_connection_that_is_given_up_is_closed_with_that_reason(tmp_path: Path) -> None:
    with linked(tmp_path, holding(), holding()) as slot:
        slot.wait_up(1)
        slot.link.reconnect(99, "another one")
        slot.link.reconnect(1, "no answer to a probe")
        slot.wait_up(10)
        assert decode_closed(slot.of(Kind.CLOSED)[0].payload).reason == "no answer to a probe"
        assert slot.link.status.last_error == "no answer to a probe"


def test_after_a_sleep_it_connects_anew_at_once_whatever_it_was_waiting_for(tmp_path: Path) -> None:
    with linked(tmp_path, refusing("429 Slow"), holding(), holding()) as slot:
        until(lambda: slot.link.status.state is LinkState.WAITING, "the wait")
        began_s = time.monotonic()
        slot.link.hurry("the machine slept")
        slot.wait_up(1)
        slot.link.hurry("the machine slept")
        slot.wait_up(10)
        assert time.monotonic() - began_s < 10
        assert decode_closed(slot.of(Kind.CLOSED)[0].payload).reason == "the machine slept"
        assert slot.link.status.tries == 1, "a sleep is nobody's failure"


def test_a_sleep_in_the_middle_of_connecting_counts_as_no_try(tmp_path: Path) -> None:
    called = threading.Event()

    def script(peer: Peer) -> None:
        called.set()
        peer.hold()

    with linked(tmp_path, script, holding()) as slot:
        assert called.wait(10)
        slot.link.hurry("the machine slept")
        slot.wait_up(1)
        assert slot.link.status.tries == 0


def test_a_disk_that_takes_nothing_costs_frames_and_never_the_connection(tmp_path: Path) -> None:
    gate = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"before"))
        assert gate.wait(20)
        peer.send(frame(TEXT, b"lost"), frame(PING, b"p"))
        assert peer.frame() == (10, b"p"), "a ping is answered although it is not on the tape"
        while not peer.released.wait(0.02):
            peer.send(frame(TEXT, b"after"))

    with linked(tmp_path, script) as slot:
        slot.wait_taken(b"before")
        slot.disk.always["write"] = ENOSPC
        gate.set()
        until(lambda: slot.writer.problem, "the outage")
        assert not slot.link.send(1, b"not on the tape"), "what is not on the tape is not sent"
        slot.disk.always.clear()
        slot.wait_taken(b"after")
        assert slot.link.connection == 1
        assert not any(record.payload == b"lost" for record in read(slot.path))
        assert len(slot.of(Kind.GAP_CLOSE)) == 1


def test_a_connection_that_cannot_be_opened_on_the_tape_is_put_off(tmp_path: Path) -> None:
    with linked(tmp_path, holding(b"unseen"), holding(b"seen"), start=False) as slot:
        slot.disk.always["write"] = ENOSPC
        slot.link.start()
        until(lambda: slot.link.status.state is LinkState.WAITING, "the wait")
        assert "cannot append a record" in slot.link.status.last_error
        slot.disk.always.clear()
        until(lambda: not slot.writer.problem, "the end of the outage")
        slot.link.hurry("there is room again")
        slot.wait_taken(b"seen")
        assert [record.connection for record in slot.of(Kind.OPENED)] == [1]
        assert not any(record.payload == b"unseen" for record in read(slot.path))


def test_a_bug_of_ours_is_on_the_tape_and_the_reader_does_not_die_of_it(tmp_path: Path) -> None:
    with linked(tmp_path, holding(), start=False) as slot:
        slot.bugs = 1
        slot.link.start()
        slot.wait_up(1)
        (fault,) = slot.of(Kind.FAULT)
        assert b"RuntimeError: a bug" in fault.payload
        assert slot.link.status.faults == 1


def test_it_ends_when_the_recorder_is_closed(tmp_path: Path) -> None:
    with linked(tmp_path, holding()) as slot:
        slot.wait_up(1)
        slot.writer.close()
        assert slot.link.join(5.0)
        assert slot.link.status.state is LinkState.STOPPED
        assert "closed" in slot.link.status.last_error


@pytest.mark.parametrize("state", ["new", "connecting", "up", "waiting"])
def test_it_stops_soon_in_every_state(tmp_path: Path, state: str) -> None:
    scripts: dict[str, Script] = {
        "connecting": lambda peer: peer.hold(),
        "up": holding(),
        "waiting": refusing("429 Slow"),
    }
    with linked(tmp_path, scripts.get(state, holding()), start=state != "new") as slot:
        wanted = {"connecting": LinkState.CONNECTING, "up": LinkState.UP, "waiting": LinkState.WAITING}
        until(lambda: slot.link.status.state is wanted.get(state, LinkState.IDLE), state)
        began_s = time.monotonic()
        slot.stop()
        assert time.monotonic() - began_s < 2.0
        assert not slot.link.is_alive
