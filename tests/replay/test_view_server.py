"""replay.view.server: who may ask, what is answered, and that nothing leaves the tape's folder."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample_tapes import story
from viewing import viewing

from core.errors import ConfigError
from replay.books import MarketNotFound
from replay.view.server import ASSETS, ViewServer, is_local


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewServer]:
    path = tmp_path_factory.mktemp("view") / "tape"
    story().tape(path)
    (path.parent / "secret.txt").write_text("not of the tape")
    with viewing(path) as made:
        yield made


def get(
    server: ViewServer, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, Any, Any]:
    """Status, headers, body; the path goes out as it stands."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{server.port}", **(headers or {})}.items():
        if value:
            connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    found = response.status, response.headers, body
    connection.close()
    return found


def words(server: ViewServer, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    status, _, body = get(server, path, headers)
    return status, json.loads(body)["error"]


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:65535", "[::1]:8400", "LOCALHOST:1"])
def test_this_machine_is_answered_by_any_of_its_names_on_any_port(server: ViewServer, host: str) -> None:
    assert get(server, "/api/tape", {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8400", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.2", "[::2]",
     "0.0.0.0", "localhost@evil.example", "user:p@localhost", "127.0.0.1:80:80", "localhost:", "2130706433"],
)  # fmt: skip
def test_another_name_is_refused_so_that_no_rebound_name_reaches_the_tape(server: ViewServer, host: str) -> None:
    for path in ("/", "/api/tape", "/main.js"):
        status, sentence = words(server, path, {"Host": host})
        assert status == 403
        assert "for this machine only" in sentence
    assert get(server, "/", {"Host": ""})[0] == 400


@pytest.mark.parametrize("origin", ["http://localhost:9999", "http://127.0.0.1", "https://[::1]:1"])
def test_pages_of_this_machine_may_ask(server: ViewServer, origin: str) -> None:
    assert get(server, "/api/tape", {"Origin": origin})[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", ""])
def test_pages_of_others_may_not(server: ViewServer, origin: str) -> None:
    status, headers, _ = get(server, "/api/tape", {"Origin": origin} if origin else {"Sec-Fetch-Site": "cross-site"})
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers


def test_a_link_may_be_followed_from_anywhere_but_no_answer_fetched(server: ViewServer) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert get(server, "/", followed)[0] == 200
    assert get(server, "/api/tape", followed)[0] == 403


def test_nothing_but_its_own_files_runs_on_the_page(server: ViewServer) -> None:
    for path in ("/", "/main.js", "/api/tape", "/nothing"):
        _, headers, _ = get(server, path)
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_has_no_script_or_style_in_it_and_no_way_to_read_text_as_html() -> None:
    html = (ASSETS / "index.html").read_text(encoding="utf-8")
    assert "<style" not in html and "style=" not in html and " on" not in html.replace(" on ", "")
    for script in ASSETS.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
        ):
            assert way not in text, f"{script.name}: {way}"


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//etc/passwd", "/server.py", "/../server.py",
     "/vendor/../../server.py", "/%00", "/index.html%00.js", "/vendor", "/tape.json"],
)  # fmt: skip
def test_no_path_leads_out_of_the_pages_own_files(server: ViewServer, path: str) -> None:
    status, _, body = get(server, path)
    assert status == 404
    assert "there is no" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/luck", 404, "there is no question 'luck'; there are chart, decisions, "),
        ("/api/state?seq=5&market=..%2F..%2Fsecret.txt", 404, "no market ../../secret.txt on this tape"),
        ("/api/state?seq=5&market=%3Cscript%3E", 404, "no market <script> on this tape"),
        ("/api/chart?market=KXNONE&from=1&until=2", 404, "no market KXNONE on this tape"),
        ("/api/state?seq=999999&market=KXTEST-A", 404, "no record 999999 on this tape: it holds records 0 to"),
        ("/api/state?seq=-1", 404, "no record -1 on this tape"),
        ("/api/state", 400, "ms is missing"),
        ("/api/state?seq=1e9", 400, "seq=1e9 is not a whole number"),
        ("/api/state?seq=" + "9" * 30, 400, "is not a whole number"),
        ("/api/state?ms=nan", 400, "ms=nan is not a time in Unix milliseconds"),
        ("/api/timeline?from=5&until=5", 400, "from=5 is not before until=5"),
        ("/api/place?text=soon", 400, "'soon' is not a time"),
        ("/api/place?text=" + "1" * 201, 400, "text has 201 characters, 200 are possible"),
        ("/api/why?seq=0", 404, "record 0 is no decision"),
    ],
)
def test_a_bad_question_is_answered_in_words(server: ViewServer, path: str, status: int, sentence: str) -> None:
    found = words(server, path)
    assert found[0] == status
    assert sentence in found[1]


def test_only_reading_is_possible(server: ViewServer) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(server, "/api/tape", method=method)[0] == 405


def test_no_answer_names_the_place_of_the_tape(server: ViewServer) -> None:
    _, _, body = get(server, "/api/tape")
    assert json.loads(body)["name"] == "tape"
    assert str(server.scout.tape.path.parent).encode() not in body


def test_the_url_names_the_market_that_was_asked_for(tmp_path: Path) -> None:
    path = story().tape(tmp_path / "tape").path
    with viewing(path, "KXTEST-B") as made:
        assert made.url == f"http://127.0.0.1:{made.port}/#market=KXTEST-B"
    with pytest.raises(MarketNotFound, match="no market KXTEST-C on this tape; near it: "):
        ViewServer(path, market="KXTEST-C")


def test_a_port_that_is_taken_or_impossible_is_said(server: ViewServer, tmp_path: Path) -> None:
    path = story().tape(tmp_path / "tape").path
    with pytest.raises(ConfigError, match="port 70000 is not between 0"):
        ViewServer(path, 70_000)
    taken = ViewServer(path, server.port)
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {server.port}"):
        import asyncio

        async def main() -> None:
            try:
                await taken.start()
            finally:
                await taken.stop()

        asyncio.run(main())


def test_what_is_local_is_said_of_whole_hosts_only() -> None:
    assert is_local("localhost:1") and is_local("[::1]")
    assert not is_local("localhost:123456") and not is_local("localhost\n") and not is_local("xlocalhost")
