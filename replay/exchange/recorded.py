"""The REST answers of a tape, as of its playhead: the latest to each request, and the facts they told.

Knows what makes two requests the same. Must not know what is answered where nothing was recorded.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec

from capture.tape.reader import Tape
from core.records import Kind, RestCall, decode_rest
from replay.facts import Facts

PREFIX: Final = "/trade-api/v2"

MAX_ANSWERS: Final = 8_192
"""Different requests whose answer is kept: cursors make new ones for ever, so the one kept longest goes first."""

NOT_FOUND: Final = 404

Question: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]

_REST: Final = int(Kind.REST)
_COLUMNS: Final = ("seq", "at_ns", "kind", "payload")


def question(method: str, path: str, query: Iterable[tuple[str, str]] = ()) -> Question:
    """What two requests that ask the same have in common; path with or without its query and the API's prefix."""
    parts = urlsplit(path)
    bare = parts.path.removeprefix(PREFIX).strip("/")
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *query]
    return method.upper(), bare, tuple(sorted(pairs))


class Recorded:
    """The fold over REST records. Errors other than 404 tell of the recorder's own luck and are not kept."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._answers: dict[Question, RestCall] = {}

    def observe(self, payload: bytes, now_ns: int) -> None:
        """Take note of a REST record's payload; one that cannot be read says nothing."""
        try:
            call = decode_rest(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if not 200 <= call.status < 300 and call.status != NOT_FOUND:
            return
        try:
            asked = question(call.method, call.path)
        except ValueError:
            return
        if asked not in self._answers and len(self._answers) >= MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[asked] = call
        self.facts.observe(call, now_ns)

    def latest(self, asked: Question) -> RestCall | None:
        """The latest answer to this very request; None when there was none."""
        return self._answers.get(asked)


def recorded_until(tape: Tape, until_seq: int) -> Recorded:
    """The answers of all records before a seq. Raises TapeDamaged, TapeError."""
    recorded = Recorded()
    for payload, now_ns in _calls(tape, until_seq):
        recorded.observe(payload, now_ns)
    return recorded


def _calls(tape: Tape, until_seq: int) -> Iterator[tuple[bytes, int]]:
    """Payload and wall clock of each REST record; the tape's own time would need every record before it."""
    for table in tape.tables(list(_COLUMNS)):
        kinds = table.column("kind").to_numpy()
        for row in (kinds == _REST).nonzero()[0].tolist():
            if table.column("seq")[row].as_py() >= until_seq:
                return
            yield table.column("payload")[row].as_py(), table.column("at_ns")[row].as_py()
        if table.num_rows and table.column("seq")[-1].as_py() + 1 >= until_seq:
            return
