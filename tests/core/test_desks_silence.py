"""core.desks, when nothing comes: quiet or mute, in whole conversations with an exchange."""

from typing import Any

import pytest
from stage import Stage

from core.commands import BOOK, Reconnect, Tell

ALL = tuple(f"M{n}" for n in range(6))
CHANNELS = ("orderbook_delta", "ticker", "trade")


def staged(*markets: str, **options: Any) -> Stage:
    """Connected, and these markets wanted (default: all), their books right."""
    options = {"channels": CHANNELS} | options
    stage = Stage(ALL, **options)
    stage.open()
    wanted = markets or ALL
    stage.want(*wanted)
    assert all(stage.is_right(market) for market in wanted)
    stage.said.clear()
    return stage


def test_silence_with_pings_is_probed_and_a_quiet_market_costs_nothing() -> None:
    stage = staged()
    stage.wait(4_000)
    assert stage.all_of(Reconnect) == stage.all_of(Tell) == []
    probes = stage.sent("get_snapshot")
    assert 3 <= len([c for c in probes if len(c["params"]["market_tickers"]) == 1]) <= 12
    assert all(stage.is_right(market) for market in ALL)


def test_a_mute_connection_is_found_by_a_probe_told_as_a_gap_and_replaced() -> None:
    stage = staged()
    stage.trade("M0")
    before = stage.now_ns
    stage.lose = lambda frame: b"orderbook_delta" in frame and 2 not in stage.peers
    stage.trade("M4")
    stage.peers[1].seq[1] -= 1  # what a stalled subscription never numbered leaves no hole
    stage.trade("M4", by=-1)
    stage.peers[1].seq[1] -= 1
    for market in ALL:
        stage.books.change(market)
    stage.wait(130)
    (told,) = stage.all_of(Tell)
    assert (told.gap.reason, told.gap.connection, told.gap.from_ns) == ("mute", 1, before)
    assert len(stage.all_of(Reconnect)) == 1
    assert all(stage.is_right(market) for market in ALL)


def test_a_probe_without_an_answer_costs_the_connection() -> None:
    stage = staged()
    stage.peers[1].deaf = {"get_snapshot"}
    stage.wait(140)
    assert [r.why for r in stage.all_of(Reconnect)] == ["no data, and no answer to a probe"]
    assert [t.gap.reason for t in stage.all_of(Tell)] == ["mute"]


def test_a_connection_given_up_for_a_command_has_a_gap_since_data_last_came() -> None:
    stage = staged(*ALL[:5])
    stage.trade("M0")
    before = stage.now_ns
    stage.lose = lambda _frame: 2 not in stage.peers  # neither data nor replies, and pings go on
    stage.want(*ALL)
    stage.wait(30)
    assert [r.why for r in stage.all_of(Reconnect)] == ["no answer to 'add markets orderbook_delta', asked 2 times"]
    (told,) = stage.all_of(Tell)
    assert (told.gap.reason, told.gap.connection, told.gap.markets) == ("mute", 1, ())
    assert told.gap.from_ns == before < told.gap.until_ns - 20 * 10**9


def test_a_command_that_is_lost_while_data_come_costs_the_connection_and_tells_of_no_silence() -> None:
    stage = staged(*ALL[:5])
    stage.peers[1].deaf = {"add_markets"}
    stage.want(*ALL)
    for _ in range(30):
        stage.wait(1)
        stage.trade("M0")
    assert len(stage.all_of(Reconnect)) == 1
    assert stage.all_of(Tell) == []


def test_without_books_the_list_of_subscriptions_is_the_probe() -> None:
    stage = Stage(ALL, channels=("market_lifecycle_v2",))
    stage.open()
    stage.wait(130)
    assert len(stage.sent("list_subscriptions")) == 1
    assert stage.all_of(Reconnect) == []
    stage.peers[1].deaf = {"list_subscriptions"}
    stage.wait(1_300)
    assert len(stage.all_of(Reconnect)) >= 1


def test_one_mute_market_among_lively_ones_is_found_by_the_audit() -> None:
    stage = staged()
    stage.books.change("M5")  # and nobody is told
    for _ in range(100):
        stage.trade("M0")
        stage.wait(10)
    (told,) = stage.all_of(Tell)
    assert (told.gap.markets, told.gap.sid) == (("M5",), 1)
    assert stage.all_of(Reconnect) == []
    assert stage.is_right("M5")
    assert [c["params"]["market_tickers"] for c in stage.sent("delete_markets")] == [["M5"]]


def test_audits_of_quiet_markets_do_not_hide_that_the_lively_ones_fell_silent() -> None:
    stage = staged()
    for _ in range(100):
        stage.trade("M0")
        stage.wait(10)
    stage.lose = lambda frame: b"orderbook_delta" in frame
    stage.books.change("M0")
    stage.wait(200)
    assert len(stage.all_of(Reconnect)) == 1


@pytest.mark.parametrize("channel", ["orderbook_delta", "trade"])
def test_numbering_that_begins_anew_does_not_make_a_connection_dumb_in_silence(channel: str) -> None:
    stage = staged("M0", "M1")
    for _ in range(50):
        stage.trade("M0")
        stage.public_trade("M0")
    peer = stage.peers[1]
    peer.seq[peer.sids[channel]] = 0
    for _ in range(40):
        stage.trade("M0")
        stage.public_trade("M0")
        if len(stage.peers) == 1 and 1 not in stage.peers:
            break
        stage.wait(1)
    assert len(stage.all_of(Reconnect)) == 1
    assert stage.all_of(Tell)[0].gap.reason == "mute"
    stage.trade("M1")
    assert stage.is_right("M0")
    assert stage.is_right("M1")


def test_a_frame_that_comes_twice_costs_nothing() -> None:
    stage = staged("M0")
    for _ in range(5):
        msg = stage.books.change("M0")
        (frame,) = stage.peers[1].delta("M0", msg)
        stage.frames(1, [frame, frame, frame])
        stage.wait(30)
    assert stage.all_of(Reconnect) == stage.all_of(Tell) == []
    assert stage.is_right("M0")


def test_a_market_whose_snapshot_is_not_sent_twice_is_not_trusted_any_longer() -> None:
    stage = staged("M0", "M1", channels=(BOOK,))
    stage.peers[1].mute = {"M1"}
    for _ in range(250):
        stage.trade("M0")
        stage.trade("M1")
        stage.wait(10)
    (told,) = stage.all_of(Tell)
    assert (told.gap.markets, told.gap.detail) == (("M1",), "no snapshot of M1 came, twice")
    assert [r.why for r in stage.all_of(Reconnect)] == ["no snapshot of M1 could be had"]
    assert stage.is_right("M1")


def test_a_subscription_that_vanished_without_a_word_is_found_by_the_list() -> None:
    stage = staged("M0")
    stage.peers[1].forget("trade")
    for _ in range(40):
        stage.trade("M0")
        stage.wait(10)
    (told,) = stage.all_of(Tell)
    assert "trade" in told.gap.detail
    assert "trade" in stage.peers[1].sids
