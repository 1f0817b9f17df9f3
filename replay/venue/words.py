"""The venue's news as the records of a live run: outcomes as its shell words them, REST answers, frames of private
channels.

Knows the forms. Must not know when anything is told. What the live shell makes of an answer is in `capture.trading`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from core.actions import Amend, Cancel, Done, Fetch, Outcome, Place
from core.engine import Step
from core.messages import decode
from core.messages.types import Malformed, Message
from core.records import Kind, Record, RestCall, encode_payload
from core.store import MarketStateStore
from replay.exchange.engine import MatchingEngine
from replay.exchange.happenings import Filled, Happening, OrderChanged, PositionChanged
from replay.exchange.orders import Placed, Reduced, Refusal
from replay.exchange.port import RestRequest
from replay.exchange.routes_account import AccountRoutes
from replay.exchange.trade_log import TradeLog
from replay.exchange.wording import publications
from replay.venue.library import path_of

Answer: TypeAlias = Placed | Reduced | Refusal

NOT_ON_TAPE: Final = "not_on_tape"
"""The code of a fetch to which the tape holds no answer (yet)."""

_ORDERS: Final = "/portfolio/events/orders"
_MOST: Final = 300  # characters of a reason, as the live shell cuts it


class Made(NamedTuple):
    """A record that the tape has not, and its message if it is a frame."""

    kind: Kind
    payload: bytes
    message: Message | Malformed | None = None

    def record(self, seq: int, now_ns: int) -> Record:
        """Its record, behind that of a seq."""
        return Record(seq, now_ns, 0, 0, int(self.kind), self.payload)

    def step(self, store: MarketStateStore, now_ns: int) -> Step:
        """What it does to the store."""
        message = self.message
        if message is None or isinstance(message, Malformed):
            return Step(now_ns, None, None, ())
        return Step(now_ns, message, store.private(message, now_ns), ())  # type: ignore[arg-type]  # `frames` makes them


def made(kind: Kind, payload: msgspec.Struct) -> Made:
    """A record of ours."""
    return Made(kind, encode_payload(payload))


def frames(happenings: Sequence[Happening]) -> list[Made]:
    """The frames of private channels that tell of it."""
    told = []
    for happening in happenings:
        if isinstance(happening, Filled | OrderChanged | PositionChanged):
            for publication in publications(happening):
                payload = publication.template.render(0, 0)
                told.append(Made(Kind.FRAME, payload, decode(payload)))
    return told


def outcome(number: int, action: Place | Amend | Cancel, answer: Answer) -> Outcome:
    """What became of a decision about an order."""
    match answer:
        case Refusal():
            words = ", ".join(dict.fromkeys(filter(None, (answer.code, answer.message, answer.details))))
            reason = f"{_request(action)}: the exchange answered HTTP {answer.status}: {words}"
            return Outcome(number, Done.REFUSED, answer.status, answer.code, reason[:_MOST])
        case Reduced():
            return Outcome(number, Done.DONE, 200, order_id=answer.order.order_id, remaining=answer.reduced_by)
        case Placed():
            order, is_new = answer.order, isinstance(action, Place)
            return Outcome(
                number, Done.DONE, 201 if is_new else 200, order_id=order.order_id, filled=answer.fill_count,
                remaining=order.remaining if is_new else -1,
            )  # fmt: skip


def fetched(number: int, call: RestCall | None) -> list[Made]:
    """The answer to a fetch, None = there is none, and what became of it."""
    if call is None:
        reason = "the tape holds no answer to this request by now"
        return [made(Kind.OUTCOME, Outcome(number, Done.FAILED, code=NOT_ON_TAPE, reason=reason))]
    is_good = 200 <= call.status < 300
    done = Outcome(number, Done.DONE if is_good else Done.REFUSED, call.status)
    return [made(Kind.REST, call), made(Kind.OUTCOME, done)]


class AccountDesk:
    """What REST answers of the account, as the sandbox words it."""

    def __init__(self, engine: MatchingEngine, account: str) -> None:
        self._engine = engine
        self._account = account
        self._log = TradeLog(lambda: engine.now_ns)
        self._routes = AccountRoutes(engine, self._log, lambda: engine.now_ns).table()

    def observe(self, happening: Happening) -> None:
        """Keep what may be asked for."""
        self._log.observe(happening)

    def ask(self, asked: Fetch, why: str = "", took_ns: int = 0) -> RestCall:
        """The answer now."""
        parts = asked.path.strip("/").split("/")
        for method, path, handler in self._routes:
            pattern = path.strip("/").split("/")
            if method == "GET" and len(pattern) == len(parts):
                pairs = list(zip(pattern, parts, strict=True))
                if all(own in ("{}", given) for own, given in pairs):
                    request = RestRequest(method="GET", path=asked.path, query=asked.params, account=self._account)
                    answer = handler(request, [given for own, given in pairs if own == "{}"])
                    return RestCall(
                        "GET", path_of(asked), answer.status, answer=answer.body.decode(), took_ns=took_ns, why=why
                    )
        return RestCall("GET", path_of(asked), 404, answer='{"error":{"code":"not_found"}}', took_ns=took_ns, why=why)


def _request(action: Place | Amend | Cancel) -> str:
    match action:
        case Place():
            return f"POST {_ORDERS}"
        case Amend():
            return f"POST {_ORDERS}/{action.order_id}/amend"
        case Cancel():
            return f"DELETE {_ORDERS}/{action.order_id}"
