"""kalshi-sdk, driven line by line: a script for a Python that has it (3.12 or newer), in a process of its own.

Knows that client and nothing of ours. Arguments: rest_url ws_url access_key private_key_path market ...
Reads one JSON command a line from stdin and answers each with one JSON line; ends with stdin.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kalshi import AsyncKalshiClient, KalshiConfig  # type: ignore[import-not-found]  # not for our Python
from kalshi.models.orders import CreateOrderV2Request  # type: ignore[import-not-found]  # not for our Python

QUEUE_FRAMES = 200_000
"""Its queue of book frames ends the session when it overflows; a tape at full speed is faster than its default."""


class Driven:
    """One client, one socket. Private channels first: while it waits for a reply it throws away other frames."""

    def __init__(self, client: Any, socket: Any, markets: list[str]) -> None:
        self.client = client
        self.socket = socket
        self.markets = markets
        self.told: dict[str, list[Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def subscribe(self) -> None:
        """Everything that the tests look at, the books last."""
        socket = self.socket
        self.keep("fill", await socket.subscribe_fill())
        self.keep("market_positions", await socket.subscribe_market_positions())
        self.keep("user_orders", await socket.subscribe_user_orders())
        self.keep("trade", await socket.subscribe_trade(tickers=self.markets))
        self.keep("ticker", await socket.subscribe_ticker(tickers=self.markets))
        books = await socket.subscribe_orderbook_delta(tickers=self.markets, maxsize=QUEUE_FRAMES)
        self.keep("orderbook_delta", books)

    def keep(self, channel: str, stream: AsyncIterator[Any]) -> None:
        """Keep what a stream tells, as it was parsed."""
        told = self.told[channel] = []

        async def take() -> None:
            async for message in stream:
                said = None if channel == "orderbook_delta" else message.msg.model_dump(mode="json")
                told.append(said)

        self.tasks.add(asyncio.create_task(take()))

    async def listed(self, _command: dict[str, Any]) -> object:
        """The events, by REST: of markets it wants `liquidity_dollars`, which the exchange no longer sends."""
        return [event.event_ticker async for event in self.client.events.list_all()]

    async def heard(self, _command: dict[str, Any]) -> object:
        """How many messages each channel told."""
        return {channel: len(told) for channel, told in self.told.items()}

    async def messages(self, command: dict[str, Any]) -> object:
        """What a channel told."""
        return self.told[command["channel"]]

    async def books(self, _command: dict[str, Any]) -> object:
        """The books of its own manager: the session keeps it, and hands it out a market a subscription only."""
        books = {market: self.socket._orderbook_mgr.get(market) for market in self.markets}
        return {
            market: [[[str(level.price), str(level.quantity)] for level in side] for side in (book.yes, book.no)]
            for market, book in books.items()
            if book is not None
        }

    async def place(self, command: dict[str, Any]) -> object:
        """A limit order to buy yes."""
        request = CreateOrderV2Request(
            ticker=command["market"],
            client_order_id=str(uuid.uuid4()),
            side="bid",
            count=command["count"],
            price=command["price"],
            time_in_force="good_till_canceled",
            self_trade_prevention_type="taker_at_cross",
        )
        return (await self.client.orders.create_v2(request=request)).order_id

    async def resting(self, _command: dict[str, Any]) -> object:
        """The ids of its resting orders, by REST."""
        return [order.order_id async for order in self.client.orders.list_all(status="resting")]

    async def cancel(self, command: dict[str, Any]) -> object:
        """Cancel an order; answers with what was taken off."""
        answer = await self.client.orders.cancel_v2(command["order_id"], market_ticker=command["market"])
        return str(answer.reduced_by)

    async def positions(self, _command: dict[str, Any]) -> object:
        """Contracts by market, by REST."""
        page = await self.client.portfolio.positions()
        return {held.ticker: str(held.position) for held in page.market_positions}


async def main(rest_url: str, ws_url: str, access_key: str, key_path: str, *markets: str) -> None:
    """Connect, subscribe, and do as told until stdin ends."""
    config = KalshiConfig(base_url=rest_url, ws_base_url=ws_url)
    async with (
        AsyncKalshiClient(key_id=access_key, private_key_path=key_path, config=config) as client,
        client.ws.connect() as socket,
    ):
        driven = Driven(client, socket, list(markets))
        await driven.subscribe()
        answer("subscribed")
        while line := await asyncio.to_thread(sys.stdin.readline):
            command = json.loads(line)
            do: Callable[[dict[str, Any]], Awaitable[object]] = getattr(driven, command["do"])
            answer(await do(command))


def answer(value: object) -> None:
    """One line to whoever drives."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
