"""Recordings of all that may happen, made up by dice: the same seed gives the same one.

Knows what an exchange and a recorder may do. Must not know who reads it.
"""

import random
from typing import Final

from sample_tapes import MILLI, SECOND, START_NS, Script

MARKETS: Final = ("KXTEST-A", "KXTEST-B", "KXTEST-C")


def wild(seed: int, rounds: int = 60, *, sessions: int = 1, start_ns: int = START_NS) -> Script:
    """A recording of all that may happen: three markets, tickers, lost frames, reconnects, silences, more sessions."""
    dice = random.Random(seed)
    script = Script(start_ns=start_ns, mono=dice.randrange(2) == 0)
    for number in range(sessions):
        _session(script, dice, rounds)
        if number + 1 < sessions:
            script.wait(dice.randrange(5) * SECOND)
    return script.stop() if dice.randrange(2) else script


def _session(script: Script, dice: random.Random, rounds: int) -> None:
    connection = 1
    script.session()
    _connect(script, dice, connection)
    for _ in range(rounds):
        turn = dice.randrange(100)
        if turn < 3:
            script.skip(dice.randrange(1, 3), connection=connection)
        elif turn < 5:
            script.closed(connection).wait(dice.randrange(3) * SECOND)
            connection += 1
            _connect(script, dice, connection, replaces=connection - 1)
        elif turn < 7:
            script.wait(dice.choice((1, 5, 26)) * SECOND)
        elif turn < 10:
            script.ping(connection)
        elif turn < 12:
            _books(script, dice, connection)
        elif turn < 13:
            script.frame(b"not json", connection)
        else:
            _usual(script, dice, connection)


def _connect(script: Script, dice: random.Random, connection: int, replaces: int = 0) -> None:
    script.opened(connection, replaces=replaces)
    for sid, channel in ((1, "orderbook_delta"), (2, "trade"), (3, "ticker")):
        script.subscribed(sid, channel, connection=connection)
    _books(script, dice, connection)


def _books(script: Script, dice: random.Random, connection: int) -> None:
    for market in MARKETS[: dice.randrange(1, 4)]:
        sides = [[(f"0.{100 * price:04d}", f"{size}.00") for price, size in _levels(dice)] for _ in range(2)]
        script.snapshot(market, *sides, connection=connection)


def _levels(dice: random.Random) -> list[tuple[int, int]]:
    return [(price, dice.randrange(1, 20)) for price in sorted(dice.sample(range(40, 50), dice.randrange(4)))]


def _usual(script: Script, dice: random.Random, connection: int) -> None:
    """A run of what nearly all of a tape is."""
    for _ in range(dice.randrange(1, 12)):
        market = dice.choice(MARKETS)
        script.wait(dice.choice((0, 0, 0, 30, 300)) * MILLI)
        turn = dice.randrange(20)
        if turn < 2:
            script.trade(market, f"0.{dice.randrange(1, 99):02d}00", "1.50", connection=connection)
        elif turn < 4:
            _ticker(script, dice, market, connection)
        else:
            price = f"0.{dice.randrange(38, 51):02d}{dice.choice(('00', '00', '00', '50', '55'))}"
            size = dice.choice(("1.00", "2.50", "7.00", "-1.00", "-2.50", "-3.00"))
            script.delta(market, dice.choice(("yes", "no")), price, size, connection=connection)


def _ticker(script: Script, dice: random.Random, market: str, connection: int) -> None:
    body = {
        "market_ticker": market, "market_id": f"id of {market}", "price_dollars": "0.4000",
        "yes_bid_dollars": f"0.{dice.randrange(40, 45)}00", "yes_ask_dollars": "0.5000",
        "volume_fp": f"{dice.randrange(100)}.00", "open_interest_fp": "5.00", "dollar_volume": 1,
        "dollar_open_interest": 2, "yes_bid_size_fp": "1.00", "yes_ask_size_fp": "1.00", "last_trade_size_fp": "1.00",
        "ts": script.now_ns // SECOND, "ts_ms": script.now_ns // MILLI, "time": "2026-08-11T01:00:00.5Z",
    }  # fmt: skip
    script.frame({"type": "ticker", "sid": 3, "msg": body}, connection)


def busy(rounds: int = 100, *, step_ms: int = 10, start_ns: int = START_NS) -> Script:
    """One session: two books, the best bid of each moves at every delta, and now and then a trade."""
    script = Script(step_ns=step_ms * MILLI, start_ns=start_ns).session().opened()
    script.subscribed(1).subscribed(2, "trade")
    for market in MARKETS[:2]:
        script.snapshot(market, [("0.4000", "10.00")], [("0.5000", "7.00")])
        script.trade(market, "0.4000", "1.00")
    for turn in range(rounds):
        price = f"0.{4100 + 100 * (turn // 4 % 5)}"
        script.delta(MARKETS[turn % 2], "yes", price, "-1.00" if turn % 4 > 1 else "1.00")
        if turn % 9 == 0:
            script.trade(MARKETS[0], f"0.4{turn % 7}00", f"{1 + turn % 5}.00")
    return script
