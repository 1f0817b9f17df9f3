"""capture.upgrade: what is said of a refused upgrade, and what never is."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from capture.sockets import Deadline, DialError, Stream
from capture.upgrade import UPGRADE_BYTES, Upgrade, error_words, refusal

KEY = "11111111-2222-3333-4444-555555555555"
SIGNATURE = "c2lnbmF0dXJl" * 20
SECRETS = (KEY, SIGNATURE)


@contextlib.contextmanager
def piped(answer: bytes, *, wait_s: float = 10.0) -> Iterator[tuple[Upgrade, socket.socket]]:
    """An Upgrade to which `answer` has come, and the other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stream = Stream(ours)
    with theirs:
        theirs.sendall(answer)
        yield Upgrade(stream, Deadline(wait_s, lambda: False)), theirs
    stream.close()


def test_what_is_behind_the_answer_is_left_for_the_frames() -> None:
    with piped(b"HTTP/1.1 101 Switching\r\n\r\n\x81\x01x") as (pipe, _):
        assert b"".join(pipe.recv(1) for _ in range(26)) == b"HTTP/1.1 101 Switching\r\n\r\n"
        assert pipe.rest == b"\x81\x01x"
        assert pipe.status == 101


def test_a_request_goes_out_whole() -> None:
    request = b"GET / HTTP/1.1\r\n" + b"x" * 1_000_000
    with piped(b"") as (pipe, theirs):
        got = bytearray()

        def read() -> None:
            while len(got) < len(request):
                got.extend(theirs.recv(1 << 16))

        reader = threading.Thread(target=read)
        reader.start()
        assert pipe.send(request) == len(request)
        reader.join()
        assert got == request


def test_an_answer_without_end_is_given_up() -> None:
    with piped(b"x" * (UPGRADE_BYTES + 1)) as (pipe, _):
        for _ in range(UPGRADE_BYTES):
            pipe.recv(1)
        with pytest.raises(DialError, match="more than 64 KiB"):
            pipe.recv(1)


def test_no_answer_is_given_up_in_time() -> None:
    with piped(b"HTT", wait_s=0.2) as (pipe, _):
        assert pipe.recv(16) == b"HTT"
        with pytest.raises(DialError, match=r"no answer within 0\.2 s"):
            pipe.recv(16)


def test_an_answer_cut_short_is_no_answer() -> None:
    with piped(b"HTTP/1.1 50") as (pipe, theirs):
        assert len(pipe.recv(64)) == 11
        assert pipe.status == 0
        theirs.close()
        with pytest.raises(DialError, match="hung up during the upgrade"):
            pipe.recv(1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"error": {"code": "authentication_error", "message": "authentication_error", "details": "NOT_FOUND"}},
            "authentication_error: NOT_FOUND",
        ),
        ({"error": {"code": "header_timestamp_expired", "message": "header timestamp expired"}},
         "header_timestamp_expired: header timestamp expired"),
        ({"error": "too many requests"}, "too many requests"),
        ({"code": "invalid", "message": "no"}, "invalid: no"),
        ({"error": {"code": 5, "message": None, "details": ["x"]}}, ""),
        ({"error": None}, ""),
        ([1], ""),
        ("text", ""),
    ],
)  # fmt: skip
def test_the_words_of_every_error_shape_are_found(body: object, words: str) -> None:
    assert error_words(json.dumps(body).encode(), SECRETS) == words


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b"nul"])
def test_a_body_that_is_no_json_has_no_words(body: bytes) -> None:
    assert error_words(body, SECRETS) == ""


@pytest.mark.parametrize(
    "word", [KEY, f"unknown key {KEY}", f"key {KEY[:8]}...", SIGNATURE, f"bad {SIGNATURE[40:60]}", "a\nb", "\x1b[2J"]
)
def test_a_word_that_repeats_a_secret_or_holds_control_characters_is_left_out(word: str) -> None:
    body = json.dumps({"error": {"code": "bad", "message": word, "details": "INCORRECT_API_KEY_SIGNATURE"}})
    assert error_words(body.encode(), SECRETS) == "bad: INCORRECT_API_KEY_SIGNATURE"


@pytest.mark.parametrize(
    ("line", "fault", "body", "text"),
    [
        (b"HTTP/1.1 401 Unauthorized", None, b'{"error":"no"}', "HTTP 401: no"),
        (b"HTTP/1.0 502 Bad Gateway", None, b"<html>", "HTTP 502: the upgrade was refused"),
        (b"HTTP/1.1 502 Bad Gateway", DialError("too long"), b"", "HTTP 502: too long"),
        (b"HTTP/1.1 302 Found", None, b"", "HTTP 302: the upgrade was redirected, which is not followed"),
        (b"HTTP/1.1 101 Switch", None, b"", "HTTP 101: what answers there is no WebSocket"),
        (b"SSH-2.0-OpenSSH_9.6 xx", None, b"", "what answers there is no WebSocket"),
        (b"", DialError("no answer within 10 s"), b"", "no answer within 10 s"),
    ],
)
def test_a_refusal_says_what_answered(line: bytes, fault: DialError | None, body: bytes, text: str) -> None:
    with piped(line) as (pipe, _):
        if line:
            pipe.recv(len(line))
        assert str(refusal(pipe, fault, {}, body, SECRETS)) == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("99999", 3_600), ("-1", 0), ("", 0), ("9" * 40, 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
def test_the_wait_that_an_answer_asks_for_is_bounded(value: str, seconds: int) -> None:
    with piped(b"HTTP/1.1 429 Too Many Requests") as (pipe, _):
        pipe.recv(64)
        assert refusal(pipe, None, {"retry-after": value}, b"", ()).retry_after_s == seconds


def test_the_answers_clock_is_kept_when_it_is_one() -> None:
    with piped(b"HTTP/1.1 401 Unauthorized") as (pipe, _):
        pipe.recv(64)
        date = "Thu, 26 Nov 2026 19:00:00 GMT"
        assert refusal(pipe, None, {"date": date}, b"", ()).date == date
        assert refusal(pipe, None, {"date": "a=b; c"}, b"", ()).date == ""
