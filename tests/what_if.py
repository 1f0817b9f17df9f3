"""What strategies would have done over a recording: its own records, and between them what a run would have put there.

A real recording holds no facts by REST and no go. So SESSION names the strategies, facts are made from the event
beside the recording or from the tape itself, a TICK comes where the host's timer is due, a HEARTBEAT each second, and
the paper venue answers orders at once. Requests for books are left without an answer: nobody knows what it would have
been.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from imported import tape_of
from strategy_rest import ROOT
from strategy_run import Cast, loader
from tapes import TAPES

from core.actions import GO, Amend, Cancel, Decision, Done, Fetch, Outcome, Place, RiskLimits, RunTerms, Tick
from core.engine import Engine
from core.host import Host
from core.messages.types import BookDelta, BookSnapshot, Message, Trade
from core.money import format_money
from core.orders import OwnOrder
from core.records import Control, Heartbeat, Kind, Record, RestCall, decode_session, encode_payload
from core.times import SECOND_NS
from replay import Player
from replay.exchange.made_up import one_series
from replay.paper import NAME, PaperVenue

NEVER_CLOSES: Final = "2030-01-01T00:00:00Z"


SILENCE_NS: Final = 16 * SECOND_NS
"""Longer than two pings of the exchange are apart, and than a regime lives without a word."""


class WhatIf:
    """A run over a recording. counts: of actions and fills by name; frozen_s: seconds, a market each, by reason.

    orders: when which was placed or changed; resting: each second, which orders rest; silences: when nothing was
    received for more than 16 s, from and until; largest: position either way, by market. Times by the host's clock.
    """

    def __init__(self, name: str, *casts: Cast, limits: RiskLimits | None = None) -> None:
        self.name = name
        self.engine = Engine()
        self.host = Host(self.engine, loader(casts))
        self.limits = limits or RiskLimits()
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.frozen_s: Counter[str] = Counter()
        self.says: list[str] = []
        self.orders: list[tuple[int, Place | Amend]] = []
        self.resting: list[tuple[int, OwnOrder]] = []
        self.silences: list[tuple[int, int]] = []
        self.largest: Counter[str] = Counter()
        self._heard_ns = 0
        self.facts = facts_of(name)
        self._terms = RunTerms(tuple(cast.spec for cast in casts), self.limits, paper=NAME, paper_cash=10_000_000_000)
        self._paper = PaperVenue()
        self._seq = 0
        self._beat_ns = 0
        self._last: Record | None = None

    def play(self) -> "WhatIf":
        """Over the whole recording."""
        for record in tape_of(self.name).records():
            self._until(record)
            if record.kind == Kind.SESSION:
                session = decode_session(record.payload)
                payload = encode_payload(msgspec.structs.replace(session, run=msgspec.to_builtins(self._terms)))
                self._put(msgspec.structs.replace(record, payload=payload))
                self._begin()
            else:
                self._put(record)
            if self._heard_ns and self.engine.now_ns - self._heard_ns > SILENCE_NS:
                self.silences.append((self._heard_ns, self.engine.now_ns))
            self._heard_ns = self.engine.now_ns
        return self

    def strategy(self, name: str) -> Any:
        """A strategy by name."""
        return next(seat.strategy for seat in self.host._seats.seats if seat.name == name)

    def report(self) -> str:
        """What happened, in a line."""
        busiest = max(Counter(now_ns // SECOND_NS for now_ns, _ in self.orders).values(), default=0)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        frozen = ", ".join(f"{why} {count} s" for why, count in self.frozen_s.most_common())
        money = format_money(self.host.trading.risk.day_pnl)
        return (
            f"{self.name}: {counts}; busiest second {busiest}; {frozen}; refused {dict(self.refused)}; {money} dollars"
        )

    def _begin(self) -> None:
        self._insert(Kind.REST, _rest("/exchange/status", {"exchange_active": True, "trading_active": True}))
        for ticker in self.facts:
            self._insert(Kind.REST, self._market(ticker))
        self._insert(Kind.CONTROL, encode_payload(Control(GO)))

    def _market(self, ticker: str) -> bytes:
        return _rest(f"/markets/{ticker}", {"market": self.facts[ticker]})

    def _until(self, record: Record) -> None:
        """What is due before the next record of the recording."""
        while self._last is not None and record.kind != Kind.SESSION:
            wake_ns = self.host.next_wake_ns
            due_ns = min(self._beat_ns, wake_ns or self._beat_ns)
            if due_ns > self.engine.now_ns + record.at_ns - self._last.at_ns:
                return
            if due_ns == self._beat_ns:
                self._beat_ns += SECOND_NS
                self._insert(Kind.HEARTBEAT, encode_payload(Heartbeat(self._seq)), due_ns)
                self._note()
            else:
                self._insert(Kind.TICK, encode_payload(Tick(due_ns)), due_ns)

    def _note(self) -> None:
        for seat in self.host._seats.seats:
            reasons: dict[str, str] = getattr(seat.strategy, "reasons", dict)()
            self.frozen_s.update(why or "quoting" for why in reasons.values())
        self.resting += [(self.engine.now_ns, order) for order in self.host.trading.ledger.live()]
        for held in self.host.trading.holdings.all():
            self.largest[held.market] = max(self.largest[held.market], abs(held.position))

    def _insert(self, kind: Kind, payload: bytes, now_ns: int = 0) -> None:
        """A record that the recording has not, at this time of the engine or at that of the record before."""
        before = self._last
        assert before is not None, "nothing comes before SESSION"
        later_ns = max(0, now_ns - self.engine.now_ns) if now_ns else 0
        mono_ns = before.mono_ns + later_ns if before.mono_ns else 0
        self._put(Record(0, before.at_ns + later_ns, mono_ns, 0, kind, payload))

    def _put(self, record: Record) -> None:
        record = msgspec.structs.replace(record, seq=self._seq)
        self._seq += 1
        self._last = record
        step = self.engine.step(record)
        if record.kind == Kind.SESSION:
            self._beat_ns = self.engine.now_ns + SECOND_NS
        self._paper.saw(step, self.engine)
        event = self._paper.events()
        reaction = self.host.react(record, step)
        assert not reaction.faults, f"{self.name}: {reaction.faults}"
        if event is not None:
            self.counts["fill"] += len(event.fills)
            self._insert(Kind.OUTCOME, encode_payload(event))
        for decision in reaction.decisions:
            self._insert(Kind.DECISION, encode_payload(decision))
        for decision in reaction.decisions:
            self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        action = decision.action
        if decision.refused:
            self.refused[decision.refused] += 1
            return
        self.counts[type(action).__name__.lower()] += 1
        match action:
            case Place() | Amend():
                self.orders.append((self.engine.now_ns, action))
            case Fetch():
                self._answer(decision.number, action)
                return
            case Cancel():
                pass
            case _:
                self.says.append(getattr(action, "text", ""))
        outcome = self._paper.act(decision) or Outcome(decision.number, Done.DONE)
        self._insert(Kind.OUTCOME, encode_payload(outcome))

    def _answer(self, number: int, asked: Fetch) -> None:
        body = self._body(asked)
        if body is not None:
            query = "?" + urlencode(asked.params) if asked.params else ""
            self._insert(Kind.REST, _rest(asked.path + query, body, f"decision {number}"))
        done = Done.FAILED if body is None else Done.DONE
        self._insert(Kind.OUTCOME, encode_payload(Outcome(number, done, 0 if body is None else 200)))

    def _body(self, asked: Fetch) -> dict[str, Any] | None:
        first, *rest = asked.path.strip("/").split("/")
        if first == "series":
            return {"series": one_series(rest[0])}
        if first == "markets" and not rest:
            names = dict(asked.params).get("tickers", "").split(",")
            found = [market for ticker, market in self.facts.items() if names == [""] or ticker in names]
            return {"markets": found, "cursor": ""}
        if first == "markets" and len(rest) == 1 and rest[0] in self.facts:
            return {"market": self.facts[rest[0]]}
        return None


def facts_of(name: str) -> dict[str, dict[str, Any]]:
    """The markets of a recording as REST shows them while they are open: from the event beside it, else made."""
    path = TAPES / name / "event.json"
    if path.exists():
        markets = json.loads(path.read_bytes())["response"]["markets"]
        settled = ("result", "settlement_ts", "settlement_value_dollars", "expiration_value")
        told = [{k: v for k, v in market.items() if k not in settled} for market in markets]
        return {market["ticker"]: {**market, "status": "active"} for market in told}
    prices: dict[str, dict[int, None]] = {}
    last_ns: dict[str, int] = {}
    for record, message in Player(tape_of(name), "columns").messages():
        market = getattr(message, "market", "")
        if isinstance(message, BookDelta | BookSnapshot | Trade):
            prices.setdefault(market, {}).update(dict.fromkeys(_prices(message)))
            last_ns[market] = record.at_ns
    return {market: _made(market, found) for market, found in prices.items()}


def _prices(message: Message) -> Iterator[int]:
    match message:
        case BookDelta() | Trade():
            yield message.price
        case BookSnapshot():
            yield from (price for price, _ in (*message.yes, *message.no))
        case _:
            pass


def _made(market: str, prices: Sequence[int] | dict[int, None]) -> dict[str, Any]:
    off_cent = [price for price in prices if price % 100]
    is_tapered = all(price < 1_000 or price > 9_000 for price in off_cent)
    structure = "linear_cent" if not off_cent else "tapered_deci_cent" if is_tapered else "deci_cent"
    return {
        "ticker": market,
        "event_ticker": market.rpartition("-")[0],
        "market_type": "binary",
        "status": "active",
        "price_level_structure": structure,
        "open_time": "2020-01-01T00:00:00Z",
        "close_time": _close(market),
        "volume_fp": "100000.00",
        "volume_24h_fp": "100000.00",
    }


def _close(market: str) -> str:
    """By its name where that tells of a quarter of an hour: KXBTC15M-26MAY140045-45 closes at 00:45 in New York."""
    parts = market.split("-")
    if "15M" not in parts[0]:
        return NEVER_CLOSES
    day, hour, minute = int(parts[1][5:7]), int(parts[1][7:9]), int(parts[1][9:11])
    return f"2026-05-{day:02d}T{hour + 4:02d}:{minute:02d}:00Z"


def _rest(path: str, body: dict[str, Any], why: str = "start") -> bytes:
    return encode_payload(RestCall("GET", ROOT + path, 200, answer=json.dumps(body), why=why))
