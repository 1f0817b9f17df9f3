"""What is encoded is found and written back as it was encoded."""

import base64
import json
import re
from urllib.parse import quote, unquote

import pytest

from replay.fixture.encodings import MAX_DEPTH, through

SECRET = "secret-id/0042?"
OTHER = "public_no/9999!"


def swap(text: bytes) -> bytes:
    return text.replace(SECRET.encode(), OTHER.encode())


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda text: text, id="plain"),
        pytest.param(lambda text: f"/orders/{quote(text, safe='')}?x=1", id="percent where needed"),
        pytest.param(percent, id="percent everywhere"),
        pytest.param(lambda text: quote(quote(text, safe=""), safe=""), id="percent twice"),
        pytest.param(lambda text: json.dumps({"a": escaped(text)}).replace("\\\\u", "\\u"), id="json escapes"),
        pytest.param(lambda text: json.dumps(json.dumps({"a": escaped(text)})), id="json escapes in json"),
        pytest.param(lambda text: json.dumps({"a": text}).replace("/", "\\/"), id="escaped slash"),
        pytest.param(b64, id="base64"),
        pytest.param(lambda text: f"Basic {b64('user:' + text)}", id="base64 of more"),
        pytest.param(lambda text: f"/x/{b64(text)}/y", id="base64 between slashes"),
        pytest.param(lambda text: b64(text).rstrip("="), id="base64 without padding"),
        pytest.param(lambda text: base64.urlsafe_b64encode(("~~~" + text).encode()).decode(), id="base64 for urls"),
        pytest.param(lambda text: b64(b64(json.dumps({"id": text}))), id="base64 twice"),
        pytest.param(lambda text: quote(b64(text), safe=""), id="base64 in percent"),
        pytest.param(lambda text: json.dumps({"answer": json.dumps({"a": b64(text)})}), id="base64 in json in json"),
        pytest.param(lambda text: text.encode().hex(), id="hexadecimal"),
        pytest.param(lambda text: "0x" + text.encode().hex().upper(), id="capital hexadecimal"),
    ],
)
def test_a_text_is_changed_in_the_way_it_was_written(write: object) -> None:
    assert callable(write)
    before, after = str(write(SECRET)).encode(), str(write(OTHER)).encode()
    changed = through(before, swap)
    assert unfolded(changed) == unfolded(after)


def unfolded(text: bytes) -> bytes:
    """Without the choice of what to percent-encode or escape, which stays as it was in the text before."""
    plain = unquote(unquote(text.decode())).encode()
    return re.sub(rb"\\+u00(..)", lambda found: bytes.fromhex(found[1].decode()), plain).replace(b"\\/", b"/")


@pytest.mark.parametrize("text", [b"", b"\xff\x00\xfe" * 9, b"%zz %4", b"AAAA" * 50, b"\\u00", b"a" * 33, b"=" * 9])
def test_what_holds_nothing_stays(text: bytes) -> None:
    assert through(text, swap) == text


def test_depth_is_bounded() -> None:
    text = SECRET
    for _ in range(MAX_DEPTH + 3):
        text = b64(text)
    assert through(text.encode(), swap) == text.encode()


def test_words_are_remembered() -> None:
    asked: list[bytes] = []

    def visit(text: bytes) -> bytes:
        asked.append(text)
        return swap(text)

    word = b64("id=" + SECRET).encode()
    seen: dict[bytes, bytes] = {}
    first = through(b"x " + word, visit, seen)
    count = len(asked)
    assert through(b"y " + word, visit, seen)[2:] == first[2:]
    assert len(asked) == count + 1
