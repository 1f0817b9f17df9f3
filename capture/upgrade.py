"""The HTTP part of a WebSocket: the upgrade request goes through here, and a refusal becomes words.

Knows status lines, the exchange's error bodies (protocol 13.5) and what must never be repeated of them. Must not know
frames, nor the library that writes the request.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from capture.limits import DETAIL_CHARACTERS, WireRefused
from capture.sockets import Deadline, DialError, Stream

UPGRADE_BYTES: Final = 64 << 10
"""Of the answer to the upgrade request, header and body; the exchange's own has well under 1 kB."""

_STATUS_BYTES: Final = 16  # HTTP/1.1 200 and a space
_SECRET_RUN: Final = 8  # this many characters of a secret in a row are too many
_MAX_RETRY_AFTER_S: Final = 3_600  # a server's wish, not a way to switch a recorder off


class Upgrade:
    """A Stream as the library wants a socket for its handshake: bounded in time and size, and nothing is read twice.

    The library reads byte by byte without a limit of its own. Errors are DialError.
    """

    def __init__(self, stream: Stream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._used_bytes = 0
        self._data = b""
        self._at = 0
        self._first = b""

    @property
    def rest(self) -> bytes:
        """What came behind the answer: the first frames."""
        return self._data[self._at :]

    @property
    def status(self) -> int:
        """The answer's HTTP status, 0 = none has come."""
        found = re.match(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b", self._first)
        return int(found[1]) if found else 0

    def gettimeout(self) -> float:
        """Not zero, which to the library is a socket to be polled."""
        return 1.0

    def send(self, data: bytes) -> int:
        """All of it."""
        try:
            self._stream.write(data, self._deadline.left_s())
        except OSError as error:
            raise DialError(f"the upgrade could not be sent: {error.strerror or error}") from None
        return len(data)

    def recv(self, size: int) -> bytes:
        """One byte at least."""
        while self._at >= len(self._data):
            self._data, self._at = self._more(), 0
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        self._used_bytes += len(found)
        if self._used_bytes > UPGRADE_BYTES:
            raise DialError(f"the answer to the upgrade has more than {UPGRADE_BYTES >> 10} KiB")
        return found

    def close(self) -> None:
        """Nothing: who dialled closes."""

    def _more(self) -> bytes:
        try:
            data = self._stream.read(self._deadline.step_s())
        except OSError as error:
            raise DialError(f"the upgrade was cut: {error.strerror or error}") from None
        if data == b"":
            raise DialError("the peer hung up during the upgrade")
        data = data or b""
        self._first = (self._first + data[:_STATUS_BYTES])[:_STATUS_BYTES]
        return data


def refusal(
    pipe: Upgrade, fault: DialError | None, headers: Mapping[str, str], body: bytes, secrets: Iterable[str]
) -> WireRefused:
    """A failed upgrade as a value. headers and body are the answer's, secrets what must not come back in its words."""
    status = pipe.status
    if 300 <= status < 400:
        words = "the upgrade was redirected, which is not followed"
    elif status in (0, 101):
        words = str(fault) if fault else "what answers there is no WebSocket"
    else:
        words = error_words(body, tuple(secrets)) or (str(fault) if fault else "the upgrade was refused")
    return WireRefused(
        status, words, retry_after_s=_retry_after_s(headers.get("retry-after", "")), date=_date(headers.get("date", ""))
    )


def error_words(body: bytes, secrets: tuple[str, ...]) -> str:
    """The code, message and details of an error body, "" = it is none of the three shapes."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = content.get("error", content) if isinstance(content, dict) else None
    words = [error.get(name) for name in ("code", "message", "details")] if isinstance(error, dict) else [error]
    fit = [word for word in words if isinstance(word, str) and _may_be_shown(word, secrets)]
    return ": ".join(dict.fromkeys(fit))[:DETAIL_CHARACTERS]


def _may_be_shown(word: str, secrets: tuple[str, ...]) -> bool:
    if not re.fullmatch(r"[ -~]{1,200}", word):
        return False
    runs = (secret[at : at + _SECRET_RUN] for secret in secrets for at in range(len(secret) - _SECRET_RUN + 1))
    return not any(run in word for run in runs)


def _retry_after_s(value: str) -> int:
    """Seconds; a date instead of a number is as good as nothing, it would need the peer's clock."""
    return min(int(value), _MAX_RETRY_AFTER_S) if re.fullmatch(r"[0-9]{1,9}", value) else 0


def _date(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z0-9 ,:]{20,40}", value) else ""
