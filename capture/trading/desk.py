"""The trading half of a run, beside the recorder: put together, opened, watched, wound down.

Knows the order of these, and that no order of the run may be left behind. Must not know strategies: it is given a host
that has them. Once the account was read, CONTROL "go" on the tape lets strategies begin; "hold" ends that.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from capture.account_api import AccountApi
from capture.deck import Deck
from capture.rest import RestClient
from capture.status import TradeStatus
from capture.tape.errors import TapeError
from capture.tape.writer import TapeWriter
from capture.trading.alarm import Alarm
from capture.trading.earlier import earlier
from capture.trading.fold import PaperVenue, StrategyFold, TradingStatus
from capture.trading.hands import Hands
from capture.trading.opening import account_lines, adopted, read_account
from capture.trading.sweep import sweep
from capture.trading.wanted import Wanted
from core.actions import GO, HOLD, RunTerms
from core.errors import AuthError, ConfigError, ExchangeError, TapedeckError
from core.host import Host
from core.records import Control, Fault, Kind, Session, encode_payload
from core.trading import nonce_of

PRIVATE: Final = ("fill", "user_orders", "market_positions")
"""The account's channels, which a run with real orders listens to."""

READY_S: Final = 30.0
"""How long the account's channels may take to be up."""

WIND_DOWN_S: Final = 20.0
"""What the strategies' own cancelling gets at the end."""

SWEEP_S: Final = 10.0
"""What looking for orders by REST gets after that; what rests then ends by its expiration."""

LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class TradeOptions:
    """How to trade. terms: what SESSION will hold; adopt, ignore: see capture.trading.opening."""

    terms: RunTerms
    adopt: bool = False
    ignore: bool = False


