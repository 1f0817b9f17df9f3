"""The ledger: what it keeps of each record, that it comes back from a checkpoint, and goes on as if never kept."""

from pathlib import Path

import msgspec
import pytest
from sample_tapes import story
from wild import wild

from replay.ledger import LEDGER_VERSION, OPEN, Ledger
from replay.player import Player
from replay.summary import known


def folded(path: Path, seed: int, keep_at: int = -1) -> tuple[Ledger, dict[str, list[int]]]:
    """The ledger of a wild tape, kept and loaded after a record; and the seqs after which each market is trusted."""
    player, ledger, trusted = Player(wild(seed, sessions=2).tape(path), "bytes"), Ledger(), dict[str, list[int]]()
    for record, step in player.play():
        ledger.take(record, step, player.engine)
        for market in player.store.markets():
            if player.store.view(market).trusted:
                trusted.setdefault(market, []).append(record.seq)
        if record.seq == keep_at:
            loaded = Ledger.load(ledger.dump())
            assert loaded is not None
            ledger = loaded
    return ledger, trusted


@pytest.mark.parametrize("seed", [0, 3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_trust_is_the_stores_after_every_record(tmp_path: Path, seed: int) -> None:
    ledger, trusted = folded(tmp_path / "tape", seed)
    for market, seqs in trusted.items():
        spans = ledger.rows.trust[market]
        assert [seq for seq in range(seqs[-1] + 1) if any(s.from_seq <= seq < s.until_seq for s in spans)] == seqs
    assert set(ledger.rows.trust) == set(trusted)


@pytest.mark.parametrize("keep_at", [*(pytest.param(at, marks=pytest.mark.slow) for at in (0, 7)), 200])
def test_a_ledger_that_was_kept_goes_on_as_if_it_had_not_been(tmp_path: Path, keep_at: int) -> None:
    assert folded(tmp_path / "a", 5, keep_at)[0].dump() == folded(tmp_path / "b", 5)[0].dump()


def test_gaps_know_the_records_that_showed_them(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    _, ledger = known(tape, tape.head_seq)
    rows = ledger.rows.gaps
    assert [row.gap.reason for row in rows] == ["sequence", "reconnect"]
    assert all(row.opened_seq <= row.closed_seq < OPEN for row in rows)
    early = known(tape, rows[0].opened_seq)[1].rows.gaps
    assert [row.closed_seq for row in early] == [OPEN]


def test_bytes_that_are_none_are_no_ledger() -> None:
    assert Ledger.load(b"") is None
    assert Ledger.load(msgspec.msgpack.encode((LEDGER_VERSION + 1, {}))) is None
    assert Ledger.load(msgspec.msgpack.encode((LEDGER_VERSION, 5))) is None
