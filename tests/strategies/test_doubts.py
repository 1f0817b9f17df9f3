"""Every reason not to quote pulls what rests, and what has to be known before quotes come back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from maker_stage import ASK, BID, Booth
from strategy_rest import Asked, rest_record

from core.actions import Fetch
from core.records import Kind
from core.times import SECOND_NS
from replay.exchange.port import RestAnswer
from replay.exchange.views import Pause


def told(booth: Booth, path: str, body: bytes) -> None:
    """The shell asked by REST and this is the answer."""
    booth.stage.put(Kind.REST, rest_record(Asked("GET", path), RestAnswer(200, body), "poll"))
    booth.stage.wait()


def pause(booth: Booth, how: Pause) -> None:
    """The exchange pauses, or goes on, and its status is asked for."""
    life = booth.stage.venue.machine.engine.life
    booth.stage.act(lambda now_ns: life.pause(how, now_ns))
    booth.stage.ask("/exchange/status")
    booth.stage.wait()


def utc(at_ns: int) -> str:
    """An instant in the exchange's words."""
    return datetime.fromtimestamp(at_ns / SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def near(booth: Booth, after_s: float = 200, for_s: float = 60) -> None:
    """A maintenance is scheduled."""
    from_ns = booth.stage.now_ns + int(after_s * SECOND_NS)
    window = f'{{"start_datetime":"{utc(from_ns)}","end_datetime":"{utc(from_ns + int(for_s * SECOND_NS))}"}}'
    body = f'{{"schedule":{{"standard_hours":[],"maintenance_windows":[{window}]}}}}'
    told(booth, "/exchange/schedule", body.encode())


def lose(booth: Booth) -> None:
    """More is lost than it may."""
    booth.other(ASK, 4_050, 500, ioc=True)
    booth.move(1_000, 1_400)


def cross(booth: Booth) -> None:
    """The book as the run has it is crossed."""
    connection = booth.stage.window(booth.market).connection
    owner = booth.stage.window(booth.market).freeze()
    frame = (
        f'{{"type":"orderbook_delta","sid":{owner.owner[1]},"seq":{owner.last_seq + 1},"msg":{{"market_ticker":'
        f'"{booth.market}","price_dollars":"0.4600","delta_fp":"5.00","side":"yes"}}}}'
    )
    booth.stage.put(Kind.FRAME, frame.encode(), connection)
    booth.stage.wait()


def hang(booth: Booth) -> None:
    """Nothing comes any more, not even pings."""
    booth.stage.hung = True
    booth.stage.wait(17)


def lose_numbers(booth: Booth) -> None:
    """A frame is lost on the way, and the snapshot that the desk asks for does not come."""
    dropped: list[bytes] = []

    def drops(frame: bytes) -> bool:
        is_book = b'"orderbook_' in frame
        if is_book and (not dropped or b"snapshot" in frame):
            dropped.append(frame)
            return True
        return False

    booth.stage.drops = drops
    booth.other(BID, 1_000)
    booth.other(BID, 1_010)


CAUSES: dict[str, tuple[Callable[[Booth], Any], str]] = {
    "a scheduled pause": (near, "a pause is near"),
    "a trading pause": (lambda booth: pause(booth, Pause.TRADING), "the exchange is paused"),
    "a lost connection": (lambda booth: booth.stage.drop(stays_away=True), "not connected"),
    "a hold": (lambda booth: booth.stage.control("hold"), "not started"),
    "silence": (hang, "frozen: silent"),
    "a gap": (lose_numbers, "untrusted"),
    "a crossed book": (cross, "crossed"),
    "a side that is gone": (lambda booth: booth.gone(booth.others[1]), "frozen: one-sided"),
    "a wide spread": (lambda booth: booth.move(3_000, 4_600), "the spread is too wide"),
    "a loss": (lose, "lost enough today"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_it_pulls_its_quotes_and_says_why(cause: str) -> None:
    happen, why = CAUSES[cause]
    booth = Booth(max_loss=1_000_000)
    booth.stage.wait(11)
    happen(booth)
    booth.stage.until(lambda: booth.why == why, f"{why!r}, it is {booth.why!r}", 3)
    booth.stage.wait(1)
    assert booth.resting() == {}
    booth.stage.wait(3)
    assert f"quotes pulled: {why}" in booth.said()


def test_a_scheduled_pause_pulls_five_minutes_before_and_not_earlier() -> None:
    booth = Booth()
    near(booth, after_s=310)
    booth.stage.wait(8)
    assert booth.why == ""
    booth.stage.wait(4)
    assert (booth.why, booth.resting()) == ("a pause is near", {})


def paused_and_back(**params: Any) -> Booth:
    """A maker whose market stood still during a pause that is over."""
    booth = Booth(**params)
    booth.stage.wait(2)
    pause(booth, Pause.TRADING)
    booth.stage.wait(30)
    assert booth.resting() == {}
    return booth


def test_after_a_pause_a_quiet_book_is_quoted_when_rest_shows_the_same() -> None:
    booth = paused_and_back()
    pause(booth, Pause.NONE)
    assert booth.why == "no fresh book"
    booth.stage.wait(5)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    assert sum(action.path.endswith("/orderbook") for action in booth.since(0, Fetch)) == 1


def test_after_a_pause_neither_the_old_book_nor_a_change_of_it_is_enough() -> None:
    booth = paused_and_back()
    booth.stage.refuses = lambda _method, path: path.endswith("/orderbook")
    pause(booth, Pause.NONE)
    booth.other(BID, 4_010)
    booth.stage.wait(20)
    assert (booth.why, booth.resting()) == ("no fresh book", {})
    booth.stage.drop()  # what comes back has a snapshot
    booth.stage.wait(5)
    assert len(booth.resting()) == 2


def test_after_a_pause_a_book_that_rest_contradicts_is_not_quoted() -> None:
    booth = paused_and_back()
    booth.stage.refuses = lambda _method, path: path.endswith("/orderbook")
    pause(booth, Pause.NONE)
    booth.stage.muted[booth.market] = None
    booth.move(4_100, 4_500)
    booth.stage.refuses = lambda _method, _path: False
    booth.stage.wait(10)
    assert (booth.why, booth.resting()) == ("no fresh book", {})


def test_an_answer_to_a_question_asked_before_the_pause_was_over_confirms_nothing() -> None:
    booth = Booth(stale_s=2)
    booth.stage.rest_s = 3.0  # REST is asked about the quiet book again and again, and answers late
    pause(booth, Pause.TRADING)
    booth.stage.wait(6)
    pause(booth, Pause.NONE)
    booth.stage.wait(2)
    assert booth.why == "no fresh book"


def test_a_market_of_which_nothing_comes_has_to_be_confirmed_by_rest() -> None:
    booth = Booth(stale_s=20)
    booth.stage.wait(60)
    assert len(booth.resting()) == 2
    booth.stage.muted[booth.market] = None  # the connection lives, but of this market nothing comes
    booth.move(4_100, 4_500)
    booth.stage.wait(25)
    assert (booth.why, booth.resting()) == ("stale", {})
    booth.stage.muted.clear()
    booth.other(BID, 3_000)
    booth.stage.wait(5)
    assert booth.why != "stale"


def test_what_was_lost_in_a_day_counts_until_the_next() -> None:
    booth = Booth(max_loss=1_000_000)
    booth.stage.wait(2)
    lose(booth)
    booth.stage.wait(3)
    assert booth.why == "lost enough today"
    booth.move(4_000, 4_400)
    booth.stage.wait(10)
    assert booth.stage.run.host.trading.risk.day_pnl > -1_000_000
    assert (booth.why, booth.resting()) == ("lost enough today", {})


def test_the_first_fill_of_a_market_is_no_loss_of_all_that_it_cost() -> None:
    booth = Booth(max_loss=1_000_000)
    booth.stage.wait(2)
    booth.other(ASK, 4_050, 500, ioc=True)  # paid 2.025 dollars
    booth.stage.wait(1)
    assert booth.why == ""
