from typing import Any

import pytest
from deck import delta, ok, snapshot, subscribed, ticker, trade

from core.gaps import Gap
from core.messages import BookSnapshot, ErrorReply, Message, Ok, SubscriptionList, Unknown, Unsubscribed
from core.numbering import Numbering, Order
from core.records import Coverage
from core.sockets import Sockets
from core.subscriptions import Connection, Subscription

WHOLE = Coverage()
UNCONNECTED = Coverage(connections=False)
FILTERED = Coverage(connections=False, filtered=True)

IN_ORDER, OUT_OF_ORDER, DEAD = Order.IN_ORDER, Order.OUT_OF_ORDER, Order.DEAD


class Line:
    """One connection, opened at 100, and what was judged on it; a frame comes every 10 ns."""

    def __init__(self, coverage: Coverage = WHOLE) -> None:
        self.sockets = Sockets()
        self.sockets.begin(coverage, 100)
        self.connection: Connection = self.sockets.open(1, 100)
        self.numbering = Numbering(self.sockets)
        self.now_ns = 100
        self.gaps: list[Gap] = []

    def judge(self, *messages: Message) -> list[Order]:
        """Their order; snapshots in order are accepted, as the store would."""
        orders = []
        for message in messages:
            self.now_ns += 10
            orders.append(self.numbering.judge(self.connection, message, self.now_ns, self.gaps))
            self.connection.heard_ns = self.now_ns
            if isinstance(message, BookSnapshot) and orders[-1] is IN_ORDER:
                self.connection.subscriptions[message.sid].markets[message.market] = True
                self.gaps += self.sockets.gaps.snapshot_seen(1, message.sid, message.market, self.now_ns)
        return orders

    def subscription(self, sid: int = 1) -> Subscription:
        """The live subscription of this sid."""
        return self.connection.subscriptions[sid]

    def reports(self, *fields: str) -> list[tuple[Any, ...]]:
        """These fields of the gaps reported so far."""
        return [tuple(getattr(gap, field) for field in fields) for gap in self.gaps]


def test_frames_that_follow_each_other_are_in_order() -> None:
    line = Line()
    assert line.judge(subscribed(), snapshot(1), delta(2), ok(3, "M"), delta(4)) == [IN_ORDER] * 5
    assert line.gaps == []


def test_numbers_count_per_subscription_and_not_per_market() -> None:
    line = Line()
    told = (subscribed(), snapshot(1, "A"), snapshot(2, "B"), delta(3, market="A"), delta(4, market="B"))
    others = (subscribed(2, "trade", 2), trade(1), delta(5, market="A"), trade(2))
    assert line.judge(*told, *others) == [IN_ORDER] * 9
    assert line.gaps == []


def test_a_missing_number_is_a_gap_since_the_last_frame_of_that_subscription() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2), subscribed(2, "trade", 2), trade(1))
    assert line.judge(delta(4)) == [IN_ORDER]
    assert line.reports("reason", "connection", "sid", "expected", "got", "at_ns", "until_ns", "markets") == [
        ("sequence", 1, 1, 3, 4, 130, None, ("M",))
    ]


def test_the_first_number_after_subscribed_must_be_one() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(2))
    assert line.reports("expected", "got", "at_ns", "until_ns") == [(1, 2, 110, 120)]


def test_a_subscription_met_in_the_middle_starts_with_whatever_comes() -> None:
    line = Line()
    assert line.judge(delta(5_000), delta(5_001), delta(5_003)) == [IN_ORDER] * 3
    assert line.reports("expected", "got") == [(5_002, 5_003)]


@pytest.mark.parametrize("message", [ok(2, "M"), ErrorReply(sid=1, seq=2, code=26), Unknown(sid=1, seq=2, type="new")])
def test_replies_errors_and_unknown_types_take_slots(message: Message) -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), message, delta(3))
    assert line.gaps == []
    line.judge(delta(5))
    assert line.reports("expected", "got") == [(4, 5)]


