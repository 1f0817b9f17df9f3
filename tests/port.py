"""Feeds a host by hand, for tests of strategies' port: records in, decisions out.

Knows how records are made in few words. Must not know what is right: the tests do.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from core.actions import GO, Action, BookSide, Decision, Done, Fetch, Outcome, Place, RunTerms, StrategySpec, Tick
from core.context import Context
from core.decider import Reaction
from core.engine import Engine
from core.fetched import Fetched
from core.host import Host
from core.messages.types import BookSnapshot, Fill, Level, Message, Side, Subscribed
from core.records import Closed, Control, Heartbeat, Kind, Opened, Record, RestCall, Session, encode_payload
from core.strategy import Strategy
from core.times import SECOND_NS
from core.window import Window

START_NS: Final = 1_795_420_800 * SECOND_NS


class Puppet(Strategy):
    """Does what the test tells it at the next answer of REST, and writes down what it hears."""

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.todo: Callable[[Context], Any] | None = None
        self.heard: list[tuple[Any, ...]] = []

    def on_rest(self, ctx: Context, fetched: Fetched) -> None:
        """Do it, once."""
        todo, self.todo = self.todo, None
        if todo is not None:
            todo(ctx)
        else:
            self.heard.append(("on_rest", fetched.path))


class Listener(Puppet):
    """A puppet that hears everything."""


def _hearing(hook: str) -> Callable[..., None]:
    def hear(self: Puppet, _ctx: Context, *arguments: Any) -> None:
        found = [argument.market if isinstance(argument, Window) else argument for argument in arguments]
        self.heard.append((hook, *found))

    return hear


for _name in [name for name in vars(Strategy) if name.startswith("on_") and name != "on_rest"]:
    setattr(Listener, _name, _hearing(_name))


class Run:
    """A host in a session of its own on connection 1, its clock set by hand; strategies are called a, b, c ..."""

    def __init__(self, *strategies: Strategy, terms: Mapping[str, Any] | None = None, now_ns: int = START_NS) -> None:
        self.strategies = list(strategies) or [Puppet()]
        self.engine = Engine()
        self.host = Host(self.engine, lambda spec: self.strategies[ord(spec.name) - ord("a")])
        self.now_ns = now_ns
        self.seq = 0
        self.reactions: list[Reaction] = []
        self.session(**(terms or {}))
        self.opened()

    @property
    def decisions(self) -> list[Decision]:
        """All that were taken so far."""
        return [decision for reaction in self.reactions for decision in reaction.decisions]

    def actions(self, kind: type[Action]) -> list[Any]:
        """What was asked for of this kind and not refused."""
        return [d.action for d in self.decisions if isinstance(d.action, kind) and not d.refused]

    def put(self, kind: Kind, payload: msgspec.Struct | bytes = b"", connection: int = 0) -> Reaction:
        """A record now."""
        raw = payload if isinstance(payload, bytes) else encode_payload(payload)
        return self._react(Record(self.seq, self.now_ns, 0, connection, kind, raw), None)

    def frame(self, message: Message, connection: int = 1) -> Reaction:
        """A text frame that says this."""
        return self._react(Record(self.seq, self.now_ns, 0, connection, Kind.FRAME, b""), message)

    def session(self, uuid: str = "u", seed: int = 7, **terms: Any) -> Reaction:
        """A session of these strategies begins."""
        specs = tuple(StrategySpec(chr(ord("a") + n), "", {}) for n in range(len(self.strategies)))
        run = RunTerms(strategies=specs, **terms)
        return self.put(Kind.SESSION, Session(uuid, "demo", seed=seed, run=msgspec.to_builtins(run)))

    def opened(self, connection: int = 1) -> Reaction:
        """A socket is up."""
        return self.put(Kind.OPENED, Opened(), connection)

    def closed(self, connection: int = 1) -> Reaction:
        """A socket is down."""
        return self.put(Kind.CLOSED, Closed(1006), connection)

    def subscribed(self, channel: str, sid: int, connection: int = 1) -> Reaction:
        """A channel was accepted."""
        return self.frame(Subscribed(sid=sid, channel=channel, id=sid), connection)

    def book(self, market: str, yes: tuple[Level, ...], no: tuple[Level, ...], seq: int = 1) -> Reaction:
        """A whole book, on sid 1."""
        return self.frame(BookSnapshot(sid=1, seq=seq, market=market, yes=yes, no=no))

    def go(self, *adopted: str) -> Reaction:
        """Account and tape agree."""
        return self.put(Kind.CONTROL, Control(GO, adopted))

    def control(self, action: str) -> Reaction:
        """The operator wants something."""
        return self.put(Kind.CONTROL, Control(action))

    def beat(self, seconds: float = 1) -> Reaction:
        """So much later, a heartbeat."""
        self.now_ns += int(seconds * SECOND_NS)
        return self.put(Kind.HEARTBEAT, Heartbeat(0))

    def tick(self, seconds: float) -> Reaction:
        """So much later, timers that are due go off."""
        self.now_ns += int(seconds * SECOND_NS)
        return self.put(Kind.TICK, Tick(self.now_ns))

    def outcome(self, decision: int, done: Done = Done.DONE, **more: Any) -> Reaction:
        """What became of a decision."""
        return self.put(Kind.OUTCOME, Outcome(decision, done, **more))

    def answer(self, path: str, body: Any, **more: Any) -> Reaction:
        """REST answered."""
        text = msgspec.json.encode(body).decode()
        whole = {"method": "GET", "path": f"/trade-api/v2{path}", "status": 200, "answer": text} | more
        call = msgspec.convert(whole, RestCall)
        return self.put(Kind.REST, call)

    def do(self, todo: Callable[[Context], Any], strategy: int = 0) -> Reaction:
        """Have a puppet do something."""
        puppet = self.strategies[strategy]
        assert isinstance(puppet, Puppet)
        puppet.todo = todo
        return self.answer("/exchange/status", {"exchange_active": True, "trading_active": True})

    def _react(self, record: Record, message: Message | None) -> Reaction:
        self.seq += 1
        reaction = self.host.react(record, self.engine.step(record, message))
        self.reactions.append(reaction)
        return reaction


def path_of(fetch: Fetch) -> str:
    """Path and query of a fetch, as it lies on a tape."""
    query = "&".join(f"{name}={value}" for name, value in fetch.params)
    return f"{fetch.path}?{query}" if query else fetch.path


def fill(order_id: str = "x", count: int = 100, trade_id: str = "t", key: str = "", **more: Any) -> Fill:
    return Fill(
        market="M", trade_id=trade_id, order_id=order_id, client_order_id=key, side=Side.YES, price=4_000, count=count,
        fee=0, **more,
    )  # fmt: skip


def place(run: Run, count: int = 100, price: int = 4_000, strategy: int = 0) -> Decision:
    """A bid by a puppet."""
    found: Decision = run.do(lambda ctx: ctx.place("M", BookSide.BID, price, count), strategy).decisions[-1]
    return found


def rest(run: Run, order_id: str = "o", strategy: int = 0) -> Place:
    """A bid that rests."""
    decision = place(run, strategy=strategy)
    assert isinstance(decision.action, Place)
    run.outcome(decision.number, order_id=order_id, filled=0, remaining=100)
    return decision.action


def wake(run: Run, **after_ns: int) -> None:
    """A puppet sets timers."""

    def todo(ctx: Context) -> None:
        for name, after in after_ns.items():
            ctx.wake(name, after)

    run.do(todo)


def started(*strategies: Strategy, **terms: Any) -> Run:
    run = Run(*strategies, terms=terms)
    run.go()
    return run
