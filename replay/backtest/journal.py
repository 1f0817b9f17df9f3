"""What was decided and what happened on one tape, written down as it came: what every table is made from.

Knows the venue's happenings and what a host decided. Must not know prices of markets, money, or what anything was
worth: that is measured when the tape is over (`replay.backtest.measure`).
"""

from typing import Any, Final

from core.actions import Action, Amend, Cancel, Decision, Place, Say, Subscribe
from core.cells import NEVER
from core.decider import Reaction
from core.records import Fault, Kind, Record, Session, decode_session, encode_payload
from replay.dialects import answers
from replay.venue.told import Arrived, Happening

FAULTS_KEPT: Final = 20
"""Failures of strategies kept with their words; one is enough to know that a result is worth nothing."""


class Journal:
    """One tape's. happenings: in their order. decisions: rows of the table of that name. placed: what was to be placed
    and was not refused by the run's own limits. interest: markets with the instant (ns) from which on they mattered.
    last_seq: of the records that were played; NEVER = all of them. frames_ns: when the first session that has frames
    began, and when the last one ended, 0 = with the tape: sessions of imported answers may lie far off.
    """

    def __init__(self, tape: int) -> None:
        self.tape = tape
        self.happenings: list[Happening] = []
        self.decisions: list[tuple[Any, ...]] = []
        self.placed: dict[str, tuple[Place, str, int]] = {}
        self.interest: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.failed = 0
        self.last_seq = NEVER
        self.frames_ns = (0, 0)
        self._stopped_ns = 0
        self._session = -1

    def heard(self, happening: Happening) -> None:
        """The venue tells of something; a `replay.venue.told.Listener`."""
        self.happenings.append(happening)
        if type(happening) is Arrived:
            self.interest.setdefault(happening.market, happening.decided_ns)

    def took(self, record: Record | None, now_ns: int, reaction: Reaction) -> None:
        """A record led to something. now_ns: the tape's time at it."""
        if record is not None and record.kind == Kind.SESSION:
            self._session += 1
            self._begun(decode_session(record.payload), now_ns)
        elif record is not None and record.kind == Kind.CLEAN_STOP:
            self._stopped_ns = now_ns
        for decision in reaction.decisions:
            self._decided(decision, now_ns)
        self.failed += len(reaction.faults)
        self.faults += reaction.faults[: FAULTS_KEPT - len(self.faults)]

    def _begun(self, session: Session, now_ns: int) -> None:
        first_ns, last_ns = self.frames_ns
        if any(source.dialect == answers.NAME for source in session.sources[:1]):
            self.frames_ns = first_ns, last_ns or self._stopped_ns
        else:
            self.frames_ns = first_ns or now_ns, 0

    def _decided(self, decision: Decision, now_ns: int) -> None:
        action = decision.action
        where = self.tape, max(self._session, 0), decision.number, decision.cause, now_ns, decision.strategy
        do = type(action).__struct_config__.tag
        self.decisions.append((*where, do, market_of(action), encode_payload(action).decode(), decision.refused))
        if isinstance(action, Place):
            self.interest.setdefault(action.market, now_ns)
            if not decision.refused:
                self.placed[action.client_order_id] = action, decision.strategy, now_ns
        elif isinstance(action, Subscribe):
            for market in action.markets:
                self.interest.setdefault(market, now_ns)


def market_of(action: Action) -> str:
    """The market that an action is about, "" = none, or several."""
    if isinstance(action, Place | Amend | Cancel | Say):
        return action.market
    return ""
