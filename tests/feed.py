"""A store that is fed frames as the exchange writes them, of one market on one connection."""

from itertools import count
from typing import Any, Final

from wire import frame

from core.messages import Malformed, decode
from core.store import Change, MarketStateStore, Rejected

MARKET: Final = "KXDEMO-26NOV23-T50"
NOW_NS: Final = 1_795_435_201 * 10**9


class Feed:
    """A store that is fed frames of one connection, one a millisecond."""

    def __init__(self, *, yes_price: bool = False) -> None:
        self.store = MarketStateStore()
        self._yes_price = yes_price
        self._times = count(NOW_NS, 1_000_000)

    def take(self, kind: str, sid: int = 1, seq: int | None = None, **msg: Any) -> Change | Rejected | None:
        """What the store says to a frame with these members of `msg`."""
        head = {"sid": sid} | ({} if seq is None else {"seq": seq})
        message = decode(frame(kind, {"market_ticker": MARKET} | msg, **head))
        assert not isinstance(message, Malformed), message
        return self.store.apply(message, next(self._times), connection=1, yes_price=self._yes_price)

    def snapshot(self, seq: int = 1, **msg: Any) -> Change | Rejected | None:
        """Take a snapshot, by default with two bids a side."""
        sides = {
            "yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.50"]],
            "no_dollars_fp": [["0.5500", "20.00"], ["0.5600", "17.00"]],
        }
        return self.take("orderbook_snapshot", seq=seq, **(msg or sides))

    def delta(self, seq: int, price: str, change: str, side: str = "yes") -> Change | Rejected | None:
        """Take a delta."""
        return self.take("orderbook_delta", seq=seq, price_dollars=price, delta_fp=change, side=side)

    def trade(self, trade_id: str, price: str, size: str, taker: str = "yes") -> Change | Rejected | None:
        """Take a trade."""
        values: dict[str, Any] = {
            "yes_price_dollars": price,
            "count_fp": size,
            "taker_side": taker,
            "taker_outcome_side": taker,
        }
        return self.take("trade", sid=2, trade_id=trade_id, ts=1795435201, **values)

    def fill(self, trade_id: str = "t1") -> Change | Rejected | None:
        """Take a fill of ours."""
        return self.take(
            "fill",
            sid=4,
            trade_id=trade_id,
            order_id="o1",
            is_taker=False,
            side="no",
            yes_price_dollars="0.4400",
            count_fp="5.00",
            fee_cost="0.000000",
            action="buy",
            ts=1795435210,
            post_position_fp="-5.00",
            outcome_side="no",
            book_side="ask",
        )

    def order(self, status: str, filled: str = "0.00") -> Change | Rejected | None:
        """Take what became of our order o1."""
        return self.take(
            "user_order",
            sid=6,
            ticker=MARKET,
            order_id="o1",
            status=status,
            outcome_side="no",
            yes_price_dollars="0.4400",
            initial_count_fp="5.00",
            fill_count_fp=filled,
            remaining_count_fp="5.00",
        )

    @property
    def view(self) -> Any:
        """The market as it is now."""
        return self.store.view(MARKET)
