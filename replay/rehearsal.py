"""A live run in virtual time: strategies trade on the sandbox's exchange, and a tape holds it as a recorder would have.

Knows what a recorder and a run write, and how long everything is on its way between the two. Must not know what is made
of the tape. Nothing here is faked but sockets and the clock: the exchange matches, the hub words its frames, the
strategies' host is the live one. The same seed gives the same tape, but for the times in frames' envelopes. Times in
Unix ns of the exchange's clock, which is the recorder's.
"""

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from capture.tape.layout import FORMAT_VERSION, Label
from capture.tape.reader import Tape
from capture.tape.schema import RawBatch
from capture.tape.sealer import commit_segment, create_tape, write_batch
from core.actions import (
    GO,
    Amend,
    Cancel,
    Decision,
    Done,
    Fetch,
    Outcome,
    Place,
    RunTerms,
    Tick,
)
from core.answers import parse_cancelled, parse_error, parse_placed
from core.commands import MARKET_CHANNELS, subscribe
from core.engine import Engine
from core.host import Host, Load
from core.messages.types import Malformed
from core.money import format_price, format_size
from core.records import Closed, Control, Heartbeat, Kind, Opened, Record, RestCall, Session, encode_payload
from core.times import SECOND_NS
from replay.exchange.hub import Hub
from replay.exchange.options import ServerOptions
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.traders import Cancels
from replay.loading import load
from replay.venue.agenda import Agenda
from replay.venue.library import ROOT

ACCOUNT: Final = "trader"
START_NS: Final = 1_795_435_200 * SECOND_NS
PRIVATE: Final = ("fill", "user_orders", "market_positions")
LIVES: Final = ("market_lifecycle_v2", "multivariate_market_lifecycle")

_ORDERS: Final = "/portfolio/events/orders"
_OPENING: Final = ("/portfolio/balance", "/portfolio/positions", "/portfolio/orders")


@dataclass(frozen=True, slots=True)
class Ways:
    """How long things are on their way (ns). feed: a frame from the exchange to the recorder. order, answer: on average
    there and back, each drawn from a lognormal distribution of this sigma."""

    feed_ns: int = 5_000_000
    order_ns: int = 20_000_000
    answer_ns: int = 20_000_000
    sigma: float = 0.4

    def drawn(self, mean_ns: int, dice: random.Random) -> int:
        """How long something takes this time."""
        return int(mean_ns * dice.lognormvariate(-self.sigma * self.sigma / 2, self.sigma))


