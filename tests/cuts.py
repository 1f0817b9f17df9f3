"""Cuts of tapes, verified, and their books beside the original's."""

from pathlib import Path

from sample_tapes import START_NS, Script

from capture.tape.reader import Tape
from capture.tape.verify import verify
from core.views import MarketView
from replay import Player, open_tape
from replay.cut import Selection, cut


def cut_of(tape: Tape, tmp_path: Path, selection: Selection) -> Tape:
    cut(tape, tmp_path / "cut", selection)
    report = verify(tmp_path / "cut", deep=True)
    assert report.whole, report.problems
    return open_tape(tmp_path / "cut")


def book(view: MarketView) -> object:
    return view.market, view.yes, view.no, view.trusted, view.owner, view.book_ns, view.last_trade, view.traded_size


def assert_same_books(original: Tape, part: Tape, markets: tuple[str, ...], span: tuple[int, int]) -> None:
    """At each instant inside, by every record's time, and a little before and after it."""
    times = sorted({step.now_ns for _, step in Player(original).play()})
    instants = sorted({at_ns + shift for at_ns in times for shift in (-1, 0, 1)})
    whole, short = Player(original), Player(part, "columns")
    for at_ns in instants:
        if span[0] <= at_ns <= span[1]:
            whole.advance(until_ns=at_ns)
            short.advance(until_ns=at_ns)
            for market in markets:
                assert book(short.store.view(market)) == book(whole.store.view(market)), at_ns - START_NS


def middle_of(script: Script, start: float, end: float) -> tuple[int, int]:
    """Times of the records at these fractions of the recording."""
    last = len(script.records) - 1
    return script.records[int(last * start)].at_ns, script.records[int(last * end)].at_ns
