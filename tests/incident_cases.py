"""Incidents to be recorded at a sandbox: what the exchange does wrong, and which mistake in the fold that would show.

Knows faults and breakages by their names. Must not know how an incident is made. There is none of `mute`, which the
recorder notices after a quarter of an hour, nor of `swap`, after which the exchange says itself what it did: the fold
believes that and can make no mistake of its own.
"""

from dataclasses import dataclass
from typing import Final

BOOKS: Final = "frames=90,channel=orderbook_delta"
TRADES: Final = "frames=12,channel=trade"
LOSS: Final = "after=2500ms"
TRADE_ID: Final = "5a11d0c5-0000-4000-8000-00000000abcd"


@dataclass(frozen=True, slots=True)
class Case:
    """name: of the fixture. faults: what the sandbox is told. breakage: of `breakages`. proves: for about.json.

    for_s: how long it takes until all is well again. before: how much of what was before it belongs to it.
    markets: how many of the sandbox's are traded. toggles: the last of them comes and goes, so that commands are sent.
    """

    name: str
    faults: tuple[str, ...]
    breakage: str
    proves: str
    for_s: int = 5
    before: str = "150ms"
    markets: int = 3
    toggles: bool = True


def _loss(
    name: str, fault: str, breakage: str, *more: str, for_s: int = 8, before: str = "150ms", toggles: bool = True
) -> Case:
    """A connection is lost, and then more goes wrong."""
    told = f"{fault.replace('@' + LOSS, '')}{' and ' + more[0] if more else ''}"
    return Case(name, (fault, *more), breakage, f"a connection is lost: {told}", for_s, before, toggles=toggles)


CASES: Final = (
    Case("lost-delta", (f"drop@{BOOKS}",), "gaps-unseen", "a missing number is a gap"),
    Case("lost-deltas", (f"drop@{BOOKS},n=3",), "one-snapshot-heals-all", "each book waits for its own snapshot"),
    Case("lost-long", (f"drop@{BOOKS},n=8",), "gaps-never-heal", "a gap ends with the last snapshot"),
    Case("lost-trade", (f"drop@{TRADES}",), "gaps-unseen", "a missing number is a gap where there are no books, too"),
    Case("twice", (f"repeat@{BOOKS}",), "passed-numbers-taken", "a delta that comes twice counts once"),
    Case("thrice", (f"repeat@{BOOKS},n=2",), "repeats-counted", "numbers are read, not counted"),
    Case("trade-twice", (f"repeat@{TRADES}",), "repeats-counted", "numbers of trades are read, not counted"),
    Case("late", (f"reorder@{BOOKS}",), "passed-numbers-taken", "a delta that comes after later ones is not applied"),
    Case("later", (f"reorder@{BOOKS},n=3",), "any-number-followed", "a number that was passed opens no second gap"),
    Case("late-trade", (f"reorder@{TRADES},n=40",), "gaps-unseen", "a trade that comes late leaves a gap before it"),
    Case("corrupt", ("corrupt@frames=15,channel=orderbook_delta,times=15",), "unreadable-supposed-next",
         "a spoilt frame took a number"),
    Case("not-utf8", (f"corrupt@{BOOKS},how=utf8",), "unreadable-raises", "bytes that are no text stop nothing"),
    Case("truncated", (f"truncate@{BOOKS}",), "unreadable-supposed-next", "half a frame took a number"),
    Case("one-byte", (f"truncate@{BOOKS},bytes=1",), "unreadable-raises", "a byte of a frame stops nothing"),
    Case("no-json", (f"malformed@{BOOKS}",), "unreadable-supposed-next", "what is no frame took no number"),
    Case("unknown-type", (f"unknown@{BOOKS}",), "unknown-raises", "a new type of frame stops nothing"),
    Case("below-zero", (f'field@{BOOKS},name=delta_fp,value="-9999.00"',), "negative-clamped",
         "a level below zero costs a book its trust"),
    Case("far-number", (f"field@{BOOKS},name=seq,value=99999",), "any-number-followed",
         "after a number far ahead the usual ones are old"),
    Case("same-trade", (f'field@{TRADES},times=2,name=trade_id,value="{TRADE_ID}"',), "trades-counted-twice",
         "a trade is known by its id"),
    Case("restart", (f"restart@{BOOKS}",), "any-number-followed", "numbers that begin again unasked are old"),
    Case("lost-reply", ("unanswered@commands=10",), "gaps-unseen", "a reply to a command has a number, too"),
    Case("error-10", ("error@after=2500ms,code=10,channel=orderbook_delta",), "errors-not-terminal",
         "error 10 ends a subscription"),
    Case("error-25", ("error@after=2500ms,code=25,channel=orderbook_delta",), "overflow-not-terminal",
         "error 25 ends a subscription"),
    Case("delay", (f"delay@{BOOKS},for=2s",), "late-thrown-away", "frames that left late are as good as others",
         for_s=8),
    Case("stall", (f"stall@{LOSS},for=28s",), "pings-unheard",
         "a silence is over, and told, with a ping as with any frame", for_s=36, before="29s", toggles=False),
    Case("no-data", (f"stall@{LOSS}",), "told-gaps-unheard",
         "data stopped under pings and no command is answered: only the recorder can tell since when", for_s=40),
    Case("late-end", ("late@unsubscribe,n=60,times=0",), "ended-subscriptions-live",
         "frames of a subscription that is over change nothing", markets=1),
    _loss("giant", f"giant@{BOOKS}", "lost-when-noticed"),
    _loss("half", f"half@{BOOKS}", "lost-when-noticed", for_s=45, toggles=False),
    _loss("noping", f"noping@{LOSS}", "lost-when-noticed", f"stall@{LOSS}", for_s=45, before="27s", toggles=False),
    _loss("refused-429", f"reset@{LOSS}", "numbers-carried-over", "http@upgrade=2,status=429", for_s=48, before="45s"),
    _loss("oversize", "oversize@frames=90,channel=orderbook_delta", "lost-connection-trusted"),
    _loss("reset", f"reset@{LOSS}", "lost-connection-trusted"),
    _loss("hangup", f"hangup@{LOSS}", "lost-when-noticed"),
    _loss("close-0", f"close@{LOSS},code=0", "lost-connection-trusted"),
    _loss("close-1000", f"close@{LOSS},code=1000", "lost-when-noticed"),
    _loss("close-1001", f"close@{LOSS},code=1001", "numbers-carried-over", before="6s"),
    _loss("close-1011", f"close@{LOSS},code=1011", "lost-connection-trusted"),
    _loss("close-4000", f"close@{LOSS},code=4000", "numbers-carried-over", before="6s"),
    _loss("refused-401", f"reset@{LOSS}", "numbers-carried-over", "http@upgrade=2,status=401", for_s=12, before="9s"),
    _loss("refused-502", f"reset@{LOSS}", "lost-when-noticed", "http@upgrade=2,status=502", for_s=12),
    _loss("unheard", f"close@{LOSS},code=1012", "lost-connection-trusted", "hang@upgrade=2,for=1s", for_s=12),
    _loss("wrong-clock", f"reset@{LOSS}", "lost-when-noticed", "clock@upgrade=2,by=-60s,for=1s", for_s=14),
)  # fmt: skip
