"""A busy day on a sandbox without a server: its traders, a client that tries everything by REST, and an operator.

Knows how to make every type of frame happen, from one seed. Must not know what frames should look like.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

from replay.exchange.port import Publication, RestAnswer, RestRequest
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.specs import NO_WINS, YES_WINS, MarketStatus
from replay.exchange.views import Pause

START_NS: Final = 1_795_420_800 * 10**9
ACCOUNT: Final = "trader"
ORDERS: Final = "/portfolio/events/orders"
GROUPS: Final = "/portfolio/order_groups"


class Day:
    """Drives a venue; `frames` is what everybody would be sent, in order, each as every kind of subscriber sees it."""

    def __init__(self, seed: int, *, markets: int = 12, rate: float = 300.0) -> None:
        self.venue = SandboxVenue(SandboxOptions(markets=markets, rate=rate, seed=seed, start_ns=START_NS))
        self.dice = random.Random(seed)
        self.statuses: dict[int, int] = {}
        self._orders: list[tuple[str, str]] = []
        self._groups: list[str] = []
        self._count = self._turns = 0

    def publications(self, steps: int) -> Iterator[Publication]:
        """What happens in so many steps."""
        for number in range(steps):
            if number % 4 == 0:
                self.client()
            if number % 200 == 199:
                self.operator()
            self.venue.step()
            yield from self.venue.drain()

    def frames(self, steps: int) -> Iterator[bytes]:
        """The same as frames; snapshots and tickers on demand are among them."""
        seq = 0
        for told in self.publications(steps):
            for template in (told.template, told.yes_template, told.owner_template, told.owner_yes_template):
                if template is not None:
                    seq += 1
                    yield template.render(1, seq)
            if seq % 50 == 0:
                market = self.dice.choice(self.venue.markets())
                for yes_price in (False, True):
                    book = self.venue.snapshot(market, yes_price=yes_price)
                    assert book is not None
                    yield book.render(1, seq)
                ticker = self.venue.ticker(market)
                assert ticker is not None
                yield ticker.render(2, seq)

    def ask(self, method: str, path: str, body: object = None, query: tuple[tuple[str, str], ...] = ()) -> RestAnswer:
        """A request of the client."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer = self.venue.rest(
            RestRequest(method=method, path=f"/trade-api/v2{path}", query=query, body=payload, account=ACCOUNT)
        )
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        return answer

    def order(self, market: str, **given: Any) -> dict[str, Any]:
        """The body of an order that is likely to be accepted."""
        self._count += 1
        return {
            "ticker": market,
            "client_order_id": f"day-{self._count}",
            "side": "bid",
            "count": "1.00",
            "price": "0.5000",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            **given,
        }

    def client(self) -> None:
        """One of the things that clients do."""
        dice = self.dice
        action = dice.choice(("place", "place", "place", "take", "cancel", "amend", "decrease", "group", "regroup"))
        if action in ("place", "take"):
            self._place(takes=action == "take")
        elif action == "group":
            answer = self.ask("POST", f"{GROUPS}/create", {"contracts_limit_fp": f"{dice.randrange(1, 40)}.50"})
            self._groups.append(json.loads(answer.body)["order_group_id"])
        elif action == "regroup" and self._groups:
            self._regroup(dice.choice(self._groups))
        elif self._orders:
            self._change(action, *dice.choice(self._orders[-40:]))

    def operator(self) -> None:
        """One of the things that only the exchange does."""
        venue, dice = self.venue, self.dice
        life = venue.engine.life
        active = [m for m in venue.markets() if venue.engine.reads.market(m).status is MarketStatus.ACTIVE]
        market = dice.choice(active)
        self._turns += 1
        match self._turns % 5:
            case 0:
                venue.act(lambda now_ns: life.determine(market, dice.choice((YES_WINS, NO_WINS)), now_ns))
            case 1:
                venue.act(lambda now_ns: life.deactivate(market, now_ns))
                venue.act(lambda now_ns: life.activate(market, now_ns))
            case 2:
                venue.act(lambda now_ns: life.pause(Pause.TRADING, now_ns))
                venue.act(lambda now_ns: life.pause(Pause.NONE, now_ns))
            case 3:
                venue.act(lambda now_ns: life.move_close(market, now_ns + 2 * 10**9, now_ns))
            case _:
                for _ in range(20):
                    venue.machine.listing.stir(venue.now_ns)

    def _place(self, *, takes: bool) -> None:
        dice, reads = self.dice, self.venue.engine.reads
        market = dice.choice(self.venue.markets())
        told = reads.market(market).ticker
        side = dice.choice(("bid", "ask"))
        cents = dice.randrange(1, 100)
        price = f"0.{cents:02d}00"
        given: dict[str, Any] = {}
        if takes:
            best = told.yes_ask if side == "bid" else told.yes_bid
            price = f"{best // 10_000}.{best % 10_000:04d}"
            given["time_in_force"] = dice.choice(("immediate_or_cancel", "fill_or_kill", "good_till_canceled"))
        else:
            given["cancel_order_on_pause"] = dice.random() < 0.2
            if dice.random() < 0.2:
                given["expiration_time"] = self.venue.now_ns // 10**9 + dice.randrange(1, 5)
            if dice.random() < 0.3 and self._groups:
                given["order_group_id"] = dice.choice(self._groups)
        stp = dice.choice(("taker_at_cross", "maker"))
        count = f"{dice.randrange(1, 30)}.{dice.choice(('00', '00', '25'))}"
        body = self.order(market, side=side, price=price, count=count, self_trade_prevention_type=stp, **given)
        answer = self.ask("POST", ORDERS, body)
        if answer.status == 201:
            self._orders.append((json.loads(answer.body)["order_id"], market))

    def _change(self, action: str, order_id: str, market: str) -> None:
        path = f"{ORDERS}/{order_id}"
        if action == "cancel":
            self.ask("DELETE", path, query=(("market_ticker", market),))
        elif action == "decrease":
            self.ask("POST", f"{path}/decrease", {"reduce_to": "0.50", "market_ticker": market})
        else:
            price = f"0.{self.dice.randrange(1, 100):02d}00"
            found = self.venue.engine.reads.order(ACCOUNT, order_id)
            side = "bid" if found is None else found.book_side.value
            self.ask("POST", f"{path}/amend", {"ticker": market, "side": side, "price": price, "count": "40.00"})

    def _regroup(self, group_id: str) -> None:
        action = self.dice.choice(("reset", "reset", "trigger", "limit", "delete"))
        if action == "delete":
            self.ask("DELETE", f"{GROUPS}/{group_id}")
            self._groups.remove(group_id)
        else:
            body = {"contracts_limit_fp": f"{self.dice.randrange(1, 90)}.00"} if action == "limit" else {}
            self.ask("PUT", f"{GROUPS}/{group_id}/{action}", body)
