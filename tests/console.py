"""The program run inside the test's own process, and recordings to give it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sample_tapes import START_NS, Script

import tapedeck


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON, which must be all of it."""
        assert self.code in (0, 1), self.err
        return json.loads(self.out)


Cli = Callable[..., Ran]


def console(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A function that runs `tapedeck` with its arguments."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["tapedeck", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            tapedeck.main()
        code = stopped.value.code
        out, err = capsys.readouterr()
        return Ran(code if isinstance(code, int) else 0, out, err)

    return run


def assert_refused(ran: Ran, *words: str) -> None:
    """Exit 2, nothing on standard output, and one sentence without a traceback that holds all these words."""
    assert ran.code == 2
    assert ran.out == ""
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("tapedeck: ")
    for word in words:
        assert word in lines[0]


def recording(path: Path, *, lines: int = 20) -> Path:
    """A recording in the btc15m dialect: a book of one market and so many deltas."""
    script = Script().opened().subscribed().snapshot("KXTEST-A", [("0.4000", "10.00")], [])
    for _ in range(lines):
        script.delta("KXTEST-A", "yes", "0.4000", "1.00")
    texts: list[dict[str, object]] = [{"recv_ns": START_NS, "conn": 1, "event": "connected"}]
    texts += [{"recv_ns": r.at_ns, "conn": 1, "raw": r.payload.decode()} for r in script.records[1:]]
    path.write_bytes(b"".join(json.dumps(text, separators=(",", ":")).encode() + b"\n" for text in texts))
    return path
