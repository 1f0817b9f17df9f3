"""An exchange without sockets, and a stage on which desks talk to it: records in, commands out, time by heartbeats.

The exchange keeps to protocol 4 to 6 (one sid a channel, replies take slots, an `ok` names all markets) and errs only
when told to.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from core.commands import Command, Reconnect, Refuse, Send, Tell
from core.conversation import DeskOptions
from core.desks import UNWANT, WANT, Desks
from core.engine import Step
from core.records import Closed, Control, Heartbeat, Kind, Opened, Record, Session, encode_payload

SECOND: Final = 1_000_000_000
START_NS: Final = 1_790_000_000 * SECOND
UNSEQUENCED: Final = ("ticker", "fill", "market_positions", "user_orders")
PRICES: Final = ("0.4000", "0.4100", "0.4200")


class Books:
    """What the exchange knows of every market: one ladder of whole contracts is enough here."""

    def __init__(self, markets: Iterable[str]) -> None:
        self.yes = {market: {"0.4000": 100} for market in markets}
        self.clock = 1

    def change(self, market: str, price: str = "0.4100", by: int = 5) -> bytes:
        """Trade a little; the `msg` of the delta."""
        self.clock += 1
        ladder = self.yes[market]
        ladder[price] = ladder.get(price, 0) + by
        assert ladder[price] >= 0
        return _json({
            "market_ticker": market, "market_id": f"id-{market}", "clock": self.clock, "price_dollars": price,
            "delta_fp": f"{by}.00", "side": "yes", "ts_ms": 1_790_000_000_000 + self.clock,
        })  # fmt: skip

    def levels(self, market: str) -> tuple[tuple[int, int], ...]:
        """The ladder as the store shows it."""
        ladder = self.yes[market]
        return tuple(sorted((int(price[2:]), size * 100) for price, size in ladder.items() if size))


class Peer:
    """The exchange's side of one connection. errors: code for the next command of that name or action, one each.

    most: markets a subscription may have. deaf: commands are neither carried out nor answered.
    """

    def __init__(self, books: Books, *, most: int = 10_000) -> None:
        self.books = books
        self.most = most
        self.errors: dict[str, list[int]] = {}
        self.wrong: set[str] = set()  # markets answered with error 11
        self.deaf: set[str] = set()
        self.mute: set[str] = set()  # markets of which nothing is sent, nor numbered
        self.heard: list[dict[str, Any]] = []
        self.sids: dict[str, int] = {}
        self.markets: dict[int, list[str]] = {}
        self.seq: dict[int, int] = {}
        self._last_sid = 0

    def answer(self, text: bytes) -> list[bytes]:
        """Carry out a command; the frames it brings."""
        command = json.loads(text)
        self.heard.append(command)
        name, params = command["cmd"], command.get("params", {})
        what = params.get("action", name)
        if what in self.deaf:
            return []
        if self.errors.get(what):
            return [self._error(command["id"], self.errors[what].pop(0))]
        if self.wrong & set(params.get("market_tickers", ())):
            return [self._error(command["id"], 11)]
        match what:
            case "subscribe":
                return self._subscribe(command["id"], params)
            case "unsubscribe":
                return [self._unsubscribe(command["id"], sid) for sid in params["sids"]]
            case "list_subscriptions":
                pairs = [{"channel": channel, "sid": sid} for channel, sid in self.sids.items()]
                return [_json({"type": "ok", "id": command["id"], "msg": pairs})]
            case _:
                return self._update(command["id"], params)

    def delta(self, market: str, msg: bytes) -> list[bytes]:
        """The delta for this connection, nothing when it has not subscribed."""
        sid = self.sids.get("orderbook_delta", 0)
        if market not in self.markets.get(sid, ()) or not self._tells(market):
            return []
        return [b'{"type":"orderbook_delta","sid":%d,"seq":%d,"msg":%b}\n' % (sid, self._next(sid), msg)]

    def trade(self, msg: dict[str, Any]) -> bytes:
        """A trade for this connection."""
        sid = self.sids["trade"]
        return _json({"type": "trade", "sid": sid, "seq": self._next(sid), "msg": msg})

    def end(self, channel: str, code: int = 25) -> bytes:
        """End a subscription by an error."""
        sid = self.sids.pop(channel)
        return _json({"type": "error", "sid": sid, "seq": self._next(sid), "msg": {"code": code, "msg": "over"}})

    def forget(self, channel: str) -> None:
        """End a subscription without a word."""
        del self.sids[channel]

    def _subscribe(self, number: int, params: dict[str, Any]) -> list[bytes]:
        frames = []
        for channel in params["channels"]:
            wanted = params.get("market_tickers", [])
            if channel not in self.sids:
                self._last_sid += 1
                sid = self.sids[channel] = self._last_sid
                self.markets[sid], self.seq[sid] = [], 0
                frames.append(_json({"type": "subscribed", "id": number, "msg": {"channel": channel, "sid": sid}}))
                frames += self._add(number, channel, wanted, is_new=True)
            else:
                frames += self._add(number, channel, wanted, is_new=False)
        return frames

    def _update(self, number: int, params: dict[str, Any]) -> list[bytes]:
        sid, markets = params["sid"], params["market_tickers"]
        channel = next((name for name, held in self.sids.items() if held == sid), "")
        if not channel:
            return [self._error(number, 7)]
        if params["action"] == "get_snapshot":
            return [self._snapshot(sid, market, number) for market in markets if self._tells(market)]
        if params["action"] == "add_markets":
            return self._add(number, channel, markets, is_new=False)
        self.markets[sid] = [market for market in self.markets[sid] if market not in markets]
        return [self._ok(number, sid)]

    def _add(self, number: int, channel: str, markets: list[str], *, is_new: bool) -> list[bytes]:
        sid = self.sids[channel]
        fresh = [market for market in markets if market not in self.markets[sid]]
        if len(self.markets[sid]) + len(fresh) > self.most:
            return [self._error(number, 26, sid)]
        self.markets[sid] += fresh
        frames = [] if is_new else [self._ok(number, sid)]
        if channel == "orderbook_delta":
            frames += [self._snapshot(sid, market) for market in fresh if self._tells(market)]
        return frames

    def _tells(self, market: str) -> bool:
        return market in self.books.yes and market not in self.mute

    def _snapshot(self, sid: int, market: str, number: int = 0) -> bytes:
        levels = [[price, f"{size}.00"] for price, size in sorted(self.books.yes[market].items()) if size]
        msg = {
            "market_ticker": market,
            "market_id": f"id-{market}",
            "clock": self.books.clock,
            "yes_dollars_fp": levels,
        }
        head: dict[str, Any] = {"type": "orderbook_snapshot"} | ({"id": number} if number else {})
        return _json(head | {"sid": sid, "seq": self._next(sid), "msg": msg})

    def _ok(self, number: int, sid: int) -> bytes:
        return _json({
            "type": "ok", "id": number, "sid": sid, "seq": self._next(sid),
            "msg": {"market_tickers": sorted(self.markets[sid])},
        })  # fmt: skip

    def _unsubscribe(self, number: int, sid: int) -> bytes:
        self.sids = {channel: held for channel, held in self.sids.items() if held != sid}
        return _json({"type": "unsubscribed", "id": number, "sid": sid, "seq": self._next(sid)})

    def _error(self, number: int, code: int, sid: int = 0) -> bytes:
        scope = {"sid": sid, "seq": self._next(sid)} if sid else {}
        return _json({"type": "error", "id": number, **scope, "msg": {"code": code, "msg": f"code {code}"}})

    def _next(self, sid: int) -> int:
        self.seq[sid] += 1
        return self.seq[sid]


class Stage:
    """Desks and peers. said: everything the desks asked for, in order; lose: frames that never arrive.

    Reconnects are carried out at once (unless `stays`), and gaps that are told go on the tape.
    """

    def __init__(self, markets: Iterable[str], *, slots: int = 1, most: int = 10_000, **options: Any) -> None:
        self.books = Books(markets)
        self.desks = Desks(slots, DeskOptions(**options))
        self.peers: dict[int, Peer] = {}
        self.said: list[Command] = []
        self.now_ns = START_NS
        self.lose: Callable[[bytes], bool] = lambda _: False
        self.stays = False
        self.refuses_to_send = False
        self._most = most
        self._seq = 0
        self._last = slots
        self.put(Kind.SESSION, encode_payload(Session("a-uuid", "demo")))

    def put(self, kind: Kind, payload: bytes = b"", connection: int = 0) -> Step:
        """Step a record, and carry out what the desks ask for because of it."""
        record = Record(self._seq, self.now_ns, self.now_ns, connection, kind, payload)
        self._seq += 1
        step, commands = self.desks.step(record)
        for command in commands:
            self.said.append(command)
            self._carry_out(command)
        return step

    def open(self, connection: int = 1, replaces: int = 0, errors: Iterable[int] = ()) -> Peer:
        """A connection is up; its first subscribes are answered with these errors."""
        peer = self.peers[connection] = Peer(self.books, most=self._most)
        peer.errors["subscribe"] = list(errors)
        self.put(Kind.OPENED, encode_payload(Opened(replaces=replaces)), connection)
        return peer

    def close(self, connection: int) -> None:
        """A connection is lost."""
        self.peers.pop(connection)
        self.put(Kind.CLOSED, encode_payload(Closed(1006)), connection)

    def want(self, *markets: str) -> None:
        """Record these too."""
        self.put(Kind.CONTROL, encode_payload(Control(WANT, markets)))

    def unwant(self, *markets: str) -> None:
        """Record these no longer."""
        self.put(Kind.CONTROL, encode_payload(Control(UNWANT, markets)))

    def trade(self, market: str, price: str = "0.4100", by: int = 5) -> None:
        """A book changes, and whoever subscribed hears of it."""
        msg = self.books.change(market, price, by)
        for connection, peer in list(self.peers.items()):
            self.frames(connection, peer.delta(market, msg))

    def public_trade(self, market: str) -> None:
        """Somebody trades, and whoever subscribed to trades hears of it."""
        self.books.clock += 1
        msg = {
            "trade_id": f"t{self.books.clock}", "market_ticker": market, "yes_price_dollars": "0.4000",
            "no_price_dollars": "0.6000", "count_fp": "1.00", "taker_side": "yes", "ts": 1_790_000_000,
        }  # fmt: skip
        for connection, peer in list(self.peers.items()):
            if market in peer.markets.get(peer.sids.get("trade", 0), ()):
                self.frames(connection, [peer.trade(msg)])

    def frames(self, connection: int, frames: Iterable[bytes]) -> None:
        """Frames arrive, those apart that are lost."""
        for frame in frames:
            if connection in self.peers and not self.lose(frame):
                self.put(Kind.FRAME, frame, connection)

    def wait(self, seconds: float) -> None:
        """Time passes, a heartbeat a second, and a ping every ten."""
        for second in range(1, int(seconds) + 1):
            self.now_ns += SECOND
            if second % 10 == 0:
                for connection in list(self.peers):
                    self.put(Kind.FRAME_PING, b"heartbeat", connection)
            self.put(Kind.HEARTBEAT, encode_payload(Heartbeat(self._seq)))

    def is_right(self, market: str) -> bool:
        """Whether the store has the exchange's book, and trusts it."""
        view = self.desks.engine.store.view(market)
        return view.trusted and view.yes == self.books.levels(market)

    def sent(self, what: str = "") -> list[dict[str, Any]]:
        """The commands sent so far, of a name or action."""
        commands = [json.loads(command.text) for command in self.said if isinstance(command, Send)]
        return [c for c in commands if what in ("", c["cmd"], c.get("params", {}).get("action"))]

    def all_of(self, kind: type[Command]) -> list[Any]:
        """What the desks asked for of a kind."""
        return [command for command in self.said if isinstance(command, kind)]

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(connection, number, text):
                peer = self.peers.get(connection)
                if peer is None or self.refuses_to_send:
                    self.desks.unsent(connection, number)
                    return
                self.put(Kind.SENT, text, connection)
                self.frames(connection, peer.answer(text))
            case Tell(gap):
                self.put(Kind.GAP_CLOSE, encode_payload(gap))
            case Reconnect(connection, _) if not self.stays and connection in self.peers:
                self.close(connection)
                self._last += 1
                self.open(self._last, replaces=connection)
            case Reconnect() | Refuse():
                pass


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
