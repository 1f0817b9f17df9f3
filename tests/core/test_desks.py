"""core.desks: the whole conversation with an exchange, from records alone."""

import random
from typing import Any

import pytest
from stage import Stage

from core.commands import BOOK, Reconnect, Refuse
from core.records import Kind, StoredGap, encode_payload

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


def test_on_open_every_channel_is_subscribed_to_in_chunks_and_always_with_the_price_scale_said() -> None:
    stage = Stage(ALL, channels=("market_lifecycle_v2", "fill", *CHANNELS), markets_per_command=4)
    stage.want(*ALL)
    assert stage.said == []
    stage.open()
    params = [command["params"] for command in stage.sent("subscribe")]
    assert [p["channels"] for p in params[:2]] == [["market_lifecycle_v2"], ["fill"]]
    books = [p for p in params if p["channels"] == [BOOK]] + [c["params"] for c in stage.sent("add_markets")]
    assert [len(p["market_tickers"]) for p in books[:2]] == [4, 2]
    assert all(p["use_yes_price"] is False for p in books[:2])
    assert all(p["send_initial_snapshot"] for p in params if p["channels"] == ["ticker"])
    assert all(stage.is_right(market) for market in ALL)
    (status,) = stage.desks.status()
    assert (status.connection, status.is_complete, status.books_missing) == (1, True, ())
    assert [(s.channel, s.markets) for s in status.subscriptions][2:] == [(c, 6) for c in CHANNELS]
    ids = [command["id"] for command in stage.sent()]
    assert ids == list(range(1, len(ids) + 1))


def test_the_yes_scale_is_said_when_it_is_asked_for() -> None:
    stage = staged(channels=(BOOK,), use_yes_price=True)
    assert stage.peers[1].heard[0]["params"]["use_yes_price"] is True


def test_without_markets_no_channel_of_markets_is_subscribed_to() -> None:
    stage = Stage(ALL, channels=("trade", "fill"))
    stage.open()
    assert [c["params"]["channels"] for c in stage.sent()] == [["fill"]]


def test_only_the_first_slot_takes_what_cannot_be_split() -> None:
    stage = Stage(ALL, slots=2, channels=("fill", "trade"))
    peers = [stage.open(1), stage.open(2)]
    stage.want(*ALL)
    assert [sorted(peer.sids) for peer in peers] == [["fill", "trade"], ["trade"]]
    assert [len(peer.markets[peer.sids["trade"]]) for peer in peers] == [3, 3]


def test_markets_come_and_go_while_running() -> None:
    stage = staged("M0", "M1")
    peer = stage.peers[1]
    stage.want("M2", "M3")
    assert stage.is_right("M3")
    stage.unwant("M0", "M2")
    assert sorted(peer.markets[peer.sids[BOOK]]) == ["M1", "M3"]
    assert {c["cmd"] for c in stage.sent()} == {"update_subscription"}
    stage.unwant("M1", "M3")
    assert peer.sids == {}
    assert stage.desks.status()[0].is_complete
    stage.want("M5")
    assert stage.is_right("M5")


def test_a_sequence_gap_is_healed_by_snapshots_of_the_books_it_spoilt_and_of_no_others() -> None:
    stage = staged()
    stage.lose = lambda _: True
    stage.trade("M1")
    stage.lose = lambda _: False
    stage.trade("M2")
    assert [c["params"]["market_tickers"] for c in stage.sent()] == [list(ALL)]
    assert all(stage.is_right(market) for market in ALL)
    stage.trade("M3")
    stage.wait(60)
    assert len(stage.sent()) == 1
    assert stage.desks.engine.connections.open_gaps == ()


def test_a_snapshot_that_does_not_come_is_asked_for_again_then_the_market_is_added_anew() -> None:
    stage = staged("M0", "M1", channels=(BOOK,))
    stage.lose = lambda frame: b"snapshot" in frame and b'"M1"' in frame
    stage.peers[1].seq[1] += 1
    stage.trade("M0")
    stage.wait(14)
    assert [c["params"]["market_tickers"] for c in stage.sent("get_snapshot")] == [["M0", "M1"], ["M1"]]
    stage.wait(14)
    assert [c["params"]["market_tickers"] for c in stage.sent("delete_markets")] == [["M1"]]
    stage.lose = lambda _: False
    stage.wait(30)
    assert stage.is_right("M1")
    assert stage.all_of(Reconnect) == []


