"""Loading the compiled machine before anything is recorded, so that the folds step each record by it.

Knows which messages lead to every compiled function that a live fold calls, and what to say where compiling takes long.
Must not know connections: compiling holds the interpreter for seconds, so it must be over before there is one.
"""

import contextlib
from collections.abc import Callable
from typing import Final

from core.compiled import INSTALLED, told_of_compiling
from core.copies import machine
from core.engine import Engine
from core.records import Kind, Opened, Record, Session, encode_payload
from core.times import SECOND_NS

COMPILING: Final = "compiling what is done to every record: once after an installation or an update, some 10 s"

_MARKET: Final = "WARMING"
_BOOK: Final = b'"market_ticker":"WARMING","yes_dollars_fp":[["0.4000","1.00"]],"no_dollars_fp":[["0.5000","1.00"]]'
_LEVEL: Final = b'"market_ticker":"WARMING","price_dollars":"0.4000","delta_fp":"1.00","side":"yes"'
_TICKER: Final = (
    b'"market_ticker":"WARMING","yes_bid_dollars":"0.4000","yes_ask_dollars":"0.5000","ts_ms":1790000000000'
)
_TRADE: Final = (
    b'"market_ticker":"WARMING","yes_price_dollars":"0.4000","no_price_dollars":"0.6000","count_fp":"1.00",'
    b'"taker_side":"yes","ts_ms":1790000000000'
)
_FRAMES: Final = (
    b'{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}',
    b'{"type":"subscribed","id":2,"msg":{"channel":"ticker","sid":2}}',
    b'{"type":"subscribed","id":3,"msg":{"channel":"trade","sid":3}}',
    b'{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{%s}}' % _BOOK,
    b'{"type":"orderbook_delta","sid":1,"seq":2,"msg":{%s}}' % _LEVEL,
    b'{"type":"orderbook_delta","sid":1,"seq":3,"msg":{%s}}' % _LEVEL,
    b'{"type":"orderbook_delta","sid":1,"seq":4,"msg":{%s,"new":1}}' % _LEVEL,  # unusual: it goes the long way
    b'{"type":"ticker","sid":2,"msg":{%s}}' % _TICKER,
    b'{"type":"ticker","sid":2,"msg":{%s}}' % _TICKER,
    b'{"type":"trade","sid":3,"seq":1,"msg":{"trade_id":"a",%s}}' % _TRADE,
    b'{"type":"trade","sid":3,"seq":2,"msg":{"trade_id":"b",%s}}' % _TRADE,
)
"""The first message of each kind goes the long way, and the one after it the short one."""


def warm(tell: Callable[[str], None]) -> None:
    """Have every engine that is made from now on compiled, where numba is installed; `tell` that it takes long.

    Where numba is installed and cannot be used, that is told, and engines stay as they are without it.
    """
    if not INSTALLED:
        return
    with told_of_compiling(lambda: tell(COMPILING)):
        try:
            machine(is_compiled=True)
        except (ImportError, RuntimeError) as error:  # it does not fit this Python, or finds no place for its code
            tell(f"numba cannot be used, so that recording takes more of the processor: {error}")
        else:
            _load()


def _load() -> None:
    """Step each kind of message once. What is compiled is there even where the disk does not keep it."""
    for _ in range(len(vars(machine()))):  # each try is at least one function further
        with contextlib.suppress(OSError):
            _step_each()
            return


def _step_each() -> None:
    engine = Engine(is_compiled=True)
    for number, (kind, payload) in enumerate(_recording()):
        engine.step(Record(number, SECOND_NS + number, SECOND_NS + number, int(number > 0), kind, payload))
    memory = engine.memory
    memory.machine.top_moved(
        memory.m, engine.store.states()[_MARKET].at, 0
    )  # what a host asks of each change of a book


def _recording() -> list[tuple[Kind, bytes]]:
    begun = [
        (Kind.SESSION, encode_payload(Session("warming", "warming"))),
        (Kind.OPENED, encode_payload(Opened("wss://warming"))),
    ]
    return [*begun, *((Kind.FRAME, frame) for frame in _FRAMES)]
