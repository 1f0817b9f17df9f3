"""core.asking: commands are matched to their answers by id alone."""

from core.asking import MAX_ANSWERED, Asked, Asking, Ids, Verb
from core.commands import Send, list_subscriptions


def asked(verb: Verb = Verb.LIST) -> Asked:
    return Asked(verb, "", 0, (), list_subscriptions)


class Sent(list[Send]):
    """What was sent, by an Asking on connection 3."""

    def __init__(self) -> None:
        self.asking = Asking(3, Ids(), self.append)


def test_a_command_is_sent_with_the_next_number_on_its_own_connection() -> None:
    sent = Sent()
    assert [sent.asking.ask(asked()) for _ in range(2)] == [1, 2]
    assert sent == [Send(3, 1, list_subscriptions(1)), Send(3, 2, list_subscriptions(2))]


def test_answers_come_in_any_order_and_once() -> None:
    sent = Sent()
    first, second = asked(), asked()
    sent.asking.ask(first)
    sent.asking.ask(second)
    assert sent.asking.answer(2) is second
    assert sent.asking.answer(2) is None
    assert sent.asking.answered(2) is second
    assert sent.asking.get(1) is first
    assert sent.asking.answer(1) is first
    assert sent.asking.answer(99) is None
    assert list(sent.asking) == []


def test_an_answer_to_either_try_will_do() -> None:
    sent = Sent()
    one = asked()
    sent.asking.ask(one)
    sent.asking.repeat(one)
    assert (one.tries, len(sent), list(sent.asking)) == (2, 2, [one])
    assert sent.asking.answer(1) is one
    assert sent.asking.answer(2) is None


def test_time_runs_from_when_it_is_on_the_tape() -> None:
    sent = Sent()
    one = asked()
    sent.asking.ask(one)
    assert one.sent_ns == 0
    sent.asking.sent(1, 5)
    sent.asking.sent(77, 5)
    assert one.sent_ns == 5
    sent.asking.repeat(one)
    sent.asking.restart(9)
    assert one.sent_ns == 0, "the second try is not on the tape yet"
    sent.asking.sent(2, 6)
    sent.asking.restart(9)
    assert one.sent_ns == 9


def test_what_was_never_sent_is_not_waited_for() -> None:
    sent = Sent()
    one = asked()
    sent.asking.ask(one)
    sent.asking.repeat(one)
    assert sent.asking.unsent(2) is one
    assert sent.asking.unsent(2) is None
    assert sent.asking.answer(1) is None


def test_only_so_many_answered_commands_are_remembered() -> None:
    sent = Sent()
    for number in range(1, MAX_ANSWERED + 3):
        sent.asking.ask(asked())
        sent.asking.answer(number)
    assert sent.asking.answered(2) is None
    assert sent.asking.answered(3) is not None
