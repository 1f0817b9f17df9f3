"""What the exchange itself does: it lists, opens, pauses, closes, determines and pays (protocol 16).

Times in Unix ns, money in 1/1,000,000 dollar. Knows the life of markets. Must not know matching.

Chosen where the protocol is silent: orders cancelled by a reactivation or a pause carry HaltCancel and are told by
deltas; a deactivation takes cancel_on_pause orders as a pause does; new price levels leave resting orders alone.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from core.fees import CENT, FeeOverride
from replay.exchange.accounts import Account, Holding
from replay.exchange.action import Action
from replay.exchange.floor import EVERYWHERE, Floor
from replay.exchange.happenings import EventCreated, EventFeesChanged, LifecycleChanged, Settled
from replay.exchange.happenings import Life as Change
from replay.exchange.market import OVER, Market, Outside
from replay.exchange.orders import Order, Reason
from replay.exchange.schedule import Due, Task
from replay.exchange.specs import EventSpec, MarketSpec, MarketStatus, MarketTexts, Outcome
from replay.exchange.views import Pause


class Life:
    """The exchange's own side of the floor. Each command is told the time and first does what is due.

    ValueError for a market or event that is not there, or not in a state for it: these are the caller's to know.
    """

    __slots__ = ("_advance", "_floor")

    def __init__(self, floor: Floor, advance: Callable[[int], None]) -> None:
        self._floor = floor
        self._advance = advance

    def add_event(self, event: EventSpec, now_ns: int) -> None:
        """List an event."""
        self._advance(now_ns)
        floor = self._floor
        if event.event_ticker in floor.events:
            raise ValueError(f"event {event.event_ticker} is listed already")
        floor.events[event.event_ticker] = event
        floor.happenings.append(EventCreated(floor.now_ns, event))

    def add_market(self, spec: MarketSpec, now_ns: int, *, outside: Outside | None = None) -> None:
        """List a market of a listed event; it opens and closes by itself when its time comes.

        outside: others whose orders are met there, too.
        """
        self._advance(now_ns)
        floor = self._floor
        if spec.ticker in floor.markets:
            raise ValueError(f"market {spec.ticker} is listed already")
        if spec.event_ticker not in floor.events:
            raise ValueError(f"market {spec.ticker} belongs to event {spec.event_ticker}, which is not listed")
        if spec.close_ns <= spec.open_ns:
            raise ValueError(f"market {spec.ticker} closes at {spec.close_ns}, not after it opens at {spec.open_ns}")
        market = Market(spec, floor.events[spec.event_ticker].fees)
        market.outside = outside
        market.override(floor.overrides.get(spec.event_ticker, FeeOverride()))
        floor.markets[spec.ticker] = market
        self._tell(market, Change.CREATED)
        floor.schedule.plan(spec.open_ns, Task.OPEN, market=spec.ticker)
        floor.schedule.plan(spec.close_ns, Task.CLOSE, market=spec.ticker)
        self._advance(now_ns)  # what is open or closed by now is so at once

    def deactivate(self, market: str, now_ns: int) -> None:
        """Stop a market's trading; its resting orders stay, but for those with cancel_on_pause."""
        found = self._find(market, now_ns, MarketStatus.ACTIVE)
        found.status = MarketStatus.INACTIVE
        action = Action(self._floor)
        _halt(action, found, [order for order in _orders(found) if order.cancel_on_pause])
        self._tell(found, Change.DEACTIVATED, action)

    def activate(self, market: str, now_ns: int) -> None:
        """Go on with a deactivated market, or with a closed one whose close was moved on: all resting orders go."""
        found = self._find(market, now_ns, MarketStatus.INACTIVE, MarketStatus.CLOSED)
        if found.spec.close_ns <= self._floor.now_ns:
            raise ValueError(f"market {market} closed at {found.spec.close_ns}: move its close first")
        found.status = MarketStatus.ACTIVE
        action = Action(self._floor)
        _halt(action, found, _orders(found))
        self._tell(found, Change.ACTIVATED, action)

    def move_close(self, market: str, close_ns: int, now_ns: int) -> None:
        """Change a market's close; a closed market opens again by `activate` only."""
        found = self._find(
            market, now_ns, MarketStatus.INITIALIZED, MarketStatus.ACTIVE, MarketStatus.INACTIVE, MarketStatus.CLOSED
        )
        found.spec = replace(found.spec, close_ns=close_ns)
        self._tell(found, Change.CLOSE_DATE_UPDATED)
        self._floor.schedule.plan(close_ns, Task.CLOSE, market=market)
        self._advance(now_ns)

    def determine(self, market: str, outcome: Outcome, now_ns: int, *, timer_ns: int | None = None) -> None:
        """Set a market's result; an open market closes now. It pays by `advance`, after so long.

        timer_ns: None = its settlement timer; else a result that was set may be set anew, as tapes tell it.
        """
        anew = () if timer_ns is None else (MarketStatus.DETERMINED,)
        found = self._find(market, now_ns, MarketStatus.ACTIVE, MarketStatus.INACTIVE, MarketStatus.CLOSED, *anew)
        floor = self._floor
        if found.status not in OVER:
            self.move_close(market, floor.now_ns, now_ns)
        found.status = MarketStatus.DETERMINED
        found.outcome = outcome
        self._tell(found, Change.DETERMINED)
        timer_ns = found.spec.settlement_timer_ns if timer_ns is None else timer_ns
        floor.schedule.plan(floor.now_ns + timer_ns, Task.SETTLE, market=market)

    def change_price_levels(self, market: str, spec: MarketSpec, now_ns: int) -> None:
        """Take price_level_structure and price_ranges of `spec`; orders that rest off the new grid stay."""
        found = self._find(market, now_ns, *MarketStatus)
        levels = (spec.price_level_structure, spec.price_ranges)
        found.list(replace(found.spec, price_level_structure=levels[0], price_ranges=levels[1]))
        self._tell(found, Change.PRICE_LEVELS_UPDATED)

    def change_texts(self, market: str, texts: MarketTexts, now_ns: int) -> None:
        """Change what people read of a market, or its strike."""
        found = self._find(market, now_ns, *MarketStatus)
        found.spec = replace(found.spec, texts=texts)
        self._tell(found, Change.METADATA_UPDATED)

    def override_fees(self, event_ticker: str, override: FeeOverride, now_ns: int) -> None:
        """Let an event charge other fees than its series from now on."""
        self._advance(now_ns)
        floor = self._floor
        if event_ticker not in floor.events:
            raise ValueError(f"event {event_ticker} is not listed")
        floor.overrides[event_ticker] = override
        for market in floor.markets.values():
            if market.spec.event_ticker == event_ticker:
                market.override(override)
        floor.happenings.append(EventFeesChanged(floor.now_ns, event_ticker, override))

    def pause(self, pause: Pause, now_ns: int, *, exchange_index: int = EVERYWHERE) -> None:
        """Pause one shard, or all of them; Pause.NONE goes on. cancel_on_pause orders go. There is no frame of it."""
        self._advance(now_ns)
        floor = self._floor
        if pause is Pause.NONE:
            floor.pauses.pop(exchange_index, None)
            return
        floor.pauses[exchange_index] = pause
        action = Action(floor)
        for market in floor.markets.values():
            if exchange_index in (EVERYWHERE, market.spec.exchange_index):
                _halt(action, market, [order for order in _orders(market) if order.cancel_on_pause])
        action.commit()

    def forget(self, market: str, now_ns: int) -> None:
        """Drop a finalized market, what accounts had in it (but for sums), and its event with the last of its markets,
        so that an exchange can run for months."""
        event = self._find(market, now_ns, MarketStatus.FINALIZED).spec.event_ticker
        floor = self._floor
        del floor.markets[market]
        for account in floor.accounts.values():
            account.forget(market)
        if all(other.spec.event_ticker != event for other in floor.markets.values()):
            del floor.events[event]
            floor.overrides.pop(event, None)

    def do(self, due: Due) -> None:
        """Carry out what fell due, if it still holds; the floor's time is its instant."""
        floor = self._floor
        market = floor.markets.get(due.market)
        match due.task:
            case Task.EXPIRE:
                _expire(floor, due)
            case Task.OPEN if market is not None:
                _open(market, floor)
            case Task.CLOSE if market is not None:
                _close(market, floor)
            case Task.SETTLE if market is not None:
                _settle(market, floor)
            case _:
                pass  # of a market that was forgotten since

    def _find(self, market: str, now_ns: int, *states: MarketStatus) -> Market:
        self._advance(now_ns)
        found = self._floor.markets.get(market)
        if found is None:
            raise ValueError(f"market {market} is not listed")
        if found.status not in states:
            raise ValueError(f"market {market} is {found.status}: it must be {' or '.join(states)} for this")
        return found

    def _tell(self, market: Market, event: Change, action: Action | None = None) -> None:
        action = Action(self._floor) if action is None else action
        market.updated_ns = action.now_ns
        action.life.append(LifecycleChanged(action.now_ns, event, market.spec, market.outcome))
        action.commit()


