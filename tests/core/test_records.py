import msgspec
import pytest

from core.records import (
    Closed,
    Coverage,
    Kind,
    Opened,
    Session,
    Source,
    StoredGap,
    decode_closed,
    decode_gap,
    decode_opened,
    decode_session,
    encode_payload,
)


def test_the_numbers_of_kinds_on_disk_never_change() -> None:
    assert {kind.name: int(kind) for kind in Kind} == {
        "FRAME": 1,
        "FRAME_BINARY": 2,
        "FRAME_PING": 3,
        "FRAME_PONG": 4,
        "FRAME_CLOSE": 5,
        "SENT": 6,
        "SENT_BINARY": 7,
        "SENT_PING": 8,
        "SENT_PONG": 9,
        "SENT_CLOSE": 10,
        "SESSION": 16,
        "OPENED": 17,
        "CLOSED": 18,
        "REST": 19,
        "TICK": 20,
        "DECISION": 21,
        "OUTCOME": 22,
        "CONTROL": 23,
        "PROGRESS": 24,
        "GAP_OPEN": 25,
        "GAP_CLOSE": 26,
        "HEARTBEAT": 27,
        "CLOCK_STEP": 28,
        "REFUSED": 29,
        "FAULT": 30,
        "CLEAN_STOP": 31,
    }


def test_kinds_know_which_of_them_were_received_and_which_sent() -> None:
    assert [kind.name for kind in Kind if kind.is_frame] == [
        "FRAME",
        "FRAME_BINARY",
        "FRAME_PING",
        "FRAME_PONG",
        "FRAME_CLOSE",
    ]
    assert [kind.name for kind in Kind if kind.is_sent] == [
        "SENT",
        "SENT_BINARY",
        "SENT_PING",
        "SENT_PONG",
        "SENT_CLOSE",
    ]


def test_payloads_come_back_as_they_were_written() -> None:
    session = Session(
        uuid="u",
        environment="prod",
        coverage=Coverage(connections=False, filtered=True),
        sources=(Source(name="a.gz", bytes=3, sha256="00", dialect="d"),),
        base={"books": []},
    )
    assert decode_session(encode_payload(session)) == session
    assert decode_opened(encode_payload(Opened(url="wss://x", replaces=4))) == Opened(url="wss://x", replaces=4)
    assert decode_closed(encode_payload(Closed(code=1006))) == Closed(code=1006)
    gap = StoredGap(reason="down", markets=("M",), from_ns=1, until_ns=2, missing=3)
    assert decode_gap(encode_payload(gap)) == gap


def test_a_payload_written_by_a_newer_minor_version_is_still_read() -> None:
    assert decode_opened(b'{"url":"wss://x","replaces":1,"colour":"blue"}') == Opened(url="wss://x", replaces=1)


def test_a_payload_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_session(b'{"uuid":5}')
