"""Parsers of what Tapedeck records but does not act on: quote requests and reference feeds (protocol 8.11, 8.12).

Each takes the fields of `msg` and the head around it and gives the message; it raises Refused when that cannot be.
"""

from typing import Final

from core.messages.fields import Fields, Head
from core.messages.strict import NotStrict, parse_json
from core.messages.types import Communication, Reference

COMMUNICATIONS: Final = (
    "rfq_created",
    "rfq_deleted",
    "quote_created",
    "quote_accepted",
    "quote_executed",
    "rfq_batch_created",
    "rfq_batch_deleted",
    "rfq_batch_best_quotes",
    "rfq_batch_executed",
    "batch_quote_created",
    "batch_quote_accepted",
    "batch_quote_executed",
)

REFERENCES: Final = (
    "cfbenchmarks_value",
    "cfbenchmarks_value_5hz",
    "cfbenchmarks_value_indexlist",
    "cfbenchmarks_value_5hz_indexlist",
    "pyth_value",
    "pyth_value_underlying_list",
)

_COMMUNICATION_FIELDS: Final = (
    "accepted_side",
    "accepted_ts",
    "batch_quote_id",
    "client_batch_id",
    "client_order_id",
    "close_reason",
    "contracts_accepted_fp",
    "contracts_fp",
    "created_ts",
    "creator_id",
    "deleted_ts",
    "event_ticker",
    "executed_rfq_ids",
    "executed_ts",
    "failed_rfq_ids",
    "id",
    "legs",
    "mve_collection_ticker",
    "mve_selected_legs",
    "no_bid_dollars",
    "no_complete",
    "no_contracts_offered_fp",
    "order_id",
    "quote_creator_id",
    "quote_id",
    "quotes",
    "rfq_batch_id",
    "rfq_creator_id",
    "rfq_id",
    "rfq_ids",
    "rfq_target_cost_dollars",
    "rfqs",
    "subaccount",
    "target_cost_dollars",
    "updated_ts",
    "version",
    "yes_bid_dollars",
    "yes_complete",
    "yes_contracts_offered_fp",
)


def communication(kind: str, msg: Fields, head: Head) -> Communication:
    """Every type of COMMUNICATIONS."""
    msg.ignore(_COMMUNICATION_FIELDS)
    return Communication(**head, type=kind, market=msg.text("market_ticker"))


def reference(kind: str, msg: Fields, head: Head) -> Reference:
    """Every type of REFERENCES; the value of a list is its names, joined by commas."""
    msg.ignore(("avg_60s_data", "last_60s_windowed_average_15min"))
    names = msg.texts("index_ids") or msg.texts("underlying_tickers")
    data = msg.text("data")
    return Reference(
        **head,
        type=kind,
        name=msg.text("index_id", "underlying_ticker"),
        value=",".join(names) if names else msg.text("value_usd") or _benchmark_value(data),
        exchange_ns=msg.time("source_ts_ms", "received_at"),
    )


def _benchmark_value(data: str) -> str:
    """The value in cfbenchmarks' own frame, which is a text within ours; "" when it is not where it was."""
    try:
        frame = parse_json(data.encode())
    except NotStrict:
        return ""
    value = frame.get("value") if isinstance(frame, dict) else None
    return value if isinstance(value, str) else ""