def test_a_book_that_cannot_be_had_again_costs_the_connection() -> None:
    stage = staged("M0", "M1", channels=(BOOK,))
    stage.lose = lambda frame: b"snapshot" in frame and b'"M1"' in frame and 2 not in stage.peers
    stage.peers[1].seq[1] += 1
    stage.trade("M0")
    stage.wait(60)
    (reconnect,) = stage.all_of(Reconnect)
    assert reconnect == Reconnect(1, "no snapshot of M1 could be had")
    assert stage.is_right("M1")


def test_a_market_nobody_knows_is_asked_for_gently_and_disturbs_no_other() -> None:
    stage = Stage(("M0",), channels=(BOOK,))
    stage.open()
    stage.want("M0", "NEVER")
    stage.wait(900)
    assert stage.all_of(Reconnect) == []
    assert stage.desks.status()[0].books_missing == ("NEVER",)
    assert len([c for c in stage.sent("get_snapshot") if "NEVER" in c["params"]["market_tickers"]]) < 8
    assert stage.is_right("M0")


def test_a_connection_that_brings_no_book_at_all_is_given_up_once_and_not_for_ever() -> None:
    stage = Stage((), channels=(BOOK,))
    stage.open()
    stage.want("NEVER")
    stage.wait(1_500)
    assert len(stage.all_of(Reconnect)) == 1


def test_an_answer_that_does_not_come_is_asked_for_once_more_and_then_the_connection_is_given_up() -> None:
    stage = Stage(ALL, channels=(BOOK,))
    peer = stage.open()
    peer.deaf = {"subscribe"}
    stage.stays = True
    stage.want("M0")
    stage.wait(11)
    assert len(stage.sent("subscribe")) == 2
    stage.wait(11)
    assert stage.all_of(Reconnect) == [Reconnect(1, "no answer to 'subscribe orderbook_delta', asked 2 times")]
    stage.wait(40)
    assert len(stage.all_of(Reconnect)) == 2, "it is given up again when it is still there"
    assert len(stage.sent()) == 2, "and nothing more is asked of it"


def test_a_lost_answer_is_made_good_by_the_repeated_command() -> None:
    stage = Stage(ALL, channels=CHANNELS)
    stage.open()
    stage.lose = lambda frame: b"subscribed" in frame
    stage.want(*ALL)
    stage.wait(20)
    assert stage.desks.status()[0].is_complete
    assert all(stage.is_right(market) for market in ALL)
    assert stage.all_of(Reconnect) == []


@pytest.mark.parametrize("code", [10, 25])
def test_a_terminal_error_subscribes_that_channel_anew_and_leaves_the_others(code: int) -> None:
    stage = staged()
    stage.frames(1, [stage.peers[1].end(BOOK, code)])
    assert not stage.is_right("M0")
    stage.wait(3)
    assert {tuple(c["params"]["channels"]) for c in stage.sent("subscribe")} == {(BOOK,)}
    assert all(stage.is_right(market) for market in ALL)
    assert stage.desks.engine.connections.open_gaps == ()


def test_a_channel_that_dies_again_and_again_is_subscribed_to_less_and_less_often() -> None:
    stage = staged(channels=(BOOK,))
    for _ in range(40):
        if BOOK in stage.peers[1].sids:
            stage.frames(1, [stage.peers[1].end(BOOK)])
        stage.wait(5)
    assert 4 <= len(stage.sent("subscribe")) <= 9
    stage.wait(61)
    assert stage.is_right("M0")


def test_an_unknown_channel_is_given_up_and_said_so() -> None:
    stage = Stage(ALL, channels=("fill", "trade"))
    stage.open(errors=[8])
    stage.want("M0")
    stage.wait(100)
    fill, trade = stage.desks.status()[0].subscriptions
    assert (fill.is_live, fill.given_up) == (False, "error 8: code 8")
    assert trade.is_live
    assert len(stage.sent("subscribe")) == 2


def test_a_full_subscription_sends_its_markets_to_another_connection() -> None:
    stage = Stage(ALL, slots=2, most=4, channels=(BOOK,))
    first = stage.open(1)
    stage.want(*ALL)
    second = stage.open(2)
    stage.wait(3)
    assert all(stage.is_right(market) for market in ALL)
    assert len(first.markets[1]) + len(second.markets[1]) == 6


