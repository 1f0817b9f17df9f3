"""A tape as a venue: what an audience is shown, and when."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from house import House
from sample_tapes import SECOND, Script, story
from showing import LEVELS, A, B, ask, books, frames, numbered, opened, show

from core.errors import ConfigError
from core.messages import BookSnapshot, decode
from core.records import Coverage, Kind
from replay.exchange.port import BOOK, FILL, LIFECYCLE, TICKER, TRADE
from replay.exchange.taped import TapedVenue


def test_every_data_frame_is_shown_in_order_byte_for_byte(tmp_path: Path) -> None:
    script = story()
    house, venue = show(script, tmp_path / "tape")
    data = [frame for frame in frames(script) if b'"subscribed"' not in frame]
    assert [payload for payload in house.payloads if b"{" not in payload] == [b"not json"]
    shown = [numbered(payload) for payload in house.payloads if b"{" in payload and b"novelty" not in payload]
    assert shown == [numbered(frame) for frame in data if b"{" in frame and b"novelty" not in frame]
    assert venue.projector.status()["left_out"] == {"subscribed": 3, "unplaced": 2}
    assert venue.projector.published == len(data)


def test_a_frame_that_no_subscription_can_be_found_for_goes_to_every_session_as_it_is(tmp_path: Path) -> None:
    script = opened().frame(b"not json").frame({"type": "novelty", "sid": 9, "msg": {}})
    script.put(Kind.FRAME_BINARY, b"\x00\x01", 1)
    house, _ = show(script, tmp_path / "tape")
    assert [(shown.channel, shown.payload) for shown in house.shown] == [
        ("", b"not json"),
        ("", frames(script)[-1]),
        ("binary", b"\x00\x01"),
    ]


def test_an_unknown_type_goes_to_the_channel_of_its_sid(tmp_path: Path) -> None:
    house, _ = show(opened().frame({"type": "novelty", "sid": 2, "msg": {}}), tmp_path / "tape")
    assert [(shown.channel, shown.market) for shown in house.shown] == [(TRADE, "")]


def test_private_frames_are_for_whoever_takes_the_recorders_part(tmp_path: Path) -> None:
    body = {"market_ticker": A, "trade_id": "t", "order_id": "o", "side": "yes", "outcome_side": "yes"}
    fill = {"type": "fill", "sid": 3, "msg": {**body, "yes_price_dollars": "0.4000", "count_fp": "1.00"}}
    house, _ = show(opened().frame(fill), tmp_path / "tape")
    assert [(each.channel, each.market, each.account) for each in house.publications] == [(FILL, A, "")]


def test_frames_come_with_the_spacing_of_the_tape_divided_by_the_speed(tmp_path: Path) -> None:
    script = books(opened(step_ns=0)).wait(2 * SECOND).delta(A, "yes", "0.4100", "1.00")
    script.wait(SECOND // 2).trade(A, "0.4550", "1.00")
    for speed, expected in ((1.0, [0.25, 2.25, 2.75]), (10.0, [0.25, 0.45, 0.5])):
        house, _ = show(script, tmp_path / f"tape-{speed}", speed=speed)
        assert [shown.at_s for shown in house.shown] == expected


def test_play_begins_when_the_first_client_has_subscribed_and_settled(tmp_path: Path) -> None:
    house, _ = show(books(opened()), tmp_path / "tape", comes_s=40.0, settle_s=2.0)
    assert [shown.at_s for shown in house.shown] == [42.0]


def test_play_begins_at_once_if_asked_to(tmp_path: Path) -> None:
    house, _ = show(books(opened()), tmp_path / "tape", comes_s=40.0, start="now")
    assert [shown.at_s for shown in house.shown] == [0.0]


def test_play_begins_when_told_to(tmp_path: Path) -> None:
    async def later(venue: TapedVenue, house: House) -> None:
        await asyncio.sleep(100)
        assert (await ask(venue, "status"))["state"] == "paused"
        assert not house.shown
        await ask(venue, "resume")

    house, venue = show(books(opened()), tmp_path / "tape", later, start="paused")
    assert [shown.at_s for shown in house.shown] == [100.0]
    assert venue.projector.state == "ended"


def test_resume_begins_without_waiting_for_anybody(tmp_path: Path) -> None:
    async def resume(venue: TapedVenue, _house: House) -> None:
        await asyncio.sleep(3)
        await ask(venue, "resume")

    house, _ = show(books(opened()), tmp_path / "tape", resume, seats=0, start="subscription")
    assert [shown.at_s for shown in house.shown] == [3.0]


def test_a_start_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'soon' is none of subscription, now, paused"):
        TapedVenue.of(opened().tape(tmp_path / "tape"), start="soon")


def reconnect(silence_s: int = 12, **closing: Any) -> Script:
    """A recorded loss of the connection and what came after it."""
    script = books(opened())
    if closing.get("frame"):
        script.put(Kind.FRAME_CLOSE, closing["frame"], 1)
    if closing.get("ours"):
        script.put(Kind.SENT_CLOSE, b"\x03\xe8", 1)
    if closing.get("closed", True):
        script.closed(1)
    script.wait(silence_s * SECOND).opened(2, replaces=1).subscribed(1, connection=2)
    return books(script, 2).delta(A, "yes", "0.4000", "1.00", connection=2)


@pytest.mark.parametrize(
    ("closing", "words"),
    [
        ({}, "disconnected by 1006 after 1"),
        ({"frame": b"\x03\xe9bye"}, "disconnected by 1001 bye after 1"),
        ({"frame": b"\x03"}, "disconnected by 1006 after 1"),
        ({"closed": False}, "disconnected by 1006 after 1"),
        ({"ours": True}, "disconnected by 1006 after 1"),
    ],
)
def test_a_recorded_disconnect_disconnects_everybody_once(tmp_path: Path, closing: Any, words: str) -> None:
    house, venue = show(reconnect(**closing), tmp_path / "tape")
    disconnects = [line for line in house.log if line.startswith("disconnected")]
    assert len(disconnects) == venue.projector.status()["disconnects"] == 1
    assert disconnects[0].startswith(words)
    assert len(house.shown) == 3


def test_what_comes_after_a_disconnect_waits_until_everybody_has_subscribed_again(tmp_path: Path) -> None:
    house, _ = show(reconnect(), tmp_path / "tape", seats=3, returns_s=7.0)
    assert house.log == ["subscribed at 0", "disconnected by 1006 after 1 at 0.25", "subscribed at 7.25"]
    assert [shown.at_s for shown in house.shown] == [0.25, 7.5, 7.5]


def test_all_of_them_are_waited_for_however_far_apart_they_come(tmp_path: Path) -> None:
    house, _ = show(reconnect(), tmp_path / "tape", seats=3, returns_s=1.0, apart_s=4.0)
    assert house.log[-1] == "subscribed at 9.25"
    assert [shown.at_s for shown in house.shown] == [0.25, 9.5, 9.5]


def test_the_goodbye_of_the_recorder_at_the_end_disconnects_nobody(tmp_path: Path) -> None:
    script = books(opened()).put(Kind.SENT_CLOSE, b"\x03\xe8", 1).put(Kind.FRAME_CLOSE, b"\x03\xe8", 1).closed(1)
    house, _ = show(script.stop(), tmp_path / "tape")
    assert house.log == ["subscribed at 0"]


def test_a_silence_alone_is_no_loss(tmp_path: Path) -> None:
    script = books(opened()).wait(60 * SECOND).delta(A, "yes", "0.4100", "1.00")
    house, _ = show(script, tmp_path / "tape")
    assert house.log == ["subscribed at 0"]


def test_clients_that_never_come_back_are_waited_for_only_so_long(tmp_path: Path) -> None:
    house, _ = show(reconnect(), tmp_path / "tape", returns_s=None, patience_s=20.0, start="now", comes_s=0.0)
    assert [shown.at_s for shown in house.shown][-2:] == pytest.approx([20.0, 20.0], abs=0.5)


@pytest.mark.parametrize("closed", [True, False])
def test_at_its_own_pace_the_outage_takes_as_long_as_it_took(tmp_path: Path, closed: bool) -> None:
    house, _ = show(reconnect(closed=closed), tmp_path / "tape", speed=1.0, returns_s=2.0)
    assert "disconnected by 1006 after 1 at 0.25" in house.log[1]
    assert [shown.at_s for shown in house.shown] == pytest.approx([0.25, 12.25, 12.25], abs=0.01)


def test_an_outage_that_clients_need_longer_for_is_not_made_up_for_by_a_burst(tmp_path: Path) -> None:
    script = reconnect(2).wait(SECOND).delta(A, "yes", "0.4000", "1.00", connection=2)
    house, _ = show(script, tmp_path / "tape", speed=1.0, returns_s=9.0)
    assert [shown.at_s for shown in house.shown] == pytest.approx([0.25, 9.5, 9.5, 10.5], abs=0.02)


def test_numbering_that_begins_again_is_a_disconnect_where_connects_were_not_recorded(tmp_path: Path) -> None:
    script = Script().session(coverage=Coverage(connections=False, control=False, sent=False)).skip(5_000)
    books(script).delta(A, "yes", "0.4100", "1.00")
    script.numbers.clear()
    books(script.wait(11 * SECOND)).delta(A, "yes", "0.4100", "1.00")

    async def look(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: "disconnected by 1006 after 2 at 0.25" in house.log)
        assert venue.snapshot(A, yes_price=False) is None

    house, _ = show(script, tmp_path / "tape", look)
    assert [numbered(payload) for payload in house.payloads] == [numbered(frame) for frame in frames(script)]


def test_after_such_a_disconnect_too_no_burst_makes_up_for_the_wait(tmp_path: Path) -> None:
    script = Script(step_ns=0).session(coverage=Coverage(connections=False)).skip(5_000)
    books(script)
    script.numbers.clear()
    books(script.wait(SECOND)).wait(SECOND).delta(A, "yes", "0.4100", "1.00").wait(SECOND)
    house, _ = show(script.delta(A, "yes", "0.4100", "1.00"), tmp_path / "tape", speed=1.0, returns_s=9.0)
    assert [shown.at_s for shown in house.shown] == [0.25, 10.5, 11.5, 12.5]


def test_a_new_session_of_the_recorder_is_a_disconnect_too(tmp_path: Path) -> None:
    script = books(opened()).session().opened().subscribed(1)
    house, _ = show(books(script), tmp_path / "tape")
    assert [line for line in house.log if "disconnected" in line] == ["disconnected by 1006 after 1 at 0.25"]


def test_more_connections_being_opened_disconnect_nobody(tmp_path: Path) -> None:
    script = books(opened()).opened(2).subscribed(1, connection=2).snapshot(B, LEVELS, [], connection=2)
    house, _ = show(script, tmp_path / "tape")
    assert house.log == ["subscribed at 0"]
    assert [shown.market for shown in house.shown] == [A, B]


def test_when_one_of_two_connections_is_lost_the_books_of_the_other_are_given_at_once(tmp_path: Path) -> None:
    script = books(opened()).opened(2).subscribed(1, connection=2).snapshot(B, LEVELS, [], connection=2)
    books(script.wait(9 * SECOND).opened(3, replaces=1).subscribed(1, connection=3), 3)

    async def look(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: len(house.shown) == 2)
        await asyncio.sleep(1)
        assert len(house.log) == 3  # disconnected before the silence, and back again
        assert venue.snapshot(A, yes_price=False) is None
        assert venue.snapshot(B, yes_price=False) is not None

    house, _ = show(script, tmp_path / "tape", look, speed=1.0)
    assert [shown.market for shown in house.shown] == [A, B, A]


def test_numbers_missing_on_the_tape_are_missing_for_clients_too(tmp_path: Path) -> None:
    script = books(opened()).skip(3).delta(A, "yes", "0.4100", "1.00")
    house, _ = show(books(script), tmp_path / "tape")
    assert house.log[1:] == [f"skip 3 of {BOOK} after 1"]


def test_what_only_the_recorder_knows_to_be_missing_leaves_a_hole_in_every_channel(tmp_path: Path) -> None:
    script = books(opened()).trade(A, "0.4550", "1.00").put(Kind.GAP_OPEN, b'{"reason":"disk_full"}', 0)
    house, _ = show(script, tmp_path / "tape")
    assert house.log[1:] == [f"skip 1 of {BOOK} after 2", f"skip 1 of {TRADE} after 2"]


def test_a_subscription_that_the_exchange_ended_leaves_a_hole(tmp_path: Path) -> None:
    script = books(opened()).frame({"type": "error", "sid": 1, "seq": 2, "msg": {"code": 25, "msg": "overflow"}})
    house, venue = show(script, tmp_path / "tape")
    assert house.log[1:] == [f"skip 1 of {BOOK} after 1"]
    assert venue.projector.left_out["error"] == 1


def test_repeats_are_left_out_since_new_numbers_would_make_news_of_them(tmp_path: Path) -> None:
    script = books(opened()).delta(A, "yes", "0.4100", "1.00")
    script.frame(frames(script)[-1])
    house, venue = show(script, tmp_path / "tape")
    assert len(house.shown) == 2
    assert venue.projector.left_out["repeated"] == 1


def test_of_two_redundant_connections_a_client_gets_one_stream(tmp_path: Path) -> None:
    script = books(opened()).trade(A, "0.4550", "1.00")
    script.opened(2).subscribed(1, connection=2).subscribed(2, "trade", connection=2)
    books(script, 2).delta(A, "yes", "0.4100", "1.00").delta(A, "yes", "0.4100", "1.00", connection=2)
    script.trade(A, "0.4550", "2.00").trade(A, "0.4550", "2.00", connection=2)
    house, venue = show(script, tmp_path / "tape")
    assert [shown.channel for shown in house.shown] == [BOOK, TRADE, BOOK, BOOK, TRADE]
    assert venue.projector.left_out["redundant"] == 2


def test_a_snapshot_is_given_only_once_the_tape_has_one_and_follows_the_book(tmp_path: Path) -> None:
    script = books(opened()).delta(A, "yes", "0.4000", "-10.00").delta(A, "no", "0.5000", "0.25").stop()

    async def look(venue: TapedVenue, house: House) -> None:
        assert venue.snapshot(A, yes_price=False) is None
        await ask(venue, "step")
        assert (first := venue.snapshot(A, yes_price=False)) is not None
        assert first.render(1, 1) == house.payloads[0]
        await ask(venue, "step", count=2)
        plain, on_yes = venue.snapshot(A, yes_price=False), venue.snapshot(A, yes_price=True)
        assert plain is not None and on_yes is not None
        book, turned = decode(plain.render(1, 1)), decode(on_yes.render(1, 1))
        assert isinstance(book, BookSnapshot) and isinstance(turned, BookSnapshot)
        assert (book.yes, book.no, turned.no) == (((4550, 250),), ((5000, 725),), ((5000, 725),))
        assert venue.snapshot("KXELSE", yes_price=False) is None
        await ask(venue, "resume")

    show(script, tmp_path / "tape", look, start="paused")


def test_a_book_with_a_gap_is_not_given(tmp_path: Path) -> None:
    script = books(opened()).skip(3).delta(A, "yes", "0.4100", "1.00")
    _, venue = show(script, tmp_path / "tape")
    assert venue.snapshot(A, yes_price=False) is None


def test_a_tape_on_the_yes_scale_is_turned_for_those_who_did_not_ask_for_it(tmp_path: Path) -> None:
    params = {"channels": [BOOK], "market_tickers": [A], "use_yes_price": True}
    script = Script().session().opened()
    script.put(Kind.SENT, json.dumps({"id": 1, "cmd": "subscribe", "params": params}).encode(), 1).subscribed(1)
    script.snapshot(A, [], [("0.4400", "7.00")]).delta(A, "no", "0.4400", "-2.00")
    house, venue = show(script, tmp_path / "tape")
    for publication, recorded in zip(house.publications, frames(script)[1:], strict=True):
        assert publication.yes_template is not None
        assert numbered(publication.yes_template.render(1, 1)) == numbered(recorded)
        assert b'"0.5600"' in publication.template.render(1, 1)
    assert (plain := venue.snapshot(A, yes_price=False)) is not None
    assert b'"no_dollars_fp":[["0.5600","5.00"]]' in plain.render(1, 1)


def test_the_latest_ticker_and_the_markets_ids_are_known(tmp_path: Path) -> None:
    script = opened()
    for bid in ("0.4100", "0.4200"):
        msg = {"market_ticker": A, "market_id": "u-1", "yes_bid_dollars": bid}
        script.frame({"type": "ticker", "sid": 4, "msg": msg})
    house, venue = show(script, tmp_path / "tape")
    assert [shown.channel for shown in house.shown] == [TICKER, TICKER]
    assert (ticker := venue.ticker(A)) is not None and ticker.render(4, 0) == frames(script)[-1]
    assert venue.ticker(B) is None
    assert (venue.market_of("u-1"), venue.market_of("u-2")) == (A, "")
    assert venue.markets() == (A,)


@pytest.mark.parametrize("closed", [True, False])
def test_a_ticker_from_before_a_disconnect_is_not_given_after_it(tmp_path: Path, closed: bool) -> None:
    ticker = {"type": "ticker", "sid": 4, "msg": {"market_ticker": A, "yes_bid_dollars": "0.4100"}}
    script = opened().frame(ticker)
    if closed:
        script.closed(1)
    books(script.wait(9 * SECOND).opened(2, replaces=1).subscribed(1, connection=2), 2).frame(ticker, 2)

    async def look(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: len(house.shown) == 1)
        await asyncio.sleep(1)
        assert house.log[1].startswith("disconnected")
        assert venue.ticker(A) is None
        await house.until(lambda house: len(house.shown) == 3)
        assert venue.ticker(A) is not None

    show(script, tmp_path / "tape", look, speed=1.0)


def test_replies_look_like_the_frames_beside_them(tmp_path: Path) -> None:
    old = TapedVenue(books(opened()).tape(tmp_path / "old"))
    msg = {"market_ticker": A, "event_type": "settled"}
    stamped = {"type": "market_lifecycle_v2", "sid": 3, "seq": 1, "msg": msg, "sending_ts_ms": 1_786_410_000_123}
    new = TapedVenue(opened().frame(stamped).tape(tmp_path / "new"))
    assert (old.dialect, new.dialect) == ("recorded", "current")


def test_at_full_speed_a_tape_waits_while_nobody_is_there(tmp_path: Path) -> None:
    script = books(opened())
    for _ in range(400):
        script.delta(A, "yes", "0.4100", "1.00")

    async def leave(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: len(house.shown) > 10)
        house.leave()
        await asyncio.sleep(1_000)
        assert len(house.shown) < 200
        assert venue.projector.state == "playing"
        house.sit()

    house, _ = show(script, tmp_path / "tape", leave)
    assert len(house.shown) == 401


def test_lifecycle_frames_go_to_everybody_on_their_channel(tmp_path: Path) -> None:
    msg = {"market_ticker": A, "event_type": "settled", "settled_ts": 1_786_410_000}
    house, _ = show(opened().frame({"type": "market_lifecycle_v2", "sid": 3, "seq": 1, "msg": msg}), tmp_path / "tape")
    assert [(shown.channel, shown.market) for shown in house.shown] == [(LIFECYCLE, "")]
