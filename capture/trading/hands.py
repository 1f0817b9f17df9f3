"""Carries out what strategies decide, and puts on the tape what became of it.

Knows orders and requests by REST, threads, and that a stale order is worse than none. Must not know why anything was
decided. A cancel always passes and never waits behind an order; whatever has no clear answer is told as failed, for
only the exchange knows. Everything that was taken gets one OUTCOME, if need be when the disk is better.
"""

import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, PriorityQueue
from typing import Final

from capture.account_api import AccountApi, NewOrder
from capture.link import Appender
from capture.rest import STALE
from capture.tape.errors import TapeError
from core.actions import Action, Amend, Cancel, Decision, Done, Fetch, Outcome, Place
from core.errors import AuthError, ExchangeError
from core.records import Kind, encode_payload

THREADS: Final = 4
"""Requests under way at once, of which one is kept for cancels: an order takes some 50 ms, and they are paced."""

AGAIN_S: Final = 0.5
"""How soon an outcome that the disk refused is tried again."""

STOPPED: Final = "stopped"
"""The code of what was decided when nothing is carried out any more."""

_CLIENT_ERRORS: Final = range(400, 500)
_LATER: Final = (408, 425)
_END: Final = 9


class Hands:
    """Threads that carry out decisions. under_way: how many were taken and are not done. refused_stale: orders.

    declined: orders that the exchange was asked to take and did not. group_id: the order group that every
    new order is put into, "" = none.
    """

    def __init__(
        self, account: AccountApi, writer: Appender, *, max_lag_ns: int, mono_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.refused_stale = 0
        self.declined = 0
        self.group_id = ""
        self._account = account
        self._writer = writer
        self._max_lag_ns = max_lag_ns
        self._mono_ns = mono_ns
        self._count = itertools.count()
        self._urgent: PriorityQueue[tuple[int, int, Decision | None, int]] = PriorityQueue()
        self._other: PriorityQueue[tuple[int, int, Decision | None, int]] = PriorityQueue()
        self._lock = threading.Lock()
        self._under_way = 0
        self._is_stopping = False
        self._paying = threading.Lock()
        self._owed: deque[bytes] = deque()
        self._threads = [
            threading.Thread(
                target=self._run, args=(self._urgent if n == 0 else self._other,), name=f"hands-{n}", daemon=True
            )
            for n in range(THREADS)
        ]

    @property
    def under_way(self) -> int:
        """See the class."""
        return self._under_way

    def start(self) -> None:
        """Begin; once."""
        for thread in self._threads:
            thread.start()

    def take(self, decision: Decision, cause_mono_ns: int) -> None:
        """Carry this out; returns at once. cause_mono_ns: when the record came that it was decided because of."""
        is_cancel = isinstance(decision.action, Cancel)
        queue = self._urgent if is_cancel else self._other
        rank = 1 if isinstance(decision.action, Place | Amend) else 2
        with self._lock:
            is_late = self._is_stopping
            if not is_late:
                self._under_way += 1
                queue.put((rank, next(self._count), decision, cause_mono_ns))
        if is_late:
            self._tell(Outcome(decision.number, Done.REFUSED, code=STOPPED))

    def stop(self, timeout_s: float) -> bool:
        """Whether everything that was taken is done and the threads ended, within that time."""
        with self._lock:
            self._is_stopping = True
            for number in range(len(self._threads)):
                (self._urgent if number == 0 else self._other).put((_END, next(self._count), None, 0))
        until_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until_s - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, queue: "PriorityQueue[tuple[int, int, Decision | None, int]]") -> None:
        while True:
            try:
                _, _, decision, cause_mono_ns = queue.get(timeout=AGAIN_S if self._owed else None)
            except Empty:
                self._pay()
                continue
            if decision is None:
                self._pay()
                return
            try:
                outcome = self._carry_out(decision, cause_mono_ns)
            except Exception as error:  # a bug of ours; the order counts as in doubt, and the others go on
                outcome = Outcome(decision.number, Done.FAILED, reason=f"{type(error).__name__}: {error}"[:300])
            self._tell(outcome)
            with self._lock:
                self._under_way -= 1

    def _tell(self, outcome: Outcome) -> None:
        self._owed.append(encode_payload(outcome))
        self._pay()

    def _pay(self) -> None:
        """Put on the tape what is to be told; what the disk refuses waits, and nothing waits for it."""
        with self._paying, contextlib.suppress(TapeError):
            while self._owed:
                self._writer.append(Kind.OUTCOME, self._owed[0])
                self._owed.popleft()

    def _carry_out(self, decision: Decision, cause_mono_ns: int) -> Outcome:
        number, action = decision.number, decision.action
        try:
            return self._ask(number, action, lambda: self._is_fresh(cause_mono_ns))
        except AuthError as error:
            return Outcome(number, Done.REFUSED, 401, "refused", str(error)[:300])
        except ExchangeError as error:
            return self._refusal(number, action, error)

    def _ask(self, number: int, action: Action, still: Callable[[], bool]) -> Outcome:
        why = f"decision {number}"
        account = self._account
        match action:
            case Place():
                placed = account.create(_new_order(action, self.group_id), why, still=still)
                return Outcome(
                    number, Done.DONE, 201, order_id=placed.order_id, filled=placed.fill_count,
                    remaining=placed.remaining_count,
                )  # fmt: skip
            case Amend():
                order = NewOrder(
                    market=action.market, side=action.side.value, price=action.price, count=action.count,
                    client_order_id=action.client_order_id, expiration_s=action.expires_s,
                )  # fmt: skip
                placed = account.amend(action.order_id, order, why, still=still)
                return Outcome(number, Done.DONE, 200, order_id=placed.order_id, filled=placed.fill_count)
            case Cancel():
                cancelled = account.cancel(action.order_id, action.market, why)
                return Outcome(number, Done.DONE, 200, order_id=action.order_id, remaining=cancelled.reduced_by)
            case Fetch(path, params):
                account.client.call("GET", path, params=params, why=why)
                return Outcome(number, Done.DONE, 200)
            case _:
                raise AssertionError(f"nothing to be carried out: {action}")

    def _is_fresh(self, cause_mono_ns: int) -> bool:
        return self._mono_ns() - cause_mono_ns <= self._max_lag_ns

    def _refusal(self, number: int, action: Action, error: ExchangeError) -> Outcome:
        """A clear no, or no answer; an id that exists already is what an answer that got lost leaves behind."""
        is_clear = error.status in _CLIENT_ERRORS and error.status not in _LATER
        if isinstance(action, Place) and error.code == "order_already_exists":
            is_clear = False
        if error.code == STALE:
            is_clear = True
            with self._lock:
                self.refused_stale += 1
        elif is_clear and isinstance(action, Place):
            with self._lock:
                self.declined += 1
        done = Done.REFUSED if is_clear else Done.FAILED
        return Outcome(number, done, error.status, error.code, str(error)[:300])


def _new_order(action: Place, group_id: str) -> NewOrder:
    return NewOrder(
        market=action.market, side=action.side.value, price=action.price, count=action.count,
        client_order_id=action.client_order_id, expiration_s=action.expires_s, post_only=action.post_only,
        time_in_force=action.time_in_force, cancel_on_pause=not action.ioc, reduce_only=action.reduce_only,
        self_trade_prevention=action.self_trade_prevention, order_group_id=group_id,
    )  # fmt: skip