@pytest.mark.parametrize(
    "message", [subscribed(2, "trade", 7), SubscriptionList(subscriptions=(("trade", 2),)), ErrorReply(id=4, code=8)]
)
def test_what_takes_no_slot_leaves_the_count_alone(message: Message) -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), message, delta(2))
    assert line.gaps == []


def test_a_number_that_was_passed_is_out_of_order() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2), delta(4))
    assert line.judge(delta(4), delta(3), snapshot(1)) == [OUT_OF_ORDER] * 3
    assert line.judge(delta(5)) == [IN_ORDER]
    assert len(line.gaps) == 1


def test_a_frame_out_of_order_vouches_for_nothing() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2), delta(2), delta(4))
    assert line.reports("at_ns") == [(130,)]


def test_messages_without_numbers_are_in_order_as_long_as_their_subscription_lives() -> None:
    line = Line()
    assert line.judge(subscribed(3, "ticker"), ticker(), ticker()) == [IN_ORDER] * 3
    assert line.judge(Unsubscribed(sid=3), ticker()) == [IN_ORDER, DEAD]
    assert line.judge(ticker(sid=0)) == [IN_ORDER]


def test_a_filtered_recording_jumps_and_that_proves_nothing() -> None:
    line = Line(FILTERED)
    assert line.judge(snapshot(700), delta(900), delta(5_000)) == [IN_ORDER] * 3
    assert line.judge(delta(4_999)) == [OUT_OF_ORDER]
    assert line.gaps == []


# ------------------------------------------------------------------ what closes a sequence gap


def test_a_gap_closes_when_every_book_of_the_subscription_has_its_own_snapshot() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1, "A"), snapshot(2, "B"), delta(4, market="A"))
    line.judge(snapshot(5, "B"))
    assert line.reports("number", "until_ns", "markets") == [(1, None, ("A", "B"))]
    line.judge(snapshot(6, "A"))
    assert line.reports("number", "until_ns") == [(1, None), (1, 160)]


def test_a_gap_found_by_a_snapshot_opens_and_closes_with_it_where_no_other_book_waits() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), snapshot(5))
    assert line.reports("number", "until_ns") == [(1, None), (1, 130)]


def test_a_gap_where_no_book_is_kept_is_over_at_once() -> None:
    line = Line()
    line.judge(subscribed(2, "trade"), trade(1), trade(3))
    assert line.reports("sid", "expected", "got", "at_ns", "until_ns", "markets") == [(2, 2, 3, 120, 130, ())]


def test_markets_deleted_from_the_subscription_are_not_waited_for() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1, "A"), snapshot(2, "B"), delta(4, market="A"), snapshot(5, "A"))
    line.judge(ok(6, "A"))
    assert line.reports("number", "until_ns") == [(1, None), (1, 160)]
    assert line.subscription().books() == ("A",)


def test_an_acknowledgement_that_names_no_markets_deletes_none() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1, "A"), Ok(sid=1, seq=2))
    assert line.subscription().books() == ("A",)


def test_added_markets_are_carried_before_their_snapshot() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1, "A"), ok(2, "A", "B"))
    assert line.connection.markets() == ("A", "B")
    assert line.subscription().books() == ("A",)


# ------------------------------------------------------------------ the end of a subscription


def test_after_unsubscribed_late_frames_are_dead() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2))
    assert line.judge(Unsubscribed(sid=1, seq=3), delta(4), ok(5, "M")) == [IN_ORDER, DEAD, DEAD]
    assert line.gaps == []


def test_unsubscribed_counts_as_the_last_number() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), Unsubscribed(sid=1, seq=3))
    assert line.reports("expected", "got", "until_ns") == [(2, 3, None), (2, 3, 130)]


@pytest.mark.parametrize("seq", [0, 1])
def test_over_is_over_whatever_its_number(seq: int) -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2))
    assert line.judge(Unsubscribed(sid=1, seq=seq), delta(3)) == [IN_ORDER, DEAD]


def test_unsubscribed_of_a_subscription_never_met_kills_it_too() -> None:
    assert Line().judge(Unsubscribed(sid=9, seq=4), delta(5, sid=9)) == [IN_ORDER, DEAD]


