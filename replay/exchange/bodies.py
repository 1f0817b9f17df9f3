"""The sandbox's objects as REST bodies write them (protocol 12, 13).

Knows every field that today's bodies have. Must not know requests: who asks for what is decided elsewhere.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from core.fees import FeeOverride
from core.money import DOLLAR, format_money, format_price, format_size
from replay.exchange.happenings import EventFeesChanged, Filled, Settled, TickerChanged, Traded
from replay.exchange.life_wording import strikes
from replay.exchange.orders import Order, Refusal
from replay.exchange.port import RestAnswer
from replay.exchange.specs import EventSpec, MarketSpec, MarketStatus
from replay.exchange.views import BalanceView, HoldingView, MarketView
from replay.exchange.wording import book_side, order_counts
from replay.exchange.wording_base import COMBOS, multiplier, ranges, rfc3339, user_id

CENT: Final = 10_000
"""Money in a cent."""

_S: Final = 1_000_000_000

Body = dict[str, Any]


def ok(body: Body, status: int = 200) -> RestAnswer:
    """A successful answer."""
    return RestAnswer(status, msgspec.json.encode(body))


def refused(refusal: Refusal) -> RestAnswer:
    """The exchange's no, in the first of its shapes."""
    return RestAnswer(refusal.status, msgspec.json.encode({"error": error(refusal)}))


def error(refusal: Refusal) -> Body:
    """What an error says."""
    said = {"code": refusal.code, "message": refusal.message}
    return said | {"details": refusal.details} if refusal.details else said


def bad_request(details: str) -> RestAnswer:
    """A body that cannot be decoded: the second shape."""
    return RestAnswer(400, msgspec.json.encode({"code": "bad_request", "message": "bad request", "details": details}))


def invalid_query(words: str) -> RestAnswer:
    """A query that does not pass validation: the third shape."""
    return RestAnswer(400, msgspec.json.encode({"msg": words}))


def market(view: MarketView, volume_24h: int) -> Body:
    """A Market."""
    spec = view.spec
    body: Body = {
        "ticker": spec.ticker,
        "event_ticker": spec.event_ticker,
        "market_type": "binary",
        "title": spec.texts.title,
        "yes_sub_title": spec.texts.yes_sub_title,
        "no_sub_title": spec.texts.no_sub_title,
        "created_time": rfc3339(spec.open_ns),
        "updated_time": rfc3339(view.updated_ns or spec.open_ns),
        "open_time": rfc3339(spec.open_ns),
        "close_time": rfc3339(spec.close_ns),
        "expected_expiration_time": rfc3339(spec.expected_expiration_ns or spec.close_ns),
        "latest_expiration_time": rfc3339(spec.close_ns + 7 * 86_400 * _S),
        "settlement_timer_seconds": spec.settlement_timer_ns // _S,
        "status": view.status.value,
        **_quotes(view.ticker),
        "volume_24h_fp": format_size(volume_24h),
        "result": "" if view.outcome is None else view.outcome.result.value,
        "can_close_early": spec.can_close_early,
        "notional_value_dollars": format_price(DOLLAR),
        "previous_yes_bid_dollars": format_price(0),
        "previous_yes_ask_dollars": format_price(0),
        "previous_price_dollars": format_price(0),
        "settlement_bounds_type": "default",
        "expiration_value": "",
        "rules_primary": spec.texts.rules_primary,
        "rules_secondary": spec.texts.rules_secondary,
        "price_level_structure": spec.price_level_structure,
        "price_ranges": ranges(spec.price_ranges),
        "exchange_index": spec.exchange_index,
        **strikes(spec),
    }
    return body | _ended(view)


def _quotes(told: TickerChanged) -> Body:
    """What is bid, asked, traded and open."""
    return {
        "yes_bid_dollars": format_price(told.yes_bid),
        "yes_bid_size_fp": format_size(told.yes_bid_size),
        "yes_ask_dollars": format_price(told.yes_ask),
        "yes_ask_size_fp": format_size(told.yes_ask_size),
        "no_bid_dollars": format_price(DOLLAR - told.yes_ask),
        "no_ask_dollars": format_price(DOLLAR - told.yes_bid),
        "last_price_dollars": format_price(told.price),
        "volume_fp": format_size(told.volume),
        "open_interest_fp": format_size(told.open_interest),
    }


