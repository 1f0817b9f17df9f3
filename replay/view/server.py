"""The page's server: HTTP on loopback for one tape, and who may ask it.

Knows hosts, origins, headers, paths and which question is which answer. Must not know tapes. A page elsewhere can reach
this server neither by another name (DNS rebinding) nor from another origin; no path leads out of the page's own files,
and no answer holds anything but what the tape does.
"""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from core.errors import ConfigError, TapedeckError
from replay.books import require_markets
from replay.view.answers import Answers, BadQuestionError, NotOnTapeError
from replay.view.chart import chart
from replay.view.scout import Scout
from replay.view.timeline import timeline
from replay.view.watched import Watched
from replay.view.why import decisions_answer, why_answer

HOST: Final = "127.0.0.1"
"""Where it listens: nobody but this machine is ever served. From afar it is reached by an SSH tunnel."""

_LOCAL: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
"""How a browser may call it; any port, for the near end of a tunnel has one of its own."""

ASSETS: Final = Path(__file__).with_name("assets")

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Nothing but our own files runs on the page, whatever a tape holds; nobody else may show it or read from it."""

_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_SPAN_MS: Final = 400 * 366 * 86_400_000.0  # from 1970 on: what a time in milliseconds may be at most

Question = Callable[["Query"], Any]


class Query:
    """What follows the question mark of a URL, read by name; BadQuestionError names what is wrong with it."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """A text of at most 200 characters."""
        value = self._values.get(name, default)
        if value is None:
            raise BadQuestionError(f"{name} is missing")
        if len(value) > 200:
            raise BadQuestionError(f"{name} has {len(value)} characters, 200 are possible")
        return str(value)

    def has(self, name: str) -> bool:
        """Whether it is there."""
        return name in self._values

    def whole(self, name: str, default: int | None = None) -> int:
        """An integer of at most 18 digits."""
        text = self.text(name, None if default is None else str(default))
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise BadQuestionError(f"{name}={text} is not a whole number")
        return int(text)

    def ms(self, name: str) -> float:
        """A time in Unix milliseconds."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= _SPAN_MS:
            raise BadQuestionError(f"{name}={text} is not a time in Unix milliseconds")
        return value

    def span_ns(self) -> tuple[int, int]:
        """`from` and `until`, as Unix ns."""
        first, last = round(self.ms("from") * 1e6), round(self.ms("until") * 1e6)
        if first >= last:
            raise BadQuestionError(f"from={self.text('from')} is not before until={self.text('until')}")
        return first, last


def questions(answers: Answers) -> dict[str, Question]:
    """Every question under /api/ and what answers it."""
    scout = answers.scout

    def line(query: Query) -> Any:
        """The time line."""
        answers.require(0)
        return timeline(answers.pages, scout.outlines, *query.span_ns(), query.whole("cells", 1_000))

    def market_chart(query: Query) -> Any:
        """A market over a stretch of time."""
        market = query.text("market")
        answers.require(0, market)
        return chart(answers.pages, answers.stands, market, query.span_ns(), query.whole("points", 800))

    def state(query: Query) -> Any:
        """The state at a record or an instant, with the records around it if they are asked for."""
        seq = query.whole("seq") if query.has("seq") else answers.until_answer(query.ms("ms"))["seq"]
        found = answers.state_answer(seq, query.text("market", ""))
        count = query.whole("count", 0)
        if count:
            found |= answers.records_answer(seq, count, query.text("show", "all"), query.text("market", ""))
        return found

    return {
        "tape": lambda _: answers.tape_answer(),
        "timeline": line,
        "chart": market_chart,
        "start": lambda _: answers.start_answer(),
        "state": state,
        "records": lambda q: answers.records_answer(
            q.whole("seq"), q.whole("count", 60), q.text("show", "all"), q.text("market", "")
        ),
        "next": lambda q: answers.next_answer(
            q.whole("seq"), 1 if q.whole("step", 1) > 0 else -1, q.text("what"), q.text("market", "")
        ),
        "place": lambda q: answers.place_answer(q.text("text")),
        "until": lambda q: answers.until_answer(q.ms("ms")),
        "decisions": lambda q: decisions_answer(answers, q.whole("seq"), q.whole("count", 50)),
        "why": lambda q: why_answer(answers, q.whole("seq")),
    }


