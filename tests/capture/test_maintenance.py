"""Pauses of the exchange as gaps of their own reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue_server import CatalogueServer

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.environments import environment
from capture.maintenance import ACTIVE_NS, PAUSED_NS, SCHEDULE_NS, Answer, Pause, Poller
from capture.rest import RestClient, RestOptions
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.records import Kind, Session, StoredGap, decode_gap, decode_rest
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS
ACTIVE = Answer(True, True, is_scheduled=False)
SILENT = Answer(None, None, is_scheduled=False)


def test_an_active_exchange_is_no_gap_and_is_asked_every_half_minute() -> None:
    pause = Pause()
    assert pause.observe(ACTIVE, NOW_NS) is None
    assert pause.observe(ACTIVE, NOW_NS + ACTIVE_NS) is None
    assert pause.next_ns(NOW_NS) == NOW_NS + ACTIVE_NS
    assert not pause.is_on


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Answer(False, False, is_scheduled=True), "the exchange is paused, as scheduled"),
        (Answer(True, False, is_scheduled=True), "trading is paused, as scheduled"),
        (Answer(False, True, is_scheduled=False), "the exchange is paused, outside its schedule"),
    ],
)
def test_a_pause_is_one_gap_from_the_last_active_answer_to_the_next(answer: Answer, detail: str) -> None:
    pause = Pause()
    pause.observe(ACTIVE, NOW_NS)
    assert pause.observe(answer, NOW_NS + 30) == (
        Kind.GAP_OPEN,
        StoredGap("maintenance", from_ns=NOW_NS, detail=detail),
    )
    assert pause.is_on
    assert pause.next_ns(NOW_NS) == NOW_NS + PAUSED_NS
    assert pause.observe(answer, NOW_NS + 40) is None
    assert pause.observe(ACTIVE, NOW_NS + 50) == (Kind.GAP_CLOSE, StoredGap("maintenance", until_ns=NOW_NS + 50))
    assert not pause.is_on


def test_no_answer_outside_the_schedule_is_no_pause() -> None:
    pause = Pause()
    assert pause.observe(SILENT, NOW_NS) is None
    assert not pause.is_on


def test_no_answer_within_the_schedule_is_a_pause_that_only_an_answer_ends() -> None:
    pause = Pause()
    opened = pause.observe(Answer(None, None, is_scheduled=True), NOW_NS)
    assert opened == (Kind.GAP_OPEN, StoredGap("maintenance", from_ns=NOW_NS, detail="no answer, as scheduled"))
    assert pause.observe(SILENT, NOW_NS + 1) is None, "the schedule is over, but nobody says that it is active"
    assert pause.is_on
    assert pause.observe(ACTIVE, NOW_NS + 2) is not None


def test_an_active_exchange_within_a_scheduled_pause_is_active() -> None:
    pause = Pause()
    assert pause.observe(Answer(True, True, is_scheduled=True), NOW_NS) is None


def test_an_answer_that_says_nothing_of_trading_is_taken_for_active() -> None:
    pause = Pause()
    assert pause.observe(Answer(True, None, is_scheduled=False), NOW_NS) is None


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """An exchange that is active."""
    with CatalogueServer() as server:
        yield server


class Stage:
    """A poller at work on a real tape; now_ns is its clock."""

    def __init__(self, exchange: CatalogueServer, path: Path) -> None:
        self.now_ns = NOW_NS
        self.path = path
        self.writer = TapeWriter.create(path, "test", Session("s", "test"))
        answers = AnswerLog()
        answers.attach(self.writer)
        client = RestClient(environment(exchange.url), None, answers, RestOptions(max_tries=1))
        self.poller = Poller(Api(client), self.writer, lambda: self.now_ns)

    def pauses(self) -> list[bool]:
        """What the poller says of a pause; a list, for it changes."""
        return [self.poller.is_paused]

    def gaps(self) -> list[tuple[Kind, StoredGap]]:
        """The gaps on the tape."""
        found = [r for r in Tape.open(self.path).records() if r.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE)]
        return [(Kind(record.kind), decode_gap(record.payload)) for record in found]


@pytest.fixture
def stage(exchange: CatalogueServer, tmp_path: Path) -> Iterator[Stage]:
    """Polling has not begun."""
    made = Stage(exchange, tmp_path / "tape")
    yield made
    made.writer.close()


def test_status_and_schedule_are_on_the_tape_the_schedule_once_an_hour(exchange: CatalogueServer, stage: Stage) -> None:
    assert stage.poller.round() == NOW_NS + ACTIVE_NS
    stage.now_ns += ACTIVE_NS
    stage.poller.round()
    assert exchange.asked == ["/exchange/schedule", "/exchange/status", "/exchange/status"]
    stage.now_ns = NOW_NS + SCHEDULE_NS
    stage.poller.round()
    assert exchange.asked[3:] == ["/exchange/schedule", "/exchange/status"]
    rest = [decode_rest(r.payload) for r in Tape.open(stage.path).records() if r.kind == Kind.REST]
    assert len(rest) == 5
    assert stage.gaps() == []


def test_a_pause_is_a_gap_on_the_tape_until_the_exchange_is_active_again(
    exchange: CatalogueServer, stage: Stage
) -> None:
    stage.poller.round()
    exchange.active = (True, False)
    stage.now_ns += ACTIVE_NS
    assert stage.poller.round() == stage.now_ns + PAUSED_NS
    assert stage.pauses() == [True]
    exchange.active = (True, True)
    stage.now_ns += PAUSED_NS
    stage.poller.round()
    assert stage.pauses() == [False]
    assert stage.gaps() == [
        (
            Kind.GAP_OPEN,
            StoredGap("maintenance", from_ns=NOW_NS, detail="trading is paused, outside its schedule"),
        ),
        (Kind.GAP_CLOSE, StoredGap("maintenance", until_ns=stage.now_ns)),
    ]


def test_the_announced_window_makes_an_unreachable_exchange_a_pause(exchange: CatalogueServer, stage: Stage) -> None:
    exchange.schedule["maintenance_windows"] = [
        {"start_datetime": "2026-08-11T00:30:00Z", "end_datetime": "2026-08-11T01:30:00Z"}
    ]
    stage.poller.round()
    assert stage.pauses() == [False], "it answers that it is active"
    exchange.refuse = 404
    stage.now_ns += ACTIVE_NS
    stage.poller.round()
    assert [gap.detail for _, gap in stage.gaps()] == ["no answer, as scheduled"]


def test_an_unreachable_exchange_outside_any_window_is_no_pause(exchange: CatalogueServer, stage: Stage) -> None:
    exchange.refuse = 404
    stage.poller.round()
    assert stage.pauses() == [False]
    assert stage.gaps() == []


def test_a_tape_that_takes_nothing_does_not_end_polling(exchange: CatalogueServer, stage: Stage) -> None:
    exchange.active = (False, False)
    stage.writer.close()
    assert stage.poller.round() == NOW_NS + PAUSED_NS


def test_it_polls_by_itself_and_stops_when_told(exchange: CatalogueServer, stage: Stage) -> None:
    stage.poller.start()
    exchange.wait_asked("/exchange/status", 20)
    stage.poller.stop()
    stage.poller.join(20)
    assert stage.poller.problem == ""
