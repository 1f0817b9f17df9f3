"""The folder that an export makes: whole or not at all, and what files in it are called.

Knows that tickers come from outside and may hold anything: a name made of one never leads out of the folder.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from capture.tape.errors import TapeError, disk_error
from capture.tape.layout import fsync_dir

NAME_LENGTH: Final = 100
"""Letters of a ticker in a name: with what is added to it far below the 255 bytes that file systems allow."""

_MARK: Final = 17  # what is added to a name that is too long or taken


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A directory beside `out`, which takes its name once everything went well and is removed otherwise.

    Raises TapeError where either is there already, DiskError.
    """
    _require_free(out, "choose another name or remove it")
    aside = out.with_name(out.name + ".partial")
    _require_free(aside, "an export was broken off; remove it")
    made = False
    try:
        aside.mkdir()
        made = True
        yield aside
        aside.rename(out)
        fsync_dir(out.parent)
    except OSError as error:
        raise disk_error(error, out, "write the export") from error
    finally:
        if made and aside.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _require_free(path: Path, remedy: str) -> None:
    if path.exists() or path.is_symlink():
        raise TapeError(f"{path}: exists already; {remedy}")


def safe(market: str) -> str:
    """A ticker as part of a path: letters, digits, `_`, `-`, inner dots, and `%xx` for all else."""
    text = quote(market, safe="", errors="surrogatepass").replace("~", "%7E")
    return text.replace(".", "%2E", 1) if text.startswith(".") else text or "%"


class Names:
    """Gives each market a name of its own, apart also where file systems do not tell cases apart."""

    def __init__(self, safe: Callable[[str], str] = safe) -> None:
        """safe: what makes a name of a ticker; it may make the same of two."""
        self._safe = safe
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, market: str) -> str:
        """The market's name; the same whenever it is asked for."""
        found = self._given.get(market)
        if found is None:
            found = whole = self._safe(market)
            turn = 0
            while len(found) > NAME_LENGTH + _MARK or found.lower() in self._taken:
                mark = hashlib.sha256(f"{turn} {whole}".encode()).hexdigest()[: _MARK - 1]
                found, turn = f"{whole[:NAME_LENGTH]}-{mark}", turn + 1
            self._taken.add(found.lower())
            self._given[market] = found
        return found
