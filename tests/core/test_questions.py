"""Tests of what is asked by REST for the run's own sake, and when again."""

from core.actions import Fetch
from core.fetched import Fetched
from core.orders import LAG_NS
from core.questions import Questions

ORDERS = Fetch("/portfolio/orders", (("limit", "5"), ("status", "resting")))


def answer(asked_ns: int, *params: tuple[str, str], path: str = "/portfolio/orders") -> Fetched:
    return Fetched(path, params or (*ORDERS.params, ("more", "x")), None, "", asked_ns)


def test_what_is_asked_is_given_once() -> None:
    questions = Questions()
    questions.ask(ORDERS)
    questions.ask(ORDERS)
    assert questions.take() == (ORDERS,)
    assert questions.take() == ()


def test_what_is_owed_is_asked_until_an_answer_cannot_be_stale() -> None:
    questions = Questions()
    questions.owe(ORDERS, 100)
    assert questions.take() == (ORDERS,)
    questions.beat(100 + LAG_NS - 1, {})
    assert questions.take() == ()
    questions.answered(answer(100 + LAG_NS - 1))
    questions.beat(100 + LAG_NS, {})
    assert questions.take() == (ORDERS,)
    questions.answered(answer(100 + LAG_NS, ("status", "resting")))  # of another question
    questions.answered(answer(100 + LAG_NS, path="/portfolio/fills"))
    questions.beat(100 + 2 * LAG_NS, {})
    assert questions.take() == (ORDERS,)
    questions.answered(answer(100 + LAG_NS))
    questions.beat(100 + 3 * LAG_NS, {})
    assert questions.take() == ()


def test_what_is_owed_twice_is_asked_as_far_back_as_at_first() -> None:
    questions = Questions()
    questions.owe(ORDERS, 100)
    questions.owe(Fetch("/portfolio/orders", (("limit", "6"),)), 200)
    assert questions.take() == (ORDERS,)
    questions.answered(answer(100 + LAG_NS))
    questions.beat(200 + LAG_NS, {})
    assert questions.take() == (ORDERS,)


def test_a_doubt_is_asked_about_when_it_has_lasted_and_again() -> None:
    questions, doubts = Questions(), {"k": (ORDERS, Fetch("/x"))}
    asked = []
    for beat in range(6):
        questions.beat(beat * LAG_NS // 2, doubts if beat < 5 else {})
        asked.append(len(questions.take()))
    assert asked == [0, 0, 2, 0, 2, 0]
    questions.beat(10 * LAG_NS, doubts)  # another doubt
    assert questions.take() == ()
