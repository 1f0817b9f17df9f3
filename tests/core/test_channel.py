"""core.channel: from what is wanted and what is confirmed to what is asked next."""

from core.asking import Verb
from core.channel import MAX_PAUSE_NS, PAUSE_NS, STEADY_NS, WINDOW, Channel, Wish
from core.commands import BOOK

S = 1_000_000_000


def wanted(*markets: str) -> dict[str, None]:
    return dict.fromkeys(markets)


def live(*markets: str) -> Channel:
    channel = Channel(BOOK)
    channel.confirmed(1, markets, 0)
    return channel


def test_the_first_markets_are_subscribed_to_and_later_ones_added() -> None:
    channel = Channel(BOOK)
    assert channel.wishes(wanted("A", "B", "C"), 0, 2) == [
        Wish(Verb.SUBSCRIBE, ("A", "B")),
        Wish(Verb.SUBSCRIBE, ("C",)),
    ]
    assert channel.wishes(wanted("A", "B", "C"), 0, 2) == [], "what is asked is not asked twice"
    channel.confirmed(4, ("A", "B"), 0)
    channel.over(("A", "B"))
    assert channel.wishes(wanted("A", "B", "C", "D"), 0, 2) == [Wish(Verb.ADD, ("D",))]
    channel.adds_by_subscribe = True
    assert channel.wishes(wanted("A", "B", "C", "D", "E"), 0, 2) == [Wish(Verb.SUBSCRIBE, ("E",))]


def test_only_so_many_commands_wait_for_an_answer_at_once() -> None:
    channel = Channel(BOOK)
    markets = [f"M{n}" for n in range(WINDOW + 3)]
    assert len(channel.wishes(wanted(*markets), 0, 1)) == WINDOW
    channel.over(("M0",))
    channel.confirmed(1, ("M0",), 0)
    assert [wish.markets for wish in channel.wishes(wanted(*markets), 0, 1)] == [(f"M{WINDOW}",)]


def test_what_is_not_wanted_is_taken_out_and_the_last_market_ends_the_subscription() -> None:
    channel = live("A", "B")
    assert channel.wishes(wanted("B"), 0, 9) == [Wish(Verb.DELETE, ("A",))]
    channel.listed(1, ("B",), (), 0)
    channel.over(("A",))
    assert channel.wishes({}, 0, 9) == [Wish(Verb.UNSUBSCRIBE, ("B",))]
    channel.dropped()
    channel.over(("B",))
    assert channel.wishes({}, 0, 9) == []
    assert channel.is_complete({})


def test_a_market_to_be_added_anew_is_taken_out_although_it_is_wanted() -> None:
    channel = live("A", "B")
    channel.gone["A"] = None
    assert channel.wishes(wanted("A", "B"), 0, 9) == [Wish(Verb.DELETE, ("A",))]
    channel.listed(1, ("B",), (), 0)
    channel.over(("A",))
    assert channel.wishes(wanted("A", "B"), 0, 9) == [Wish(Verb.ADD, ("A",))]
    assert not channel.gone


def test_a_market_left_out_of_the_list_twice_is_refused() -> None:
    channel = live("A")
    assert channel.listed(1, ("A",), ("B",), 0) == []
    assert channel.listed(1, ("A",), ("B",), 0) == ["B"]
    assert channel.wishes(wanted("A", "B"), 0, 9) == []
    assert channel.is_complete(wanted("A", "B"))


def test_halves_are_asked_for_as_they_are() -> None:
    channel = live()
    channel.halve(("A", "B", "C"))
    assert channel.wishes(wanted("A", "B", "C"), 0, 9) == [Wish(Verb.ADD, ("A",)), Wish(Verb.ADD, ("B", "C"))]


def test_a_channel_without_markets_is_asked_for_once_and_until_it_is_live() -> None:
    channel = Channel("fill")
    assert channel.wishes(wanted("A"), 0, 9) == [Wish(Verb.SUBSCRIBE, ())]
    assert channel.wishes(wanted("A"), 0, 9) == []
    assert not channel.is_complete({})
    channel.over(())
    assert len(channel.wishes({}, 0, 9)) == 1
    channel.confirmed(2, (), 0)
    assert channel.is_complete({})
    channel.over(())
    assert channel.wishes({}, 0, 9) == []


def test_pauses_double_and_begin_anew_after_a_steady_minute() -> None:
    channel = live("A")
    pauses = []
    for _ in range(8):
        channel.pause(100, "error 27")
        pauses.append(channel.not_before_ns - 100)
    assert pauses == [PAUSE_NS << n for n in range(6)] + [MAX_PAUSE_NS] * 2
    assert channel.wishes(wanted("B"), 100, 9) == []
    channel.pause(100 + STEADY_NS + 1, "error 27")
    assert channel.not_before_ns == 100 + STEADY_NS + 1 + PAUSE_NS


def test_what_died_has_nothing_on_and_nothing_asked() -> None:
    channel = live("A")
    channel.wishes(wanted("A", "B"), 0, 9)
    channel.died(0, "error 25")
    assert (channel.sid, channel.is_live, channel.on, channel.open_commands) == (0, False, {}, 0)
    assert channel.wishes(wanted("A", "B"), 0, 9) == []
    assert channel.wishes(wanted("A", "B"), S, 9) == [Wish(Verb.SUBSCRIBE, ("A", "B"))]


def test_a_channel_that_was_given_up_asks_for_nothing() -> None:
    channel = Channel(BOOK, given_up="error 8")
    assert channel.wishes(wanted("A"), 0, 9) == []
