"""core.printable: text stays text, and what would move a cursor is seen."""

from core.printable import printable


def test_printable_text_is_left_alone() -> None:
    assert printable("KXBTC-26NOV é") == "KXBTC-26NOV é"


def test_what_a_terminal_would_obey_is_an_escape_and_it_stays_one_line() -> None:
    assert printable("a\tb\x00\n") == "a\\tb\\x00\\n"
    assert printable("\x1b]0;owned\x07 \ud800") == "\\x1b]0;owned\\x07 \\ud800"
