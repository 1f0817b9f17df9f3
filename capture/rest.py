"""Requests to the exchange: signed afresh, paced, bounded, written down, and tried again only where that is safe.

Knows requests' library and HTTP. Must not know what an answer means beyond whether it is one. No redirect, no proxy, no
netrc, no verification switched off: a signature goes to the host it was made for and nowhere else (RELIABILITY 5).
"""

import base64
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import requests
import requests.adapters

from capture.auth import Credentials
from capture.buckets import Buckets
from capture.clock_offset import ClockOffset
from capture.environments import Environment
from capture.http_line import Line, connection_class, target_of
from core.answers import parse_error
from core.errors import AuthError, ExchangeError
from core.records import RestCall

CHUNK: Final = 65_536
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
LONGEST_OBEYED_S: Final = 120.0
"""A Retry-After is obeyed up to this; who is told to wait longer is told so, and asks again later or not."""

ERROR_BYTES: Final = 65_536
"""Of an answer that is none: the longest sentence of the exchange has 170, a page of a proxy some thousand."""

STALE: Final = "stale"
"""The code of what was not sent because it had become stale while it waited for its turn."""

SKEW_S: Final = 5.0
"""A clock that is off by more is named when a signature is refused: 10 s are taken, 30 s are not (protocol 2.4)."""

_SAFE: Final = ("GET", "HEAD")
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class RestOptions:
    """share: of the account's budget, more than 0, at most 1. timeout_s: of an attempt, until its last byte is there.

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
    """What came of one attempt. status 0 = no answer. is_unsent: certain not to have reached the exchange.

    is_final: it would be the same the next time.
    """

    status: int = 0
    body: bytes = b""
    error: str = ""
    is_unsent: bool = False
    is_final: bool = False
    retry_after_s: float = 0.0


class _Adapter(requests.adapters.HTTPAdapter):
    """Has every connection made by our line, so that it is bounded, verified and cut as those of the wire are."""

    def __init__(self, line: Line) -> None:
        self.line = line
        super().__init__(pool_connections=1, pool_maxsize=1)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The library's pool for a request."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = connection_class(pool.ConnectionCls, self.line)
        return pool


class _Session(requests.Session):
    """A session of one thread: nothing of the environment, no header that we did not write."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.line = line
        self.trust_env = False
        self.headers.clear()
        self.headers["User-Agent"] = "tapedeck"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(line))


