"""Commands that were sent and not answered yet, on one connection: matched by id alone, repeated once, given up.

Knows that answers come in any order, several to a command, or not at all (protocol 4, 17). Must not know what an
answer means to a subscription.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.commands import Send

MAX_ANSWERED: Final = 256
"""Commands remembered after their first answer, for the error about some of their markets that may follow it."""


class Verb(StrEnum):
    """What a command asks for."""

    SUBSCRIBE = "subscribe"
    ADD = "add markets"
    DELETE = "delete markets"
    UNSUBSCRIBE = "unsubscribe"
    LIST = "list subscriptions"
    SNAPSHOT = "get snapshot"
    PROBE = "probe"


@dataclass(slots=True, eq=False)
class Asked:
    """A command without an answer. `encode` writes it for an id; sent_ns 0 = it is not on the tape yet.

    sid: the subscription it is about, 0 = none yet. tries: how often it was sent. left: how many markets have no answer
    yet, where each has its own.
    """

    verb: Verb
    channel: str
    sid: int
    markets: tuple[str, ...]
    encode: Callable[[int], bytes]
    sent_ns: int = 0
    tries: int = 1
    left: int = 0


class Ids:
    """Numbers for commands: 1, 2, 3 ... never the same twice, so an answer of a lost connection matches nothing."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """One that was not used."""
        self.last += 1
        return self.last


class Asking:
    """The commands of one connection by id."""

    __slots__ = ("_answered", "_asked", "_connection", "_ids", "_out")

    def __init__(self, connection: int, ids: Ids, out: Callable[[Send], None]) -> None:
        """out: takes what is to be sent."""
        self._connection = connection
        self._ids = ids
        self._out = out
        self._asked: dict[int, Asked] = {}
        self._answered: dict[int, Asked] = {}

    def __iter__(self) -> Iterator[Asked]:
        return iter(list(dict.fromkeys(self._asked.values())))

    def ask(self, asked: Asked) -> int:
        """Send it; its id."""
        command_id = self._ids.next()
        self._asked[command_id] = asked
        self._out(Send(self._connection, command_id, asked.encode(command_id)))
        return command_id

    def sent(self, command_id: int, now_ns: int) -> None:
        """Its SENT is on the tape: now its time runs."""
        asked = self._asked.get(command_id)
        if asked is not None:
            asked.sent_ns = now_ns

    def get(self, command_id: int) -> Asked | None:
        """The command of that id while it has no answer."""
        return self._asked.get(command_id)

    def answer(self, command_id: int) -> Asked | None:
        """The command that this id answers, which is over now; None = there is none, or it was answered before."""
        asked = self._asked.pop(command_id, None)
        if asked is not None:
            self._answered[command_id] = asked
            if len(self._answered) > MAX_ANSWERED:
                del self._answered[min(self._answered)]
            # an earlier try of the same command may still be answered: it asks nothing any more
            for other in [number for number, entry in self._asked.items() if entry is asked]:
                del self._asked[other]
        return asked

    def answered(self, command_id: int) -> Asked | None:
        """A command that has had its first answer."""
        return self._answered.get(command_id)

    def drop(self, asked: Asked) -> None:
        """Wait for it no longer."""
        for command_id in [number for number, entry in self._asked.items() if entry is asked]:
            del self._asked[command_id]

    def unsent(self, command_id: int) -> Asked | None:
        """It could not be sent: it never was."""
        asked = self._asked.pop(command_id, None)
        if asked is not None:
            self.drop(asked)
        return asked

    def overdue(self, now_ns: int, wait_ns: int) -> list[Asked]:
        """Those sent longer ago than that, oldest first, each once."""
        return [asked for asked in self if asked.sent_ns and now_ns - asked.sent_ns > wait_ns]

    def repeat(self, asked: Asked) -> None:
        """Send it again under another number; an answer to either will do."""
        asked.tries += 1
        asked.sent_ns = 0
        self.ask(asked)

    def restart(self, now_ns: int) -> None:
        """Nothing could be heard until now: every wait begins anew."""
        for asked in self._asked.values():
            asked.sent_ns = asked.sent_ns and now_ns
