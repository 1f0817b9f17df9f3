"""The fold over a tape once more, slow and plain: dictionaries, json and Decimal, straight from the raw frames.

Knows the rules of PROTOCOL sections 5 to 7 and what the recorder's own records mean, and takes nothing from `core` but
the names of records' kinds. It is what the fast fold is held against, so it must share no code with it.
"""

import json
from typing import Any, Final

from naive_read import CHANNELS, read
from naive_state import Book, Feed, Hole, Holes, Key, Line, State, restore

from core.records import Kind, Record

SILENCE_NS: Final = 25_000_000_000
TERMINAL: Final = (10, 25)
MOST: Final = 10**15
"""Above every size that the exchange can mean, in 1/100 contract."""


def fresh() -> State:
    """The state before the first record."""
    fold = State()
    fold.holes = Holes(lambda hole: distrust(fold, hole))
    return fold


def step(fold: State, record: Record) -> None:
    """The next record."""
    tell_time(fold, record)
    kind, number = record.kind, record.connection
    if kind == Kind.SESSION:
        session(fold, json.loads(record.payload))
    elif kind <= Kind.FRAME_CLOSE:
        frame(fold, number, record.payload if kind == Kind.FRAME else b"")
    elif kind == Kind.SENT:
        sent(fold, number, record.payload)
    elif kind == Kind.OPENED:
        opened(fold, number, json.loads(record.payload).get("replaces", 0))
    elif kind == Kind.CLOSED:
        closed(fold, number, final=json.loads(record.payload).get("final", False))
    elif kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE):
        stored(fold, json.loads(record.payload), closes=kind == Kind.GAP_CLOSE)


def tell_time(fold: State, record: Record) -> None:
    """`now_ns` never goes back; by the monotonic clock where there is one."""
    base_ns, base_mono_ns = fold.base
    at_ns = record.at_ns
    if record.kind == Kind.SESSION:
        at_ns = max(fold.now_ns, at_ns)
        fold.base = at_ns, record.mono_ns
    elif base_mono_ns and record.mono_ns:
        at_ns = base_ns + record.mono_ns - base_mono_ns
    fold.now_ns = max(fold.now_ns, at_ns)


def session(fold: State, told: dict[str, Any]) -> None:
    """Everything begins anew; gaps that the recorder told of may still be told the end of."""
    fold.presumed_over = [hole for hole in fold.holes.open_ones() if hole.stored]
    fold.holes.close(fold.holes.open_ones(), fold.now_ns)
    fold.coverage = told.get("coverage", {})
    fold.started_ns = fold.now_ns
    fold.books, fold.lines, fold.trades = {}, {}, set()
    base = told.get("base")
    if base is not None:
        restore(fold, base)


def line_of(fold: State, number: int) -> Line:
    """The connection of that number; it is there because something came on it."""
    if number not in fold.lines:
        fold.lines[number] = Line(fold.now_ns, fold.now_ns)
    return fold.lines[number]


def sent(fold: State, number: int, payload: bytes) -> None:
    """A command of ours: a subscribe says how prices of the no side will be written."""
    told = json.loads(payload)
    if told.get("cmd") == "subscribe" and "orderbook_delta" in told.get("params", {}).get("channels", ()):
        line = line_of(fold, number)
        line.use_yes_price = line.pending[told["id"]] = bool(told["params"].get("use_yes_price"))


def opened(fold: State, number: int, replaces: int) -> None:
    """A socket is up; what it takes over from was lost when it was last heard."""
    replaced(fold, number)
    if replaces not in (0, number):
        if replaces in fold.lines:
            replaced(fold, replaces)
        else:
            fold.holes.new(Hole("reconnect", replaces, 0, None, fold.started_ns, fold.now_ns, ()))
    fold.lines[number] = Line(fold.now_ns, fold.now_ns)


def replaced(fold: State, number: int) -> None:
    """Another connection takes over from this one."""
    line = fold.lines.get(number)
    if line is not None and line.is_open:
        lose(fold, number, line, fold.now_ns)
    elif line is not None and line.lost_gap and fold.holes.all[line.lost_gap].until_ns is None:
        fold.holes.all[line.lost_gap].until_ns = fold.now_ns


def closed(fold: State, number: int, *, final: bool) -> None:
    """A socket is down; final: recording ends, so nothing was lost."""
    line = fold.lines.get(number)
    if line is None or not line.is_open:
        return
    if final:
        over(fold, number)
        hang_up(line)
    else:
        line.lost_gap = lose(fold, number, line, None)


def lose(fold: State, number: int, line: Line, until_ns: int | None) -> int:
    """A connection is lost with all it carried; the number of that gap."""
    over(fold, number)
    markets = tuple(sorted({market for feed in line.feeds.values() for market in feed.markets}))
    found = fold.holes.new(Hole("reconnect", number, 0, None, line.heard_ns, until_ns, markets))
    hang_up(line)
    return found


