"""That the tests' browser sees what a page does wrong."""

from pathlib import Path

from browser import browsing, needs_browser

pytestmark = needs_browser


def test_complaints_and_requests_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('broken'); fetch('http://127.0.0.1:9/nothing'); absent()</script>", "utf-8")
    with browsing() as seen:
        seen.page.goto(page.as_uri())
        seen.page.wait_for_load_state("networkidle")
        assert "broken" in seen.complaints
        assert any("absent" in text for text in seen.complaints)
        assert seen.hosts() == {"127.0.0.1"}


def test_a_good_page_has_none(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<h1>quiet</h1>", "utf-8")
    with browsing(scheme="dark") as seen:
        seen.page.goto(page.as_uri())
        assert seen.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert seen.complaints == []
        assert seen.hosts() == set()