class RestClient:
    """Requests of one account to one environment; any thread. `taken` is called with every attempt.

    credentials None: nothing is signed. A request that was aborted raises ExchangeError. unread: items of listings that
    could not be read, by the reason.
    """

    def __init__(
        self,
        environment: Environment,
        credentials: Credentials | None,
        taken: Callable[[RestCall], object],
        options: RestOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Raises ConfigError when `options.ca_file` will not do."""
        self._target = target_of(environment.rest_url, options.ca_file)
        self.buckets = Buckets(options.share)
        self.clock = ClockOffset()
        self.unread: Counter[str] = Counter()
        self._base = environment.rest_url
        self._prefix = urlsplit(environment.rest_url).path
        self._credentials = credentials
        self._taken = taken
        self._options = options
        self._local = threading.local()
        self._aborted = threading.Event()
        self._dice = random.Random()
        self._sessions: list[_Session] = []

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
        also: Callable[[bytes], bool] | None = None,
        still: Callable[[], bool] | None = None,
    ) -> bytes:
        """The body of a successful answer. path: without the API's prefix ("/markets/X"). urgent: a cancel.

        body: UTF-8. items: how many a batch holds. also: whether the body of a 5xx is the answer all the
        same. still: asked when its turn has come, before each attempt; False = it has become stale, and is not sent
        (ExchangeError with the code "stale"). Raises ExchangeError: no answer, or a refusal (its status and the
        exchange's code); AuthError: the key or the signature was refused.
        """
        query = urlencode(list(params))
        target = f"{self._prefix}{path}{'?' if query else ''}{query}"
        call = RestCall(method=method, path=target, why=why, body=body.decode())
        tries = 0
        while True:
            self._pace(method, path, urgent=urgent, items=items)
            if still is not None and not still():
                raise ExchangeError(f"{method} {path}: stale before its turn came, so it was not sent", code=STALE)
            got = self._attempt(call, body)
            tries += 1
            if not got.error and (200 <= got.status < 300 or (got.status >= 500 and also and also(got.body))):
                return got.body
            if got.status == 429:
                self.buckets.refused(method, time.monotonic_ns())
            if tries >= self._options.max_tries or not _may_retry(method, got):
                raise self._failure(call, got)
            self._wait(self._pause_s(tries, got))

    def abort(self) -> None:
        """Nothing is asked any more; whoever waits, for his turn or for an answer, gets ExchangeError at once."""
        self._aborted.set()

    def close(self) -> None:
        """Close the connections that nobody uses; more than once is fine."""
        for session in list(self._sessions):
            session.close()

    def _pace(self, method: str, path: str, *, urgent: bool, items: int) -> None:
        while delay_ns := self.buckets.reserve(method, path, time.monotonic_ns(), urgent=urgent, items=items):
            self._wait(delay_ns / _NS)

    def _wait(self, seconds: float) -> None:
        if self._aborted.wait(seconds):
            raise _given_up()

    def _pause_s(self, tries: int, got: _Got) -> float:
        if got.retry_after_s:
            return got.retry_after_s
        most = min(self._options.first_wait_s * 2.0**tries, LONGEST_WAIT_S)
        return most * (0.5 + self._dice.random() / 2)

    def _attempt(self, call: RestCall, body: bytes) -> _Got:
        """One request and its answer, on record whatever came of it."""
        if self._aborted.is_set():
            raise _given_up()
        session = self._session()
        session.line.begin(self._options.timeout_s)
        began_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        date, age_s = "", 0
        try:
            with self._send(session, call, body, wall_ns) as answer:
                date, age_s = answer.headers.get("Date", "")[:64], _whole(answer.headers.get("Age"))
                self.clock.observe(date, age_s, wall_ns, time.time_ns())
                got = self._read(answer)
        except requests.RequestException as error:
            line = session.line
            got = _Got(error=line.problem or _words(error), is_unsent=not line.has_sent, is_final=line.is_untrusted)
        self._taken(_told(call, got, time.monotonic_ns() - began_ns, date, age_s))
        return got

    def _send(self, session: requests.Session, call: RestCall, body: bytes, wall_ns: int) -> requests.Response:
        headers = {"Accept": "application/json"}
        if self._credentials is not None:
            headers |= self._credentials.headers(call.method, call.path.partition("?")[0], wall_ns // 1_000_000)
        if body:
            headers["Content-Type"] = "application/json"
        url = self._base.removesuffix(self._prefix) + call.path
        return session.request(call.method, url, data=body or None, headers=headers, allow_redirects=False, stream=True)

    def _read(self, answer: requests.Response) -> _Got:
        """The body, if it is not too large."""
        status = answer.status_code
        if answer.is_redirect:
            why = "a redirect, which is not followed: it would send the signature on"
            return _Got(status, error=why, is_final=True)
        is_answer = 200 <= status < 300
        most = self._options.max_body_bytes if is_answer else ERROR_BYTES
        parts: list[bytes] = []
        size = 0
        for chunk in answer.iter_content(CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > most and is_answer:
                return _Got(status, error=f"the answer has more than {most} bytes", is_final=True)
            if size > most:
                break
        later_s = _retry_after_s(answer.headers.get("Retry-After"), time.time())
        return _Got(status, b"".join(parts), retry_after_s=later_s)

    def _session(self) -> _Session:
        """This thread's own session, so that nobody waits for a connection that another thread is reading from."""
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session(Line(self._target, self._aborted.is_set))
            self._sessions.append(session)
        return session

    def _failure(self, call: RestCall, got: _Got) -> ExchangeError | AuthError:
        if self._aborted.is_set():
            return _given_up()
        what = f"{call.method} {call.path.partition('?')[0]}"
        if not got.status or got.error:
            return ExchangeError(f"{what}: {got.error}; check the network and the exchange's status", status=got.status)
        said = parse_error(got.body)
        words = ", ".join(dict.fromkeys(filter(None, (said.code, said.message, said.details))))
        if got.status in (401, 403):
            return AuthError(f"{what}: the exchange refused the key (HTTP {got.status}: {words}){self._skew()}")
        later = f"; it asks to wait {got.retry_after_s:.0f} s" if got.retry_after_s else ""
        return ExchangeError(
            f"{what}: the exchange answered HTTP {got.status}{': ' if words else ''}{words}{later}",
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
    """Whether asking again may help and cannot do anything twice."""
    if got.is_final or got.retry_after_s > LONGEST_OBEYED_S:
        return False
    if got.is_unsent or got.status == 429:
        return True
    return method in _SAFE and (got.status >= 500 or not got.status)


def _given_up() -> ExchangeError:
    return ExchangeError("the request was given up: recording stops")


def _words(error: requests.RequestException) -> str:
    """What went wrong, in words of ours: the library's may hold a whole URL or a header."""
    match error:
        case requests.exceptions.ChunkedEncodingError():
            return "the answer was cut short"
        case requests.exceptions.ConnectionError():
            return "the connection broke"
        case _:
            return type(error).__name__


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0


def _retry_after_s(text: str | None, now_s: float) -> float:
    """How long to wait by a Retry-After header, which has seconds or a date; 0 = it does not say."""
    if not text or text.isdigit():
        return float(_whole(text))
    try:
        return max(parsedate_to_datetime(text).timestamp() - now_s, 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


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
