"""What a strategy may ask for, and the records that tell of it: DECISION, OUTCOME, TICK, PROGRESS, a run's terms.

Knows the forms that lie on the tape. Must not know who asks or how anything is carried out. DECISION and PROGRESS name
other records by seq, so whoever numbers records anew rewrites them: `renumbered`.
Units: prices in 1/10,000 dollar (always the yes price), sizes in 1/100 contract, money in 1/1,000,000 dollar.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec

from core.records import Kind, Session, encode_payload


class BookSide(StrEnum):
    """Which side an order takes, by the exchange's words: bid buys yes, ask buys no (protocol 13.2)."""

    BID = "bid"
    ASK = "ask"


class Place(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="place", kw_only=True):
    """Place an order. expires_s: Unix seconds at which the exchange ends it. ioc: take what is there, rest nothing.

    With ioc: fok: all of it or nothing. reduce_only: at most what brings the position to nothing. cancels_own: where it
    meets an order of this account, that one is cancelled and it goes on; else it ends there (protocol 13.3).
    """

    market: str
    client_order_id: str
    side: BookSide
    price: int
    count: int
    expires_s: int = 0
    post_only: bool = True
    ioc: bool = False
    fok: bool = False
    reduce_only: bool = False
    cancels_own: bool = False

    @property
    def time_in_force(self) -> str:
        """The exchange's word for how long it may stay (protocol 13.3)."""
        if self.fok:
            return "fill_or_kill"
        return "immediate_or_cancel" if self.ioc else "good_till_canceled"

    @property
    def self_trade_prevention(self) -> str:
        """The exchange's word for what happens where it meets an order of this account (protocol 13.3)."""
        return "maker" if self.cancels_own else "taker_at_cross"


class Amend(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="amend", kw_only=True):
    """Change an order. count: what is filled already and what is to remain, together, as the exchange wants it."""

    market: str
    client_order_id: str
    order_id: str
    side: BookSide
    price: int
    count: int
    expires_s: int = 0


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="cancel", kw_only=True):
    """Cancel an order."""

    market: str
    client_order_id: str
    order_id: str


class Subscribe(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="subscribe"):
    """Have these markets on the socket."""

    markets: tuple[str, ...]


class Unsubscribe(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="unsubscribe"):
    """Have these markets on the socket no longer."""

    markets: tuple[str, ...]


class Fetch(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="fetch"):
    """Ask by REST (GET). path: below the API's prefix, such as "/markets"; params: its query, in this order."""

    path: str
    params: tuple[tuple[str, str], ...] = ()


class Select(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="select"):
    """Tell the other strategies of this run which markets are the ones to look at, best first."""

    markets: tuple[str, ...]


class Say(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="say"):
    """Words for people, such as why quotes were pulled; market "" = about no single one."""

    text: str
    market: str = ""


Action: TypeAlias = Place | Amend | Cancel | Subscribe | Unsubscribe | Fetch | Select | Say


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of DECISION: what was decided, and because of which record.

    number: 1, 2, 3 ... within the session. cause: seq of the record because of which it was taken. ordinal: which of
    the cause's decisions, from 0. strategy: its name, "" = the host's own (upkeep of orders). refused: why it is not
    carried out, "" = it is.
    """

    number: int
    cause: int
    ordinal: int
    strategy: str
    action: Action
    refused: str = ""


class Done(StrEnum):
    """What became of an action."""

    DONE = "done"
    REFUSED = "refused"  # for certain not carried out: by the exchange, or by the shell before it was sent
    FAILED = "failed"  # no answer: whether it was carried out is not known


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of OUTCOME: what became of a decision.

    status: HTTP status, 0 = none. code, reason: the exchange's own word, and a sentence. order_id, filled, remaining:
    of an order that was placed, amended or cancelled (-1 = not said). remaining: what rests of it; of one that was
    cancelled, what rested of it until then: by how much it was reduced.
    """

    decision: int
    done: Done
    status: int = 0
    code: str = ""
    reason: str = ""
    order_id: str = ""
    filled: int = -1
    remaining: int = -1