def _orders(market: Market) -> list[Order]:
    return market.yes.orders() + market.no.orders()


def _halt(action: Action, market: Market, orders: Iterable[Order]) -> None:
    for order in orders:
        action.cancel(market, order, Reason.HALT_CANCEL)


def _expire(floor: Floor, due: Due) -> None:
    order = floor.expiring(due)
    if order is None:
        return
    action = Action(floor)
    action.cancel(floor.markets[order.market], order, Reason.EXPIRY_CANCEL)
    action.commit()


def _open(market: Market, floor: Floor) -> None:
    if market.status is MarketStatus.INITIALIZED:
        market.status = MarketStatus.ACTIVE
        market.updated_ns = floor.now_ns


def _close(market: Market, floor: Floor) -> None:
    """The book goes at once and without deltas, as recorded; its orders are told one by one."""
    if market.status in OVER or market.spec.close_ns > floor.now_ns:
        return
    market.status = MarketStatus.CLOSED
    market.updated_ns = floor.now_ns
    action = Action(floor)
    action.sweep(market, Reason.CLOSE_CANCEL)
    action.commit()


def _settle(market: Market, floor: Floor) -> None:
    """Pay what each position is worth, once; fractions of a cent stay with the house (protocol 14)."""
    if market.status is MarketStatus.FINALIZED:
        return
    outcome = market.outcome
    assert outcome is not None, f"{market.spec.ticker} settles without a result"
    market.status = MarketStatus.FINALIZED
    market.updated_ns = market.settled_ns = floor.now_ns
    action = Action(floor)
    for account in floor.accounts.values():
        holding = account.holdings.get(market.spec.ticker)
        if holding is not None and holding.position:
            action.life.append(_pay(floor, account, holding, outcome))
            action.holdings[account.account, market.spec.ticker] = holding
    market.open_interest = 0
    action.life.append(LifecycleChanged(floor.now_ns, Change.SETTLED, market.spec, outcome))
    action.commit()


def _pay(floor: Floor, account: Account, holding: Holding, outcome: Outcome) -> Settled:
    position, cost = holding.position, holding.cost
    worth = holding.settle(outcome.settlement_value, CENT)
    account.balance += worth.paid
    floor.house += worth.kept
    holding.updated_ns = floor.now_ns
    return Settled(
        at_ns=floor.now_ns,
        account=account.account,
        market=holding.market,
        outcome=outcome,
        yes_count=max(position, 0),
        yes_cost=cost if position > 0 else 0,
        no_count=max(-position, 0),
        no_cost=cost if position < 0 else 0,
        revenue=worth.paid,
        fees_paid=holding.fees_paid,
    )