class ViewServer:
    """One tape's page. port: where it listens, once started; 0 before means any free one."""

    def __init__(self, tape: Path, port: int = 0, market: str = "") -> None:
        """market: to be shown first, "" = the busiest.

        Raises TapeError when there is no tape, or it cannot be read; ConfigError; MarketNotFound.
        """
        if not 0 <= port <= 65_535:
            raise ConfigError(f"port {port} is not between 0 (any free one) and 65535")
        self.port = port
        watched = Watched.open(tape)
        require_markets(watched, (market,) if market else ())
        self._market = market
        self.scout = Scout(watched)
        self._questions = questions(Answers(self.scout))
        self._worker = ThreadPoolExecutor(1, "tapedeck-view")
        self._waiting = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        moment = f"#{urlencode({'market': self._market})}" if self._market else ""
        return f"http://{HOST}:{self.port}/{moment}"

    async def start(self) -> None:
        """Look at the tape and listen; a port in use is a ConfigError."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self.scout.begin)
        application = web.Application(middlewares=[_guard], client_max_size=1_024)
        application.router.add_get("/api/{name}", self._ask)
        application.router.add_get("/{path:.*}", _asset)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self.port).start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {HOST} port {self.port} ({error.strerror}); choose another port, or 0 for any"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and working."""
        if self._runner is not None:
            await self._runner.cleanup()
        self.scout.close()
        self._worker.shutdown()

    async def _ask(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        question = self._questions.get(name)
        if question is None:
            return _words(404, f"there is no question {name[:50]!r}; there are {', '.join(sorted(self._questions))}")
        self._waiting += 1
        self.scout.busy(True)
        try:
            work = partial(_answered, question, Query(request.query))
            body = await asyncio.get_running_loop().run_in_executor(self._worker, work)
            return web.Response(body=body, content_type="application/json", headers=HEADERS)
        except NotOnTapeError as error:
            return _words(404, str(error))
        except BadQuestionError as error:
            return _words(400, str(error))
        except (TapedeckError, OSError) as error:
            return _words(500, str(error))
        finally:
            self._waiting -= 1
            self.scout.busy(self._waiting > 0)


def _answered(question: Question, query: Query) -> bytes:
    return msgspec.json.encode(question(query))


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers this machine only, and only pages of this server; a link to it may be followed from anywhere."""
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if not is_local(host):
        return _words(403, f"this page is for this machine only: Host was {host[:100]!r}")
    if origin is not None and not is_local(origin.removeprefix("http://").removeprefix("https://")):
        return _words(403, f"this page answers itself only: Origin was {origin[:100]!r}")
    is_followed = request.headers.get("Sec-Fetch-Mode") == "navigate" and not request.path.startswith("/api/")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not is_followed:
        return _words(403, "this page answers itself only")
    return await handler(request)


def is_local(host: str) -> bool:
    """Whether a Host header names this machine, on any port."""
    return _LOCAL.fullmatch(host) is not None


async def _asset(request: web.Request) -> web.Response:
    """A file of the page: one of those that are there, by its very name."""
    name = request.match_info["path"] or "index.html"
    path = _files().get(name)
    if path is None:
        return _words(404, f"there is no {name[:100]!r} here")
    kind = _TYPES.get(path.suffix, "text/plain")
    return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=HEADERS)


def _files() -> dict[str, Path]:
    return {path.relative_to(ASSETS).as_posix(): path for path in ASSETS.rglob("*") if path.is_file()}


def _words(status: int, sentence: str) -> web.Response:
    body = msgspec.json.encode({"error": sentence})
    return web.Response(status=status, body=body, content_type="application/json", headers=HEADERS)


def run(server: ViewServer, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once it listens."""

    async def main() -> None:
        """Until a signal comes."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, stop.set)
        try:
            await server.start()
            ready()
            await stop.wait()
        finally:
            await server.stop()

    asyncio.run(main())
