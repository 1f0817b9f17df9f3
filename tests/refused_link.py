"""A link alone, and an exchange that refuses it or lets go of it as the test says."""

import contextlib
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from exchange_venue import ScriptedVenue
from live import LIMITS, WRITER
from writing import session

from capture.auth import Credentials
from capture.environments import WS_PATH
from capture.link import Link, Taken, TakenTexts
from capture.tape.writer import TapeWriter
from capture.wire import Wire
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions


class Dice:
    """Dice that always show the least, and remember the most they might have shown."""

    def __init__(self) -> None:
        self.ceilings: list[float] = []

    def uniform(self, a: float, b: float, /) -> float:
        self.ceilings.append(b)
        return a


@contextlib.contextmanager
def refused(root: Path, fault: str, max_tries: int = 0) -> Iterator[tuple[Link, Dice]]:
    """A link to an exchange that errs like this; its waits are as short as the dice allow."""
    with LocalExchange(ScriptedVenue(), ServerOptions(faults=(fault,))) as exchange:
        keys, dice = Credentials.load(exchange.environ()), Dice()

        def sign() -> dict[str, str]:
            return keys.headers("GET", WS_PATH, time.time_ns() // 1_000_000)

        def wire(taken: Taken, texts: TakenTexts) -> Wire:
            return Wire(exchange.ws_url, sign, taken, LIMITS, taken_texts=texts)

        with TapeWriter.create(root / "tape", "demo", session(), options=WRITER) as writer:
            link = Link(0, exchange.ws_url, wire, writer, numbers=count(2), dice=dice, max_tries=max_tries)
            link.start()
            try:
                yield link, dice
            finally:
                link.abort()
                assert link.join(5.0)
