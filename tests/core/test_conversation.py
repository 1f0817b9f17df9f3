"""core.conversation: which part each message is for; whole courses with an exchange are in test_desks."""

from deck import Deck, delta, snapshot, subscribed, ticker, trade

from core.asking import Ids, Verb
from core.commands import BOOK, Command, Send
from core.conversation import Conversation, DeskOptions
from core.messages.types import ErrorReply, Malformed, Unknown

S = 1_000_000_000


def talking() -> tuple[Deck, Conversation, list[Command]]:
    """An engine, and the conversation on its connection 1 about the books of M."""
    said: list[Command] = []
    deck = Deck()
    deck.opened(1)
    talk = Conversation(
        1, DeskOptions(channels=(BOOK,)), (BOOK,), deck.engine.store, ids=Ids(), now_ns=deck.now_ns, out=said.append
    )
    talk.wanted = {"M": None}
    talk.plan(deck.now_ns)
    talk.saw(deck.frame(subscribed()))
    talk.saw(deck.frame(snapshot(1)))
    return deck, talk, said


def test_any_data_is_proof_of_life_and_what_cannot_be_read_is_none() -> None:
    deck, talk, _ = talking()
    for message in (delta(2), trade(1), ticker(), Unknown(type="new"), snapshot(3)):
        talk.saw(deck.frame(message, after_ns=S))
        assert talk.probe.vouched_ns == deck.now_ns
    talk.saw(deck.frame(Malformed("not-json"), after_ns=S))
    talk.saw(deck.frame(ErrorReply(id=99, code=1), after_ns=S))
    assert talk.probe.vouched_ns == deck.now_ns - 2 * S


def test_a_book_that_cannot_be_is_asked_for_again() -> None:
    deck, talk, said = talking()
    talk.saw(deck.frame(delta(2, change=-1_000_000)))
    assert isinstance(said[-1], Send)
    assert b"get_snapshot" in said[-1].text


def test_an_error_instead_of_a_snapshot_that_ends_the_subscription_has_it_subscribed_anew() -> None:
    deck, talk, said = talking()
    talk.saw(deck.frame(delta(5)))
    talk.saw(deck.frame(ErrorReply(id=2, code=7)))
    talk.tick(deck.now_ns + 2 * S)
    assert b'"subscribe"' in said[-1].text  # type: ignore[union-attr]  # a Send


def test_each_kind_of_command_has_its_own_wait() -> None:
    options = DeskOptions(ack_wait_s=1, snapshot_wait_s=2, probe_wait_s=3)
    waits = [options.wait_ns(verb) // S for verb in (Verb.ADD, Verb.LIST, Verb.SNAPSHOT, Verb.PROBE)]
    assert waits == [1, 1, 2, 3]
