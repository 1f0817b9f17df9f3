"""Which faults are run, how each is set off, and what must come of it.

Knows faults as text and what to have the exchange say meanwhile. Must not know how a run is judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from exchange_venue import MARKETS
from live import Live, until

A, B, C = MARKETS
ON_BOOK: Final = "frames=1,channel=orderbook_delta"


def say(found: Live) -> None:
    """Some deltas, of more than one market."""
    found.say(market=A, count=2)
    found.say(market=B)


def inject(found: Live, fault: str) -> None:
    """The fault, and deltas that meet it."""
    found.inject(fault)
    say(found)


def inject_and_lose(found: Live, fault: str) -> None:
    """The fault of an upgrade, and a reset that makes one necessary."""
    found.inject(fault)
    found.inject("reset@now")
    say(found)


def refuse_for_haste(found: Live, fault: str) -> None:
    """The refusal that is waited after for so long that no test can."""
    inject_and_lose(found, fault)
    until(lambda: "429" in found.deck.status().slots[0].link.last_error, "the refusal")


def move_clock(found: Live, fault: str) -> None:
    """A clock that is wrong until an upgrade was refused for it."""
    inject_and_lose(found, fault)
    until(lambda: "401" in found.deck.status().slots[0].link.last_error, "the refusal")
    found.exchange.control("clear")


def add_market(found: Live, fault: str) -> None:
    """The fault of a command, and a market more to record, which takes commands."""
    found.deck.want((A, B))
    until(lambda: [s.markets for s in found.deck.status().slots[0].talk.subscriptions] == [2, 2, 2], "the end of C")
    found.inject(fault)
    found.deck.want(MARKETS)
    say(found)


def want_nothing_for_a_while(found: Live, fault: str) -> None:
    """The fault of an unsubscription, and deltas after it."""
    found.inject(fault)
    found.deck.want(())
    until(lambda: found.exchange.injected, "the fault")
    say(found)
    until(lambda: not any(s.markets for s in found.deck.status().slots[0].talk.subscriptions), "the end of it all")
    found.deck.want(MARKETS)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault to run. gaps: the reasons that a replay must find; connections: how many there are in the end.

    falls: whether health falls. may_lose: whether frames may have left the exchange that we refused, or gave up the
    connection before. is_awaited: whether the run sees the end of it.
    """

    fault: str
    gaps: tuple[str, ...] = ()
    connections: int = 1
    falls: bool = True
    act: Callable[[Live, str], None] = inject
    options: Mapping[str, Any] = field(default_factory=dict)
    may_lose: bool = False
    is_awaited: bool = True


AUDITED: Final = {"audit_quiet_s": 0.3, "audit_every_s": 0.1}


def _lost(fault: str, **more: Any) -> Case:
    return Case(fault, ("reconnect",), 2, **more)


CASES: Final = (
    Case(f"drop@{ON_BOOK}", ("sequence",)),
    Case(f"repeat@{ON_BOOK}", falls=False),
    Case(f"reorder@{ON_BOOK}", ("sequence",)),
    Case(f"delay@{ON_BOOK},for=200ms", falls=False),
    Case(f"corrupt@{ON_BOOK}", ("sequence",)),
    Case(f"corrupt@{ON_BOOK},how=utf8", ("sequence",)),
    Case(f"truncate@{ON_BOOK}", ("sequence",)),
    Case(f'field@{ON_BOOK},name=delta_fp,value="-9999.00"'),
    Case(f'field@{ON_BOOK},name=delta_fp,value="3.00"', ("mute",), options=AUDITED),
    Case(f"field@{ON_BOOK},name=seq,value=99", ("sequence",)),
    _lost(f"oversize@{ON_BOOK},bytes=100000", may_lose=True),
    _lost(f"giant@{ON_BOOK}"),
    Case(f"unknown@{ON_BOOK}", falls=False),
    Case(f"malformed@{ON_BOOK}", falls=False),
    Case(f"restart@{ON_BOOK}", ("mute", "reconnect"), 2, may_lose=True),
    _lost(f"half@{ON_BOOK}"),
    Case("stall@now,for=120s", ("mute", "reconnect"), 2, options={"data_deadline_s": 0.4}),
    Case(f"mute@now,market={A},for=200ms", ("mute",), options=AUDITED),
    _lost("noping@now"),
    _lost("reset@now"),
    _lost("hangup@now"),
    *(_lost(f"close@now,code={code}") for code in (0, 1000, 1001, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4000)),
    Case("error@now,code=10,channel=orderbook_delta", ("terminal",)),
    Case("error@now,code=25,channel=orderbook_delta", ("terminal",)),
    Case("swap@commands=1", act=add_market),
    Case("unanswered@commands=1", ("sequence",), act=add_market),
    Case("late@unsubscribe,n=2", act=want_nothing_for_a_while),
    *(_lost(f"http@upgrade,status={status}", act=inject_and_lose) for status in (401, 403, 500, 502)),
    Case("http@upgrade,status=429", ("reconnect",), act=refuse_for_haste, is_awaited=False),
    _lost("hang@upgrade,for=60s", act=inject_and_lose),
    _lost("clock@now,by=-60s", act=move_clock),
)
"""One of each kind that concerns WebSocket sessions, and more where a kind has more than one face."""

ELSEWHERE: Final = (
    ("http@rest", "tests/capture/test_rest.py",
     "test_a_read_is_tried_again_with_a_fresh_signature_and_every_attempt_is_on_record",
     "every attempt; a read is tried again, a write only where it cannot have arrived"),
    ("cursor@rest", "tests/capture/test_paging.py", "test_a_listing_that_goes_round_in_circles_is_given_up",
     "every page; a listing that comes to no end is given up"),
    ("stale@rest", "tests/replay/test_exchange_rest_faults.py", "test_reads_after_a_write_are_answered_as_before_it",
     "the answer as it came; no book is ever made of REST, so none is wrong for it"),
)  # fmt: skip
"""Faults of REST: fault, file and name of the test, what is recorded and done."""