def over(fold: State, number: int) -> None:
    """Gaps of a connection end with it."""
    ours = ("sequence", "restart", "terminal")
    over = [h for h in fold.holes.open_ones() if h.connection == number and h.reason in ours and not h.stored]
    fold.holes.close(over, fold.now_ns)


def hang_up(line: Line) -> None:
    """A connection is over."""
    line.is_open, line.feeds, line.ended, line.pending = False, {}, set(), {}


def stored(fold: State, told: dict[str, Any], *, closes: bool) -> None:
    """The recorder tells of a gap, or of its end."""
    until_ns = told.get("until_ns") or fold.now_ns
    same = [hole for hole in fold.holes.open_ones() if hole.stored and hole.reason == told["reason"]]
    if closes and same:
        same[-1].until_ns = until_ns
        distrust(fold, same[-1])
        return
    presumed = [hole for hole in fold.presumed_over if hole.reason == told["reason"]]
    if closes and presumed:
        fold.presumed_over.remove(presumed[-1])
        presumed[-1].until_ns = until_ns
        distrust(fold, presumed[-1])
        return
    markets = tuple(sorted(told.get("markets", ())))
    scope = told.get("connection", 0), told.get("sid", 0)
    at_ns = told.get("from_ns") or fold.now_ns
    fold.holes.new(Hole(told["reason"], *scope, None, at_ns, until_ns if closes else None, markets, stored=True))


def distrust(fold: State, hole: Hole) -> None:
    """Trust no book within a gap until its own next snapshot."""
    whole = hole.reason in ("reconnect", "stall")
    for market, book in fold.books.items():
        if book.owner is None or hole.connection not in (0, book.owner[0]) or hole.sid not in (0, book.owner[1]):
            continue
        if whole or not hole.markets or market in hole.markets:
            book.trusted = False
            if hole.reason in ("reconnect", "restart", "terminal"):
                disown(book)


def frame(fold: State, number: int, payload: bytes) -> None:
    """Anything received on a connection; "" = no text."""
    line = line_of(fold, number)
    if not line.is_open:
        return
    if fold.now_ns - line.heard_ns > SILENCE_NS and fold.knows("control"):
        markets = tuple(sorted({market for feed in line.feeds.values() for market in feed.markets}))
        fold.holes.new(Hole("stall", number, 0, None, line.heard_ns, fold.now_ns, markets))
    frame = read(payload)
    if frame is not None and is_next(fold, number, line, frame):
        apply(fold, number, line, frame)
    line.heard_ns = fold.now_ns


def is_next(fold: State, number: int, line: Line, frame: dict[str, Any]) -> bool:
    """Whether it may be applied; what its number and its words tell of the subscription is noted."""
    if frame["type"] == "subscribed":
        subscribed(fold, number, line, frame)
        return True
    sid, seq = frame.get("sid", 0), frame.get("seq", 0)
    if not sid:
        return True
    if sid not in line.feeds:
        if sid in line.ended:
            return False
        line.feeds[sid] = Feed(fold.now_ns, use_yes_price=line.use_yes_price)
    feed, is_next = line.feeds[sid], True
    if seq:
        is_next = seq >= feed.next_seq
        if is_next:
            if seq > feed.next_seq > 0 and not fold.knows("filtered"):
                missing(fold, (number, sid), feed, (feed.next_seq, seq), feed.heard_ns)
            feed.first_seq, feed.next_seq, feed.heard_ns = feed.first_seq or seq, seq + 1, fold.now_ns
    if frame["type"] == "unsubscribed":
        end(fold, (number, sid), line)
        return True
    if is_next:
        heed(fold, (number, sid), line, frame)
    return is_next


def missing(fold: State, key: Key, feed: Feed, numbers: tuple[int, int], at_ns: int) -> None:
    """Numbers of a subscription never came."""
    books = feed.books()
    until_ns = None if books else fold.now_ns
    fold.holes.new(Hole("sequence", *key, numbers, at_ns, until_ns, books, set(books)))


def restart(fold: State, key: Key, feed: Feed) -> None:
    """A subscription begins anew under its number."""
    fold.holes.close([hole for hole in fold.holes.open_ones() if hole.is_of(key)], fold.now_ns)
    books = feed.books()
    until_ns = None if books else fold.now_ns
    fold.holes.new(Hole("restart", *key, None, feed.heard_ns, until_ns, books, set(books)))


def end(fold: State, key: Key, line: Line) -> None:
    """A subscription is over."""
    fold.holes.close([hole for hole in fold.holes.open_ones() if hole.is_of(key)], fold.now_ns)
    line.ended.add(key[1])
    del line.feeds[key[1]]


