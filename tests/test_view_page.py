"""The page over a tape in a real browser: what people see and press, and that it asks nobody but its own server."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import pytest
from browser import NARROW, WIDE, Seen, browsing, needs_browser
from fixture_tapes import fixture_tape
from imported import tape_of
from lived import lived
from sample_tapes import make_tape, story
from tapes import needs_tapes
from viewing import viewing
from writing import session

from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, Record
from replay.books import markets_of

pytestmark = [pytest.mark.integration, needs_browser]

Scheme = Literal["light", "dark"]


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Seen]:
    with browsing() as seen:
        yield seen


@pytest.fixture(name="seen")
def _seen(browser: Seen) -> Iterator[Seen]:
    """The browser as it was in the beginning; one for all tests, because it takes long to start."""
    browser.page.goto("about:blank")
    browser.complaints.clear()
    browser.requests.clear()
    dress(browser)
    yield browser
    browser.page.evaluate("localStorage.clear()")


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    """The page of a tape with a strategy's decisions: its URL and their seqs."""
    path = tmp_path_factory.mktemp("view") / "tape"
    records = lived()
    make_tape(path, records)
    with viewing(path) as server:
        yield server.url, [record.seq for record in records if record.kind == Kind.DECISION]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Tape]]:
    """The page of a run recorded on the sandbox, with real orders and fills, through a connection that was closed."""
    tape = fixture_tape("run-1", tmp_path_factory.mktemp("view"))
    with viewing(tape.path) as server:
        yield server.url, tape


def dress(seen: Seen, size: tuple[int, int] = WIDE, scheme: Scheme = "light") -> None:
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    seen.page.emulate_media(color_scheme=scheme)


def opened(seen: Seen, url: str) -> None:
    seen.page.goto(url)
    seen.page.wait_for_selector("html[data-ready]:not([data-asking])")


def at(seen: Seen, seq: int) -> None:
    """Wait until the page stands at a record, its bytes and the list with it, and has asked all that it wants."""
    seen.page.wait_for_function("seq => location.hash.includes(`seq=${seq}&`)", arg=seq)
    seen.page.wait_for_function("seq => document.querySelector('.record.at')?.dataset.seq === String(seq)", arg=seq)
    seen.page.wait_for_selector("html:not([data-asking])")


def require_clean(seen: Seen) -> None:
    assert seen.complaints == []
    assert seen.hosts() == {"127.0.0.1"}
    assert seen.page.locator("#problem").is_hidden()


def brightness(seen: Seen) -> float:
    """Of the page's ground, 0 to 255."""
    shade = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", shade)[:3])) / 3


def test_keys_lead_through_records_and_decisions(seen: Seen, traded: tuple[str, list[int]]) -> None:
    url, decisions = traded
    opened(seen, url)
    at(seen, decisions[0])
    for key, seq in (
        ("ArrowRight", decisions[0] + 1), ("ArrowLeft", decisions[0]), ("d", decisions[1]), ("d", decisions[2]),
        ("Shift+D", decisions[1]), ("Home", 0), ("Shift+ArrowRight", 10),
    ):  # fmt: skip
        seen.page.keyboard.press(key)
        at(seen, seq)
    seen.page.keyboard.press("/")
    seen.page.keyboard.type(f"#{decisions[-1]}")
    seen.page.keyboard.press("Enter")
    at(seen, decisions[-1])
    assert re.search(r"Because of .*#\d+", seen.page.locator(".why").inner_text())
    require_clean(seen)


def test_every_key_of_the_list_does_something(seen: Seen, traded: tuple[str, list[int]]) -> None:
    opened(seen, traded[0])
    seen.page.keyboard.press("?")
    listed = seen.page.locator("#keys kbd").all_inner_texts()
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("#keys").is_hidden()
    names = {"Space": " ", "\u2190": "ArrowLeft", "\u2192": "ArrowRight", "\u2212": "-"}
    ignored = [
        key
        for key in listed
        if seen.page.evaluate(
            """key => document.body.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }))""",
            names.get(key, key),
        )
    ]
    assert ignored == []
    assert len(listed) == 25


def test_keys_choose_speed_span_theme_market_and_a_list(seen: Seen, traded: tuple[str, list[int]]) -> None:
    opened(seen, traded[0])
    page = seen.page
    page.keyboard.press("+")
    assert page.input_value("#speed") == "2"
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.input_value("#speed") == "0.5"
    before = page.locator("#span").inner_text()
    page.keyboard.press("z")
    page.wait_for_function("before => document.querySelector('#span').textContent !== before", arg=before)
    light = brightness(seen)
    page.keyboard.press("t")
    assert light > 200 > 60 > brightness(seen)
    page.keyboard.press("t")
    page.keyboard.press("m")
    page.keyboard.type("KXTEST-B")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('market=KXTEST-B')")
    page.get_by_role("button", name="Ours").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("html:not([data-asking])")
    marks = page.locator(".record:visible").evaluate_all("rows => rows.map((row) => row.className)")
    assert marks and all("decision" in mark or "outcome" in mark for mark in marks)
    require_clean(seen)


