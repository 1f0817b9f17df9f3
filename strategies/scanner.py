"""The Scanner: finds markets by REST, watches them by WebSocket, and tells other strategies which are the best.

Knows what it watches, and that REST stands in wherever WebSocket data is missing, stale or of an unhealthy connection.
Must not know orders. Everything is done in a round, once a second: nothing here runs at every frame.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta

from core.answers.types import Market, Page
from core.context import Context
from core.fetched import Fetched
from core.lifecycle import Phase
from core.strategy import Params, Strategy
from core.times import SECOND_NS
from core.window import Window
from strategies.discovery import LISTING, Walk, best_traded, parts, queries
from strategies.enquiries import Enquiries, Request
from strategies.ranking import WHOLE, Figures, Rules, choose, score, unfit
from strategies.sights import Quote, Sight, Source

ROUND_NS: Final = SECOND_NS
_ROUND: Final = "round"

FIRST_REST_NS: Final = 3 * SECOND_NS
"""How long a market just subscribed to may wait for its first book before REST is asked."""

MAX_NEWS: Final = 1_000
"""Markets heard of by lifecycle messages and not yet looked at; the next walk finds what is beyond."""

MAX_TRIES: Final = 5
"""How often one such market is asked for: it may be a name that REST does not have."""

COMBOS: Final = "KXMVE"
"""How nearly all of the exchange's markets begin that nobody wants unasked (protocol 12.5)."""

PASSING: Final = ("one-sided", "crossed", "spread", "depth")
LINGER_NS: Final = 5 * SECOND_NS
"""A selected market that is unfit for one of these reasons keeps its score for so long: they often pass at once."""

MAX_BATCH: Final = 100
"""Markets whose books are asked for at once (protocol 12.1)."""

_BOOKS: Final = "books"
_FACTS: Final = "facts"
_NEWS: Final = "news"

Names = Annotated[tuple[str, ...], Meta(max_length=1_000)]
Weight = Annotated[int, Meta(ge=-100, le=100)]


class ScannerParams(Params, frozen=True, kw_only=True):
    """Prices in 1/10,000 dollar, sizes in 1/100 contract.

    series, events, markets: what is looked for, all of them together; none = everything but combos. status: of the
    markets listed. max_markets: watched at most. top: selected at most.
    use_websocket: False = nothing is subscribed to, and all figures are from REST.
    stale_s: a market of which nothing came for so long is asked about by REST. rest_every_s: how often one is.
    rest_per_s: requests a second at most. discover_every_s: how often the listings are walked.
    min_close_s, max_close_s: seconds left until a market closes (0 = no limit). min_spread and the like: what a market
    must have to be ranked. weight_...: how much each part counts in the score (0 to 1,000), negative = less is better.
    margin: by how much of a score something must be better to take a selected market's place.
    """

    series: Names = ()
    events: Names = ()
    markets: Names = ()
    status: Literal["open", "unopened", "paused"] = "open"
    max_markets: Annotated[int, Meta(ge=1, le=2_000)] = 200
    top: Annotated[int, Meta(ge=1, le=100)] = 5
    use_websocket: bool = True
    stale_s: Annotated[int, Meta(ge=5, le=3_600)] = 60
    rest_every_s: Annotated[int, Meta(ge=1, le=3_600)] = 5
    rest_per_s: Annotated[int, Meta(ge=1, le=20)] = 4
    discover_every_s: Annotated[int, Meta(ge=10, le=86_400)] = 300
    min_close_s: Annotated[int, Meta(ge=0)] = 120
    max_close_s: Annotated[int, Meta(ge=0)] = 0
    min_spread: Annotated[int, Meta(ge=0, le=10_000)] = 0
    max_spread: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    min_depth: Annotated[int, Meta(ge=0)] = 0
    min_volume: Annotated[int, Meta(ge=0)] = 0
    weight_spread: Weight = -20
    weight_depth: Weight = 20
    weight_volume: Weight = 20
    weight_activity: Weight = 30
    weight_close: Weight = -10
    margin: Annotated[int, Meta(ge=0, le=WHOLE)] = 100

    @property
    def rules(self) -> Rules:
        """What of it is about ranking."""
        return Rules(
            min_spread=self.min_spread, max_spread=self.max_spread, min_depth=self.min_depth,
            min_volume=self.min_volume, min_left_s=self.min_close_s, max_left_s=self.max_close_s,
            weight_spread=self.weight_spread, weight_depth=self.weight_depth, weight_volume=self.weight_volume,
            weight_activity=self.weight_activity, weight_close=self.weight_close,
        )  # fmt: skip