def subscribed(fold: State, number: int, line: Line, frame: dict[str, Any]) -> None:
    """A channel was accepted; data may have come before."""
    msg = frame["msg"]
    sid, wanted = msg["sid"], line.pending.get(frame.get("id", 0))
    feed = line.feeds.get(sid)
    if feed is not None and not feed.acknowledged:
        first, feed.next_seq = feed.first_seq, feed.next_seq or 1
        if first > 1 and not fold.knows("filtered"):
            missing(fold, (number, sid), feed, (1, first), line.opened_ns)
        if wanted is not None and wanted != feed.use_yes_price and feed.books():
            restart(fold, (number, sid), feed)
        feed.use_yes_price = feed.use_yes_price if wanted is None else wanted
    else:
        if feed is not None and feed.first_seq:
            restart(fold, (number, sid), feed)
        line.ended.discard(sid)
        scale = line.use_yes_price if wanted is None else wanted
        feed = line.feeds[sid] = Feed(fold.now_ns, next_seq=1, use_yes_price=scale)
    feed.acknowledged, feed.channel = True, msg["channel"]
    holes = fold.holes.open_ones()
    over = [hole for hole in holes if hole.channel == msg["channel"] and hole.connection == number]
    fold.holes.close(over, fold.now_ns)


def heed(fold: State, key: Key, line: Line, frame: dict[str, Any]) -> None:
    """What a frame in order tells of its subscription."""
    feed, msg = line.feeds[key[1]], frame.get("msg")
    if frame["type"] == "ok" and isinstance(msg, dict) and msg.get("market_tickers") is not None:
        listed = msg["market_tickers"]
        dropped = set(feed.markets) - set(listed)
        feed.markets = {
            market: feed.markets.get(market, False) for market in [*feed.markets, *listed] if market in listed
        }
        if dropped:
            fold.holes.dropped(key, dropped, fold.now_ns)
    elif frame["type"] == "error" and isinstance(msg, dict) and msg["code"] in TERMINAL:
        heard_ns, books, channel = feed.heard_ns, feed.books(), feed.channel
        end(fold, key, line)
        markets = books or tuple(sorted(feed.markets))
        hole = Hole("terminal", *key, None, heard_ns, None, markets, set(books), "" if books else channel)
        fold.holes.new(hole)
    elif frame["type"] in CHANNELS and isinstance(msg, dict):
        feed.channel = feed.channel or CHANNELS[frame["type"]]
        feed.markets.setdefault(msg["market_ticker"], False)


def apply(fold: State, number: int, line: Line, frame: dict[str, Any]) -> None:
    """What a frame in order does to books and trades."""
    kind, key = frame["type"], (number, frame.get("sid", 0))
    msg: Any = frame.get("msg")
    feed = line.feeds.get(key[1])
    mirrored = feed is not None and feed.use_yes_price
    if kind == "ok" and isinstance(msg, dict) and msg.get("market_tickers") is not None:
        for market, book in fold.books.items():
            if book.owner == key and market not in msg["market_tickers"]:
                disown(book)
    elif kind == "unsubscribed":
        for book in fold.books.values():
            if book.owner == key:
                disown(book)
    elif kind == "trade":
        if msg["trade_id"] not in fold.trades:
            fold.trades.add(msg["trade_id"])
            fold.books.setdefault(msg["market_ticker"], Book()).traded += msg["count_fp"]
    elif kind == "orderbook_snapshot":
        snapshot(fold, key, feed, frame, mirrored)
    elif kind == "orderbook_delta":
        delta(fold, key, frame, mirrored)


def snapshot(fold: State, key: Key, feed: Feed | None, frame: dict[str, Any], mirrored: bool) -> None:
    """A whole book."""
    msg, seq = frame["msg"], frame.get("seq", 0)
    book = fold.books.setdefault(msg["market_ticker"], Book())
    if seq and seq <= book.last_seq and book.owner == key:
        return
    yes, no = (dict(msg[side]) for side in ("yes_dollars_fp", "no_dollars_fp"))
    if any(size > MOST for size in (*yes.values(), *no.values())):
        book.trusted = False
        return
    book.yes = {price: size for price, size in yes.items() if size}
    book.no = {10_000 - price if mirrored else price: size for price, size in no.items() if size}
    book.trusted, book.owner, book.last_seq = True, key, seq
    if feed is not None:
        feed.markets[msg["market_ticker"]] = True
    fold.holes.seen(key, msg["market_ticker"], fold.now_ns)


def delta(fold: State, key: Key, frame: dict[str, Any], mirrored: bool) -> None:
    """A change of one level."""
    msg, seq = frame["msg"], frame.get("seq", 0)
    book = fold.books.get(msg["market_ticker"])
    if book is None or book.owner != key or (seq and seq <= book.last_seq):
        return
    levels = book.yes if msg["side"] == "yes" else book.no
    price = 10_000 - msg["price_dollars"] if mirrored and msg["side"] == "no" else msg["price_dollars"]
    book.last_seq = seq or book.last_seq
    size = levels.get(price, 0) + msg["delta_fp"]
    if size > MOST:
        book.trusted = False
        return
    levels[price] = size
    if size <= 0:
        del levels[price]
        book.trusted = book.trusted and size == 0


def disown(book: Book) -> None:
    """Nobody's frames make this book any more."""
    book.owner, book.trusted, book.last_seq = None, False, 0