def test_what_no_connection_can_take_is_reported() -> None:
    stage = Stage(ALL, most=4, channels=(BOOK,), markets_per_command=2)
    stage.open()
    stage.want(*ALL)
    stage.wait(5)
    assert sum(stage.is_right(market) for market in ALL) == 4
    assert len(stage.desks.placement.unplaced) == 2
    assert all(refusal.is_full for refusal in stage.all_of(Refuse))
    assert len(stage.sent()) < 6


def test_a_wrong_market_is_found_by_halving_and_left_out() -> None:
    stage = Stage(ALL, channels=(BOOK,))
    stage.open().wrong = {"M3"}
    stage.want(*ALL)
    stage.wait(5)
    assert [market for market in ALL if stage.is_right(market)] == ["M0", "M1", "M2", "M4", "M5"]
    assert list(stage.desks.placement.unplaced) == ["M3"]
    assert stage.desks.status()[0].subscriptions[0].refused == (("M3", "error 11: code 11"),)


def test_too_many_requests_are_asked_again_later() -> None:
    stage = Stage(ALL, channels=(BOOK,))
    stage.open().errors["subscribe"] = [27, 27]
    stage.want("M0")
    stage.wait(10)
    assert len(stage.sent("subscribe")) == 3
    assert stage.is_right("M0")


def test_after_a_lost_connection_everything_is_subscribed_and_snapshotted_anew() -> None:
    stage = staged()
    stage.close(1)
    assert not stage.is_right("M0")
    stage.trade("M0")
    stage.open(2, replaces=1)
    assert all(stage.is_right(market) for market in ALL)
    assert stage.desks.engine.connections.open_gaps == ()


def test_while_the_recorder_cannot_write_nothing_is_judged_and_afterwards_the_books_are_asked_for() -> None:
    stage = staged()
    stage.put(Kind.GAP_OPEN, encode_payload(StoredGap("disk_full", from_ns=stage.now_ns)))
    stage.lose = lambda _: True
    for _ in range(60):
        stage.trade("M0")
        stage.wait(10)
    assert stage.said == []
    stage.lose = lambda _: False
    stage.put(Kind.GAP_CLOSE, encode_payload(StoredGap("disk_full", until_ns=stage.now_ns)))
    stage.wait(2)
    assert stage.all_of(Reconnect) == []
    assert all(stage.is_right(market) for market in ALL)


def test_commands_that_could_not_be_sent_are_asked_for_again() -> None:
    stage = Stage(ALL, channels=CHANNELS)
    stage.open()
    stage.refuses_to_send = True
    stage.want(*ALL)
    stage.refuses_to_send = False
    stage.wait(3)
    assert all(stage.is_right(market) for market in ALL)
    assert stage.desks.status()[0].is_complete


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("lost", [b'"seq":', b""], ids=["numbered", "any"])
def test_whatever_frames_are_lost_the_books_end_up_right(lost: bytes, seed: int) -> None:
    dice = random.Random(seed)
    stage = Stage(ALL, channels=CHANNELS, markets_per_command=2)
    stage.open()
    share = dice.choice([0.02, 0.2, 0.5])
    stage.lose = lambda frame: lost in frame and b"over" not in frame and dice.random() < share
    for _ in range(150):
        match dice.randrange(12):
            case 0:
                stage.want(dice.choice(ALL))
            case 1:
                stage.unwant(dice.choice(ALL))
            case 2:
                stage.wait(dice.choice([1, 5, 30]))
            case 3 if stage.peers:
                number, peer = next(iter(stage.peers.items()))
                if peer.sids and dice.random() < 0.3:
                    stage.frames(number, [peer.end(dice.choice(list(peer.sids)))])
            case _:
                stage.trade(dice.choice(ALL), by=dice.randrange(1, 9))
    stage.lose = lambda _: False
    stage.want(*ALL)
    stage.wait(400)
    wrong = [market for market in ALL if not stage.is_right(market)]
    assert wrong == [], f"seed {seed}: {stage.desks.status()}"
    assert stage.desks.status()[0].is_complete
    if lost:  # what the exchange said of its subscriptions came, so the gaps are over as well
        assert stage.desks.engine.connections.open_gaps == ()