class Scanner(Strategy):
    """See the module. `quotes` is what others may read; `on_selected` tells other strategies of the choice."""

    Params = ScannerParams

    def __init__(self, params: ScannerParams) -> None:
        super().__init__(params)
        self._terms = params
        self._rules = params.rules
        self._sights: dict[str, Sight] = {}
        self._scores: dict[str, int] = {}
        self._why: dict[str, str] = {}
        self._selected: tuple[str, ...] = ()
        self._enquiries = Enquiries()
        self._turn = self._asked = 0
        self._walk: Walk | None = None
        self._next_walk_ns = 0
        self._news: dict[str, int] = {}  # tries by market
        self._opening: dict[str, int] = {}  # when it opens, by market
        self._facts: tuple[str, ...] = ()
        self._has_told = False

    def on_start(self, ctx: Context) -> None:
        """Begin."""
        self._round(ctx)

    def on_timer(self, ctx: Context, name: str) -> None:
        """The next round."""
        if name == _ROUND:
            self._round(ctx)

    def on_lifecycle(self, ctx: Context, market: Window) -> None:
        """A market that ended is let go at once; one that begins is asked for."""
        name = market.market
        if name in self._sights:
            if not self._is_wanted(ctx, name):
                self._drop(ctx, (name,))
        elif market.phase in (Phase.INITIALIZED, Phase.ACTIVE) and self._is_ours(
            ctx, name, market.lifecycle.event_ticker
        ):
            self._hear_of(name)

    def on_rest(self, ctx: Context, fetched: Fetched) -> None:
        """An answer; books and facts are in the state already, listings and news are taken from here."""
        request = self._enquiries.answered(fetched)
        if request is None:
            return
        value = fetched.value
        if request.purpose == LISTING and isinstance(value, Page) and self._walk is not None:
            self._walk.take(value)
            if self._walk.is_done:
                self._found(ctx, self._walk)
        elif request.purpose == _NEWS and isinstance(value, Market):
            self._news.pop(value.ticker, None)
            self._meet(ctx, value)
        elif request.purpose == _BOOKS:
            self._facts = tuple(dict(request.params)["tickers"])  # type: ignore[arg-type]  # it is a tuple of names
        self._ask(ctx)

    def on_failed(self, ctx: Context, path: str) -> None:
        """What was asked for is asked again later."""
        self._give_up(self._enquiries.failed(path, ctx.now_ns))

    def quotes(self, now_ns: int) -> tuple[Quote, ...]:
        """Every market that is watched: the selected ones first, then by score and name. now_ns: for their ages."""
        ranks = {name: rank for rank, name in enumerate(self._selected, 1)}
        last = len(ranks) + 1
        order = sorted(self._sights, key=lambda name: (ranks.get(name, last), -self._scores.get(name, -1), name))
        return tuple(self._quote(self._sights[name], ranks.get(name, 0), now_ns) for name in order)

    def _round(self, ctx: Context) -> None:
        ctx.wake(_ROUND, ROUND_NS)
        now_ns = ctx.now_ns
        self._asked = 0
        self._give_up(self._enquiries.overdue(now_ns))
        self._drop(ctx, tuple(name for name in self._sights if not self._is_wanted(ctx, name)))
        for name in [name for name, open_ns in self._opening.items() if now_ns >= open_ns]:
            del self._opening[name]
            self._hear_of(name)
        for sight in self._sights.values():
            window = ctx.market(sight.market)
            sight.look(window, ctx.reference.market(sight.market), self._flaw(ctx, window), now_ns)
        self._tell(ctx)
        self._rank(ctx)
        self._ask(ctx)

    def _flaw(self, ctx: Context, window: Window) -> str:
        """Why a market's WebSocket data is not to be used; a crossed book is real, and its ranking says so."""
        if not self._terms.use_websocket:
            return "turned off"
        if not ctx.health.is_connected:
            return "not connected"
        flaw = ctx.flaw(window.market)
        if flaw and flaw != "crossed":
            return flaw
        return "stale" if window.age_ns > self._terms.stale_s * SECOND_NS else ""

    def _rank(self, ctx: Context) -> None:
        """Score what is watched, and select anew if the best are others now."""
        now_ns = ctx.now_ns
        self._scores, self._why = {}, {}
        for name, sight in self._sights.items():
            figures = sight.figures(ctx.reference.close_ns(name), now_ns)
            why = self._unranked(sight, figures, now_ns)
            if not why:
                sight.fit_ns, sight.score = now_ns, score(figures, self._rules)
                self._scores[name] = sight.score
            elif why in PASSING and name in self._selected and now_ns - sight.fit_ns <= LINGER_NS:
                self._scores[name] = sight.score
            else:
                self._why[name] = why
        selected = choose(self._scores, self._selected, self._terms.top, self._terms.margin)
        if selected != self._selected:
            self._selected = selected
            ctx.select(*selected)

    def _unranked(self, sight: Sight, figures: Figures, now_ns: int) -> str:
        if sight.source is Source.NONE:
            return "no data"
        patience_s = max(self._terms.stale_s, 3 * self._terms.rest_every_s)
        if now_ns - sight.read_ns > patience_s * SECOND_NS:
            return "old data"
        return unfit(figures, self._rules)

    def _tell(self, ctx: Context) -> None:
        """Say when REST begins to stand in, and when it no longer does."""
        by_rest = [s for s in self._sights.values() if s.source is Source.REST and s.flaw not in ("", "stale")]
        if not self._terms.use_websocket or bool(by_rest) == self._has_told:
            return
        self._has_told = bool(by_rest)
        if by_rest:
            ctx.say(f"REST stands in for {len(by_rest)} markets: {by_rest[0].flaw}")
        else:
            ctx.say("WebSocket data is well again")

    def _ask(self, ctx: Context) -> None:
        """Make the next request if it may be made; the purposes take turns, so that none starves another."""
        if self._asked >= self._terms.rest_per_s or not self._enquiries.is_free(ctx.now_ns):
            return
        purposes = (self._books_request, self._news_request, self._listing_request)
        for turn in range(len(purposes)):
            request = purposes[(self._turn + turn) % len(purposes)](ctx.now_ns)
            if request is not None:
                self._turn = (self._turn + turn + 1) % len(purposes)
                self._asked += 1
                self._enquiries.ask(ctx, request)
                return

    def _books_request(self, now_ns: int) -> Request | None:
        """Books of markets that need REST, those first that waited longest; after books their prices and volumes."""
        if self._facts:
            names, self._facts = self._facts, ()
            return Request(_FACTS, "/markets", (("tickers", ",".join(names)),))
        due = sorted(
            (sight.next_rest_ns, sight.market)
            for sight in self._sights.values()
            if sight.needs_rest and sight.next_rest_ns <= now_ns
        )
        names = next(parts(tuple(name for _, name in due), MAX_BATCH), ())
        for name in names:
            self._sights[name].next_rest_ns = now_ns + self._terms.rest_every_s * SECOND_NS
        return Request(_BOOKS, "/markets/orderbooks", (("tickers", names),)) if names else None

    def _news_request(self, _now_ns: int) -> Request | None:
        name = next(iter(self._news), "")
        return Request(_NEWS, f"/markets/{name}") if name else None

    def _listing_request(self, now_ns: int) -> Request | None:
        if self._walk is None and now_ns >= self._next_walk_ns:
            terms = self._terms
            self._walk = Walk(queries(terms.series, terms.events, terms.markets, terms.status), now_ns)
        return None if self._walk is None else self._walk.request()

    def _give_up(self, request: Request | None) -> None:
        """A request came to nothing. Listings go on where they were, books are asked for again when they are due."""
        if request is None or request.purpose != _NEWS:
            return
        name = request.path.rpartition("/")[2]
        tries = self._news.pop(name, MAX_TRIES) + 1
        if tries < MAX_TRIES:
            self._news[name] = tries  # behind the others

    def _found(self, ctx: Context, walk: Walk) -> None:
        """A walk is done: watch what it found, let go of what it did not."""
        self._walk, self._next_walk_ns = None, ctx.now_ns + self._terms.discover_every_s * SECOND_NS
        held = [s for s in self._sights.values() if s.market not in walk.found]
        stays = [s.market for s in held if not walk.is_whole or s.added_ns >= walk.begun_ns]
        kept = {name: name in self._selected or ctx.account.position(name) != 0 for name in self._sights}
        found = {name: volume for name, volume in walk.found.items() if self._is_wanted(ctx, name)}
        best = dict.fromkeys((*stays, *best_traded(found, kept, max(self._terms.max_markets - len(stays), 0))))
        self._drop(ctx, tuple(name for name in self._sights if name not in best))
        self._watch(ctx, tuple(name for name in best if name not in self._sights))

    def _meet(self, ctx: Context, market: Market) -> None:
        """A market that was heard of: watch it, or wait until it opens."""
        name = market.ticker
        if not self._is_ours(ctx, name, market.event_ticker) or name in self._sights:
            return
        if self._is_wanted(ctx, name):
            if len(self._sights) < self._terms.max_markets:
                self._watch(ctx, (name,))
        elif market.open_ns > ctx.now_ns and len(self._opening) < MAX_NEWS:
            self._opening[name] = market.open_ns

    def _watch(self, ctx: Context, names: tuple[str, ...]) -> None:
        wait_ns = FIRST_REST_NS if self._terms.use_websocket else 0
        for name in names:
            sight = self._sights[name] = Sight(name, ctx.now_ns)
            sight.next_rest_ns += wait_ns
        if names and self._terms.use_websocket:
            ctx.subscribe(*names)

    def _drop(self, ctx: Context, names: tuple[str, ...]) -> None:
        """Watch these no longer; what was selected of them is so no longer either."""
        if not names:
            return
        for name in names:
            del self._sights[name]
        if self._terms.use_websocket:
            ctx.unsubscribe(*names)
        if any(name not in self._sights for name in self._selected):
            self._rank(ctx)

    def _hear_of(self, name: str) -> None:
        """Ask for it soon, if it has a name that can be asked for."""
        if len(self._news) < MAX_NEWS and name.isascii() and name.replace("-", "").replace(".", "").isalnum():
            self._news.setdefault(name, 0)

    def _is_ours(self, ctx: Context, name: str, event: str) -> bool:
        """Whether the filters let a market through."""
        terms = self._terms
        if not (terms.series or terms.events or terms.markets):
            return not name.startswith(COMBOS)
        return name in terms.markets or event in terms.events or ctx.reference.series_of(name) in terms.series

    def _is_wanted(self, ctx: Context, name: str) -> bool:
        """Whether it still is what the status asks for, as far as is told."""
        if self._terms.status == "open":
            return ctx.reference.is_open(name, ctx.now_ns)
        return ctx.market(name).phase not in (Phase.CLOSED, Phase.DETERMINED, Phase.SETTLED)

    def _quote(self, sight: Sight, rank: int, now_ns: int) -> Quote:
        name, bid, ask = sight.market, sight.bid, sight.ask
        return Quote(
            market=name, rank=rank, score=self._scores.get(name, -1), why=self._why.get(name, ""),
            source=sight.source, flaw=sight.flaw, age_ns=now_ns - sight.read_ns, bid=bid, ask=ask,
            spread=None if bid is None or ask is None else ask - bid, depth=sight.depth, volume=sight.volume,
            activity=sight.activity,
        )  # fmt: skip