def test_a_link_leads_to_its_moment(seen: Seen, traded: tuple[str, list[int]]) -> None:
    url, decisions = traded
    opened(seen, f"{url}#seq={decisions[3]}&market=KXTEST-B&span=10000")
    at(seen, decisions[3])
    assert seen.page.input_value("#market") == "KXTEST-B"
    assert seen.page.locator("#span").inner_text() == "10 s"
    require_clean(seen)


def test_what_is_not_on_the_tape_is_said_on_the_page(seen: Seen, traded: tuple[str, list[int]]) -> None:
    seen.page.goto(f"{traded[0]}#seq=999999&market=KXTEST-A")
    seen.page.wait_for_selector("#problem:not([hidden])")
    assert "no record 999999 on this tape" in seen.page.locator("#problem").inner_text()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "dark")])
def test_a_run_is_shown_with_its_orders_fills_decisions_and_gap(
    seen: Seen, run: tuple[str, Tape], size: tuple[int, int], scheme: Scheme
) -> None:
    url, tape = run
    dress(seen, size, scheme)
    opened(seen, url)
    records = list(tape.records())
    fills = [record.seq for record in records if b'"type":"fill"' in record.payload]
    decisions = [record.seq for record in records if record.kind == Kind.DECISION]
    at(seen, decisions[0])
    seen.page.keyboard.press("f")
    at(seen, fills[0])
    assert seen.page.locator("#decoded-facts").inner_text().startswith("fill")
    seen.page.get_by_role("tab", name="Ours").click()
    ours = seen.page.locator("#tab-ours").inner_text()
    assert re.search(r"Position: \d", ours)
    assert re.search(r"bought yes\s+0\.\d{4}\s+\d+\.\d\d", ours)
    seen.page.keyboard.press("d")
    seen.page.wait_for_function("seq => Number(location.hash.match(/seq=(\\d+)/)[1]) > seq", arg=fills[0])
    seen.page.wait_for_selector("html:not([data-asking])")
    assert seen.page.locator(".level.ours").count() > 0
    seen.page.get_by_role("tab", name="Decisions").click()
    seen.page.wait_for_selector("html:not([data-asking])")
    why = seen.page.locator(".why").inner_text()
    assert [word for word in ("Because of", "It saw", "It decided", "It led to") if word not in why] == []
    seen.page.keyboard.press("Home")
    at(seen, 0)
    seen.page.keyboard.press("]")
    seen.page.get_by_role("tab", name="Gaps").click()
    assert "reconnect" in seen.page.locator("#tab-gaps").inner_text()
    assert re.search(r"\b1 gap\b", seen.page.locator("#legend").inner_text())
    assert (brightness(seen) < 60) if scheme == "dark" else (brightness(seen) > 200)
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    require_clean(seen)


OVERLAPS: Final = """() => {
    const all = document.querySelectorAll("#transport > *, header > *:not(.grow), #clock");
    const boxes = [...all].filter((one) => one.offsetParent !== null).map((one) => [one, one.getBoundingClientRect()]);
    const found = [];
    boxes.forEach(([one, a], place) => boxes.slice(place + 1).forEach(([other, b]) => {
        if (one.contains(other)) return;
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            found.push(`${one.id || one.className} and ${other.id || other.className}`);
    }));
    return found;
}"""


GREENS: Final = """({ from, until }) => {
    let found = 0;
    for (const canvas of document.querySelectorAll("#price canvas")) {
        const { width, height } = canvas;
        if (width < 300) continue;
        const left = Math.round(width * from);
        const { data } = canvas.getContext("2d").getImageData(left, 0, Math.round(width * until) - left, height);
        for (let at = 0; at < data.length; at += 4)
            found += data[at + 3] > 200 && data[at + 1] > data[at] + 60 && data[at + 1] > data[at + 2] + 40;
    }
    return found;
}"""
"""Pixels of the best bid's colour between two parts of the chart's width."""


