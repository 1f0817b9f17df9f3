"""A recording by somebody who trades, line by line: public frames and those of the account side by side."""

from typing import Final, Self

import msgspec
from sample_tapes import MILLI, START_NS, Script

from core.records import Kind, RestCall, encode_payload

MARKET: Final = "KXTEST-A"


class OwnerScript(Script):
    """A recording by somebody who trades: one market, 0.40 bid for 10 and 0.60 offered by 7 of others."""

    def __init__(self, *, yes_price: bool = False, ours: int = 0) -> None:
        super().__init__()
        self.session().opened()
        sent = {"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "use_yes_price": yes_price}}
        self.put(Kind.SENT, msgspec.json.encode(sent), 1)
        self.subscribed(1).subscribed(2, "trade").subscribed(3, "fill").subscribed(4, "user_orders")
        self.yes_price = yes_price
        self.whole(ours)

    def whole(self, ours: int = 0) -> Self:
        """The book; ours: contracts of ours at the bid."""
        offer = "0.6000" if self.yes_price else "0.4000"
        return self.snapshot(MARKET, [("0.3900", "5.00"), ("0.4000", f"{10 + ours}.00")], [(offer, "7.00")])

    def ours(self, side: str, price: str, size: str, key: str = "a") -> Self:
        """A change that an order of ours caused."""
        body = {
            "market_ticker": MARKET, "price_dollars": price, "delta_fp": size, "side": side,
            "ts_ms": self.now_ns // MILLI, "client_order_id": key, "subaccount": 0,
        }  # fmt: skip
        seq = self.skip().numbers[1, 1]
        return self.frame({"type": "orderbook_delta", "sid": 1, "seq": seq, "msg": body})

    def filled(
        self, count: str, *, key: str = "a", price: str = "0.4000", taker: bool = False, trade: str = ""
    ) -> Self:
        """A fill of a bid of ours."""
        self.fills = getattr(self, "fills", 0) + 1
        body = {
            "trade_id": trade or f"fill-{self.fills}", "order_id": f"id of {key}", "client_order_id": key,
            "market_ticker": MARKET, "is_taker": taker, "side": "yes", "yes_price_dollars": price, "count_fp": count,
            "action": "buy", "outcome_side": "yes", "purchased_side": "yes", "ts_ms": self.stamp_ns // MILLI,
        }  # fmt: skip
        return self.frame({"type": "fill", "sid": 3, "msg": body})

    def order(self, status: str, left: str, done: str = "0.00", *, key: str = "a", price: str = "0.4000") -> Self:
        """A bid of ours of 5 stands so."""
        body = {
            "order_id": f"id of {key}", "client_order_id": key, "ticker": MARKET, "status": status, "side": "yes",
            "outcome_side": "yes", "yes_price_dollars": price, "initial_count_fp": "5.00", "fill_count_fp": done,
            "remaining_count_fp": left, "created_ts_ms": START_NS // MILLI,
            "last_updated_ts_ms": self.stamp_ns // MILLI,
        }  # fmt: skip
        return self.frame({"type": "user_order", "sid": 4, "msg": body})

    stamp_ns = START_NS

    def same(self) -> Self:
        """What is said of orders next is of the same instant as what comes then."""
        self.stamp_ns = self.now_ns
        return self

    def called(self, method: str, path: str, status: int, answer: object, body: object = None) -> Self:
        """A request by REST and its answer."""
        texts = [msgspec.json.encode(part).decode() if part is not None else "" for part in (body, answer)]
        call = RestCall(method, f"/trade-api/v2{path}", status, texts[0], texts[1])
        return self.put(Kind.REST, encode_payload(call), 0)