class TradingDesk:
    """One run's trading. Methods are called by the recorder's main thread, in the order in which they stand."""

    def __init__(
        self, options: TradeOptions, tape: Path, make_host: Callable[[], Host], paper: PaperVenue | None = None
    ) -> None:
        """make_host: a host with a new engine. Raises TapeError when the tape's past cannot be read."""
        self.problem = ""
        self.is_over = False
        self._options = options
        self._make_host = make_host
        self._paper = paper
        self._earlier = earlier(tape)
        self._stopping = threading.Event()
        self._opener = threading.Thread(target=self._open, name="trading-opening", daemon=True)
        self._nonce = ""
        self._adopted: frozenset[str] = frozenset()
        self._going = threading.Lock()
        self._left: tuple[str, ...] = ()
        self._has_begun = self._is_unproven = self._is_stuck = False
        self._last = TradingStatus()

    def session(self, session: Session) -> Session:
        """The session with what of the run bears upon decisions."""
        past, terms = self._earlier, self._options.terms
        terms = msgspec.structs.replace(terms, day=past.day, day_pnl=past.day_pnl, halted=past.halted)
        self._nonce = session.uuid.replace("-", "")
        return msgspec.structs.replace(session, run=msgspec.to_builtins(terms))

    def assemble(
        self, writer: TapeWriter, deck: Deck, client: RestClient, wanted: Wanted, note: Callable[[str], None]
    ) -> None:
        """Put the parts together."""
        terms = self._options.terms
        self._writer, self._deck, self._note = writer, deck, note
        self._account = AccountApi(client)
        self._hands = Hands(self._account, writer, max_lag_ns=terms.max_lag_ms * 1_000_000)
        self._alarm = Alarm(writer)
        self._fold = StrategyFold(
            writer.follow("strategies"), self._make_host(), writer, self._hands, paper=self._paper,
            subscribe=lambda markets: wanted.say("strategies", markets), woke=self._alarm.set, say=note,
        )  # fmt: skip

    def start(self) -> None:
        """Begin; strategies start when the account was read."""
        self._hands.start()
        self._alarm.start()
        self._fold.start()
        self._opener.start()

    def status(self) -> TradingStatus:
        """The strategies now."""
        return self._fold.status()

    @property
    def summary(self) -> TradeStatus:
        """The same for the recorder's status."""
        now, health = self.status(), self._fold.failed
        if now.hung_s:
            health = f"a strategy has not returned from its hook for {now.hung_s:.0f} s"
        return TradeStatus(
            strategies=tuple(spec.name for spec in self._options.terms.strategies),
            paper=bool(self._options.terms.paper),
            orders=len(now.orders),
            positions=now.positions,
            cash=now.cash,
            day_pnl=now.day_pnl,
            fills=now.fills,
            fees=now.fees,
            decisions=now.decisions,
            refused=now.refused,
            stale=self._hands.refused_stale,
            declined=self._hands.declined,
            lag_records=now.lag_records,
            health=health or now.health,
            failed=now.failed,
        )

    @property
    def fatal(self) -> str:
        """Why the run has to end, "" = it has not to."""
        if self.problem:
            return self.problem
        return f"the strategies' fold was stopped by a bug: {self._fold.failed}" if self._fold.failed else ""

    def wind_down(self) -> None:
        """Have every order of the run cancelled, and see that none rests; the connections are still there."""
        with self._going:  # either strategies were let go before, or they never are
            self._stopping.set()
        held_seq = self._control(HOLD)
        until_s = time.monotonic() + WIND_DOWN_S
        while time.monotonic() < until_s and not self._are_orders_over(held_seq):
            time.sleep(LOOK_S)
        if self._has_begun and not self._options.terms.paper:
            self._sweep(time.monotonic() + SWEEP_S)
            self._delete_group()

    def _are_orders_over(self, held_seq: int) -> bool:
        """Whether there is nothing more to wait for from the strategies; if they hang, REST has to do it alone."""
        status = self.status()
        if status.hung_s or not self._fold.is_alive or held_seq < 0:
            return True
        return status.stepped >= held_seq and not status.orders and not self._hands.under_way

    def stop(self, timeout_s: float) -> None:
        """End all threads; everything that was appended is stepped, and PROGRESS says so."""
        until_s = time.monotonic() + timeout_s
        self._alarm.stop(timeout_s)
        self._hands.stop(max(until_s - time.monotonic(), 0.1))
        self._is_stuck = not self._fold.stop(max(until_s - time.monotonic(), 0.1))
        self._last = self.status()
        self.is_over = True

    @property
    def exit_code(self) -> int:
        """2 = it could not begin, 1 = a strategy failed or an order may still rest, 0 = all went well."""
        if self.problem:
            return 2
        is_bad = self._last.failed or self._left or self._is_unproven or self._is_stuck or self._fold.failed
        return 1 if is_bad else 0

    def last_words(self) -> list[str]:
        """What came of it."""
        last, words = self._last, []
        end = f"itself within {self._options.terms.order_life_s} s; `tapedeck cancel-all` cancels it"
        words += [f"FAILED {failed}" for failed in last.failed]
        if self._is_stuck:
            words.append("FAILED a strategy does not return from its hook, or is far behind; records were not judged")
        if self._left:
            words.append(f"{len(self._left)} orders may still rest ({'; '.join(self._left[:3])}); they end by {end}")
        elif self._is_unproven:
            words.append(f"that no order rests could not be confirmed; what does rest ends by {end}")
        return words

    def _open(self) -> None:
        """Read the account, then let the strategies go."""
        try:
            markets: tuple[str, ...] = ()
            if not self._options.terms.paper:
                self._wait_channels()
                if self._stopping.is_set():
                    return
                opened = read_account(self._account, self._earlier.nonces, lambda: int(time.time()))
                for line in account_lines(opened):
                    self._note(line)
                markets = adopted(opened, adopt=self._options.adopt, ignore=self._options.ignore)
                self._adopted = frozenset(markets)
                self._make_group()
            with self._going:
                if not self._stopping.is_set():
                    self._has_begun = self._control(GO, markets) >= 0
                    if not self._has_begun:
                        raise ConfigError("the tape takes no records just now, so nothing can be traded on record")
        except TapedeckError as error:
            if not self._stopping.is_set():
                self.problem = str(error)
        except Exception as error:  # a bug of ours must not leave a run that waits for ever
            self.problem = f"opening failed by a bug: {error!r}; report it"
            with contextlib.suppress(TapeError):
                self._writer.append(Kind.FAULT, encode_payload(Fault("trading opening", repr(error)[:300])))
        if not self._has_begun:  # else winding down does it
            self._delete_group()

    def _make_group(self) -> None:
        """Make the run's order group, if it is to have one; raises ConfigError."""
        limit = self._options.terms.group_limit
        if not limit:
            return
        try:
            self._hands.group_id = self._account.groups.create(limit, "the run's order group")
        except (ExchangeError, AuthError) as error:
            raise ConfigError(
                f"the order group of {limit / 100:g} contracts could not be made, so nothing was placed: {error}"
            ) from error

    def _delete_group(self) -> None:
        """Delete the run's order group; one that stays is empty and harms nobody.

        Hands keep its id, so that an order which still comes to them is refused.
        """
        group_id = self._hands.group_id
        if not group_id:
            return
        try:
            self._account.groups.change(group_id, "delete", "the run ends")
        except (ExchangeError, AuthError) as error:
            self._note(f"the run's order group {group_id} could not be deleted: {error}")

    def _wait_channels(self) -> None:
        until_s = time.monotonic() + READY_S
        while not self._stopping.wait(LOOK_S):
            slots = self._deck.status().slots
            live = {s.channel for slot in slots for s in slot.talk.subscriptions if s.is_live}
            if live.issuperset(PRIVATE):
                return
            refused = [f"{s.channel}: {s.given_up}" for slot in slots for s in slot.talk.subscriptions if s.given_up]
            if refused:
                raise ConfigError(f"the account's channels are refused ({'; '.join(refused)})")
            if time.monotonic() > until_s:
                raise ConfigError(f"the account's channels were not up within {READY_S:.0f} s; nothing was placed")

    def _sweep(self, until_s: float) -> None:
        """See by REST that no order of this run rests, and cancel what does, whatever the strategies know of it."""
        try:
            swept = sweep(
                self._account,
                lambda order: nonce_of(order.client_order_id) == self._nonce or order.client_order_id in self._adopted,
                "the run ends",
                until_s,
            )
            self._left = swept.left
        except (ExchangeError, AuthError) as error:
            self._is_unproven = True
            self._note(f"what still rests could not be listed: {error}")

    def _control(self, action: str, markets: tuple[str, ...] = ()) -> int:
        """The seq of the record, -1 = the disk has refused it."""
        with contextlib.suppress(TapeError):
            return self._writer.append(Kind.CONTROL, encode_payload(Control(action, markets)))
        return -1
