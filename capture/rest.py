"""Requests to the exchange: signed afresh, paced, bounded, written down, and tried again only where that is safe.

Knows requests' library and HTTP. Must not know what an answer means beyond whether it is one. No redirect, no proxy, no
netrc, no verification switched off: a signature goes to the host it was made for and nowhere else (RELIABILITY 5).
"""

import base64
import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import requests

from capture.auth import Credentials
from capture.buckets import Buckets
from capture.clock_offset import ClockOffset
from capture.environments import Environment
from core.answers import parse_error
from core.errors import AuthError, ExchangeError
from core.records import RestCall

CHUNK: Final = 65_536
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
SKEW_S: Final = 5.0
"""A clock that is off by more is named when a signature is refused: 10 s are taken, 30 s are not (protocol 2.4)."""

_SAFE: Final = ("GET", "HEAD")
_RETRIED: Final = (429, 500, 502, 503, 504)
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class RestOptions:
    """share: of the account's budget, 0 to 1]. timeout_s: of one attempt, from its start to its last byte.

    max_tries: attempts at one request where trying again is safe. max_body_bytes: of an answer.
    ca_file: PEM file of the authorities to trust instead of the system's.
    """

    share: float = 1.0
    timeout_s: float = 10.0
    max_tries: int = 5
    max_body_bytes: int = 32 << 20
    ca_file: Path | None = None
    first_wait_s: float = FIRST_WAIT_S


DEFAULT_OPTIONS: Final = RestOptions()


@dataclass(frozen=True, slots=True)
class _Got:
    """What came of one attempt. status 0 = no answer. unsent: certain not to have reached the exchange."""

    status: int = 0
    body: bytes = b""
    error: str = ""
    unsent: bool = False
    retry_after_s: float = 0.0