class PaperFill(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fill that the paper venue made up: payload of an OUTCOME whose `decision` is 0, in `paper`."""

    client_order_id: str
    trade_id: str
    price: int
    count: int
    fee: int = 0
    is_taker: bool = False


class PaperEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of an OUTCOME by the paper venue that answers no decision: fills, and orders that ended by themselves."""

    fills: tuple[PaperFill, ...] = ()
    ended: tuple[str, ...] = ()
    decision: int = 0


class Tick(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of TICK: timers due at or before this instant of the tape's time (ns) go off."""

    due_ns: int


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of PROGRESS: the strategies have stepped every record up to the seq `stepped`.

    decisions: how many they have taken in this session. day, day_pnl: the UTC day (days since 1970) and the money
    gained in it so far, which the next session of this tape goes on from. halted: the day's limit was reached.
    """

    stepped: int
    decisions: int
    day: int = 0
    day_pnl: int = 0
    halted: bool = False


class StrategySpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A strategy of a run. path: "package.module:Class".

    code: SHA-256 of its module's source and of what that imports from beside it, "" = not known.
    """

    name: str
    path: str
    params: dict[str, Any] = {}
    code: str = ""


class RiskLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run may do at most. order, market: contracts (1/100) of one order, and held in a market either way.

    exposure: money that could be lost if every order filled and every market went against us. day_loss: money lost in
    a UTC day at which nothing is placed any more. markets: with orders or a position at once.
    """

    order: int = 1_000
    market: int = 2_500
    exposure: int = 50_000_000
    day_loss: int = 10_000_000
    markets: int = 10


class RunTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a run's configuration bears upon decisions; part of SESSION, so that a replay has it.

    paper: the name of the fill model, "" = real orders; paper_cash: money it begins with. order_life_s: how long an
    order lives unless it is renewed.
    group_limit: once the run's orders match so much within 15 s (1/100 contract), the exchange cancels all of them and
    takes no more; 0 = no such limit.
    max_lag_ms: see the shell. day, day_pnl, halted: from the PROGRESS of the session before.
    """

    strategies: tuple[StrategySpec, ...] = ()
    limits: RiskLimits = RiskLimits()
    paper: str = ""
    order_life_s: int = 60
    max_lag_ms: int = 1_000
    day: int = 0
    day_pnl: int = 0
    halted: bool = False
    paper_cash: int = 10_000_000_000
    group_limit: int = 0


GO: Final = "go"
"""CONTROL: account and tape agree, strategies begin. `markets`: adopted orders' client_order_ids."""

HOLD: Final = "hold"
"""CONTROL: no orders from now on; those of this run are cancelled."""

_DECISION: Final = msgspec.json.Decoder(Decision)
_OUTCOME: Final = msgspec.json.Decoder(Outcome)
_PAPER: Final = msgspec.json.Decoder(PaperEvent)
_TICK: Final = msgspec.json.Decoder(Tick)
_PROGRESS: Final = msgspec.json.Decoder(Progress)


def decode_decision(payload: bytes) -> Decision:
    """The DECISION payload; raises msgspec.DecodeError when it is none."""
    return _DECISION.decode(payload)


def decode_outcome(payload: bytes) -> Outcome | PaperEvent:
    """The OUTCOME payload; raises msgspec.DecodeError when it is none."""
    paper = _PAPER.decode(payload)
    return _OUTCOME.decode(payload) if paper.decision else paper


def decode_tick(payload: bytes) -> Tick:
    """The TICK payload; raises msgspec.DecodeError when it is none."""
    return _TICK.decode(payload)


def decode_progress(payload: bytes) -> Progress:
    """The PROGRESS payload; raises msgspec.DecodeError when it is none."""
    return _PROGRESS.decode(payload)


def renumbered(kind: int, payload: bytes, seq_of: Callable[[int], int]) -> bytes:
    """The payload when the record it names by seq has become another number; any other payload as it is."""
    if kind == Kind.DECISION:
        decision = decode_decision(payload)
        return encode_payload(msgspec.structs.replace(decision, cause=seq_of(decision.cause)))
    if kind == Kind.PROGRESS:
        progress = decode_progress(payload)
        return encode_payload(msgspec.structs.replace(progress, stepped=seq_of(progress.stepped)))
    return payload


def terms_of(session: Session) -> RunTerms | None:
    """The terms of a session in which strategies ran, None = none did; raises msgspec.ValidationError."""
    return None if session.run is None else msgspec.convert(session.run, RunTerms)