def _ended(view: MarketView) -> Body:
    """What only some markets have."""
    spec = view.spec
    body: Body = {}
    if spec.fee_waiver_ns:
        body["fee_waiver_expiration_time"] = rfc3339(spec.fee_waiver_ns)
    if spec.ticker.startswith(COMBOS):
        body |= {"mve_collection_ticker": f"{spec.event_ticker.partition('-')[0]}-R", "mve_selected_legs": []}
    if view.outcome is not None:
        body["settlement_value_dollars"] = format_price(view.outcome.settlement_value)
    if view.status is MarketStatus.FINALIZED:
        body["settlement_ts"] = rfc3339(view.settled_ns)
    return body


def event(spec: EventSpec, override: FeeOverride, at_ns: int) -> Body:
    """An Event, without its markets."""
    body: Body = {
        "event_ticker": spec.event_ticker,
        "series_ticker": spec.series_ticker,
        "sub_title": spec.subtitle,
        "title": spec.title,
        "collateral_return_type": spec.collateral_return_type,
        "mutually_exclusive": spec.collateral_return_type == "MECNET",
        "settlement_sources": [],
        "last_updated_ts": rfc3339(at_ns),
        "exchange_index": spec.exchange_index,
    }
    if spec.strike_ns:
        body["strike_date"] = rfc3339(spec.strike_ns)
    if override.fee_type is not None:
        body["fee_type_override"] = override.fee_type.value
    if override.multiplier is not None:
        body["fee_multiplier_override"] = multiplier(override.multiplier)
    return body


def event_fee_change(told: EventFeesChanged, series_ticker: str) -> Body:
    """An EventFeeChange; what is null falls back to the series."""
    override = told.override
    return {
        "id": f"{told.event_ticker}-{told.at_ns}",
        "event_ticker": told.event_ticker,
        "series_ticker": series_ticker,
        "fee_type_override": None if override.fee_type is None else override.fee_type.value,
        "fee_multiplier_override": None if override.multiplier is None else multiplier(override.multiplier),
        "scheduled_ts": rfc3339(told.at_ns),
    }


def series(ticker: str, title: str, spec: EventSpec) -> Body:
    """A Series, by one of its events."""
    return {
        "ticker": ticker,
        "frequency": "custom",
        "title": title,
        "category": "Sandbox",
        "categories": ["Sandbox"],
        "tags": [],
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": spec.fees.fee_type.value,
        "fee_multiplier": multiplier(spec.fees.multiplier),
        "additional_prohibitions": [],
        "exchange_index": spec.exchange_index,
    }


def levels(side: tuple[tuple[int, int], ...], depth: int = 0) -> list[tuple[str, str]]:
    """A ladder, best last; depth: only so many of the best, 0 = all."""
    return [(format_price(price), format_size(size)) for price, size in side[-depth:]]


def trade(told: Traded) -> Body:
    """A public trade."""
    return {
        "trade_id": told.trade_id,
        "ticker": told.market,
        "count_fp": format_size(told.count),
        "yes_price_dollars": format_price(told.price),
        "no_price_dollars": format_price(DOLLAR - told.price),
        "taker_outcome_side": told.taker.value,
        "taker_book_side": book_side(told.taker),
        "taker_side": told.taker.value,
        "created_time": rfc3339(told.at_ns),
        "is_block_trade": False,
    }


def dollars(money: int) -> str:
    """An amount as recorded of balances and averages: with four decimals where they are enough."""
    return format_money(money) if money % 100 else format_money(money)[:-2]


def balance(view: BalanceView, at_ns: int) -> Body:
    """Money of an account: cents are cut off, the texts are exact."""
    exact = dollars(view.balance)
    return {
        "balance": view.balance // CENT,
        "balance_dollars": exact,
        "portfolio_value": view.portfolio // CENT,
        "updated_ts": at_ns // _S,
        "balance_breakdown": [{"exchange_index": 0, "balance": exact}],
    }


