"""What happened on the exchange, in the words of its frames (protocol 8), in the dialect of today.

Knows every field that today's frames have, deprecated ones included. Must not know sessions or numbers: a frame leaves
here as a template. Where the exchange's own choice is unknown (protocol 20), a comment says what was chosen.
"""

from typing import Final

from core.messages.types import Side
from core.money import DOLLAR, format_money, format_price, format_size
from replay.exchange.happenings import (
    BookChanged,
    BookCleared,
    EventCreated,
    EventFeesChanged,
    Filled,
    GroupChanged,
    Happening,
    LifecycleChanged,
    OrderChanged,
    PositionChanged,
    Settled,
    TickerChanged,
    Traded,
)
from replay.exchange.life_wording import event, fees, life
from replay.exchange.orders import Order
from replay.exchange.port import BOOK, FILL, GROUPS, ORDERS, POSITIONS, TICKER, TRADE, Publication, Template
from replay.exchange.specs import BookView
from replay.exchange.wording_base import Msg, rfc3339, template_of, user_id

_MS: Final = 1_000_000
_S: Final = 1_000_000_000


def publications(happening: Happening) -> tuple[Publication, ...]:
    """The frames that tell of it; a payout has none (the position and the market's life do)."""
    match happening:
        case BookChanged():
            return (_delta(happening),)
        case BookCleared():
            return (_cleared(happening),)
        case TickerChanged():
            return (Publication(channel=TICKER, market=happening.market, template=ticker(happening, happening.at_ns)),)
        case Traded():
            return (_trade(happening),)
        case Filled():
            return (_fill(happening),)
        case OrderChanged():
            return (_order(happening),)
        case PositionChanged():
            return (_position(happening),)
        case LifecycleChanged():
            return life(happening)
        case EventCreated():
            return (event(happening),)
        case EventFeesChanged():
            return fees(happening)
        case GroupChanged():
            return (_group(happening),)
        case Settled():
            return ()


def snapshot(book: BookView, market_id: str, at_ns: int, *, yes_price: bool) -> Template:
    """The book as an orderbook_snapshot; a side without bids is absent."""
    msg: Msg = {"market_ticker": book.market, "market_id": market_id, "clock": book.clock}
    if book.yes:
        msg["yes_dollars_fp"] = _levels(book.yes)
    if book.no:
        no = tuple((DOLLAR - price, size) for price, size in book.no) if yes_price else book.no
        msg["no_dollars_fp"] = _levels(no)
    return template_of("orderbook_snapshot", msg, at_ns)


def ticker(told: TickerChanged, sent_ns: int) -> Template:
    """The summary of a market. sent_ns: when it is told."""
    msg = {
        "market_id": told.market_id,
        "market_ticker": told.market,
        "price_dollars": format_price(told.price),
        "yes_bid_dollars": format_price(told.yes_bid),
        "yes_ask_dollars": format_price(told.yes_ask),
        "volume_fp": format_size(told.volume),
        "open_interest_fp": format_size(told.open_interest),
        "dollar_volume": told.dollar_volume,
        "dollar_open_interest": told.dollar_open_interest,
        "yes_bid_size_fp": format_size(told.yes_bid_size),
        "yes_ask_size_fp": format_size(told.yes_ask_size),
        "last_trade_size_fp": format_size(told.last_trade_size),
        "ts": told.at_ns // _S,
        "ts_ms": told.at_ns // _MS,
        "time": rfc3339(told.at_ns),
    }
    return template_of("ticker", msg, sent_ns, numbered=False)


def _levels(levels: tuple[tuple[int, int], ...]) -> list[tuple[str, str]]:
    return [(format_price(price), format_size(size)) for price, size in levels]


