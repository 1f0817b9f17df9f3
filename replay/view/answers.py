"""What the page asks, answered: the tape, its time line, the state at a record, the records around it, decisions.

Knows which pages, outlines and players an answer is made of. Must not know HTTP. Every answer is plain values; times
are Unix milliseconds as floats for drawing, and texts for reading. Nothing is read from the tape's beginning.
"""

from typing import Any, Final

import numpy as np

from capture.tape.reader import Ended
from core.lifecycle import phase_at
from core.money import format_money, format_price, format_size
from core.records import Kind, Record
from core.views import MarketView
from replay.player import Player
from replay.view.outline import INCIDENTS, MARKS, OWN, Mark, Outline, mark_codes, marks_of, outline_of
from replay.view.pages import Page, Pages
from replay.view.scout import Scout
from replay.view.stands import TRADES, Stands
from replay.view.wording import decoded_of, line_of, market_of, raw_of
from replay.when import format_time, parse_time

LIST_ROWS: Final = 400
"""Rows of a list at most."""

SEARCH_PAGES: Final = 400
"""Pages gone through for the next record of a kind: half a minute of work at most, an hour of the busiest tape."""

LEVELS: Final = 200
"""Levels of a side: more than any book on record has; with a grid of a hundredth of a cent there may be more."""

MARKETS: Final = 20_000
"""Markets that are listed, busiest first."""


class NotOnTapeError(LookupError):
    """The tape holds no such thing; the text is a sentence that says what there is instead."""


class BadQuestionError(ValueError):
    """The question makes no sense; the text names the value and what is possible."""


SHOWS: Final = {"all": None, "market": None, "own": OWN, "incidents": INCIDENTS}
"""What a list of records may hold: everything, one market's frames, what is ours, what went wrong."""


_OURS: Final = ("own", *(mark.value for mark in OWN))


