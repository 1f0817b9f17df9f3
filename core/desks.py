"""All connection slots of one recorder, as a fold over its records: what is wanted, where it goes, what is to be done.

Knows which record concerns which slot: the first connection of slot n has number n + 1, each later one replaces one of
the slot. Must not know sockets.
"""

from typing import Final

from core.commands import Command, Refuse
from core.conversation import DeskOptions
from core.desk import Desk, DeskStatus, slot_channels
from core.engine import Engine, Step
from core.gaps import Gap
from core.placement import Placement
from core.records import Control, Kind, Record, decode_control, decode_opened

WANT: Final = "want"
UNWANT: Final = "unwant"
"""The actions of CONTROL that change what is recorded."""

OUTAGES: Final = ("disk_full", "sync_failed", "write_failed")
"""Stored gaps during which nothing that comes in reaches the tape, so nothing can be concluded from silence."""

_TEXT: Final = int(Kind.FRAME)


class Desks:
    """The slots and the engine they read. `step` folds in a record and gives what is to be done because of it."""

    def __init__(self, slots: int, options: DeskOptions) -> None:
        self.engine = Engine()
        self.placement = Placement(slots)
        self._desks = [Desk(options, slot_channels(options.channels, n), self.engine.store) for n in range(slots)]
        self._of: dict[int, Desk] = {}
        self._outages: dict[int, None] = {}

    def step(self, record: Record) -> tuple[Step, list[Command]]:
        """Fold in the next record."""
        step = self.engine.step(record)
        if record.kind == _TEXT:
            desk = self._of.get(record.connection)
            if desk is None:
                return step, []
            desk.saw(step)
            return step, self._collect(desk.take(), step.now_ns) if desk.commands else []
        return step, self._other(record, step)

    def unsent(self, connection: int, command_id: int) -> None:
        """A command that `step` gave could not be sent on its connection."""
        desk = self._of.get(connection)
        if desk is not None:
            desk.unsent(command_id, self.engine.now_ns)

    def status(self) -> tuple[DeskStatus, ...]:
        """Every slot as it is now."""
        return tuple(desk.status() for desk in self._desks)

    def slot_of(self, connection: int) -> int:
        """The slot of a connection that is open; -1 = of none."""
        desk = self._of.get(connection)
        return -1 if desk is None else self._desks.index(desk)

    def _other(self, record: Record, step: Step) -> list[Command]:
        number, now_ns = record.connection, step.now_ns
        match record.kind:
            case Kind.OPENED:
                self._opened(number, decode_opened(record.payload).replaces, now_ns)
            case Kind.CLOSED:
                desk = self._of.get(number)
                if desk is not None and desk.connection == number:
                    desk.closed()
            case Kind.SENT:
                desk = self._of.get(number)
                if desk is not None and desk.connection == number:
                    desk.sent(record.payload, now_ns)
            case Kind.GAP_OPEN | Kind.GAP_CLOSE:
                self._gap(step.gaps, now_ns)
            case Kind.HEARTBEAT:
                for desk in self._desks:
                    desk.tick(now_ns)
            case Kind.CONTROL:
                self._control(decode_control(record.payload), now_ns)
            case _ if step.gaps:
                for desk in self._desks:
                    desk.spoilt(now_ns)
            case _:
                return []
        return self._collect([command for desk in self._desks for command in desk.take()], now_ns)

    def _opened(self, number: int, replaces: int, now_ns: int) -> None:
        desk = self._of.pop(replaces, None)
        if desk is None and 0 < number <= len(self._desks):
            desk = self._desks[number - 1]
        if desk is not None:
            self._of[number] = desk
            desk.opened(number, now_ns)

    def _gap(self, gaps: tuple[Gap, ...], now_ns: int) -> None:
        was_held = bool(self._outages)
        for gap in gaps:
            if gap.reason in OUTAGES and gap.until_ns is None:
                self._outages[gap.number] = None
            else:
                self._outages.pop(gap.number, None)
        for desk in self._desks:
            if was_held != bool(self._outages):
                desk.hold(now_ns, is_held=not was_held)
            else:
                desk.spoilt(now_ns)

    def _control(self, control: Control, now_ns: int) -> None:
        if control.action == WANT:
            self.placement.want(control.markets)
        elif control.action == UNWANT:
            self.placement.unwant(control.markets)
        else:
            return
        self._place(now_ns)

    def _place(self, now_ns: int) -> None:
        for slot, desk in enumerate(self._desks):
            desk.want(self.placement.of(slot), now_ns)

    def _collect(self, commands: list[Command], now_ns: int) -> list[Command]:
        """What is to be done outside; a market refused on one slot may be asked for on another."""
        refusals = [command for command in commands if isinstance(command, Refuse)]
        for refusal in refusals:
            slot = self.slot_of(refusal.connection)
            for market in refusal.markets if slot >= 0 else ():
                self.placement.refuse(slot, market, refusal.why, is_full=refusal.is_full)
        if any(refusal.is_full for refusal in refusals):
            self._place(now_ns)
            commands = commands + [command for desk in self._desks for command in desk.take()]
        return commands
