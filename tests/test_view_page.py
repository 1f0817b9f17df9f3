"""The page over a tape in a real browser: what people see and press, and that it asks nobody but its own server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import NARROW, WIDE, Seen, browsing, needs_browser
from imported import tape_of
from lived import lived
from sample_tapes import make_tape
from tapes import needs_tapes
from viewing import viewing

from core.records import Kind

pytestmark = [pytest.mark.integration, needs_browser]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    """The page of a tape with a strategy's decisions: its URL and their seqs."""
    path = tmp_path_factory.mktemp("view") / "tape"
    records = lived()
    make_tape(path, records)
    with viewing(path) as server:
        yield server.url, [record.seq for record in records if record.kind == Kind.DECISION]


def opened(seen: Seen, url: str) -> None:
    seen.page.goto(url)
    seen.page.wait_for_selector("html[data-ready]")


def at(seen: Seen, seq: int) -> None:
    """Wait until the page stands at a record, its bytes and the list with it."""
    seen.page.wait_for_function("seq => location.hash.includes(`seq=${seq}&`)", arg=seq)
    seen.page.wait_for_function("seq => document.querySelector('.record.at')?.dataset.seq === String(seq)", arg=seq)


def require_clean(seen: Seen) -> None:
    assert seen.complaints == []
    assert seen.hosts() == {"127.0.0.1"}
    assert seen.page.locator("#problem").is_hidden()


def test_keys_lead_through_records_and_decisions(traded: tuple[str, list[int]]) -> None:
    url, decisions = traded
    with browsing() as seen:
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
        seen.page.wait_for_selector("#tab-decisions .why li")
        assert re.search(r"Because of .*#\d+", seen.page.locator(".why").inner_text())
        require_clean(seen)


def test_a_link_leads_to_its_moment(traded: tuple[str, list[int]]) -> None:
    url, decisions = traded
    with browsing(scheme="dark") as seen:
        opened(seen, f"{url}#seq={decisions[3]}&market=KXTEST-B&span=10000")
        at(seen, decisions[3])
        assert seen.page.input_value("#market") == "KXTEST-B"
        assert seen.page.locator("#span").inner_text() == "10 s"
        require_clean(seen)


def test_what_is_not_on_the_tape_is_said_on_the_page(traded: tuple[str, list[int]]) -> None:
    with browsing() as seen:
        seen.page.goto(f"{traded[0]}#seq=999999&market=KXTEST-A")
        seen.page.wait_for_selector("#problem:not([hidden])")
        assert "no record 999999 on this tape" in seen.page.locator("#problem").inner_text()


@needs_tapes
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_real_tape_is_shown_with_book_prices_and_bytes(size: tuple[int, int], scheme: str, tmp_path: Path) -> None:
    with (
        viewing(tape_of("btc15m/short-30s").path) as server,
        browsing(size, "dark" if scheme == "dark" else "light") as seen,
    ):
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