def _delta(told: BookChanged) -> Publication:
    msg: Msg = {
        "market_ticker": told.market,
        "market_id": told.market_id,
        "clock": told.clock,
        "price_dollars": format_price(told.price),
        "delta_fp": format_size(told.delta),
        "side": told.side.value,
    }
    stamps: Msg = {"ts": rfc3339(told.at_ns), "ts_ms": told.at_ns // _MS}
    own: Msg = {}
    if told.owner and told.client_order_id:
        own = {"client_order_id": told.client_order_id, "subaccount": told.subaccount}

    def made(changes: Msg) -> Template:
        return template_of("orderbook_delta", {**msg, **changes, **stamps}, told.at_ns)

    turned: Msg = {"price_dollars": format_price(DOLLAR - told.price)} if told.side is Side.NO else {}
    return Publication(
        channel=BOOK,
        market=told.market,
        template=made({}),
        yes_template=made(turned) if turned else None,
        owner=told.owner if own else "",
        owner_template=made(own) if own else None,
        owner_yes_template=made({**turned, **own}) if own and turned else None,
    )


def _cleared(told: BookCleared) -> Publication:
    msg = {"market_ticker": told.market, "market_id": told.market_id, "clock": told.clock}
    return Publication(channel=BOOK, market=told.market, template=template_of("orderbook_snapshot", msg, told.at_ns))


def _trade(told: Traded) -> Publication:
    msg = {
        "trade_id": told.trade_id,
        "market_ticker": told.market,
        "yes_price_dollars": format_price(told.price),
        "no_price_dollars": format_price(DOLLAR - told.price),
        "count_fp": format_size(told.count),
        "taker_side": told.taker.value,
        "taker_outcome_side": told.taker.value,
        "taker_book_side": book_side(told.taker),
        "is_block_trade": False,
        "ts": told.at_ns // _S,
        "ts_ms": told.at_ns // _MS,
    }
    return Publication(channel=TRADE, market=told.market, template=template_of("trade", msg, told.at_ns))


def book_side(side: Side) -> str:
    """The direction of buying an outcome, in V2 words."""
    return "bid" if side is Side.YES else "ask"


def _fill(told: Filled) -> Publication:
    msg = {
        "trade_id": told.trade_id,
        "order_id": told.order_id,
        "client_order_id": told.client_order_id,
        "market_ticker": told.market,
        "exchange_index": told.exchange_index,
        "is_taker": told.is_taker,
        "side": told.side.value,
        "yes_price_dollars": format_price(told.price),
        "count_fp": format_size(told.count),
        "fee_cost": format_money(told.fee),
        "action": "buy",
        "ts": told.at_ns // _S,
        "ts_ms": told.at_ns // _MS,
        "post_position_fp": format_size(told.post_position),
        "purchased_side": told.side.value,
        "outcome_side": told.side.value,
        "book_side": book_side(told.side),
        "subaccount": told.subaccount,
    }
    return Publication(
        channel=FILL,
        market=told.market,
        template=template_of("fill", msg, told.at_ns, numbered=False),
        account=told.account,
    )


def _order(told: OrderChanged) -> Publication:
    order = told.order
    msg: Msg = {
        "order_id": order.order_id,
        "user_id": user_id(order.account),
        "ticker": order.market,
        "exchange_index": order.exchange_index,
        "status": order.status.value,
        "side": order.side.value,
        "is_yes": order.side is Side.YES,
        "outcome_side": order.side.value,
        "book_side": order.book_side.value,
        "yes_price_dollars": format_price(order.price),
        **order_counts(order),
        "client_order_id": order.client_order_id,
        "self_trade_prevention_type": order.self_trade.value,
        "created_time": rfc3339(order.created_ns),
        "created_ts_ms": order.created_ns // _MS,
    }
    if order.expiration_ns:
        msg |= {
            "expiration_time": rfc3339(order.expiration_ns),
            "expiration_ts_ms": order.expiration_ns // _MS,
        }
    if order.reason:
        msg |= {
            "last_update_time": rfc3339(order.updated_ns),
            "last_updated_ts_ms": order.updated_ns // _MS,
            "last_update_reason": order.reason.value,
        }
    if order.group_id:
        msg["order_group_id"] = order.group_id
    msg["subaccount_number"] = order.subaccount
    return Publication(
        channel=ORDERS,
        market=order.market,
        template=template_of("user_order", msg, told.at_ns, numbered=False),
        account=order.account,
    )


def order_counts(order: Order) -> Msg:
    """The cumulative counts, costs and fees of an order, as frames and bodies write them."""
    return {
        "fill_count_fp": format_size(order.fill_count),
        "remaining_count_fp": format_size(order.remaining),
        "initial_count_fp": format_size(order.initial_count),
        "taker_fill_cost_dollars": format_money(order.taker_fill_cost),
        "maker_fill_cost_dollars": format_money(order.maker_fill_cost),
        "taker_fees_dollars": format_money(order.taker_fees),
        "maker_fees_dollars": format_money(order.maker_fees),
    }


def _position(told: PositionChanged) -> Publication:
    msg = {
        "user_id": user_id(told.account),
        "market_ticker": told.market,
        "position_fp": format_size(told.position),
        "position_cost_dollars": format_money(told.cost),
        "realized_pnl_dollars": format_money(told.realized_pnl),
        "fees_paid_dollars": format_money(told.fees_paid),
        "position_fee_cost_dollars": format_money(told.position_fee_cost),
        "volume_fp": format_size(told.volume),
        "subaccount": told.subaccount,
    }
    return Publication(
        channel=POSITIONS,
        market=told.market,
        template=template_of("market_position", msg, told.at_ns, numbered=False),
        account=told.account,
    )


def _group(told: GroupChanged) -> Publication:
    msg: Msg = {"event_type": told.event.value, "order_group_id": told.group_id}
    if told.contracts_limit is not None:
        msg["contracts_limit_fp"] = format_size(told.contracts_limit)
    msg["ts_ms"] = told.at_ns // _MS
    return Publication(
        channel=GROUPS, market="", template=template_of("order_group_updates", msg, told.at_ns), account=told.account
    )