class RestClient:
    """Requests of one account to one environment; any thread. `taken` is called with every attempt.

    credentials None: nothing is signed. A request that was aborted raises ExchangeError.
    """

    def __init__(
        self,
        environment: Environment,
        credentials: Credentials | None,
        taken: Callable[[RestCall], object],
        options: RestOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.buckets = Buckets(options.share)
        self.clock = ClockOffset()
        self._base = environment.rest_url
        self._prefix = urlsplit(environment.rest_url).path
        self._credentials = credentials
        self._taken = taken
        self._options = options
        self._local = threading.local()
        self._aborted = threading.Event()
        self._dice = random.Random()
        self._sessions: list[requests.Session] = []

    @property
    def clock_offset_ns(self) -> int | None:
        """The exchange's clock minus ours, by its Date headers; None = nothing measured. Exact to half a second."""
        return self.clock.offset_ns

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        urgent: bool = False,
        why: str = "",
        items: int = 1,
    ) -> bytes:
        """The body of a successful answer. path: without the API's prefix ("/markets/X"). urgent: a cancel.

        items: how many a batch holds. Raises ExchangeError: no answer, or a refusal (its status and the exchange's
        code); AuthError: the key or the signature was refused.
        """
        query = urlencode(list(params))
        call = RestCall(method=method, path=f"{self._prefix}{path}{'?' if query else ''}{query}", why=why)
        call = _with_body(call, body)
        tries = 0
        while True:
            self._pace(method, path, urgent=urgent, items=items)
            got = self._attempt(call, body)
            tries += 1
            if 200 <= got.status < 300 and not got.error:
                return got.body
            if got.status == 429:
                self.buckets.refused(method, time.monotonic_ns())
            if tries >= self._options.max_tries or not _may_retry(method, got):
                raise self._failure(call, got)
            self._wait(self._pause_s(tries, got))

    def abort(self) -> None:
        """Nothing is asked any more; whoever waits gets ExchangeError."""
        self._aborted.set()
        self.close()

    def close(self) -> None:
        """Close the connections; more than once is fine."""
        for session in list(self._sessions):
            session.close()

    def _pace(self, method: str, path: str, *, urgent: bool, items: int) -> None:
        while delay_ns := self.buckets.reserve(method, path, time.monotonic_ns(), urgent=urgent, items=items):
            self._wait(delay_ns / _NS)

    def _wait(self, seconds: float) -> None:
        if self._aborted.wait(seconds):
            raise ExchangeError("the request was given up: recording stops")

    def _pause_s(self, tries: int, got: _Got) -> float:
        if got.retry_after_s:
            return min(got.retry_after_s, LONGEST_WAIT_S)
        most = min(self._options.first_wait_s * 2.0**tries, LONGEST_WAIT_S)
        return most * (0.5 + self._dice.random() / 2)

    def _attempt(self, call: RestCall, body: bytes) -> _Got:
        """One request and its answer, on record whatever came of it."""
        if self._aborted.is_set():
            raise ExchangeError("the request was given up: recording stops")
        began_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        date, age_s = "", 0
        try:
            with self._send(call, body, wall_ns) as answer:
                date, age_s = answer.headers.get("Date", "")[:64], _seconds(answer.headers.get("Age"))
                self.clock.observe(date, age_s, wall_ns, time.time_ns())
                got = self._read(answer, began_ns)
        except requests.RequestException as error:
            got = _Got(error=_words(error), unsent=_is_unsent(error))
        self._taken(_told(call, got, time.monotonic_ns() - began_ns, date, age_s))
        return got

    def _send(self, call: RestCall, body: bytes, wall_ns: int) -> requests.Response:
        headers = {"Accept": "application/json"}
        if self._credentials is not None:
            headers |= self._credentials.headers(call.method, call.path.partition("?")[0], wall_ns // 1_000_000)
        if body:
            headers["Content-Type"] = "application/json"
        return self._session().request(
            call.method,
            self._base.removesuffix(self._prefix) + call.path,
            data=body or None,
            headers=headers,
            timeout=(self._options.timeout_s, self._options.timeout_s),
            allow_redirects=False,
            stream=True,
        )

    def _read(self, answer: requests.Response, began_ns: int) -> _Got:
        """The body, within the limits of time and size."""
        retry_after_s = float(_seconds(answer.headers.get("Retry-After")))
        if answer.is_redirect:
            return _Got(answer.status_code, error="a redirect, which is not followed: it would send the signature on")
        parts: list[bytes] = []
        size, until_ns = 0, began_ns + int(self._options.timeout_s * _NS)
        for chunk in answer.iter_content(CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > self._options.max_body_bytes:
                return _Got(answer.status_code, error=f"the answer has more than {self._options.max_body_bytes} bytes")
            if time.monotonic_ns() > until_ns:
                return _Got(answer.status_code, error=f"the answer took more than {self._options.timeout_s:g} s")
        return _Got(answer.status_code, b"".join(parts), retry_after_s=retry_after_s)

    def _session(self) -> requests.Session:
        """This thread's own session, so that nobody waits for a connection that another thread is reading from."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.clear()
            session.headers["User-Agent"] = "tapedeck"
            if self._options.ca_file is not None:
                session.verify = str(self._options.ca_file)
            self._sessions.append(session)
        return session

    def _failure(self, call: RestCall, got: _Got) -> ExchangeError | AuthError:
        what = f"{call.method} {call.path.partition('?')[0]}"
        if not got.status or got.error:
            return ExchangeError(f"{what}: {got.error}; check the network and the exchange's status", status=got.status)
        said = parse_error(got.body)
        words = ", ".join(dict.fromkeys(filter(None, (said.code, said.message, said.details))))
        if got.status in (401, 403):
            return AuthError(f"{what}: the exchange refused the key (HTTP {got.status}: {words}){self._skew()}")
        return ExchangeError(
            f"{what}: the exchange answered HTTP {got.status}{': ' if words else ''}{words}",
            status=got.status,
            code=said.code,
        )

    def _skew(self) -> str:
        offset_ns = self.clock.offset_ns
        if offset_ns is None or abs(offset_ns) < SKEW_S * _NS:
            return "; check the key, and that it belongs to this environment"
        return f"; this clock is {abs(offset_ns) / _NS:.0f} s {'behind' if offset_ns > 0 else 'ahead'}: set it right"


def quoted(part: str) -> str:
    """A ticker or id as one part of a path, whatever characters it has."""
    return quote(part, safe="")


def _may_retry(method: str, got: _Got) -> bool:
    """Whether asking again cannot do anything twice."""
    if got.unsent or got.status == 429:
        return True
    return method in _SAFE and (got.status in _RETRIED or not got.status)


def _is_unsent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False  # a certificate that was refused is refused again
    return isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(error)


def _words(error: requests.RequestException) -> str:
    """What went wrong, in words of ours: the library's may hold a whole URL or a header."""
    match error:
        case requests.exceptions.SSLError():
            return "the server's certificate was refused"
        case requests.exceptions.ConnectTimeout() | requests.exceptions.ReadTimeout():
            return "no answer in time"
        case requests.exceptions.ChunkedEncodingError():
            return "the answer was cut short"
        case requests.exceptions.ConnectionError():
            return "no connection" if _is_unsent(error) else "the connection broke"
        case _:
            return type(error).__name__


def _seconds(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0


def _with_body(call: RestCall, body: bytes) -> RestCall:
    with contextlib.suppress(UnicodeDecodeError):
        return RestCall(method=call.method, path=call.path, why=call.why, body=body.decode())
    raise ValueError("a request body that is no UTF-8")


def _told(call: RestCall, got: _Got, took_ns: int, date: str, age_s: int) -> RestCall:
    answer = answer_base64 = ""
    try:
        answer = got.body.decode()
    except UnicodeDecodeError:
        answer_base64 = base64.b64encode(got.body).decode()
    return RestCall(
        method=call.method,
        path=call.path,
        status=got.status,
        body=call.body,
        answer=answer,
        answer_base64=answer_base64,
        error=got.error,
        took_ns=took_ns,
        date=date,
        age_s=age_s,
        why=call.why,
    )
