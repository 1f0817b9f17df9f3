"""A stage for strategies: a sandbox exchange, the desks that talk to it and a host, in one process and on one clock.

What a live run would put on its tape is put in `records`: frames, commands, REST answers, decisions, outcomes, ticks.
Whatever strategies decide is carried out at the exchange. Nothing reads a clock, throws dice or waits, so the same
calls give the same records, and `replayed(records, ...)` must give the same decisions.
"""

import heapq
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from strategy_rest import UNANSWERED, Asked, order_request, outcome_of, rest_record, rest_request
from strategy_run import START_NS, Cast, Run

from core.actions import (
    GO,
    Amend,
    Cancel,
    Decision,
    Done,
    Fetch,
    Outcome,
    Place,
    RiskLimits,
    RunTerms,
    Subscribe,
    Tick,
    Unsubscribe,
)
from core.commands import MARKET_CHANNELS, Command, Reconnect, Send, Tell
from core.conversation import DeskOptions
from core.desks import UNWANT, WANT, Desks
from core.records import Closed, Control, Heartbeat, Kind, Opened, Record, encode_payload
from core.times import SECOND_NS
from replay.exchange.hub import Hub
from replay.exchange.options import Limits, ServerOptions
from replay.exchange.port import RestAnswer
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.sessions import Session as Client

CHANNELS: Final = (*MARKET_CHANNELS, "market_lifecycle_v2", "fill", "user_orders", "market_positions")
PING_EVERY_NS: Final = 10 * SECOND_NS


