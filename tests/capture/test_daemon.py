"""The daemon as a whole, in this very thread, against a local exchange."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recorded_exchange import recorded_exchange, url_of

from capture import daemon
from capture.auth import Credentials
from capture.daemon import CaptureOptions, Daemon
from capture.deck import Deck
from capture.environments import environment
from capture.reporting import Reporter
from capture.selection import Selection
from capture.status import DaemonStatus, State
from capture.tape.reader import Ended, Tape
from core.compiled import INSTALLED
from core.errors import AuthError, ExchangeError
from core.records import Kind, decode_gap, decode_rest
from replay.exchange.keyring import Keyring
from replay.exchange.local import LocalExchange

pytestmark = pytest.mark.integration

EVERYTHING = Selection(everything=True)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[LocalExchange]:
    """A few hundred frames of three markets."""
    with recorded_exchange(tmp_path) as running:
        yield running


class Scene:
    """A daemon about to record, what it says, and what its status was each second."""

    def __init__(self, exchange: LocalExchange, place: Path, environ: dict[str, str] | None = None) -> None:
        self.tape = place / "tape"
        self.said = place / "said"
        self.seen: list[DaemonStatus] = []
        self.watchers: list[Callable[[DaemonStatus], object]] = [self.seen.append]
        self._exchange = exchange
        self._credentials = Credentials.load(environ or exchange.environ())

    def run(self, *, max_tries: int = 0, for_s: float = 0.0) -> DaemonStatus:
        """Record until something ends it."""
        options = CaptureOptions(
            environment(url_of(self._exchange)), self.tape, EVERYTHING, for_s=for_s, max_tries=max_tries
        )
        with self.said.open("wb") as file:
            reporter = Reporter(file.fileno())
            try:
                return Daemon(options, self._credentials, reporter, self.watchers).run()  # type: ignore[arg-type]  # append returns None
            finally:
                reporter.close()

    def when(self, state: State, action: Callable[[], object]) -> None:
        """Do this the first time the state is that."""
        left = [action]

        def watch(status: DaemonStatus) -> None:
            if status.state is state and left:
                left.pop()()

        self.watchers.append(watch)


def terminate() -> None:
    """What an operator does."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_watchers_see_every_state_from_the_start_to_the_end(exchange: LocalExchange, tmp_path: Path) -> None:
    scene = Scene(exchange, tmp_path)
    scene.when(State.RECORDING, terminate)
    last = scene.run()
    states = list(dict.fromkeys(status.state for status in scene.seen))
    assert states[-3:] == [State.RECORDING, State.STOPPING, State.STOPPED]
    assert scene.seen[-1] == last
    assert (last.exit_code, last.why) == (0, "")
    assert Tape.open(scene.tape).ended is Ended.CLEAN_STOP
    assert scene.said.read_text().splitlines()[-1].startswith("stopped after")


def test_records_are_stepped_by_the_compiled_machine_where_there_is_numba(
    exchange: LocalExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decks: list[Deck] = []

    class Kept(Deck):
        def start(self) -> None:
            decks.append(self)
            super().start()

    monkeypatch.setattr(daemon, "Deck", Kept)
    Scene(exchange, tmp_path).run(for_s=1.0)
    (engine,) = [deck.read(lambda desks: desks.engine) for deck in decks]
    assert engine.memory.is_compiled == INSTALLED
    assert engine.counts.frames > 0


def test_a_watcher_that_raises_is_left_out_and_recording_goes_on(exchange: LocalExchange, tmp_path: Path) -> None:
    scene = Scene(exchange, tmp_path)

    def broken(_status: DaemonStatus) -> None:
        raise RuntimeError("no metrics today")

    scene.watchers.insert(0, broken)
    assert scene.run(for_s=2.0).exit_code == 0
    assert scene.said.read_text().count("no metrics today") == 1
    assert len(scene.seen) >= 2


def test_facts_of_every_market_and_the_status_of_the_exchange_are_on_the_tape(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    scene = Scene(exchange, tmp_path)
    scene.run(for_s=3.0)
    calls = [decode_rest(r.payload) for r in Tape.open(scene.tape).records() if r.kind == Kind.REST]
    paths = [call.path.removeprefix("/trade-api/v2") for call in calls if call.status == 200]
    for wanted in ("/markets?", "/events/KXDEMO-26SEP21", "/series/KXDEMO", "/exchange/status", "/exchange/schedule"):
        assert any(path.startswith(wanted) for path in paths), wanted


def test_with_a_limit_of_tries_a_lost_exchange_ends_it_with_a_sealed_tape(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    scene = Scene(exchange, tmp_path)
    scene.when(State.RECORDING, exchange.stop)
    last = scene.run(max_tries=1)
    assert last.exit_code == 2
    assert "gave up" in last.why
    assert Tape.open(scene.tape).ended is Ended.CLEAN_STOP


def test_a_lost_exchange_is_unhealthy_and_tried_for_ever_otherwise(exchange: LocalExchange, tmp_path: Path) -> None:
    scene = Scene(exchange, tmp_path)
    scene.when(State.RECORDING, exchange.stop)
    scene.when(State.UNHEALTHY, terminate)
    last = scene.run()
    unhealthy = [status for status in scene.seen if status.state is State.UNHEALTHY]
    assert unhealthy[0].open_gaps[0].reason == "reconnect"
    assert unhealthy[0].why
    assert (last.exit_code, last.gaps) == (0, 1)


def test_a_key_that_the_exchange_refuses_ends_the_start_before_anything_is_recorded(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    other = Keyring().throwaway("other", tmp_path)
    environ = {"KALSHI_ACCESS_KEY": other.access_key, "KALSHI_PRIVATE_KEY_PATH": str(other.private_key_path)}
    scene = Scene(exchange, tmp_path, environ)
    with pytest.raises(AuthError, match="key"):
        scene.run()
    assert not scene.tape.exists()
    assert scene.seen == []


def test_an_exchange_that_does_not_answer_ends_the_start(exchange: LocalExchange, tmp_path: Path) -> None:
    scene = Scene(exchange, tmp_path)
    exchange.stop()
    with pytest.raises(ExchangeError, match="check the network"):
        scene.run()
    assert not scene.tape.exists()


def test_a_second_session_says_that_nothing_was_recorded_in_between(exchange: LocalExchange, tmp_path: Path) -> None:
    scene = Scene(exchange, tmp_path)
    for _ in range(2):
        scene.run(for_s=1.0)
    gaps = [decode_gap(r.payload) for r in Tape.open(scene.tape).records() if r.kind == Kind.GAP_CLOSE]
    assert [gap.reason for gap in gaps] == ["down"]
