"""The lives of markets and events, in the words of their frames (protocol 8.8, 8.9).

Knows which fields each turn of a life has. Must not know sessions or numbers.
"""

from typing import Final

import msgspec

from core.money import format_price
from replay.exchange.happenings import EventCreated, EventFeesChanged, Life, LifecycleChanged
from replay.exchange.port import COMBO_LIFECYCLE, LIFECYCLE, Publication
from replay.exchange.specs import MarketSpec
from replay.exchange.wording_base import COMBOS, Msg, multiplier, ranges, template_of

_S: Final = 1_000_000_000


def life(told: LifecycleChanged) -> tuple[Publication, ...]:
    """A turn of a market's life; combos have a channel of their own, which knows fewer turns (protocol 8.8)."""
    spec = told.spec
    is_combo = spec.ticker.startswith(COMBOS)
    if is_combo and told.event in (Life.PRICE_LEVELS_UPDATED, Life.METADATA_UPDATED):
        return ()
    msg: Msg = {"market_ticker": spec.ticker}
    match told.event:
        case Life.CREATED:
            msg |= _created(spec, is_combo=is_combo)
        case Life.ACTIVATED | Life.DEACTIVATED:
            msg["is_deactivated"] = told.event is Life.DEACTIVATED
        case Life.CLOSE_DATE_UPDATED:
            msg["close_ts"] = spec.close_ns // _S
        case Life.DETERMINED:
            assert told.outcome is not None, "a market is determined with its outcome"
            msg |= {
                "determination_ts": told.at_ns // _S,
                "result": told.outcome.result.value,
                "settlement_value": format_price(told.outcome.settlement_value),
            }
        case Life.SETTLED:
            msg["settled_ts"] = told.at_ns // _S
        case Life.PRICE_LEVELS_UPDATED:
            msg |= {"price_level_structure": spec.price_level_structure, "price_ranges": ranges(spec.price_ranges)}
        case Life.METADATA_UPDATED:
            msg |= strikes(spec) | {"yes_sub_title": spec.texts.yes_sub_title}
    msg["event_type"] = told.event.value  # last, as recorded
    kind, channel = ("multivariate_market_lifecycle", COMBO_LIFECYCLE) if is_combo else (LIFECYCLE, LIFECYCLE)
    return (Publication(channel=channel, market="", template=template_of(kind, msg, told.at_ns)),)


def _created(spec: MarketSpec, *, is_combo: bool) -> Msg:
    texts = spec.texts
    metadata: Msg = {
        "name": texts.name,
        "title": texts.title,
        "yes_sub_title": texts.yes_sub_title,
        "no_sub_title": texts.no_sub_title,
        "rules_primary": texts.rules_primary,
        "rules_secondary": texts.rules_secondary,
        "can_close_early": spec.can_close_early,
        "event_ticker": spec.event_ticker,
        "expected_expiration_ts": (spec.expected_expiration_ns or spec.close_ns) // _S,
        **strikes(spec),
    }
    found: Msg = {
        "exchange_index": spec.exchange_index,
        "open_ts": spec.open_ns // _S,
        "close_ts": spec.close_ns // _S,
        "additional_metadata": metadata,
        "price_level_structure": spec.price_level_structure,
    }
    return found if is_combo else found | {"price_ranges": ranges(spec.price_ranges)}


def strikes(spec: MarketSpec) -> Msg:
    """What is given of a market's strike."""
    texts = spec.texts
    found: Msg = {"strike_type": texts.strike_type} if texts.strike_type else {}
    for name in ("floor_strike", "cap_strike", "custom_strike"):
        if text := getattr(texts, name):
            found[name] = msgspec.Raw(text.encode())
    return found


def event(told: EventCreated) -> Publication:
    """An event was listed."""
    spec = told.event
    msg: Msg = {
        "event_ticker": spec.event_ticker,
        "exchange_index": spec.exchange_index,
        "title": spec.title,
        "subtitle": spec.subtitle,
        "collateral_return_type": spec.collateral_return_type,
        "series_ticker": spec.series_ticker,
    }
    if spec.strike_ns:
        msg["strike_date"] = spec.strike_ns // _S
    if spec.strike_period:
        msg["strike_period"] = spec.strike_period
    channel = COMBO_LIFECYCLE if spec.event_ticker.startswith(COMBOS) else LIFECYCLE
    return Publication(channel=channel, market="", template=template_of("event_lifecycle", msg, told.at_ns))


def fees(told: EventFeesChanged) -> tuple[Publication, ...]:
    """An event's fee override was set or cleared; there is no frame for that of combos (protocol 8.9)."""
    if told.event_ticker.startswith(COMBOS):
        return ()
    override = told.override
    msg = {
        "event_ticker": told.event_ticker,
        "fee_type_override": None if override.fee_type is None else override.fee_type.value,
        "fee_multiplier_override": None if override.multiplier is None else multiplier(override.multiplier),
    }
    return (Publication(channel=LIFECYCLE, market="", template=template_of("event_fee_update", msg, told.at_ns)),)
