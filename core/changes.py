"""What the store says to a message: what it changed, or why it changed nothing."""

from enum import StrEnum

import msgspec


class ChangeKind(StrEnum):
    """What of a market changed."""

    BOOK = "book"
    REST_BOOK = "rest_book"
    TRADE = "trade"
    TICKER = "ticker"
    LIFECYCLE = "lifecycle"
    FILL = "fill"
    ORDER = "order"
    POSITION = "position"
    SUBSCRIPTION = "subscription"  # books lost their owner; the market is ""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What the store accepted."""

    market: str
    what: ChangeKind


class Rejected(StrEnum):
    """Why a message changed nothing."""

    NO_SNAPSHOT = "no_snapshot"  # a delta before its snapshot
    NOT_OWNER = "not_owner"  # the book belongs to another subscription
    OUT_OF_ORDER = "out_of_order"
    DEAD_SUBSCRIPTION = "dead_subscription"
    NEGATIVE_SIZE = "negative_size"  # so the book is wrong: untrusted until its next snapshot
    EXCESSIVE_SIZE = "excessive_size"  # so is this one
    DUPLICATE_TRADE = "duplicate_trade"
    DUPLICATE_FILL = "duplicate_fill"
    FINISHED_ORDER = "finished_order"  # an order that is over does not come back
    OLD_ORDER = "old_order"  # filled less than is known of it
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_SUBACCOUNTS = "too_many_subaccounts"
