"""What SQL's functions of ours read: the cut tapes, and what a fold over each of them knows, made when first asked for.

Knows how to find records of a market, or the record at an instant, by the same files that SQL reads. Must not know
which functions there are.
"""

from bisect import bisect_right
from threading import RLock
from typing import Any, Final, NamedTuple

import numpy as np

from capture.tape.schema import Blobs
from capture.tape.typed import whole
from replay import query
from replay.ledger import OPEN, SavedLedger
from replay.sql.cut import Cut
from replay.summary import known
from replay.tally import Tally

GROUPS_KEPT: Final = 4
"""Row groups whose payloads are kept: as many as threads that ask for them, on the machines this is made for."""


class Known:
    """What a fold knows of one cut. trust: by market, the seqs at which its book came to be trusted or ceased to be."""

    def __init__(self, cut: Cut) -> None:
        self.tally, self.ledger = _fold(cut)
        self.refused = {row.seq: row.reason for row in self.ledger.refused}
        self.refused_seqs = np.array(sorted(self.refused), np.int64)
        self.trust = {
            market: np.array([seq for span in spans for seq in (span.from_seq, span.until_seq)], np.int64)
            for market, spans in self.ledger.trust.items()
        }
        self._turns = {market: turns.tolist() for market, turns in self.trust.items()}

    def trusted_at(self, market: str, seq: int) -> bool:
        """The same for one record."""
        return bisect_right(self._turns.get(market, ()), seq) % 2 == 1

    def trusted(self, market: str, seqs: Any) -> Any:
        """Whether the market's book is trusted just after each of these records."""
        turns = self.trust.get(market)
        if turns is None:
            return np.zeros(len(seqs), np.bool_)
        return np.searchsorted(turns, seqs, side="right") % 2 == 1


def _fold(cut: Cut) -> tuple[Tally, SavedLedger]:
    if cut.last_seq < 0:
        return Tally(), SavedLedger()
    tally, ledger = known(cut.tape, cut.last_seq)
    return tally, ledger.rows


class _Group(NamedTuple):
    """Payloads of consecutive records."""

    tape: str
    first_seq: int
    last_seq: int
    payloads: Blobs


_NO_GROUP: Final = _Group("", 0, -1, Blobs.of([]))


class Source:
    """The cuts by name. Functions are called from several threads, so what is made is made under a lock."""

    def __init__(self, cuts: list[Cut]) -> None:
        self.cuts = {cut.name: cut for cut in cuts}
        self._lock = RLock()
        self._known: dict[str, Known] = {}
        self._groups: list[_Group] = []
        self._plain = query.connect()  # without functions: what those ask must not lead to them again
        self._views = {cut.name: f"rows_{number}" for number, cut in enumerate(cuts)}
        for number, cut in enumerate(cuts):
            self._plain.register(hot_name(number), cut.hot)
            self._plain.execute(f"create view {self._views[cut.name]} as {rows_of(cut, hot_name(number))}")

    def close(self) -> None:
        """Let go of the files."""
        self._plain.close()

    def known(self, tape: str) -> Known:
        """What a fold knows of a tape; the first time it takes one. Raises ValueError for a name that is none."""
        with self._lock:
            if tape not in self._known:
                self._known[tape] = Known(self.cut(tape))
            return self._known[tape]

    def cut(self, tape: str) -> Cut:
        """The cut of that name; raises ValueError."""
        if tape not in self.cuts:
            raise ValueError(f"no tape {tape!r} here; there are {', '.join(sorted(self.cuts))}")
        return self.cuts[tape]

    def ask(self, tape: str, text: str, values: list[Any] | None = None) -> Any:
        """Rows of a tape's records as an Arrow table; in `text` {rows} stands for them, columns are SCHEMA's."""
        with self._lock:
            return query.ask(self._plain, text.format(rows=self._views[self.cut(tape).name]), values)

    def seq_at(self, tape: str, at_ns: int) -> int:
        """The last record received by an instant (`now_ns`, Unix ns), -1 when there is none."""
        cut = self.cut(tape)
        if at_ns == OPEN:
            return cut.last_seq
        # now_ns is the running maximum of the stamps: it is later than an instant from the first later stamp on.
        for from_seq, until_seq, stamp in self.stamps(tape):
            text = f"select min(seq) as seq from {{rows}} where seq >= ? and seq < ? and {stamp} > ?"
            found = self.ask(tape, text, [from_seq, until_seq, at_ns]).column("seq")[0].as_py()
            if found is not None:
                return int(found) - 1
        return cut.last_seq

    def payloads(self, tape: str, seqs: Any) -> list[bytes | None]:
        """The bytes of these records, as received; the cut's own where the columns are all that is kept of them."""
        cut, held = self.cut(tape), _NO_GROUP
        out: list[bytes | None] = [None] * len(seqs)
        for place in np.argsort(seqs, kind="stable").tolist():  # so that no group is read from its middle
            seq = int(seqs[place])
            if not held.first_seq <= seq <= held.last_seq:
                with self._lock:
                    held = self._group(cut, seq)
            if held.first_seq <= seq <= held.last_seq:
                out[place] = held.payloads.at(seq - held.first_seq)
        return out

    def _group(self, cut: Cut, seq: int) -> "_Group":
        """The payloads of the records around one that are read in one go; of the latest few they are kept."""
        for group in self._groups:
            if group.tape == cut.name and group.first_seq <= seq <= group.last_seq:
                return group
        for table in cut.tape.tables(("seq", "payload"), seq, payloads=True):
            group = _Group(cut.name, seq, seq + table.num_rows - 1, Blobs.of_arrow(whole(table.column("payload"))))
            self._groups = [group, *self._groups[: GROUPS_KEPT - 1]]
            return group
        return _NO_GROUP

    def stamps(self, tape: str) -> list[tuple[int, int, str]]:
        """(from seq, before seq, SQL of a record's stamp) of each session."""
        clocks = self.known(tape).ledger.clocks
        if not clocks:
            return [(0, OPEN, "at_ns")]
        ends = [*[clock.seq for clock in clocks[1:]], OPEN]
        spans = [(0, clocks[0].seq, "at_ns")] if clocks[0].seq else []
        for clock, end in zip(clocks, ends, strict=True):
            stamp = "at_ns"
            if clock.base_mono_ns:
                offset = clock.base_ns - clock.base_mono_ns
                stamp = f"if(mono_ns = 0, at_ns, mono_ns + {offset})"
            # The session's own record has the time at which it begins, which is never before what came before it.
            stamp = f"if(seq = {clock.seq}, {clock.base_ns}, {stamp})"
            spans.append((clock.seq, end, "at_ns" if not clock.base_mono_ns else stamp))
        return spans


def hot_name(number: int) -> str:
    """What the table of a cut's unsealed records is called; not by the tape, for SQL takes `A` and `a` for one name."""
    return f"hot_{number}"


def rows_of(cut: Cut, table: str) -> str:
    """SQL of all of a cut's records, as they are stored; table: of the unsealed ones."""
    hot = f"select * from {table}"
    if not cut.files:
        return hot
    files = ", ".join(query.path_literal(str(file)) for file in cut.files)
    sealed = f"select * from read_parquet([{files}], hive_partitioning = false)"
    return f"{sealed} union all by name {hot}" if cut.hot.num_rows else sealed
