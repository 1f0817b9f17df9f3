"""The SQL shell: reads statements from a terminal, with completion and history, and shows their answers.

Knows dots commands, when a statement is whole, and what Tab offers. Must not know how an answer is written: it is given
whom to hand it to. Python's readline does the editing; no other package is needed.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final, Self

from replay import query
from replay.sql.asking import ask, names, strangers
from replay.sql.cut import take_all
from replay.sql.macros import MACROS
from replay.sql.session import VIEWS, fill
from replay.sql.source import Source

HISTORY_LINES: Final = 2_000
FORMS: Final = ("table", "csv", "json")

HELP: Final = """A statement ends with ; and sees what was recorded until it begins.
.views          what there is to ask, .views NAME for the columns of one
.as FORM        answer as table, csv or json
.quit           leave, as does Ctrl-D; Ctrl-C forgets the statement"""

QUIT: Final = (".quit", ".exit", "quit", "exit")

_SQL: Final = (
    *("select", "from", "where", "group", "by", "order", "limit", "asof", "left"),
    *("join", "on", "using", "as", "and", "or", "not", "in", "is"),
    *("null", "distinct", "with", "having", "between", "like", "case", "when", "then"),
    *("else", "end", "describe", "explain", "copy", "to", "interval", "count", "sum"),
    *("min", "max", "avg", "arg_max", "arg_min"),
)


def history_file() -> Path:
    """Where the history is kept, by the XDG rules."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "tapedeck" / "sql_history"


def is_whole(text: str) -> bool:
    """Whether a statement has ended: a ; that is in no quotes and no comment, with nothing but space after it."""
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*(?=\n|$)|/\*.*?\*/", "", text, flags=re.DOTALL)
    return bare.rstrip().endswith(";") and not re.search(r"['\"]|/\*", bare)


class Shell:
    """A session at a terminal over some tapes. show: takes an answer and the form; say: takes words."""

    def __init__(
        self, tapes: list[Path], *, show: Callable[[query.Relation, str], None], say: Callable[[str], None]
    ) -> None:
        self._tapes, self._show, self._say = tapes, show, say
        self._form = "table"
        self._connection = query.connect()
        self._source: Source | None = None
        self._seen: object = None
        self._refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        if self._source is not None:
            self._source.close()

    def run(self, read: Callable[[str], str]) -> None:
        """Until the end of input. read: gives the next line after a prompt, EOFError at the end."""
        self._say("tapedeck sql: .help tells what there is, Ctrl-D ends")
        lines: list[str] = []
        while True:
            try:
                line = read("   ...> " if lines else "tapedeck> ")
            except EOFError:
                return
            except KeyboardInterrupt:
                lines = []
                self._say("")
                continue
            if not lines and line.strip().rstrip(";") in QUIT:
                return
            if not lines and line.strip().startswith("."):
                self._dot(line.split())
                continue
            if lines or line.strip():
                lines.append(line)
            if lines and is_whole("\n".join(lines)):
                statement, lines = "\n".join(lines), []
                self._ask(statement)

    def candidates(self, text: str) -> list[str]:
        """What a word may be the beginning of: views, macros, columns, SQL, tickers."""
        words = {view.name for view in VIEWS} | {f"{macro.name}(" for macro in MACROS} | set(_SQL)
        words |= {column.name for view in VIEWS for column in view.columns}
        assert self._source is not None
        if text.isupper():  # tickers are; the fold that knows them is made only when one is begun
            words |= {market for tape in self._source.cuts for market in self._source.known(tape).tally.markets}
        return sorted(word for word in words if word.lower().startswith(text.lower()))

    def _refresh(self) -> None:
        """See what was recorded meanwhile."""
        cuts = take_all(self._tapes)
        seen = [(cut.last_seq, cut.files) for cut in cuts]
        if seen != self._seen:
            before, self._source = self._source, fill(self._connection, cuts)
            self._seen = seen
            if before is not None:
                before.close()

    def _ask(self, statement: str) -> None:
        try:
            self._refresh()
            relation = ask(self._connection, statement)
            if relation is not None:
                self._show(relation, self._form)
                for sentence in strangers(self._connection, statement):
                    self._say(sentence)
        except query.SqlError as error:
            self._say(str(error))
        except KeyboardInterrupt:
            self._say("interrupted")

    def _dot(self, words: list[str]) -> None:
        match words:
            case [".help"]:
                self._say(HELP)
            case [".views"]:
                self._say(names())
            case [".views", name] if name in {view.name for view in VIEWS}:
                view = next(view for view in VIEWS if view.name == name)
                self._say("\n".join([view.says, *(f"  {column.name:22} {column.says}" for column in view.columns)]))
            case [".as", form] if form in FORMS:
                self._form = form
            case _:
                self._say(f"{' '.join(words)} is no command here\n{HELP}")


@contextlib.contextmanager
def edited(candidates: Callable[[str], list[str]], history: Path) -> Iterator[Callable[[str], str]]:
    """A way to read lines with completion and a history that is kept in a file; plain where there is no readline."""
    try:
        import readline
    except ImportError:  # built without it
        yield input
        return
    _begin(readline, candidates, history)
    try:
        yield input
    finally:
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            history.touch(mode=0o600)
            readline.set_history_length(HISTORY_LINES)
            readline.write_history_file(str(history))
        readline.set_completer(None)


def _begin(readline: ModuleType, candidates: Callable[[str], list[str]], history: Path) -> None:
    def _complete(text: str, number: int) -> str | None:
        found = candidates(text)
        return found[number] if number < len(found) else None

    with contextlib.suppress(OSError):
        readline.read_history_file(str(history))
    readline.set_completer_delims(" \t\n,;()=<>'\"")
    readline.set_completer(_complete)
    is_editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_editline else "tab: complete")
