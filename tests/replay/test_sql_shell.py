"""The SQL shell: statements over lines, dots commands, completion, what was recorded meanwhile, and a real terminal."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sample_tapes import story
from writing import record, session

from capture.tape.writer import TapeWriter
from core.records import Kind
from replay import query
from replay.sql.shell import Shell, is_whole

Lines = Callable[[str], str]


def reader(*lines: str | type[BaseException]) -> Lines:
    """Gives these lines, then the end."""
    left = list(lines)

    def read(_prompt: str) -> str:
        line = left.pop(0) if left else EOFError
        if isinstance(line, str):
            return line
        raise line

    return read


def told(path: Path, *lines: str | type[BaseException]) -> list[str]:
    """What the shell says to these lines; answers as `form: rows`."""
    out: list[str] = []

    def show(relation: query.Relation, form: str) -> None:
        out.append(f"{form}: {[tuple(row.values()) for b in query.batches(relation)[1] for row in b.to_pylist()]}")

    with Shell([path], show=show, say=out.append) as shell:
        shell.run(reader(*lines))
    return out[1:]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A tape."""
    return story(3).tape(tmp_path / "tape").path


@pytest.mark.parametrize(
    ("text", "whole"),
    [("select 1;", True), ("select 1", False), ("select ';", False), ("select ';';", True), ("select 1 -- ;", False),
     ('select ";', False), ("select 1; -- done", True), ("/* ; */", False), ("select 'it''s;", False), ("", False)],
)  # fmt: skip
def test_a_statement_ends_where_sql_says(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_statements_span_lines_and_errors_do_not_end_it(tape: Path) -> None:
    out = told(tape, "select", "1 as one;", "", "from nowhere;", "select 'a';")
    assert (out[0], out[-1]) == ("table: [(1,)]", "table: [('a',)]")
    assert "nowhere does not exist" in out[1] and "views: " in out[1]


def test_an_interrupt_forgets_the_statement(tape: Path) -> None:
    assert told(tape, "select", KeyboardInterrupt, "select 2;") == ["", "table: [(2,)]"]


def test_dots_commands(tape: Path) -> None:
    out = told(tape, ".help", ".views", ".views gaps", ".as csv", "select 1;", ".nonsense", ".quit", "select 2;")
    assert [line.split("\n")[0][:20] for line in out] == [
        "A statement ends wit", "views: connections, ", "spans in which somet", "csv: [(1,)]", ".nonsense is no comm",
    ]  # fmt: skip


def test_it_sees_what_was_recorded_meanwhile_and_keeps_what_was_made(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "tape", "demo", session())
    out: list[str] = []
    lines = iter(["create table mine as select 7 as n;", "select count(*) from records;", "grow",
                  "select count(*) from records;", "from mine;"])  # fmt: skip

    def read(_prompt: str) -> str:
        line = next(lines, None)
        if line == "grow":
            writer.append(Kind.FRAME, record(1).payload, 1)
            line = next(lines)
        if line is None:
            raise EOFError
        return line

    def show(relation: query.Relation, _form: str) -> None:
        out.append(str(relation.fetchall()))

    try:
        with Shell([tmp_path / "tape"], show=show, say=out.append) as shell:
            shell.run(read)
    finally:
        writer.close()
    assert out[1:] == ["[(1,)]", "[(1,)]", "[(2,)]", "[(7,)]"]  # a table that is made says how many rows it has


def test_tab_offers_views_columns_and_tickers(tape: Path) -> None:
    with Shell([tape], show=lambda *_: None, say=lambda _: None) as shell:
        assert shell.candidates("trad") == ["trade_id", "traded", "traded_e2", "trades"]
        assert shell.candidates("book_") == ["book_at("]
        assert shell.candidates("KXT") == ["KXTEST-A", "KXTEST-B"]


@contextlib.contextmanager
def on_a_terminal(tape: Path, state: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The shell at its first prompt, and our end of its terminal."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb"}
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, str(root / "tapedeck.py"), "sql", str(tape)]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    try:
        _wait_for(ours, b"tapedeck> ")
        yield child, ours
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def test_on_a_terminal_it_answers_and_keeps_its_history(tape: Path, tmp_path: Path) -> None:
    with on_a_terminal(tape, tmp_path / "state") as (child, ours):
        os.write(ours, b"select count(*) + 42 as answer from tick\t;\n")  # Tab: tickers
        assert b"(1 row)" in _wait_for(ours, b"(1 row)")
        os.write(ours, b"exit\n")
        assert child.wait(30) == 0
    history = tmp_path / "state" / "tapedeck" / "sql_history"
    assert "as answer from tickers" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_ends_a_statement_that_runs_and_not_the_shell(tape: Path, tmp_path: Path) -> None:
    with on_a_terminal(tape, tmp_path / "state") as (child, ours):
        os.write(ours, b".as csv\nselect i from range(1000000000000) t(i) where i < 200000 or sqrt(i) < 0;\n")
        _wait_for(ours, b"\n60000\r\n")  # it runs: the first rows are out, and no more than these will come
        child.send_signal(signal.SIGINT)
        _wait_for(ours, b"interrupted")
        os.write(ours, b"select 40 + 2;\n")
        _wait_for(ours, b"\n42\r\n")


def _wait_for(fd: int, words: bytes) -> bytes:
    seen, until = b"", time.monotonic() + 60
    while words not in seen:
        assert select.select([fd], [], [], until - time.monotonic())[0], seen
        seen += os.read(fd, 4096)
    return seen