class Stage:
    """A run at a sandbox. Time passes in `wait` and `until` alone; `start` begins.

    rest_s: how long a request takes to its answer; frame_s: how long a frame is on its way. down: no request arrives
    anywhere. lost: of these (method, path below the prefix) the answer is lost, though the exchange did what was asked.
    refuses: of these it is a 400. muted: markets of which no frame is sent. hung: connections bring nothing at all.
    drops: frames lost on the way. asked: every request that left. reconnect_s: how long a lost connection stays away.
    """

    def __init__(
        self,
        *casts: Cast,
        markets: int = 4,
        rate: float = 0,
        seed: int = 1,
        busy_steps: int = 400,
        account: str = "trader",
    ) -> None:
        """busy_steps: what the sandbox's traders do before anybody looks, so that there are books; then rate holds."""
        options = SandboxOptions(markets=markets, rate=rate or 500, seed=seed, start_ns=START_NS, accounts=(account,))
        self.venue = SandboxVenue(options)
        self.venue.step(busy_steps)
        self.venue.drain()
        if not rate:
            self.venue.machine.options = replace(options, rate=0)  # from here on only clients and tests act
        limits = Limits(commands_per_s=0)
        self.hub = Hub(self.venue, ServerOptions(keep_frames=True, limits=limits), lambda: self.venue.now_ns)
        self.desks = Desks(1, DeskOptions(channels=CHANNELS))
        self.run = Run(self.desks.engine, casts, self._take, start_ns=self.venue.now_ns)
        self.rest_s, self.frame_s, self.reconnect_s = 0.05, 0.0, 1.0
        self.down = self.hung = False
        self.lost: Callable[[str, str], bool] = lambda _method, _path: False
        self.refuses: Callable[[str, str], bool] = lambda _method, _path: False
        self.drops: Callable[[bytes], bool] = lambda _frame: False
        self.muted: dict[str, None] = {}
        self.asked: list[Asked] = []
        self._account = account
        self._clients: dict[int, Client] = {}
        self._opened = 0
        self._turns = self._arrival_ns = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []

    @property
    def now_ns(self) -> int:
        """The recorder's clock."""
        return self.run.now_ns

    @property
    def records(self) -> list[Record]:
        """The tape."""
        return self.run.records

    def start(self, *, limits: RiskLimits | None = None, adopted: tuple[str, ...] = (), **terms: Any) -> None:
        """Begin a session as a live run does: connect, ask for the account, and go.

        adopted: client_order_ids of orders that rest and are taken over. terms: see RunTerms.
        """
        self._step(self.run.begin(RunTerms(limits=limits or RiskLimits(), **terms)))
        self._beat()
        self._ping()
        self.connect()
        for path in ("/exchange/status", "/exchange/schedule", "/portfolio/balance", "/portfolio/positions"):
            self.ask(path)
        self.ask("/portfolio/orders", status="resting", limit=1_000)
        self.wait(0.5)
        self.control(GO, *adopted)
        self.wait()

    def wait(self, seconds: float = 0.0) -> None:
        """Let so much time pass; 0 = do what is due now."""
        run, end_ns = self.run, self.now_ns + int(seconds * SECOND_NS)
        while True:
            wake_ns, step_ns = run.host.next_wake_ns, self.venue.machine.next_ns
            agenda_ns = self._agenda[0][0] if self._agenda else end_ns + 1
            due_ns = min(agenda_ns, step_ns, wake_ns or agenda_ns)
            if due_ns > end_ns:
                break
            run.now_ns = max(run.now_ns, due_ns)
            if agenda_ns == due_ns:
                heapq.heappop(self._agenda)[2]()
            elif wake_ns == due_ns:
                self.put(Kind.TICK, encode_payload(Tick(run.now_ns)))
            else:
                self.venue.step()
                self._publish()
        run.now_ns = end_ns

    def until(self, condition: Callable[[], object], what: str = "it", limit_s: float = 60.0) -> None:
        """Let time pass until something holds; AssertionError when it does not within so much of the stage's time."""
        end_ns = self.now_ns + int(limit_s * SECOND_NS)
        while not condition():
            assert self.now_ns < end_ns, f"{limit_s:g} s passed in vain for {what}"
            self.wait(0.1)

    def put(self, kind: Kind, payload: bytes = b"", connection: int = 0) -> None:
        """Append a record; what it leads to is carried out as time passes, or by `wait()`."""
        self._step(self.run.record(kind, payload, connection))

    def control(self, action: str, *markets: str) -> None:
        """The operator, or the shell for them: go, hold, stop, want, unwant."""
        self.put(Kind.CONTROL, encode_payload(Control(action, markets)))

    def act(self, command: Callable[[int], Any]) -> Any:
        """Do something to the exchange's engine (life, orders of others), and let everybody hear of it."""
        done = self.venue.act(command)
        self._publish()
        return done

    def trade(self, steps: int = 1) -> None:
        """Have the sandbox's traders act, whatever the rate is."""
        for _ in range(steps):
            self.act(self.venue.machine.traders.step)

    def connect(self, replaces: int = 0) -> int:
        """A connection comes up; its number."""
        self._opened += 1
        number = self._opened
        self._clients[number] = self.hub.lobby.join(self._account, lambda: None)
        self.put(Kind.OPENED, encode_payload(Opened("wss://sandbox.test", replaces)), number)
        return number

    def drop(self, *, stays_away: bool = False) -> None:
        """Every connection is lost, and another comes after `reconnect_s`."""
        for number in list(self._clients):
            self.hub.lobby.leave(self._clients.pop(number))
            self.put(Kind.CLOSED, encode_payload(Closed(1_006)), number)
            if not stays_away:
                self._later(self.reconnect_s, partial(self._reconnect, number))

    def ask(self, path: str, **params: str | int) -> RestAnswer:
        """The shell asks by REST and has the answer at once."""
        request = Asked("GET", path, tuple((name, str(value)) for name, value in params.items()))
        answer = self._request(request)
        self.put(Kind.REST, rest_record(request, answer, "start"))
        return answer

    def rest(self, method: str, path: str, body: Any = None, account: str = "other", **query: str) -> Any:
        """Somebody else asks the exchange for something, such as an order of theirs; the body of the answer."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.venue.rest(rest_request(Asked(method, path, tuple(query.items()), content), account))
        self._publish()
        assert answer.status < 300, answer.body
        return json.loads(answer.body) if answer.body else None

    def window(self, market: str) -> Any:
        """What the run knows of a market now."""
        return self.run.host.window(market)

    def _step(self, record: Record) -> None:
        step, commands = self.desks.step(record)
        self.run.react(record, step)
        for command in commands:
            self._later(0, partial(self._say, command))

    def _take(self, decision: Decision) -> None:
        """A decision was taken: carry it out, after what is under way."""
        number, action = decision.number, decision.action
        match action:
            case Subscribe() | Unsubscribe():
                self._later(0, partial(self._wire, number, action))
            case Fetch(path, params):
                self._later(0, partial(self._send, number, Asked("GET", path, params)))
            case Place() | Amend() | Cancel():
                self._later(0, partial(self._send, number, order_request(action)))
            case _:
                pass

    def _wire(self, number: int, action: Subscribe | Unsubscribe) -> None:
        self.control(WANT if isinstance(action, Subscribe) else UNWANT, *action.markets)
        self._outcome(Outcome(number, Done.DONE))

    def _send(self, number: int, request: Asked) -> None:
        """A request leaves now, reaches the exchange at once, and its answer comes later."""
        answer = self._request(request)
        self._later(self.rest_s, partial(self._answer, number, request, answer, self.now_ns))

    def _request(self, request: Asked) -> RestAnswer:
        self.asked.append(request)
        if self.down:
            return UNANSWERED
        if self.refuses(request.method, request.path):
            return RestAnswer(400, b'{"error":{"code":"invalid_order","message":"refused by the test"}}')
        answer = self.venue.rest(rest_request(request, self._account))
        self._publish()
        return UNANSWERED if self.lost(request.method, request.path) else answer

    def _answer(self, number: int, request: Asked, answer: RestAnswer, sent_ns: int) -> None:
        self.put(Kind.REST, rest_record(request, answer, f"decision {number}", self.now_ns - sent_ns))
        self._outcome(outcome_of(number, request.method, answer))

    def _outcome(self, outcome: Outcome) -> None:
        self.put(Kind.OUTCOME, encode_payload(outcome))

    def _say(self, command: Command) -> None:
        """Carry out what a desk asks for."""
        match command:
            case Send(connection, number, text):
                client = self._clients.get(connection)
                if client is None:
                    self.desks.unsent(connection, number)
                    return
                self.put(Kind.SENT, text, connection)
                self.hub.receive(client, text)
                self._publish()
            case Tell(gap):
                self.put(Kind.GAP_CLOSE, encode_payload(gap))
            case Reconnect(connection, _) if connection in self._clients:
                self.drop()
            case _:
                pass

    def _publish(self) -> None:
        """What the exchange has to tell goes out, and arrives."""
        for publication in self.venue.drain():
            if publication.market not in self.muted:
                self.hub.publish(publication)
        if self.hung:
            return
        self._arrival_ns = max(self._arrival_ns, self.now_ns + int(self.frame_s * SECOND_NS))  # nothing overtakes
        for number, client in list(self._clients.items()):
            while client.out.take(self.now_ns):
                pass
            frames, client.out.kept = client.out.kept, []
            if frames:
                payloads = [frame.payload for frame in frames]
                self._at(self._arrival_ns, partial(self._hear, number, payloads))

    def _hear(self, number: int, payloads: list[bytes]) -> None:
        for payload in payloads:
            if number in self._clients and not self.drops(payload):
                self.put(Kind.FRAME, payload, number)

    def _reconnect(self, replaces: int) -> None:
        self.connect(replaces)

    def _beat(self) -> None:
        self.put(Kind.HEARTBEAT, encode_payload(Heartbeat(len(self.records))))
        self._later(1, self._beat)

    def _ping(self) -> None:
        for number in [] if self.hung else list(self._clients):
            self.put(Kind.FRAME_PING, b"heartbeat", number)
        self._later(PING_EVERY_NS / SECOND_NS, self._ping)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._at(self.now_ns + int(seconds * SECOND_NS), call)

    def _at(self, at_ns: int, call: Callable[[], None]) -> None:
        self._turns += 1
        heapq.heappush(self._agenda, (at_ns, self._turns, call))