class Rehearsal:
    """One run. markets: those that are recorded; the strategies' terms may depend on them. records: the tape so far."""

    def __init__(
        self, seed: int, *, markets: int = 3, rate: float = 100.0, cancels: Cancels = Cancels.ANY,
        ways: Ways | None = None, load: Load = load,
    ) -> None:  # fmt: skip
        options = SandboxOptions(
            markets=markets, rate=rate, seed=seed, start_ns=START_NS, accounts=(ACCOUNT,), fund=10**13, cancels=cancels
        )
        self.venue = SandboxVenue(options)
        self.now_ns = START_NS
        self.records: list[Record] = []
        self._seed = seed
        self._ways = ways or Ways()
        self._dice = random.Random(f"ways {seed}")
        self._hub = Hub(self.venue, ServerOptions(keep_frames=True), lambda: self.now_ns)
        self._session = self._hub.lobby.join(ACCOUNT, lambda: None)
        self._host = Host(Engine(), load)
        self._agenda = Agenda()
        self._beat_ns = START_NS + SECOND_NS
        self.markets = self.venue.markets()

    def begin(self, terms: RunTerms) -> None:
        """Subscribe to all there is, read the account and the markets' facts, and let the strategies go; once."""
        uuid = f"{self._seed:08x}-0000-4000-8000-000000000000"
        self._put(Kind.SESSION, Session(uuid, "rehearsal", seed=self._seed, run=msgspec.to_builtins(terms)))
        self._connect()
        facts = [f"/markets/{market}" for market in self.markets]
        facts += dict.fromkeys(f"/series/{market.partition('-')[0]}" for market in self.markets)
        for path in (*_OPENING, *facts):
            self._put(Kind.REST, msgspec.structs.replace(self._asked("GET", path), why="the account before the run"))
        self._put(Kind.CONTROL, Control(GO))

    def run(self, span_ns: int) -> None:
        """Go on for so long; `begin` comes first."""
        end_ns = self.now_ns + span_ns
        while True:
            wake_ns = self._host.next_wake_ns or end_ns + 1
            at_ns = max(min(self._agenda.next_ns, wake_ns, self._beat_ns, self.venue.machine.next_ns), self.now_ns)
            if at_ns > end_ns:
                break
            self.now_ns = at_ns
            if self._agenda.next_ns <= at_ns:
                self._agenda.take()[1](at_ns)
            elif wake_ns <= at_ns:
                self._put(Kind.TICK, Tick(at_ns))
            elif self._beat_ns <= at_ns:
                self._beat_ns += SECOND_NS
                self._put(Kind.HEARTBEAT, Heartbeat(len(self.records) - 1))
            else:
                self.venue.step()
                self._publish()
        self.now_ns = end_ns

    def tape(self, path: Path) -> Tape:
        """What was recorded, as a sealed tape. Raises TapeError, DiskError as writing does."""
        manifest = create_tape(path, Label(FORMAT_VERSION, f"rehearsal {self._seed}", "rehearsal"))
        for batch in RawBatch.of(self.records).groups():
            commit_segment(manifest, write_batch(manifest, batch, None))
        return Tape.open(path)

    # ------------------------------------------------------------------ the recorder

    def reconnect(self, after_ns: int) -> None:
        """The connection is lost, with all that is on its way, and is there again so much later."""
        self._put(Kind.CLOSED, Closed(1006, "rehearsed"), self._session.number)
        self._hub.lobby.leave(self._session)
        self.run(after_ns)
        self._session = self._hub.lobby.join(ACCOUNT, lambda: None)
        self._connect()

    def _connect(self) -> None:
        number = self._session.number
        self._put(Kind.OPENED, Opened("wss://rehearsal", replaces=number - 1), number)
        wanted = [(channel, self.markets) for channel in MARKET_CHANNELS] + [
            (channel, ()) for channel in (*PRIVATE, *LIVES)
        ]
        for command_id, (channel, markets) in enumerate(wanted, 1):
            command = subscribe(command_id, channel, markets)
            self._put_bytes(Kind.SENT, command, number)
            self._hub.receive(self._session, command)
            self._send()

    def _publish(self) -> None:
        for publication in self.venue.drain():
            self._hub.publish(publication)
        self._send()

    def _send(self) -> None:
        """What the exchange has queued for us comes a while later."""
        out = self._session.out
        while out.take(0):
            pass
        for frame in out.kept:
            arrive = partial(self._arrived, frame.payload, self._session.number)
            self._agenda.plan(self.now_ns + self._ways.feed_ns, arrive)
        out.kept.clear()

    def _arrived(self, payload: bytes, number: int, _now_ns: int) -> None:
        if number in self._hub.lobby.sessions:
            self._put_bytes(Kind.FRAME, payload, number)

    def _put(self, kind: Kind, payload: msgspec.Struct, connection: int = 0) -> None:
        self._put_bytes(kind, encode_payload(payload), connection)

    def _put_bytes(self, kind: Kind, payload: bytes, connection: int = 0) -> None:
        """A record, and what the strategies make of it."""
        mono_ns = self.now_ns - START_NS + SECOND_NS
        record = Record(len(self.records), self.now_ns, mono_ns, connection, int(kind), payload)
        self.records.append(record)
        reaction = self._host.react(record, self._host.engine.step(record))
        assert not reaction.faults, reaction.faults
        for decision in list(reaction.decisions):
            self._put(Kind.DECISION, decision)
            self._decided(decision)

    # ------------------------------------------------------------------ what is decided

    def _decided(self, decision: Decision) -> None:
        if not decision.refused and isinstance(decision.action, Place | Amend | Cancel | Fetch):
            self._agenda.plan(
                self.now_ns + self._ways.drawn(self._ways.order_ns, self._dice),
                partial(self._acted, decision, self.now_ns),
            )

    def _acted(self, decision: Decision, sent_ns: int, now_ns: int) -> None:
        """A decision has come to the exchange."""
        method, path, query, body = _request(decision.action)
        call = self._asked(method, path, query, body)
        self._publish()
        answer = partial(self._answered, decision, sent_ns, call)
        self._agenda.plan(now_ns + self._ways.drawn(self._ways.answer_ns, self._dice), answer)

    def _answered(self, decision: Decision, sent_ns: int, call: RestCall, now_ns: int) -> None:
        told = msgspec.structs.replace(call, why=f"decision {decision.number}", took_ns=now_ns - sent_ns)
        self._put(Kind.REST, told)
        self._put(Kind.OUTCOME, _outcome(decision, call))

    def _asked(self, method: str, path: str, query: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> RestCall:
        """Ask the exchange, at this very instant."""
        self.venue.machine.now_ns = self.now_ns
        request = RestRequest(method=method, path=ROOT + path, query=query, body=body, account=ACCOUNT)
        answer: RestAnswer = self.venue.rest(request)
        whole = ROOT + path + ("?" + urlencode(query) if query else "")
        return RestCall(method, whole, answer.status, body=body.decode(), answer=answer.body.decode())


def _request(action: object) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
    """Method, path, query and body of a decision, as the live shell words it."""
    match action:
        case Place():
            body = {
                "ticker": action.market, "client_order_id": action.client_order_id, "side": action.side.value,
                "count": format_size(action.count), "price": format_price(action.price),
                "time_in_force": action.time_in_force, "post_only": action.post_only,
                "self_trade_prevention_type": action.self_trade_prevention,
                "reduce_only": action.reduce_only,
                "cancel_order_on_pause": not action.ioc, "expiration_time": action.expires_s,
            }  # fmt: skip
            return "POST", _ORDERS, (), msgspec.json.encode({name: value for name, value in body.items() if value})
        case Amend():
            body = {
                "ticker": action.market, "side": action.side.value, "price": format_price(action.price),
                "count": format_size(action.count), "client_order_id": action.client_order_id,
                "expiration_time": action.expires_s,
            }  # fmt: skip
            chosen = {name: value for name, value in body.items() if value}
            return "POST", f"{_ORDERS}/{action.order_id}/amend", (), msgspec.json.encode(chosen)
        case Cancel():
            return "DELETE", f"{_ORDERS}/{action.order_id}", (("market_ticker", action.market),), b""
        case Fetch():
            return "GET", action.path, action.params, b""
        case _:
            raise AssertionError(f"nothing to be carried out: {action}")


def _outcome(decision: Decision, call: RestCall) -> Outcome:
    """What the live shell makes of an answer."""
    number, action, body = decision.number, decision.action, call.answer.encode()
    if not 200 <= call.status < 300:
        error = parse_error(body)
        code = "" if isinstance(error, Malformed) else error.code
        return Outcome(number, Done.REFUSED, call.status, code, f"the exchange answered HTTP {call.status}")
    if isinstance(action, Fetch):
        return Outcome(number, Done.DONE, call.status)
    if isinstance(action, Cancel):
        cancelled = parse_cancelled(body)
        assert not isinstance(cancelled, Malformed), call.answer
        return Outcome(number, Done.DONE, 200, order_id=action.order_id, remaining=cancelled[0].reduced_by)
    placed = parse_placed(body)
    assert not isinstance(placed, Malformed), call.answer
    remaining = placed[0].remaining_count if isinstance(action, Place) else -1
    return Outcome(
        number, Done.DONE, call.status, order_id=placed[0].order_id, filled=placed[0].fill_count, remaining=remaining
    )
