"""What the fold leaves for others."""

from sample_tapes import Script

from capture import inbox as inbox_module
from capture.inbox import Inbox
from core.engine import Engine
from core.messages.types import MarketLifecycle
from core.records import Kind, StoredGap, encode_payload


def folded(script: Script) -> Inbox:
    """An inbox that has seen a whole recording."""
    engine, inbox = Engine(), Inbox()
    for record in script.records:
        inbox(record, engine.step(record))
    return inbox


def lifecycle(script: Script, event: str) -> Script:
    """A lifecycle message."""
    body = {"type": "market_lifecycle_v2", "sid": 9, "seq": 1, "msg": {"event_type": event, "market_ticker": "KXA-1"}}
    return script.frame(body)


def test_news_of_markets_is_kept_once_and_in_order() -> None:
    script = Script().session().opened().subscribed()
    lifecycle(lifecycle(script, "created"), "settled").delta("KXA-1", "yes", "0.4000", "1.00")
    inbox = folded(script)
    news, missed = inbox.take()
    assert [message.event for message in news if isinstance(message, MarketLifecycle)] == ["created", "settled"]
    assert len(news) == 2
    assert not missed
    assert inbox.take() == ([], False)


def test_the_bytes_of_frames_are_counted_and_our_own_records_are_not() -> None:
    script = Script().session().opened().ping().subscribed()
    frames = [record for record in script.records if record.kind <= Kind.FRAME_CLOSE]
    inbox = folded(script)
    assert len(frames) == 2
    assert inbox.bytes == sum(len(record.payload) for record in frames)


def test_the_end_of_a_gap_means_that_news_may_be_missing() -> None:
    script = Script().session().opened()
    script.put(Kind.GAP_OPEN, encode_payload(StoredGap("disk_full")), 0)
    assert folded(script).take() == ([], False)
    script.put(Kind.GAP_CLOSE, encode_payload(StoredGap("disk_full")), 0)
    assert folded(script).take() == ([], True)


def test_news_that_nobody_takes_is_bounded_and_the_loss_is_told() -> None:
    script = Script().session().opened()
    inbox, engine = Inbox(), Engine()
    for record in lifecycle(script, "created").records[:-1]:
        inbox(record, engine.step(record))
    step = engine.step(script.records[-1])
    for _ in range(inbox_module.CAPACITY + 1):
        inbox(script.records[-1], step)
    news, missed = inbox.take()
    assert len(news) == inbox_module.CAPACITY
    assert missed
