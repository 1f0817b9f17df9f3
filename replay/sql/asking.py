"""From words on a command line to an answer: which are tapes, the statement, errors that name what there is.

Knows how tapes are named (directories, patterns), and how a statement names a market. Must not know how an answer
looks.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.errors import ConfigError
from replay import query
from replay.books import near_to
from replay.sql.macros import MACROS
from replay.sql.session import VIEWS

_LABEL: Final = "tape.json"
_PATTERN: Final = re.compile(r"[*?\[]")
_MARKET: Final = re.compile(
    r"(?:\b(?:book_at|bbo|depth|spread|ohlc)\s*\(\s*(?:ticker\s*:=\s*)?|\bmarket\s*=\s*)'((?:[^']|'')*)'", re.IGNORECASE
)
_NAMED: Final = "select 1 from internal.rows where market = ? limit 1"
_MARKETS: Final = (
    "select market from internal.rows where market is not null union "
    "select _m.market from (select unnest(_carried(name)) as _m from internal.tapes) order by all"
)
_UNKNOWN: Final = ("Catalog Error", "Binder Error")


def split(arguments: Sequence[str]) -> tuple[list[Path], str | None]:
    """The tapes among the words, and the statement, which is the last word if it names no tape.

    A word with * ? or [ stands for the tapes whose paths fit it, if any do. Raises ConfigError for a word that is
    neither, and when no tape is named.
    """
    words = list(arguments)
    statement = None
    if words and not _tapes(words[-1]) and (len(words) > 1 or re.search(r"\s", words[-1])):
        statement = words.pop()
    tapes: list[Path] = []
    for word in words:
        found = _tapes(word)
        if not found:
            raise ConfigError(f"{word}: no tape is there (a directory that holds {_LABEL})")
        tapes += [path for path in found if path not in tapes]
    if not tapes:
        raise ConfigError('name a tape before the query: tapedeck sql TAPE... "QUERY"')
    return tapes, statement


def _tapes(word: str) -> list[Path]:
    path = Path(word)
    if "\0" in word or len(word) > 4096:
        return []
    try:
        if path.is_dir():
            return [path] if (path / _LABEL).is_file() else []
        if not _PATTERN.search(word):
            return []
        pattern = word.removeprefix(path.anchor)
        found = sorted(Path(path.anchor or ".").glob(pattern))
        return [entry for entry in found if (entry / _LABEL).is_file()]
    except (OSError, ValueError, NotImplementedError):  # too long for a name, or no pattern
        return []


def ask(connection: query.Connection, statement: str) -> query.Relation | None:
    """The answer to statements, None when the last one has none. Raises SqlError, which says what could be asked."""
    try:
        return query.run(connection, statement)
    except query.SqlError as error:
        raise query.SqlError(helped(str(error))) from error


def strangers(connection: query.Connection, statement: str) -> list[str]:
    """A sentence for each market that a statement names and the tapes do not: its answer holds nothing of that one.

    Only where it is written out after `market =` or as a macro's first argument.
    """
    told = [name.replace("''", "'") for name in dict.fromkeys(_MARKET.findall(statement))]
    try:
        strange = [name for name in told if not query.ask(connection, _NAMED, [name]).num_rows]
        known = query.ask(connection, _MARKETS).column("market").to_pylist() if strange else []
    except query.SqlError:  # a transaction that failed, a damaged file: the answer has told of it
        return []
    return [f"no market {name} on these tapes{near_to(name, known)}" for name in strange if name not in known]


def helped(text: str) -> str:
    """DuckDB's words, and where a name is not known what there is."""
    return f"{text}\n{names()}" if text.startswith(_UNKNOWN) else text


def names() -> str:
    """The views and macros, in two lines."""
    views = ", ".join(sorted(view.name for view in VIEWS))
    macros = ", ".join(f"{macro.name}({macro.parameters})" for macro in MACROS)
    return f"views: {views}\nmacros: {macros}"