class Answers:
    """Answers questions about one tape; used by one thread."""

    def __init__(self, scout: Scout) -> None:
        self.scout = scout
        self.tape = scout.tape
        self.pages = Pages(scout.tape)
        self.stands = Stands(self.pages, scout.milestones)

    def tape_answer(self) -> dict[str, Any]:
        """What there is: how much, from when to when, which markets, every gap and silence."""
        tape, known = self.tape, self.scout.known()
        entries, last_seq = tape.manifest.entries, tape.next_seq - 1
        first_ns = self.pages.when(0) if last_seq >= 0 and not entries else (entries[0].first_ns if entries else 0)
        last_ns = self.pages.end_ns()
        counts = known.markets
        names = sorted(counts, key=lambda name: (-counts[name], name))[:MARKETS]
        return {
            "name": tape.path.resolve().name,
            "environment": tape.environment,
            "ended": known.ended,
            "records": last_seq + 1,
            "first_ms": ms(first_ns),
            "last_ms": ms(last_ns),
            "first": format_time(first_ns),
            "last": format_time(last_ns),
            "markets": [[name, counts[name]] for name in names],
            "markets_in_all": len(counts),
            "gaps": [_gap(gap) for gap in known.gaps],
            "silences": [[ms(silence.at_ns), ms(silence.until_ns)] for silence in known.silences],
            "examined": known.examined,
            "outlined": known.outlined,
            "surveyed": known.surveyed,
            "problem": known.problem,
            "strategies": list(known.strategies),
            "by_type": known.by_type,
        }

    def start_answer(self) -> dict[str, Any]:
        """Where to look first: at the head while it is recorded, else at the first decision, else in the middle."""
        self.require(0)
        last_seq = self.tape.next_seq - 1
        if self.scout.known().ended == Ended.RECORDING:
            return {"seq": last_seq, "live": True}
        first = self._next_mark(0, 1, mark_codes((Mark.DECISION,))) if self.scout.known().strategies else None
        return {"seq": last_seq // 2 if first is None else first, "live": False}

    def state_answer(self, seq: int, market: str) -> dict[str, Any]:
        """The state just after a record: the record itself, the market's book, what is ours in it."""
        self.require(seq, market)
        record = self.pages.records(seq)[0]
        player = self.stands.at(seq, market, "cursor")
        return {
            "seq": seq,
            "market": market,
            "when_ms": ms(self.pages.when(seq)),
            "when": format_time(self.pages.when(seq)),
            "now": format_time(player.now_ns),
            "record": record_answer(record),
            "book": book_answer(player, market),
        }

    def records_answer(self, seq: int, count: int, show: str, market: str) -> dict[str, Any]:
        """Up to `count` records around one, of those that `show` names, and where they end."""
        self.require(seq)
        count = min(max(count, 1), LIST_ROWS)
        if show not in SHOWS:
            raise BadQuestionError(f"show={show} is none of {', '.join(SHOWS)}")
        before = self._some(seq, -1, count // 2 + 1, show, market)
        after = self._some(seq + 1, +1, count - len(before), show, market)
        return {"rows": [*reversed(before), *after]}

    def next_answer(self, seq: int, step: int, what: str, market: str) -> dict[str, Any]:
        """The nearest record after (step 1) or before (-1) one that is a mark of some kind; null when there is none.

        what: a mark's name, `own`, `incident`, `market` (a frame of that one), or `gap`, any gap that is known of.
        market: which one the record is about, where it is ours; else the one that was asked with.
        """
        self.require(seq, market)
        names = {"own": OWN, "incident": INCIDENTS, **{mark.value: (mark,) for mark in Mark}}
        if what == "market":
            rows = self._some(seq + step, step, 1, "market", market)
            found = rows[0]["seq"] if rows else None
        elif what == "gap":
            found = self._next_gap(seq, step)
        elif what in names:
            found = self._next_mark(seq, step, mark_codes(names[what]))
        else:
            raise BadQuestionError(f"what={what} is none of gap, {', '.join(names)}")
        if found is not None and what in _OURS:
            about = market_of(self.pages.records(found)[0])
            market = about if self.knows(about) else market
        return {"seq": found, "market": market}

    def place_answer(self, text: str) -> dict[str, Any]:
        """The record that a text names: a number of a record, `#` before it or not, or a time, by its last record."""
        text = text.strip()
        number = text.lstrip("#").replace(",", "")
        if number.isascii() and number.isdigit() and (text.startswith("#") or len(number) < 17):
            seq = int(number)
            self.require(seq)
            return {"seq": seq}
        try:
            when_ns = parse_time(text)
        except ValueError as error:
            raise BadQuestionError(str(error)) from error
        return {"seq": self.tape.next_seq - 1 if when_ns is None else self.pages.until(when_ns)}

    def until_answer(self, when_ms: float) -> dict[str, Any]:
        """The last record received by an instant."""
        self.require(0)
        return {"seq": self.pages.until(round(when_ms * 1e6))}

    def require(self, seq: int, market: str = "") -> None:
        """Raises NotOnTapeError for a record or a market that the tape does not hold."""
        last_seq = self.tape.next_seq - 1
        if last_seq < 0:
            raise NotOnTapeError("this tape holds no record yet")
        if not 0 <= seq <= last_seq:
            raise NotOnTapeError(f"no record {seq} on this tape: it holds records 0 to {last_seq}")
        if market and not self.knows(market):
            raise NotOnTapeError(f"no market {market} on this tape")

    def knows(self, market: str) -> bool:
        """Whether a frame of the tape names that market; as far as the tape was gone through."""
        return market in self.scout.known().markets

    def _next_gap(self, seq: int, step: int) -> int | None:
        starts = sorted({self.pages.until(gap.at_ns) for gap in self.scout.known().gaps})
        found = [at for at in starts if (at > seq if step > 0 else at < seq)]
        return None if not found else found[0] if step > 0 else found[-1]

    def outline(self, seq: int) -> Outline:
        """The outline of the page with a record."""
        outlines = self.scout.outlines
        return outlines.holds(seq) or outline_of(self.pages.at(seq))

    def _next_mark(self, seq: int, step: int, codes: list[int]) -> int | None:
        at = seq + step
        for _ in range(SEARCH_PAGES):
            if not 0 <= at < self.tape.next_seq:
                return None
            outline = self.outline(at)
            seqs = outline.seqs[np.isin(outline.marks, codes)]
            seqs = seqs[seqs > seq] if step > 0 else seqs[seqs < seq]
            if len(seqs):
                return int(seqs[0] if step > 0 else seqs[-1])
            at = outline.last_seq + 1 if step > 0 else outline.first_seq - 1
        return None

    def _some(self, seq: int, step: int, count: int, show: str, market: str) -> list[dict[str, Any]]:
        """Up to so many records from one on, forth or back."""
        found: list[dict[str, Any]] = []
        for _ in range(SEARCH_PAGES):
            if len(found) >= count or not 0 <= seq < self.tape.next_seq:
                break
            page = self.pages.at(seq)
            rows = np.flatnonzero(self._shown(page, show, market))
            at = seq - page.first_seq
            rows = rows[rows >= at][: count - len(found)] if step > 0 else rows[rows <= at][::-1][: count - len(found)]
            marks = marks_of(page)
            found += [row_answer(page, row, int(marks[row])) for row in rows.tolist()]
            seq = page.last_seq + 1 if step > 0 else page.first_seq - 1
        return found

    def _shown(self, page: Page, show: str, market: str) -> Any:
        if show == "market":
            return page.of_market(market)
        marks = SHOWS[show]
        return np.ones(len(page.when), np.bool_) if marks is None else np.isin(marks_of(page), mark_codes(marks))


def _gap(gap: Any) -> dict[str, Any]:
    missing = gap.got - gap.expected if gap.got is not None and gap.expected is not None else 0
    return {
        "number": gap.number,
        "reason": gap.reason,
        "connection": gap.connection,
        "sid": gap.sid,
        "from_ms": ms(gap.at_ns),
        "until_ms": None if gap.until_ns is None else ms(gap.until_ns),
        "from": format_time(gap.at_ns),
        "missing": max(missing, 0),
        "markets": list(gap.markets[:20]),
        "markets_in_all": len(gap.markets),
    }


def ms(at_ns: int) -> float:
    """Unix milliseconds."""
    return at_ns / 1e6


def row_answer(page: Page, row: int, mark: int) -> dict[str, Any]:
    """A record as a row of a list. mark: its code, 0 = none."""
    kind = int(page.kind[row])
    return {
        "seq": page.first_seq + row,
        "when_ms": ms(int(page.when[row])),
        "kind": kind_name(kind),
        "type": page.text("type", row),
        "market": page.text("market", row),
        "connection": int(page.connection[row]),
        "line": line_of(page, row),
        "mark": MARKS[mark - 1].value if mark else "",
    }


def kind_name(kind: int) -> str:
    """`frame`, `decision`."""
    return Kind(kind).name.lower() if kind in list(Kind) else f"kind {kind}"


def record_answer(record: Record) -> dict[str, Any]:
    """A record whole: its numbers, its bytes, and what they say."""
    return {
        "seq": record.seq,
        "kind": kind_name(record.kind),
        "connection": record.connection,
        "at": format_time(record.at_ns),
        "at_ns": str(record.at_ns),
        "market": market_of(record),
        "raw": raw_of(record),
        "decoded": decoded_of(record),
    }


def book_answer(player: Player, market: str) -> dict[str, Any]:
    """The market as strategies saw it after the record: ladders (bids, best first), trades, what is ours."""
    view: MarketView = player.store.view(market)
    last = view.last_trade
    return {
        "trusted": view.trusted,
        "yes": [list(level) for level in view.yes[::-1][:LEVELS]],
        "no": [list(level) for level in view.no[::-1][:LEVELS]],
        "levels": [len(view.yes), len(view.no)],
        "owner": None if view.owner is None else list(view.owner),
        "book_age_ms": ms(player.now_ns - view.book_ns) if view.book_ns else None,
        "phase": str(phase_at(view.lifecycle, player.now_ns)),
        "last_trade": None if last is None else [last.price, last.count, last.taker.value, ms(last.now_ns)],
        "trades": [[t.price, t.count, t.taker.value, ms(t.now_ns)] for t in view.trades[-TRADES:][::-1]],
        "position": None if view.position is None else format_size(view.position),
        "orders": [_order(order) for order in view.orders],
        "fills": [_fill(fill) for fill in view.fills[-20:][::-1]],
    }


def _order(order: Any) -> dict[str, Any]:
    return {
        "id": order.client_order_id or order.order_id,
        "side": order.side.value,
        "price": order.price,
        "remaining": order.remaining_count,
        "filled": order.fill_count,
        "status": order.status,
    }


def _fill(fill: Any) -> dict[str, Any]:
    return {
        "side": fill.side.value,
        "price": format_price(fill.price),
        "count": format_size(fill.count),
        "maker": not fill.is_taker,
        "fee": None if fill.fee is None else format_money(fill.fee),
        "when_ms": ms(fill.exchange_ns) if fill.exchange_ns else None,
    }
