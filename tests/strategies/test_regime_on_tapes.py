"""The regimes of real recordings: what share of time each takes, the recorded outage, both ways of reading."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import pytest
from imported import tape_of
from tapes import needs_tapes

from core.book import Book
from core.messages.types import BookDelta, BookSnapshot, Side, Trade
from core.times import SECOND_NS
from replay import Player
from strategies.regime import Cause, Detector, Reading, Regime

pytestmark = [pytest.mark.integration, needs_tapes]


class Taped:
    """A market of a recording, folded plainly: its book, trusted from a snapshot to the end of that connection."""

    def __init__(self, market: str) -> None:
        self.market, self.book, self.detector = market, Book(), Detector()
        self.connection = self.first_ns = 0

    def feed(self, now_ns: int, connection: int, message: object) -> None:
        """Tell the detector what a frame says."""
        if connection != self.connection and self.first_ns:
            self.connection = connection
            self.detector.on_status(now_ns, trusted=False, active=True)
        match message:
            case Trade(market=self.market):
                self.detector.on_trade(now_ns, message.count if message.taker is Side.YES else -message.count)
            case BookSnapshot(market=self.market):
                self.book.snapshot(message.yes, message.no)
                self.detector.on_status(now_ns, trusted=True, active=True)
                self._prices(now_ns)
                self.connection, self.first_ns = connection, self.first_ns or now_ns
            case BookDelta(market=self.market):
                self.book.delta(message.side, message.price, message.delta)
                self._prices(now_ns)
            case _:
                self.detector.on_heard(now_ns)

    def _prices(self, now_ns: int) -> None:
        yes, no = self.book.best(Side.YES), self.book.best(Side.NO)
        self.detector.on_prices(now_ns, yes and yes[0], no and 10_000 - no[0])


MARKETS: Final = {
    "KXGOLD15M-26AUG101900-00": "gold15m/101900-00",
    "KXGOLD15M-26AUG102000-00": "gold15m/102000-00",
    "KXGOLD15M-26AUG102030-30": "gold15m/102030-30",
    "KXGOLD15M-26AUG102115-15": "gold15m/102115-15",
    "KXBTC15M-26MAY140045-45": "btc15m/outage-22s",
    "KXBTC15M-26MAY140100-00": "btc15m/outage-22s",
}
"""Markets recorded for many minutes, and in which recording."""


def seconds_of(name: str, market: str, path: str) -> Iterator[Reading]:
    """The reading at every second of a recording from the market's first book on."""
    taped, next_ns = Taped(market), 0
    for record, message in Player(tape_of(name), path).messages():
        while taped.first_ns and next_ns <= record.at_ns:
            yield taped.detector.at(next_ns)
            next_ns += SECOND_NS
        taped.feed(record.at_ns, record.connection, message)
        next_ns = next_ns or taped.first_ns
    yield taped.detector.at(next_ns)


def test_half_a_minute_of_a_recorded_market_is_quiet_but_for_the_thaw() -> None:
    found = list(seconds_of("btc15m/short-30s", "KXBTC15M-26MAY110145-45", "bytes"))
    assert [reading.cause for reading in found[:2]] == [Cause.THAWING, Cause.PRICES]
    assert 25 <= Counter(reading.regime for reading in found)[Regime.QUIET] <= 30


@pytest.mark.slow
def test_recorded_markets_are_in_every_regime_for_a_sensible_share_of_their_time() -> None:
    whole, table = Counter[Regime](), ["market                     " + "".join(f"{name:>10}" for name in Regime)]
    for market, name in MARKETS.items():
        found = [reading.regime for reading in seconds_of(name, market, "columns")]
        shares = {regime: 100 * count // len(found) for regime, count in Counter(found).items()}
        table.append(f"{market:27}" + "".join(f"{shares.get(regime, 0):9d}%" for regime in Regime))
        changes = sum(before is not after for before, after in pairwise(found))
        assert 5 <= changes <= 30, f"{market} changes its regime {changes} times in {len(found)} s"
        assert shares[Regime.QUIET] in range(8, 66), table
        assert shares[Regime.TRENDING] in range(5, 51), table
        assert shares.get(Regime.VOLATILE, 0) <= 75, table
        assert shares.get(Regime.FROZEN, 0) <= 65, table
        whole.update(found)
    print("\n".join(table))  # noqa: T201  # the table is what the defaults were chosen by
    total = sum(whole.values())
    shares = {regime: 100 * whole[regime] // total for regime in Regime}
    assert all(share in range(10, 51) for share in shares.values()), shares


@pytest.mark.slow
def test_the_recorded_outage_is_frozen_from_its_fifteenth_second_to_the_next_snapshot() -> None:
    market = "KXBTC15M-26MAY140045-45"
    taped, before, asked = Taped(market), 0, []
    for record, message in Player(tape_of(MARKETS[market]), "columns").messages():
        if before and record.at_ns - before > 20 * SECOND_NS:
            # One side was gone before; give it back, so that nothing but the silence can freeze.
            taped.detector.on_prices(before, 9_900, 9_990)
            asked = [taped.detector.at(before + wait * SECOND_NS) for wait in (14, 15, 22)]
            taped.feed(record.at_ns, record.connection, message)
            asked.append(taped.detector.at(record.at_ns + SECOND_NS // 2))
            break
        taped.feed(record.at_ns, record.connection, message)
        before = record.at_ns
    assert [reading.regime is Regime.FROZEN for reading in asked] == [False, True, True, True]
    assert [reading.since_ns - before for reading in asked[1:]] == [15 * SECOND_NS] * 3
    assert [reading.cause for reading in asked[1:3]] == [Cause.SILENT] * 2


@pytest.mark.slow
@pytest.mark.parametrize("market", sorted(MARKETS))
def test_a_market_is_read_alike_however_its_recording_is_read(market: str) -> None:
    assert list(seconds_of(MARKETS[market], market, "bytes")) == list(seconds_of(MARKETS[market], market, "columns"))