def resting_value(values: Mapping[int, int]) -> Body:
    """What the orders that rest would cost in all, by shard. How the exchange counts is not known: here each order is
    worth its own price times what remains, and cents are cut off."""
    return {
        "total_resting_order_value": sum(values.values()) // CENT,
        "resting_order_value_breakdown": [
            {"exchange_index": index, "balance": dollars(value)} for index, value in sorted(values.items())
        ],
    }


def position(view: HoldingView, spec: MarketSpec) -> Body:
    """A position in a market."""
    return {
        "ticker": view.market,
        "exchange_index": spec.exchange_index,
        "position_fp": format_size(view.position),
        "total_traded_dollars": format_money(view.traded),
        "market_exposure_dollars": format_money(view.cost),
        "realized_pnl_dollars": format_money(view.realized_pnl),
        "fees_paid_dollars": format_money(view.fees_paid),
        "last_updated_ts": rfc3339(view.updated_ns),
    }


def event_position(event_ticker: str, views: list[HoldingView]) -> Body:
    """What an account has in all markets of an event."""
    return {
        "event_ticker": event_ticker,
        "total_cost_dollars": format_money(sum(view.traded for view in views)),
        "total_cost_shares_fp": format_size(sum(view.volume for view in views)),
        "event_exposure_dollars": format_money(sum(view.cost for view in views)),
        "realized_pnl_dollars": format_money(sum(view.realized_pnl for view in views)),
        "fees_paid_dollars": format_money(sum(view.fees_paid for view in views)),
    }


def order(told: Order) -> Body:
    """An order."""
    body: Body = {
        "order_id": told.order_id,
        "user_id": user_id(told.account),
        "client_order_id": told.client_order_id,
        "ticker": told.market,
        "outcome_side": told.side.value,
        "book_side": told.book_side.value,
        "side": told.side.value,
        "action": "buy",
        "type": "limit",
        "status": told.status.value,
        "yes_price_dollars": format_price(told.price),
        "no_price_dollars": format_price(DOLLAR - told.price),
        **order_counts(told),
        "created_time": rfc3339(told.created_ns),
        "last_update_time": rfc3339(told.updated_ns or told.created_ns),
        "self_trade_prevention_type": told.self_trade.value,
        "cancel_order_on_pause": told.cancel_on_pause,
        "subaccount_number": told.subaccount,
        "exchange_index": told.exchange_index,
    }
    if told.expiration_ns:
        body["expiration_time"] = rfc3339(told.expiration_ns)
    if told.group_id:
        body["order_group_id"] = told.group_id
    return body


def fill(told: Filled) -> Body:
    """A fill."""
    return {
        "fill_id": told.trade_id,
        "trade_id": told.trade_id,
        "order_id": told.order_id,
        "ticker": told.market,
        "market_ticker": told.market,
        "exchange_index": told.exchange_index,
        "outcome_side": told.side.value,
        "book_side": book_side(told.side),
        "side": told.side.value,
        "action": "buy",
        "count_fp": format_size(told.count),
        "yes_price_dollars": format_price(told.price),
        "no_price_dollars": format_price(DOLLAR - told.price),
        "is_taker": told.is_taker,
        "fee_cost": format_money(told.fee),
        "created_time": rfc3339(told.at_ns),
        "ts": told.at_ns // _S,
        "subaccount_number": told.subaccount,
    }


def settlement(told: Settled, spec: MarketSpec) -> Body:
    """A position that was paid out."""
    value = told.outcome.settlement_value
    return {
        "ticker": told.market,
        "event_ticker": spec.event_ticker,
        "exchange_index": spec.exchange_index,
        "market_result": told.outcome.result.value,
        "yes_count_fp": format_size(told.yes_count),
        "yes_total_cost_dollars": format_money(told.yes_cost),
        "no_count_fp": format_size(told.no_count),
        "no_total_cost_dollars": format_money(told.no_cost),
        "revenue": told.revenue // CENT,
        "settled_time": rfc3339(told.at_ns),
        "fee_cost": format_money(told.fees_paid),
        "value": value // 100,
    }
