"""The hub without sockets: which reply and which number everything gets, and who is sent what (protocol 4, 5, 6)."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from exchange_venue import MARKETS, delta, lifecycle, market_id, ticker, trade
from hub_table import NOW_NS, Table, error, kinds, places

from replay.exchange.lobby import ROOM_FRAMES
from replay.exchange.options import RECORDED, Limits
from replay.exchange.port import FILL, GROUPS, Publication, Template

A, B, C = MARKETS


@pytest.fixture
def table() -> Table:
    return Table()


# ------------------------------------------------------------------ subscribe


def test_each_channel_is_answered_by_itself_and_gets_the_next_sid(table: Table) -> None:
    frames = table.send("subscribe", number=7, channels=["orderbook_delta", "trade", "nonsense"], market_tickers=[A, B])
    assert kinds(frames) == ["subscribed", "orderbook_snapshot", "orderbook_snapshot", "subscribed", "error"]
    assert [frame.get("id") for frame in frames] == [7, None, None, 7, 7]
    assert frames[0]["msg"] == {"channel": "orderbook_delta", "sid": 1}
    assert frames[3]["msg"] == {"channel": "trade", "sid": 2}
    assert error(frames[4:]) == 8
    assert places(frames[1:3]) == [(1, 1), (1, 2)]
    assert "sid" not in frames[0]


def test_the_number_is_shared_by_all_markets_of_a_subscription(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta", "trade"], market_tickers=[A, B])
    table.publish(delta(A, 1), delta(B, 2), trade(A, 1), delta(C, 3), delta(A, 4))
    assert places(table.queued()) == [(1, 3), (1, 4), (2, 1), (1, 5)]


def test_ticker_frames_have_no_number(table: Table) -> None:
    table.send("subscribe", channels=["ticker"])
    table.publish(ticker(A), ticker(B))
    assert places(table.queued()) == [(1, None), (1, None)]


def test_subscribing_again_adds_to_what_is_held_and_is_answered_ok_with_the_whole_sorted_list(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta"], market_ticker=C)
    frames = table.send("subscribe", number=2, channels=["orderbook_delta"], market_tickers=[B, C, A])
    assert kinds(frames) == ["ok", "orderbook_snapshot", "orderbook_snapshot"]
    assert places(frames) == [(1, 2), (1, 3), (1, 4)]
    assert (frames[0]["id"], frames[0]["msg"]) == (2, {"market_tickers": [A, B, C]})
    assert [frame["msg"]["market_ticker"] for frame in frames[1:]] == [B, A]


def test_subscribing_to_nothing_new_is_ok_and_takes_a_slot(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta"], market_ticker=A)
    (frame,) = table.send("subscribe", channels=["orderbook_delta"], market_ticker=A)
    assert (frame["type"], frame["seq"], frame["msg"]) == ("ok", 2, {"market_tickers": [A]})
    table.publish(delta(A, 1))
    assert places(table.queued()) == [(1, 3)]


def test_a_filter_that_is_left_out_later_means_all_markets(table: Table) -> None:
    table.send("subscribe", channels=["trade"], market_ticker=A)
    table.publish(trade(B, 1))
    assert table.queued() == []
    assert kinds(table.send("subscribe", channels=["trade"])) == ["ok"]
    table.publish(trade(B, 2))
    assert places(table.queued()) == [(1, 2)]


def test_an_unknown_market_is_quiet(table: Table) -> None:
    frames = table.send("subscribe", channels=["orderbook_delta"], market_tickers=["KXNONE", A])
    assert kinds(frames) == ["subscribed", "orderbook_snapshot"]


def test_the_id_0_is_no_id(table: Table) -> None:
    (frame,) = table.send("subscribe", number=0, channels=["trade"])
    assert "id" not in frame


def test_tickers_come_at_once_for_those_who_ask(table: Table) -> None:
    frames = table.send("subscribe", channels=["ticker"], market_tickers=[A], send_initial_snapshot=True)
    assert kinds(frames) == ["subscribed", "ticker"]
    frames = table.send("update_subscription", sid=1, action="add_markets", market_ticker=B, send_initial_snapshot=True)
    assert kinds(frames) == ["ok", "ticker"]
    assert frames[1]["msg"]["market_ticker"] == B


def test_tickers_of_all_markets_come_at_once_too(table: Table) -> None:
    frames = table.send("subscribe", channels=["ticker"], send_initial_snapshot=True)
    assert [frame["msg"].get("market_ticker") for frame in frames[1:]] == [A, B, C]


def test_ticker_markets_may_be_named_by_their_uuids(table: Table) -> None:
    unknown = "7c7b2f0e-2f5d-4a6b-8f3b-51f0a1f0b222"
    table.send("subscribe", channels=["ticker"], market_ids=[market_id(A), unknown])
    table.publish(ticker(A), ticker(B))
    assert [frame["msg"]["market_ticker"] for frame in table.queued()] == [A]
    (frame,) = table.send("update_subscription", sid=1, action="add_markets", market_id=market_id(B))
    assert frame["msg"] == {"market_tickers": [A, B], "market_ids": sorted([market_id(A), market_id(B), unknown])}
    table.publish(ticker(B))
    assert kinds(table.queued()) == ["ticker"]
    (frame,) = table.send("update_subscription", sid=1, action="delete_markets", market_ids=[market_id(A)])
    assert frame["msg"] == {"market_tickers": [B], "market_ids": sorted([market_id(B), unknown])}


def test_the_list_is_left_out_for_those_who_skip_it(table: Table) -> None:
    table.send("subscribe", channels=["trade"], market_ticker=A, skip_ticker_ack=True)
    (frame,) = table.send("subscribe", channels=["trade"], market_ticker=B)
    assert frame["msg"] == {}


def test_lifecycle_knows_no_filter(table: Table) -> None:
    table.send("subscribe", channels=["market_lifecycle_v2"], market_ticker=A)
    table.publish(lifecycle(B))
    assert places(table.queued()) == [(1, 1)]
    (frame,) = table.send("subscribe", channels=["market_lifecycle_v2"])
    assert (frame["type"], frame["seq"], frame["msg"]) == ("ok", 2, {})


def test_a_subscription_keeps_the_price_scale_it_began_with(table: Table) -> None:
    yes = Template(b'{"type":"orderbook_delta","sid":', b',"seq":', b',"msg":{"scale":"yes"}}\n')
    no = Template(b'{"type":"orderbook_delta","sid":', b',"seq":', b',"msg":{"scale":"no"}}\n')
    own = Template(b'{"type":"orderbook_delta","sid":', b',"seq":', b',"msg":{"scale":"own"}}\n')
    sessions = [table.session, table.join("other"), table.join("other")]
    for session, flag in zip(sessions, (True, False, True), strict=True):
        table.send("subscribe", session, channels=["orderbook_delta"], market_ticker=A, use_yes_price=flag)
    table.publish(
        Publication(
            channel="orderbook_delta", market=A, template=no, yes_template=yes, owner="other", owner_template=own
        )
    )
    for session in sessions:
        while session.out.take(0):
            pass
    scales = [json.loads(session.out.kept[-1].payload)["msg"]["scale"] for session in sessions]
    assert scales == ["yes", "own", "own"]


# ------------------------------------------------------------------ update, unsubscribe, list


def test_markets_are_added_and_taken_out(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta"], market_ticker=A)
    frames = table.send("update_subscription", number=9, sids=[1], action="add_markets", market_tickers=[C, B])
    assert kinds(frames) == ["ok", "orderbook_snapshot", "orderbook_snapshot"]
    assert (frames[0]["id"], frames[0]["msg"]) == (9, {"market_tickers": [A, B, C]})
    (frame,) = table.send("update_subscription", sid=1, action="delete_markets", market_tickers=[A, "KXNONE"])
    assert (frame["seq"], frame["msg"]) == (5, {"market_tickers": [B, C]})
    table.publish(delta(A, 1), delta(B, 2))
    assert places(table.queued()) == [(1, 6)]


def test_a_market_that_comes_back_goes_on_with_the_number(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta"], market_ticker=A)
    table.send("update_subscription", sid=1, action="delete_markets", market_ticker=A)
    frames = table.send("update_subscription", sid=1, action="add_markets", market_ticker=A)
    assert [(frame["type"], frame["seq"]) for frame in frames] == [("ok", 3), ("orderbook_snapshot", 4)]


def test_adding_to_all_markets_narrows(table: Table) -> None:
    table.send("subscribe", channels=["trade"])
    (frame,) = table.send("update_subscription", sid=1, action="add_markets", market_ticker=A)
    assert frame["msg"] == {"market_tickers": [A]}
    table.publish(trade(B, 1), trade(A, 2))
    assert [frame["msg"]["market_ticker"] for frame in table.queued()] == [A]


def test_a_snapshot_that_was_asked_for_carries_the_id_and_takes_a_slot(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta"], market_tickers=[A, B])
    frames = table.send("update_subscription", number=11, sid=1, action="get_snapshot", market_tickers=[B, A])
    assert [(frame["type"], frame["id"], frame["seq"]) for frame in frames] == [
        ("orderbook_snapshot", 11, 3),
        ("orderbook_snapshot", 11, 4),
    ]
    table.publish(delta(A, 1))
    assert places(table.queued()) == [(1, 5)]


def test_unsubscribing_is_answered_for_each_sid_with_its_last_slot(table: Table) -> None:
    table.send("subscribe", channels=["orderbook_delta", "ticker"], market_ticker=A)
    frames = table.send("unsubscribe", number=3, sids=[1, 2, 9])
    assert kinds(frames) == ["unsubscribed", "unsubscribed", "error"]
    assert places(frames[:2]) == [(1, 2), (2, 1)]
    assert error(frames[2:]) == 7
    table.publish(delta(A, 1), ticker(A))
    assert table.queued() == []
    assert table.hub.subscriptions == 0


def test_a_sid_is_never_used_again(table: Table) -> None:
    table.send("subscribe", channels=["trade"])
    table.send("unsubscribe", sids=[1])
    (frame,) = table.send("subscribe", channels=["trade"])
    assert frame["msg"]["sid"] == 2
    (frame,) = table.send("subscribe", table.join(), channels=["trade"])
    assert frame["msg"]["sid"] == 1


def test_subscriptions_are_listed(table: Table) -> None:
    table.send("subscribe", channels=["trade", "fill", "ticker"])
    table.send("unsubscribe", sids=[2])
    (frame,) = table.send("list_subscriptions", number=12)
    assert (frame["id"], frame["msg"]) == (12, [{"channel": "trade", "sid": 1}, {"channel": "ticker", "sid": 3}])
    assert "seq" not in frame


def test_indices_are_a_filter_of_their_own(table: Table) -> None:
    table.send("subscribe", channels=["cfbenchmarks_value"], index_ids=["BRTI"])
    (frame,) = table.send("update_subscription", sid=1, action="subscribe_indices", index_ids=["ETHUSD_RTI"])
    assert frame["msg"] == {"index_ids": ["BRTI", "ETHUSD_RTI"]}
    (frame,) = table.send("update_subscription", sid=1, action="unsubscribe_indices", index_ids=["BRTI"])
    assert (frame["seq"], frame["msg"]) == (2, {"index_ids": ["ETHUSD_RTI"]})
    (frame,) = table.send("update_subscription", number=4, sid=1, action="indexlist")
    assert (frame["type"], frame["id"], frame["seq"]) == ("cfbenchmarks_value_indexlist", 4, 3)
    assert error(table.send("update_subscription", sid=1, action="subscribe_indices")) == 24
    assert error(table.send("update_subscription", sid=1, action="underlying_list")) == 13
    assert error(table.send("update_subscription", sid=1, action="subscribe_underlyings")) == 28


# ------------------------------------------------------------------ limits


def test_too_many_markets_are_an_error_of_the_subscription() -> None:
    table = Table(limits=Limits(markets_per_subscription=2))
    assert error(table.send("subscribe", channels=["trade"], market_tickers=[A, B, C])) == 26
    table.send("subscribe", channels=["trade"], market_tickers=[A, B])
    frames = table.send("update_subscription", number=4, sid=1, action="add_markets", market_ticker=C)
    assert error(frames) == 26
    assert (frames[0]["id"], frames[0]["sid"], frames[0]["seq"]) == (4, 1, 1)
    assert frames[0]["msg"]["market_tickers"] == [C]
    assert error(table.send("subscribe", channels=["trade"], market_tickers=[C])) == 26
    table.publish(trade(C, 1), trade(A, 2))
    assert places(table.queued()) == [(1, 3)]


def test_too_many_commands_a_second_are_refused() -> None:
    table = Table(limits=Limits(commands_per_s=2))
    table.hub.lobby.is_too_fast(table.session, 0)
    codes = [frame["msg"] for _ in range(10) for frame in table.send("subscribe", channels=["trade"])]
    assert {"code": 27, "msg": "Too many requests"} in codes
    frames = table.send("update_subscription", sid=1, action="add_markets", market_ticker=A)
    assert frames[0]["sid"] == 1


def test_a_client_that_does_not_read_loses_its_subscription_and_not_its_socket() -> None:
    table = Table(limits=Limits(queue_frames=5))
    table.send("subscribe", channels=["trade", "ticker"])
    table.publish(*[trade(A, number) for number in range(9)])
    assert table.hub.subscriptions == 1
    frames = table.queued()
    assert places(frames[:5]) == [(1, seq) for seq in range(1, 6)]
    assert error(frames[5:]) == 25
    assert places(frames[5:]) == [(1, 6)]
    assert "id" not in frames[5]
    (frame,) = table.send("subscribe", channels=["trade"])
    assert frame["msg"]["sid"] == 3


# ------------------------------------------------------------------ who is sent what


def test_private_frames_go_to_all_sessions_of_their_account_only(table: Table) -> None:
    mine, other = table.join(), table.join("other")
    template = Template(b'{"type":"fill","sid":', None, b',"msg":{}}\n')
    for session in (table.session, mine, other):
        table.send("subscribe", session, channels=["fill", "order_group_updates"])
    waiting = [len(session.out) for session in (table.session, mine, other)]
    table.publish(Publication(channel=FILL, market=A, template=template, account="trader"))
    assert [len(session.out) for session in (table.session, mine, other)] == [
        waiting[0] + 1,
        waiting[1] + 1,
        waiting[2],
    ]
    numbered = Template(b'{"type":"order_group_updates","sid":', b',"seq":', b',"msg":{}}\n')
    table.publish(Publication(channel=GROUPS, market="", template=numbered, account="other"))
    assert [len(session.out) for session in (table.session, mine, other)] == [waiting[0] + 1, waiting[1] + 1, 1]


def test_shards_divide_the_markets(table: Table) -> None:
    sessions = [table.join() for _ in range(3)]
    template = Template(b'{"type":"rfq_created","sid":', b',"seq":', b',"msg":{}}\n')
    for key, session in enumerate(sessions):
        body = {"channels": ["communications"], "shard_factor": 3, "shard_key": key}
        table.hub.receive(session, json.dumps({"id": 1, "cmd": "subscribe", "params": body}))
    for number in range(60):
        table.publish(Publication(channel="communications", market=f"KX{number}", template=template))
    counts = [len(session.out) - 1 for session in sessions]
    assert sum(counts) == 60
    assert min(counts) > 5


def test_numbers_can_be_left_out(table: Table) -> None:
    table.send("subscribe", channels=["trade", "ticker"])
    table.publish(trade(A, 1))
    table.hub.skip("trade", 3)
    table.hub.skip("ticker", 3)
    table.publish(trade(A, 2), ticker(A))
    assert places(table.queued()) == [(1, 1), (1, 5), (2, None)]


def test_bytes_can_go_to_everybody(table: Table) -> None:
    table.hub.broadcast(b"no json")
    table.hub.broadcast(b"\x00", binary=True)
    assert table.session.out.take(0) == b"\x81\x07no json\x82\x01\x00"


def test_the_venue_hears_of_growing_subscriptions_only(table: Table) -> None:
    heard: list[int] = []
    table.hub.on_subscribed(lambda: heard.append(table.hub.subscriptions))
    table.send("subscribe", channels=["trade"], market_ticker=A)
    table.send("update_subscription", sid=1, action="add_markets", market_ticker=B)
    table.send("update_subscription", sid=1, action="delete_markets", market_ticker=B)
    table.send("unsubscribe", sids=[1])
    assert heard == [1, 1]


def test_who_leaves_is_sent_nothing_more(table: Table) -> None:
    table.send("subscribe", channels=["trade"])
    table.hub.lobby.leave(table.session)
    table.publish(trade(A, 1))
    assert (table.hub.subscriptions, len(table.session.out), table.hub.lobby.past) == (0, 0, [table.session])


def test_replies_of_an_old_dialect_carry_no_sending_time() -> None:
    (new,) = Table().send("subscribe", channels=["trade"])
    (old,) = Table(dialect=RECORDED).send("subscribe", channels=["trade"])
    assert (new["sending_ts_ms"], "sending_ts_ms" in old) == (NOW_NS // 1_000_000, False)


# ------------------------------------------------------------------ as fast as it is read


def test_a_venue_waits_for_the_slowest_reader() -> None:
    table = Table()
    slow = table.join()
    table.hub.receive(slow, b'{"id":1,"cmd":"subscribe","params":{"channels":["trade"]}}')

    async def scenario() -> None:
        for _ in range(ROOM_FRAMES):
            table.publish(trade(A, 1))
            await asyncio.wait_for(_while(table.hub.drained, len(slow.out) < ROOM_FRAMES), 5)
        waiting = asyncio.create_task(table.hub.drained())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        while slow.out.take(0):
            table.hub.lobby.moved(slow)
        await asyncio.wait_for(waiting, 5)
        table.publish(*[trade(A, 1)] * (ROOM_FRAMES + 1))
        waiting = asyncio.create_task(table.hub.drained())
        for _ in range(3):
            await asyncio.sleep(0)
        table.hub.lobby.leave(slow)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


async def _while(call: Callable[[], Awaitable[None]], wanted: bool) -> None:
    if wanted:
        await call()


def test_a_venue_without_readers_lets_the_others_run() -> None:
    table = Table()
    turns = 0

    async def scenario() -> None:
        nonlocal turns

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        for _ in range(10_000):
            await table.hub.drained()
        running.cancel()

    asyncio.run(scenario())
    assert turns > 10
