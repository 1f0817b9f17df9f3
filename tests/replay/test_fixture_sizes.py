"""Sizes and money times one number: what is an amount and what is not, and everything still adds up."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fixture_tapes import fixture_tape
from sample_tapes import Script, story

from capture.tape.reader import Tape
from core.actions import terms_of
from core.base import from_json
from core.engine import Engine
from core.market import SavedMarket
from core.records import Kind, Session, decode_session
from replay.cut import Selection
from replay.fixture.making import Privacy, cut_private
from replay.fixture.sizes import LEAST, MOST, Scaler, factor_of

KEY = b"a key of sixteen bytes or more"


AMOUNTS = (
    ('"price_dollars":"0.4200","delta_fp":"-5.25"', '"price_dollars":"0.4200","delta_fp":"-15.75"'),
    ('"count_fp":"0.05","yes_price_dollars":"0.1000"', '"count_fp":"0.15","yes_price_dollars":"0.1000"'),
    ('"delta_fp":"-0.01"', '"delta_fp":"-0.03"'),
    ('"count": 12, "price": 42', '"count": 36, "price": 42'),
    ('"yes_dollars_fp":[["0.42","11.50"],["0.43","2.00"]]', '"yes_dollars_fp":[["0.42","34.50"],["0.43","6.00"]]'),
    ('"yes":[[42,30],[41,5]],"no":[ [ 7 , 1 ] ]', '"yes":[[42,90],[41,15]],"no":[ [ 7 , 3 ] ]'),
    (r'"answer":"{\"fill_count_fp\":\"2.06\"}"', r'"answer":"{\"fill_count_fp\":\"6.18\"}"'),
    (r'"answer":"{\"no\":[[\"0.8\",\"76.00\"]]}"', r'"answer":"{\"no\":[[\"0.8\",\"228.00\"]]}"'),
    ('"balance":1000000,"balance_dollars":"10000.0000"', '"balance":3000000,"balance_dollars":"30000.0000"'),
    ('"maker_fees_dollars":"0.000040"', '"maker_fees_dollars":"0.000120"'),
    ('"position_cost_dollars":"-0.141000"', '"position_cost_dollars":"-0.423000"'),
    ('"do":"place","price":1340,"count":100,"expires_s":17', '"do":"place","price":1340,"count":300,"expires_s":17'),
    ('"volume_fp":"175.23","dollar_volume":24', '"volume_fp":"525.69","dollar_volume":72'),
)  # fmt: skip


@pytest.mark.parametrize(("before", "after"), AMOUNTS)
def test_an_amount_is_known_by_its_name(before: str, after: str) -> None:
    assert Scaler(3).text(f"{{{before}}}".encode()).decode() == f"{{{after}}}"


@pytest.mark.parametrize(
    "text",
    [
        '{"seq":4,"sid":1,"id":7,"clock":790,"ts_ms":1795799683744,"subaccount":3,"exchange_index":2}',
        '{"yes_bid_dollars":"0.4200","last_price_dollars":"0.3510","notional_value_dollars":"1.0000","settlement_value":"1.0000"}',
        '{"fee_multiplier":1,"floor_strike":55,"refill_rate":4000,"tick_size":1,"count_fp":"many","delta_fp":null}',
        'no JSON, "count" 12',
    ],
)  # fmt: skip
def test_what_is_none_stays(text: str) -> None:
    assert Scaler(3).text(text.encode()).decode() == text


def test_a_key_gives_one_number_and_keys_give_many() -> None:
    assert factor_of(KEY) == factor_of(KEY)
    found = {factor_of(b"key %d" % number) for number in range(500)}
    assert len(found) > 300 and min(found) >= LEAST and max(found) <= MOST


def amounts(engine: Engine, factor: int) -> dict[str, Any]:
    """Everything of the state that is an amount, times a factor, and what is none as it is."""
    found: dict[str, Any] = {"gaps": engine.connections.open_gaps}
    for market in engine.store.markets():
        view = engine.store.view(market)
        ticker, report, rest = view.ticker, view.position_report, view.rest
        told = () if ticker is None else (ticker.volume, ticker.yes_bid_size, ticker.dollar_volume)
        held = () if report is None else (report.position, report.position_cost, report.fees_paid, view.position)
        levels = (*view.yes, *view.no, *(() if rest is None else (*rest.yes, *rest.no)))
        found[market] = (
            view.trusted, view.book_ns, view.prices, ticker and ticker.yes_bid, view.traded_size * factor,
            [(price, size * factor) for price, size in levels],
            [(trade.price, trade.count * factor) for trade in view.trades],
            [value and value * factor for value in (*told, *held)],
            [(o.price, o.initial_count * factor, o.remaining_count * factor) for o in view.orders],
            [(o.maker_fees * factor, o.maker_fill_cost * factor) for o in view.orders],
            [(f.price, f.count * factor, f.fee and f.fee * factor) for f in view.fills],
        )  # fmt: skip
    return found


def assert_scaled(plain: Tape, scaled: Tape, factor: int, every: int = 1) -> None:
    """At each record (of so many) the amounts of one are those of the other times the factor."""
    one, other = Engine(), Engine()
    for number, (before, after) in enumerate(zip(plain.records(), scaled.records(), strict=True)):
        one.step(before)
        other.step(after)
        if number % every == 0:
            assert amounts(other, 1) == amounts(one, factor), before.seq


def test_books_fills_and_positions_of_a_run_still_add_up(tmp_path: Path) -> None:
    run = fixture_tape("run-1", tmp_path)
    times = [record.at_ns for record in run.records()]
    factor = factor_of(KEY)
    for name, sizes in (("part", False), ("part-scaled", True)):
        cut_private(run, tmp_path / name, Selection(times[900], times[1_300]), Privacy(key=KEY, sizes=sizes))
    assert_scaled(Tape.open(tmp_path / "part"), Tape.open(tmp_path / "part-scaled"), factor, 20)
    sessions = [next(Tape.open(tmp_path / name).records()).payload for name in ("part", "part-scaled")]
    before, after = (decode_session(payload) for payload in sessions)
    held = [[(entry.view.position, *entry.positions.values()) for entry in markets(told)] for told in (before, after)]
    assert held[1] == [tuple(value and value * factor for value in values) for values in held[0]]
    assert any(value for values in held[0] for value in values)
    terms = [terms_of(told) for told in (before, after)]
    assert terms[0] is not None and terms[1] is not None
    assert terms[1].limits.order == terms[0].limits.order * factor


def markets(session: Session) -> tuple[SavedMarket, ...]:
    """Those of the state that a cut begins with."""
    return from_json(session.base).store.markets


def test_the_old_notation_and_yes_prices_add_up_too(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(1)
    msg: dict[str, Any] = {"market_ticker": "KXTEST-A", "yes": [[42, 30], [41, 5]], "no": [[50, 7]]}
    script.frame({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": msg})
    for seq, change in enumerate((-5, 12, -37), start=2):
        body = {"market_ticker": "KXTEST-A", "price": 42, "delta": change, "side": "yes"}
        script.frame({"type": "orderbook_delta", "sid": 1, "seq": seq, "msg": body})
    for number, made in enumerate((script.stop(), story(rounds=10))):
        tape = made.tape(tmp_path / f"tape-{number}")
        cut_private(tape, tmp_path / f"scaled-{number}", Selection(), Privacy(key=KEY, sizes=True))
        assert_scaled(tape, Tape.open(tmp_path / f"scaled-{number}"), factor_of(KEY))


def test_no_amount_of_the_account_is_left(tmp_path: Path) -> None:
    run = fixture_tape("run-1", tmp_path)
    cut_private(run, tmp_path / "cut", Selection(), Privacy(key=KEY))
    cut_private(run, tmp_path / "scaled", Selection(), Privacy(key=KEY, sizes=True))
    names = {"count_fp", "position_fp", "remaining_count_fp", "fee_cost", "position_cost_dollars", "balance_dollars"}
    changed = kept = 0
    for before, after in zip(
        Tape.open(tmp_path / "cut").records(), Tape.open(tmp_path / "scaled").records(), strict=True
    ):
        if before.kind not in (Kind.FRAME, Kind.REST):
            continue
        for (name, old), (_, new) in zip(told(before.payload), told(after.payload), strict=True):
            if name in names and float(old):
                changed += old != new
                kept += old == new
    assert kept == 0 and changed > 200
    assert_scaled(Tape.open(tmp_path / "cut"), Tape.open(tmp_path / "scaled"), factor_of(KEY), 300)


def told(payload: bytes) -> list[tuple[str, str]]:
    """Names and texts in JSON, at any depth of JSON in JSON."""
    found: list[tuple[str, str]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif isinstance(value, str) and value[:1] in ("{", "["):
            walk(msgspec.json.decode(value), name)
        elif isinstance(value, str):
            found.append((name, value))

    walk(msgspec.json.decode(payload), "")
    return found