@pytest.mark.parametrize("code", [10, 25])
def test_a_terminal_error_ends_its_subscription_until_its_markets_are_snapshotted_again(code: int) -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1, "A"), snapshot(2, "B"))
    assert line.judge(ErrorReply(sid=1, seq=3, code=code), delta(4, market="A")) == [IN_ORDER, DEAD]
    assert line.reports("reason", "sid", "at_ns", "until_ns", "markets") == [("terminal", 1, 140, None, ("A", "B"))]
    line.judge(subscribed(2), snapshot(1, "A", sid=2), snapshot(2, "B", sid=2))
    assert line.reports("number", "until_ns") == [(1, None), (1, 180)]


def test_a_terminal_error_without_a_number_vouches_only_for_the_frame_before_it() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), ErrorReply(sid=1, code=25))
    assert line.reports("reason", "at_ns") == [("terminal", 120)]


def test_a_terminal_error_on_a_channel_without_books_lasts_until_it_is_subscribed_again() -> None:
    line = Line()
    line.judge(subscribed(2, "trade"), trade(1, market="A"), ErrorReply(sid=2, seq=2, code=25), subscribed(3, "ticker"))
    assert line.reports("reason", "until_ns", "markets") == [("terminal", None, ("A",))]
    line.judge(subscribed(4, "trade"))
    assert line.reports("number", "until_ns") == [(1, None), (1, 150)]


def test_other_errors_end_nothing() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1))
    assert line.judge(ErrorReply(sid=1, seq=2, code=26), ErrorReply(code=25), delta(3)) == [IN_ORDER] * 3
    assert line.gaps == []


# ------------------------------------------------------------------ subscribed, again and late


def test_subscribed_for_a_dead_number_begins_a_new_subscription() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), Unsubscribed(sid=1, seq=2))
    assert line.judge(subscribed(), snapshot(1), delta(2)) == [IN_ORDER] * 3
    assert line.gaps == []


def test_subscribed_for_a_live_number_begins_its_count_anew_and_that_is_a_gap() -> None:
    line = Line()
    line.judge(subscribed(), snapshot(1), delta(2))
    assert line.judge(subscribed()) == [IN_ORDER]
    assert line.reports("reason", "sid", "at_ns", "until_ns", "markets") == [("restart", 1, 130, None, ("M",))]
    assert line.judge(snapshot(1), delta(2)) == [IN_ORDER, IN_ORDER]
    assert line.reports("number", "until_ns") == [(1, None), (1, 150)]


def test_subscribed_twice_before_any_data_is_no_gap() -> None:
    line = Line()
    line.judge(subscribed(), subscribed(), snapshot(1))
    assert line.gaps == []


def test_subscribed_may_come_after_the_first_data() -> None:
    line = Line()
    told = (snapshot(1, "A"), snapshot(2, "B"), subscribed(), delta(3, market="A"))
    assert line.judge(*told) == [IN_ORDER] * 4
    assert line.gaps == []
    assert line.subscription().books() == ("A", "B")


def test_a_late_subscribed_shows_that_what_came_first_was_not_the_first() -> None:
    line = Line()
    line.judge(snapshot(3), delta(4), subscribed())
    assert line.reports("reason", "expected", "got", "at_ns", "until_ns") == [("sequence", 1, 3, 100, None)]
    assert line.judge(delta(5)) == [IN_ORDER]


def test_a_late_subscribed_after_nothing_but_numberless_data_starts_the_count_at_one() -> None:
    line = Line()
    line.judge(ticker(), subscribed(3, "ticker"), ok(2, "M", sid=3))
    assert line.reports("expected", "got") == [(1, 2)]


def test_acknowledgements_may_come_in_any_order() -> None:
    line = Line()
    told = (subscribed(2, "trade", 3), snapshot(1), subscribed(1, "orderbook_delta", 1), trade(1), delta(2))
    assert line.judge(*told) == [IN_ORDER] * 5
    assert line.gaps == []


# ------------------------------------------------------------------ where connects were not recorded


