"""One request at a time: whose answer is whose, what a failure costs, and that silence is a failure too."""

from strategy_run import Cast
from strategy_stage import Stage

from core.context import Context
from core.fetched import Fetched
from core.strategy import Strategy
from core.times import SECOND_NS
from strategies.enquiries import GIVE_UP_NS, LONGEST_WAIT_NS, Enquiries, Request

BOOKS = Request("books", "/markets/orderbooks", (("tickers", ("A", "B")), ("depth", 5), ("cursor", "")))


class Asker(Strategy):
    """Keeps its context, and asks for books once."""

    ctx: Context

    def on_start(self, ctx: Context) -> None:
        self.ctx = ctx
        Enquiries().ask(ctx, BOOKS)


def asker() -> tuple[Stage, Context]:
    stage = Stage(Cast("asker", Asker), markets=1, busy_steps=0)
    stage.start()
    return stage, stage.run.strategy().ctx


def answer(*params: tuple[str, str], path: str = BOOKS.path) -> Fetched:
    return Fetched(path, params, ())


def test_an_answer_is_known_by_its_path_and_whole_query_in_any_order() -> None:
    assert BOOKS.is_answered_by(answer(("depth", "5"), ("tickers", "A"), ("tickers", "B")))
    assert not BOOKS.is_answered_by(answer(("tickers", "A"), ("depth", "5")))
    assert not BOOKS.is_answered_by(answer(("depth", "5"), ("tickers", "A"), ("tickers", "B"), ("limit", "1")))
    assert not BOOKS.is_answered_by(answer(("depth", "5"), ("tickers", "A"), ("tickers", "B"), path="/markets"))


def test_a_request_is_fetched_with_its_repeated_names_and_without_empty_ones() -> None:
    stage, _ = asker()
    assert stage.asked[-1].query == (("tickers", "A"), ("tickers", "B"), ("depth", "5"))


def test_while_one_is_under_way_nothing_else_is_asked_and_others_answers_change_nothing() -> None:
    _, ctx = asker()
    enquiries = Enquiries()
    enquiries.ask(ctx, BOOKS)
    assert not enquiries.is_free(ctx.now_ns)
    assert enquiries.answered(answer(("tickers", "A"))) is None
    assert not enquiries.is_free(ctx.now_ns)
    assert enquiries.answered(answer(("tickers", "A"), ("tickers", "B"), ("depth", "5"))) is BOOKS
    assert enquiries.is_free(ctx.now_ns)


def test_after_each_failure_the_next_waits_twice_as_long_up_to_a_minute_until_one_succeeds() -> None:
    _, ctx = asker()
    enquiries, waits = Enquiries(), []
    now_ns = ctx.now_ns
    for _ in range(12):
        enquiries.ask(ctx, BOOKS)
        assert enquiries.failed("/markets", now_ns) is None  # another's
        assert enquiries.failed(BOOKS.path, now_ns) is BOOKS
        waits.append(next(s for s in range(100) if enquiries.is_free(now_ns + s * SECOND_NS)))
    assert waits[:7] == [2, 4, 8, 16, 32, 60, 60] and waits[-1] == LONGEST_WAIT_NS // SECOND_NS
    enquiries.ask(ctx, BOOKS)
    enquiries.answered(answer(("tickers", "A"), ("tickers", "B"), ("depth", "5")))
    assert enquiries.failures == 0


def test_a_request_of_which_nothing_is_heard_counts_as_failed() -> None:
    _, ctx = asker()
    enquiries = Enquiries()
    enquiries.ask(ctx, BOOKS)
    assert enquiries.overdue(ctx.now_ns + GIVE_UP_NS - 1) is None
    assert enquiries.overdue(ctx.now_ns + GIVE_UP_NS) is BOOKS
    assert enquiries.pending is None and enquiries.failures == 1
    assert enquiries.failed(BOOKS.path, ctx.now_ns) is None  # what came late is of nobody
