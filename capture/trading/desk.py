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
"""What cancelling gets at the end; what rests after that ends by its expiration."""

LOOK_S: Final = 0.05
MANY: Final = 1_000
"""Records the strategies may be behind while it is judged whether their orders are over."""


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
        self._left: tuple[str, ...] = ()
        self._is_unproven = False
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
        self._last = self._fold.status()
        return self._last

    @property
    def fatal(self) -> str:
        """Why the run has to end, "" = it has not to."""
        if self.problem:
            return self.problem
        return f"the strategies' fold was stopped by a bug: {self._fold.failed}" if self._fold.failed else ""

    def wind_down(self) -> None:
        """Have every order of the run cancelled, and see that none rests; the connections are still there."""
        self._stopping.set()
        self._opener.join(READY_S)
        self._control(HOLD)
        until_s = time.monotonic() + WIND_DOWN_S
        while time.monotonic() < until_s:
            status = self.status()
            if not status.orders and not self._hands.under_way and status.lag_records < MANY:
                break
            if status.stepped < 0 or not self._fold.is_alive:
                break
            time.sleep(LOOK_S)
        if not self._options.terms.paper:
            self._sweep(until_s)

    def stop(self, timeout_s: float) -> None:
        """End all threads; everything that was appended is stepped, and PROGRESS says so."""
        until_s = time.monotonic() + timeout_s
        self._alarm.stop(timeout_s)
        self._hands.stop(max(until_s - time.monotonic(), 0.1))
        if not self._fold.stop(max(until_s - time.monotonic(), 0.1)):
            self._note("a strategy does not return from its hook: the last decisions are not on the tape")
        self._last = self._fold.status(0.1)
        self.is_over = True

    @property
    def exit_code(self) -> int:
        """1 = a strategy failed or an order may still rest, 0 = all went well."""
        return 1 if self._last.failed or self._left or self._is_unproven or self._fold.failed else 0

    def last_words(self) -> list[str]:
        """What came of it."""
        last, words = self._last, []
        words += [f"FAILED {failed}" for failed in last.failed]
        if self._left:
            words.append(f"{len(self._left)} orders may still rest; they end by themselves within a minute or so")
        elif self._is_unproven:
            words.append("that no order rests could not be confirmed; what does ends by itself within a minute or so")
        return words

    def _open(self) -> None:
        """Read the account, then let the strategies go."""
        try:
            markets: tuple[str, ...] = ()
            if not self._options.terms.paper:
                self._wait_channels()
                opened = read_account(self._account, self._earlier.nonces, lambda: int(time.time()))
                for line in account_lines(opened):
                    self._note(line)
                markets = adopted(opened, adopt=self._options.adopt, ignore=self._options.ignore)
            if not self._stopping.is_set():
                self._control(GO, markets)
        except TapedeckError as error:
            if not self._stopping.is_set():
                self.problem = str(error)
        except Exception as error:  # a bug of ours must not leave a run that waits for ever
            self.problem = f"opening failed by a bug: {error!r}; report it"
            with contextlib.suppress(TapeError):
                self._writer.append(Kind.FAULT, encode_payload(Fault("trading opening", repr(error)[:300])))

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
                self._account, lambda order: nonce_of(order.client_order_id) == self._nonce, "the run ends", until_s
            )
            self._left = swept.left
        except (ExchangeError, AuthError) as error:
            self._is_unproven = True
            self._note(f"what still rests could not be listed: {error}")

    def _control(self, action: str, markets: tuple[str, ...] = ()) -> None:
        with contextlib.suppress(TapeError):
            self._writer.append(Kind.CONTROL, encode_payload(Control(action, markets)))
