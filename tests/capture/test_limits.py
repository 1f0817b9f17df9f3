"""capture.limits: the words of a connection's beginning and end."""

import pytest

from capture.limits import DEFAULT_LIMITS, DETAIL_CHARACTERS, Cause, WireEnd, WireRefused


def test_an_end_has_no_code_and_no_words_unless_it_had_some() -> None:
    assert WireEnd(Cause.RESET) == WireEnd(Cause.RESET, 0, "")


def test_a_refusal_says_its_status_when_there_was_one_and_is_never_long() -> None:
    assert str(WireRefused(401, "who are you")) == "HTTP 401: who are you"
    assert str(WireRefused(0, "nobody there")) == "nobody there"
    assert WireRefused(500, "x" * 1_000).detail == "x" * DETAIL_CHARACTERS


@pytest.mark.parametrize(("name", "value"), [("connect_s", 10.0), ("silent_s", 25.0), ("max_message_bytes", 8 << 20)])
def test_the_limits_are_those_the_documents_promise(name: str, value: float) -> None:
    assert getattr(DEFAULT_LIMITS, name) == value
