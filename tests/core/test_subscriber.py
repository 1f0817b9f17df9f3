"""core.subscriber: every error code, and answers that are late, doubled or about something else."""

import json

import pytest

from core.asking import Asking, Ids
from core.commands import BOOK, Command, Refuse, Send
from core.messages.types import ErrorReply, Ok, Subscribed, Unsubscribed
from core.subscriber import Subscriber

S = 1_000_000_000


class Talk:
    """A subscriber and what it asked for."""

    def __init__(self, *channels: str) -> None:
        self.said: list[Command] = []
        asking = Asking(1, Ids(), self.said.append)
        self.subscriber = Subscriber(
            1, channels or (BOOK,), asking, size=100, use_yes_price=False, out=self.said.append
        )
        self.wanted = {"A": None, "B": None}

    def plan(self, now_ns: int = 0) -> list[dict[str, object]]:
        """The commands that planning brings now."""
        before = len(self.said)
        self.subscriber.plan(self.wanted, now_ns)
        return [json.loads(said.text) for said in self.said[before:] if isinstance(said, Send)]

    @property
    def book(self) -> object:
        return self.subscriber.channels[BOOK]


def live() -> Talk:
    talk = Talk()
    talk.plan()
    talk.subscriber.subscribed(Subscribed(sid=1, id=1, channel=BOOK), 0)
    return talk


@pytest.mark.parametrize("code", [1, 4, 12, 15, 18, 27, 999])
def test_an_error_that_may_pass_is_followed_by_the_same_command_later(code: int) -> None:
    talk = Talk()
    talk.plan()
    talk.subscriber.refused(ErrorReply(id=1, code=code, text="x"), 0)
    assert talk.plan(S - 1) == []
    assert len(talk.plan(S)) == 1


@pytest.mark.parametrize("code", [8, 9])
def test_a_channel_that_cannot_be_had_is_given_up(code: int) -> None:
    talk = Talk()
    talk.plan()
    talk.subscriber.refused(ErrorReply(id=1, code=code, text="no"), 0)
    assert talk.subscriber.channels[BOOK].given_up == f"error {code}: no"
    assert talk.plan(1_000 * S) == []


@pytest.mark.parametrize("code", [11, 14, 24, 28])
def test_a_channel_without_markets_is_given_up_when_its_options_are_wrong(code: int) -> None:
    talk = Talk("pyth_value")
    talk.plan()
    talk.subscriber.refused(ErrorReply(id=1, code=code), 0)
    assert talk.plan(1_000 * S) == []


@pytest.mark.parametrize("code", [7, 10, 25])
def test_a_dead_subscription_is_subscribed_to_anew(code: int) -> None:
    talk = live()
    talk.wanted["C"] = None
    assert talk.plan()[0]["cmd"] == "update_subscription"
    talk.subscriber.refused(ErrorReply(id=2, code=code), 0)
    assert [command["cmd"] for command in talk.plan(S)] == ["subscribe"]


def test_where_adding_is_not_supported_subscribing_again_adds() -> None:
    talk = live()
    talk.wanted["C"] = None
    talk.plan()
    talk.subscriber.refused(ErrorReply(id=2, code=13), 0)
    (command,) = talk.plan()
    assert command["cmd"] == "subscribe"


def test_an_error_names_the_markets_it_is_about() -> None:
    talk = Talk()
    talk.plan()
    talk.subscriber.refused(ErrorReply(id=1, code=26, text="full", markets=("B",)), 0)
    assert talk.said[-1] == Refuse(1, ("B",), "orderbook_delta: error 26: full", is_full=True)
    (command,) = talk.plan()
    assert command["params"] == {"channels": [BOOK], "market_tickers": ["A"], "use_yes_price": False}


def test_an_error_may_follow_the_acceptance_of_the_same_command() -> None:
    talk = live()
    talk.subscriber.refused(ErrorReply(id=1, sid=1, code=26, text="full", markets=("B",)), 0)
    assert list(talk.subscriber.channels[BOOK].on) == ["A"]
    assert isinstance(talk.said[-1], Refuse)
    assert talk.plan() == []


def test_an_error_about_nothing_we_know_has_the_subscriptions_listed() -> None:
    talk = live()
    talk.subscriber.refused(ErrorReply(code=10), 0)
    assert talk.subscriber.listing_due
    talk.subscriber.refused(ErrorReply(sid=1, code=5, text="odd"), 0)
    assert talk.subscriber.channels[BOOK].trouble == "error 5: odd"


def test_an_ok_without_a_list_confirms_what_was_asked() -> None:
    talk = live()
    talk.wanted = {"B": None, "C": None}
    talk.plan()
    talk.subscriber.ok(Ok(id=2, sid=1, seq=3), 0)
    talk.subscriber.ok(Ok(id=3, sid=1, seq=4), 0)
    assert list(talk.subscriber.channels[BOOK].on) == ["B", "C"]
    assert talk.plan() == []


def test_what_answers_nothing_changes_nothing() -> None:
    talk = live()
    talk.subscriber.subscribed(Subscribed(sid=9, id=77, channel="fill"), 0)
    talk.subscriber.ok(Ok(id=77, sid=9), 0)
    talk.subscriber.unsubscribed(Unsubscribed(id=77, sid=9))
    assert talk.plan() == []
    talk.subscriber.unsubscribed(Unsubscribed(sid=1))
    assert len(talk.plan()) == 1, "it is over, whoever ended it"


def test_a_command_is_repeated_once_and_then_the_connection_is_given_up() -> None:
    talk = Talk()
    talk.plan()
    (asked,) = talk.subscriber._asking
    assert talk.subscriber.overdue(asked) == ""
    assert len(talk.said) == 2
    assert talk.subscriber.overdue(asked) == "no answer to 'subscribe orderbook_delta', asked 2 times"
    assert len(talk.said) == 2
