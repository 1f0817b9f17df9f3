"""`tapedeck parity` and `tapedeck causality` from the outside: answers, exit codes, refusals."""

from pathlib import Path

import pytest
from console import Cli, assert_refused, console
from lived import lived, market_day
from sample_tapes import make_tape
from seers import needs_numba

from core.copies import machine
from core.records import Kind, Record
from core.state import decision_digest

pytestmark = pytest.mark.integration


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return console(capsys, monkeypatch)


@pytest.fixture
def lived_tape(tmp_path: Path) -> Path:
    return Path(make_tape(tmp_path / "lived", lived()).path)


def test_parity_of_a_live_run(cli: Cli, lived_tape: Path) -> None:
    decisions = [record.payload for record in lived() if record.kind == Kind.DECISION]
    ran = cli("parity", lived_tape, "--json")
    assert ran.code == 0
    found = ran.json
    assert (found["equal"], found["first_difference"], found["path"]) == (True, None, "both")
    assert (found["decisions"], found["unjudged"], found["sessions"]) == (len(decisions), 0, 1)
    assert found["decision_digest"] == decision_digest(decisions)
    assert len(set(found["hash_seeds"])) == 2


def test_parity_shows_the_first_difference(cli: Cli, tmp_path: Path) -> None:
    records = lived()
    at, frame = next((r.seq, r) for r in records if b'"0.1100"' in r.payload)
    payload = frame.payload.replace(b'"0.1100"', b'"0.1150"')
    records[at] = Record(at, frame.at_ns, 0, frame.connection, Kind.FRAME, payload)
    ran = cli("parity", make_tape(tmp_path / "tape", records).path, "--path", "bytes")
    assert ran.code == 1
    assert f"record {at} (FRAME): another decision" in ran.out
    assert "live       pupil #5: place KXTEST-B bid 1.00 at 0.1100" in ran.out
    assert "replay     pupil #5: place KXTEST-B bid 1.00 at 0.1150" in ran.out
    assert "differs    action.price" in ran.out
    assert "KXTEST-B: bid 0.1150 x 2.00, ask 0.3000 x 3.00" in ran.out
    assert payload.decode().strip() in ran.out


def test_parity_of_a_tape_without_strategies_is_refused(cli: Cli, tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", market_day(2).records)
    assert_refused(cli("parity", tape.path), "holds no run of strategies")


def test_causality_of_a_live_run_and_of_another_strategy(cli: Cli, lived_tape: Path) -> None:
    ran = cli("causality", lived_tape, "--places", 2, "--json")
    assert (ran.code, ran.json["causal"], len(ran.json["trials"])) == (0, True, 4)
    other = cli("causality", lived_tape, "--places", 2, "--strategy", "pupils:Quoter", "--set", "size=300")
    assert other.code == 0
    assert other.out.startswith("causal       4 false futures at 2 places")
    assert "Quoter in place of what ran" in other.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--strategy", "pupils:Nobody"), "there is no Nobody in pupils"),
        (("--strategy", "pupils:Quoter", "--set", "size=x"), "size='x'"),
        (("--strategy", "pupils:Quoter", "--set", "size"), "NAME=VALUE"),
        (("--set", "size=3"), "--set goes with --strategy"),
    ],
)
def test_causality_refuses_what_names_no_strategy(
    cli: Cli, lived_tape: Path, options: tuple[str, ...], words: str
) -> None:
    ran = cli("causality", lived_tape, *options)
    assert ran.code == 2
    assert words in ran.err


@needs_numba
@pytest.mark.parametrize("command", [("replay",), ("replay", "--path", "both"), ("causality", "--places", 1)])
def test_a_glance_that_could_not_be_compiled_is_told_in_a_line(
    cli: Cli, tmp_path: Path, command: tuple[str | int, ...]
) -> None:
    machine(is_compiled=True)
    tape = make_tape(tmp_path / "lived", lived("pupils:Wordy"))
    name, *options = command
    ran = cli(str(name), tape.path, *options, "--json")
    assert ran.code == 0
    (told,) = ran.err.splitlines()
    assert told.startswith("tapedeck: a glance could not be compiled, so it is slow; pupil: ")
    assert ran.json["slow_glances"] == [told.partition("; ")[2]]
    assert "pupils.py" in told or "format" in told
    plain = cli(str(name), make_tape(tmp_path / "plain", lived()).path, *options, "--json")
    assert (plain.err, plain.json["slow_glances"]) == ("", [])
