"""What a record means to strategies; sessions, decisions and upkeep are in test_host.py."""

from port import Listener, started

from core.messages.types import BookDelta, Side, Trade


def delta(seq: int, price: int, change: int, side: Side = Side.YES) -> BookDelta:
    return BookDelta(sid=1, seq=seq, market="M", side=side, price=price, delta=change)


def test_a_change_of_a_book_is_told_where_a_best_price_or_its_size_is_another() -> None:
    listener = Listener()
    run = started(listener)
    run.book("M", ((4_000, 100), (4_100, 10)), ((5_000, 100),))
    for number, (change, is_told) in enumerate(
        [
            (delta(2, 4_000, 5), False),
            (delta(3, 4_100, 5), True),
            (delta(4, 4_100, -15), True),
            (delta(5, 4_900, 5, Side.NO), False),
            (delta(6, 5_000, 5, Side.NO), True),
        ]
    ):
        before = len(listener.heard)
        run.frame(change)
        assert listener.heard[before:] == [("on_book", "M")] * is_told, number


def test_a_trade_and_a_rejected_change_are_told_as_what_they_are() -> None:
    listener = Listener()
    run = started(listener)
    run.book("M", ((4_000, 100),), ())
    before = len(listener.heard)
    trade = Trade(sid=2, seq=1, market="M", trade_id="a", price=4_000, count=5, taker=Side.YES)
    run.frame(trade)
    run.frame(trade)  # known: nothing is told of it
    run.frame(delta(2, 4_000, -200))  # cannot be: the book is untrusted, and nobody is called for it
    assert [name for name, *_ in listener.heard[before:]] == ["on_trade"]