@pytest.mark.parametrize("width", [360, 700, 1024, 1120, 1200, 1300, 1440])
def test_nothing_lies_over_anything_else_at_any_width(seen: Seen, run: tuple[str, Tape], width: int) -> None:
    dress(seen, (width, 800))
    opened(seen, run[0])
    assert seen.page.evaluate(OVERLAPS) == []
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_chart_says_what_is_in_it_and_no_price_after_the_end(seen: Seen, run: tuple[str, Tape]) -> None:
    url, tape = run
    opened(seen, f"{url}#seq={tape.manifest.next_seq - 1}&market={markets_of(tape)[0]}&span=60000")
    legend = seen.page.locator("#price-legend").inner_text()
    assert legend.startswith("best bid and ask of yes · dots: trades")
    left, right = (
        seen.page.evaluate(GREENS, {"from": part[0], "until": part[1]}) for part in ((0.3, 0.499), (0.51, 0.85))
    )
    assert left > 20 and right == 0  # the cursor is in the middle, at the tape's end


def test_what_is_not_known_is_not_said(seen: Seen, run: tuple[str, Tape]) -> None:
    opened(seen, f"{run[0]}#seq=0&market={markets_of(run[1])[0]}")
    assert seen.page.locator("#trust").inner_text() == "no book yet"
    assert seen.page.locator("#ladder .spread").inner_text() == ""
    legend = seen.page.locator("#legend").inner_text()
    assert "2 starts and stops" in legend and "4 connects and closes" in legend


def test_playing_goes_on_to_the_end_and_stops_there(seen: Seen, run: tuple[str, Tape]) -> None:
    url, tape = run
    last = tape.manifest.next_seq - 1
    opened(seen, f"{url}#seq={last - 40}")
    seen.page.select_option("#speed", "30")
    seen.page.keyboard.press(" ")
    at(seen, last)
    seen.page.wait_for_function("() => document.querySelector('#play').textContent === '\u25b6'")
    require_clean(seen)


WRITER = WriterOptions(sync_interval_s=0.01, reserve_bytes=4_096)


def say(writer: TapeWriter, records: Sequence[Record]) -> None:
    for record in records:
        writer.append(record.kind, record.payload, connection=record.connection)


def test_a_tape_that_is_recorded_is_followed_until_one_looks_elsewhere_and_until_it_ends(
    seen: Seen, tmp_path: Path
) -> None:
    told = [record for record in story(6).records if record.kind not in (Kind.SESSION, Kind.CLEAN_STOP)]
    head = "seq => document.querySelector('.record.at')?.dataset.seq === String(seq)"
    count = "count => document.querySelector('#facts').textContent.startsWith(`${count} records`)"
    with TapeWriter.create(tmp_path / "tape", "demo", session(), options=WRITER) as writer:
        say(writer, told[:10])
        with viewing(tmp_path / "tape") as server:
            opened(seen, server.url)
            assert seen.page.locator("#ended").inner_text() == "recording"
            assert seen.page.locator("#live").is_checked()
            for part in (told[10:20], told[20:30]):
                say(writer, part)
                seen.page.wait_for_function(head, arg=writer.head_seq)
            seen.page.keyboard.press("ArrowLeft")
            before = writer.head_seq - 1
            at(seen, before)
            assert not seen.page.locator("#live").is_checked()
            say(writer, told[30:])
            seen.page.wait_for_function(count, arg=writer.head_seq + 1)
            assert seen.page.evaluate(head, before)
            seen.page.keyboard.press("l")
            seen.page.wait_for_function(head, arg=writer.head_seq)
            writer.close()
            seen.page.wait_for_function("() => document.querySelector('#ended').textContent === 'stopped cleanly'")
            require_clean(seen)


def test_a_server_that_is_gone_is_said_on_the_page(seen: Seen, tmp_path: Path) -> None:
    tape = story(3).tape(tmp_path / "tape")
    with viewing(tape.path) as server:
        opened(seen, server.url)
    seen.page.wait_for_selector("#problem:not([hidden])")
    assert "is `tapedeck view` still running?" in seen.page.locator("#problem").inner_text()


@needs_tapes
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_real_tape_is_shown_with_book_prices_and_bytes(
    seen: Seen, size: tuple[int, int], scheme: Scheme, tmp_path: Path
) -> None:
    dress(seen, size, scheme)
    with viewing(tape_of("btc15m/short-30s").path) as server:
        opened(seen, server.url)
        assert seen.page.locator(".level.bid:visible").count() > 3
        assert seen.page.locator(".level.ask:visible").count() > 3
        assert '"type"' in seen.page.locator("#raw pre").inner_text()
        assert seen.page.locator("#decoded dt").count() > 3
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        before = seen.page.locator("#seq").inner_text()
        seen.page.keyboard.press(" ")
        seen.page.wait_for_function("before => document.querySelector('#seq').textContent !== before", arg=before)
        seen.page.keyboard.press(" ")
        require_clean(seen)
        assert seen.page.screenshot(path=str(tmp_path / "page.png"))