def test_a_snapshot_that_goes_back_means_a_new_connection() -> None:
    line = Line(UNCONNECTED)
    line.judge(snapshot(900), delta(901), subscribed(2, "trade"), trade(1))
    line.gaps.clear()
    assert line.judge(snapshot(22), delta(23)) == [IN_ORDER, IN_ORDER]
    assert line.reports("reason", "connection", "sid", "at_ns", "until_ns", "markets") == [
        ("reconnect", 1, 0, 140, 150, ("M",))
    ]
    assert line.judge(trade(700)) == [IN_ORDER]  # the other subscription is forgotten with it
    assert len(line.gaps) == 1
    assert line.sockets.opened == 2


def test_any_number_far_back_means_a_new_connection_and_one_a_little_back_does_not() -> None:
    line = Line(UNCONNECTED)
    line.judge(delta(5_000))
    assert line.judge(delta(4_000)) == [OUT_OF_ORDER]
    assert line.gaps == []
    assert line.judge(delta(3_999)) == [IN_ORDER]
    assert line.reports("reason") == [("reconnect",)]


def test_a_repeated_snapshot_is_no_new_connection() -> None:
    line = Line(UNCONNECTED)
    assert line.judge(snapshot(5), snapshot(5)) == [IN_ORDER, OUT_OF_ORDER]
    assert line.gaps == []


def test_where_connects_were_recorded_numbers_that_go_back_are_only_out_of_order() -> None:
    line = Line()
    assert line.judge(subscribed(), snapshot(1), delta(2), snapshot(1)) == [IN_ORDER] * 3 + [OUT_OF_ORDER]
    assert line.gaps == []


def test_subscribed_for_a_known_number_means_a_new_connection() -> None:
    line = Line(UNCONNECTED)
    line.judge(subscribed(), snapshot(1), delta(2), subscribed(2, "trade"), trade(1))
    assert line.judge(subscribed(), subscribed(2, "trade"), snapshot(1), trade(1)) == [IN_ORDER] * 4
    assert line.reports("reason", "at_ns", "until_ns") == [("reconnect", 150, 160)]


def test_subscribed_for_an_ended_number_means_a_new_connection_too() -> None:
    line = Line(UNCONNECTED)
    line.judge(subscribed(), snapshot(1), Unsubscribed(sid=1, seq=2), subscribed())
    assert line.reports("reason") == [("reconnect",)]


def test_a_late_subscribed_is_none_when_its_data_began_at_one() -> None:
    line = Line(UNCONNECTED)
    line.judge(snapshot(1), subscribed(), delta(2))
    assert line.gaps == []


def test_subscribed_after_data_from_the_middle_means_a_new_connection() -> None:
    line = Line(UNCONNECTED)
    line.judge(delta(700), subscribed(), snapshot(1))
    assert line.reports("reason") == [("reconnect",)]


# ------------------------------------------------------------------ use_yes_price


def test_a_subscription_writes_prices_as_the_command_it_answers_asked() -> None:
    line = Line()
    line.connection.note_subscribe(1, True)
    line.connection.note_subscribe(2, False)
    line.judge(subscribed(1, command=1), subscribed(2, command=2))
    assert line.subscription(1).use_yes_price
    assert not line.subscription(2).use_yes_price


def test_data_before_its_subscribed_is_read_as_the_latest_command_asked() -> None:
    line = Line()
    line.connection.note_subscribe(1, True)
    line.judge(snapshot(1))
    assert line.subscription().use_yes_price
    line.judge(subscribed())
    assert line.gaps == []


def test_books_read_on_the_wrong_scale_are_not_to_be_trusted() -> None:
    line = Line()
    line.connection.note_subscribe(1, True)
    line.connection.note_subscribe(2, False)
    line.judge(snapshot(1), subscribed(command=1))
    assert line.reports("reason", "markets") == [("restart", ("M",))]
    assert line.subscription().use_yes_price


def test_an_acknowledged_command_keeps_its_prices_over_a_reconnect_that_nobody_recorded() -> None:
    line = Line(UNCONNECTED)
    line.connection.note_subscribe(1, True)
    line.judge(subscribed(), snapshot(1), subscribed(), snapshot(1))
    assert line.subscription().use_yes_price
