"""Incidents made: recorded at a sandbox that errs, cut, scrubbed and shrunk, by the commands that everybody has.

`python tests/incident_making.py DIR [NAME...]` makes each incident of `incident_cases` (or those named) as a fixture
DIR/NAME. Knows the order of it and what must hold; a fixture that does not hold it is not made.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import msgspec
from hunting import private_values, remains
from incident_cases import CASES, TRADE_ID, Case
from incident_check import first_difference

from capture.tape.reader import Tape

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 5


@dataclass(frozen=True, slots=True)
class Made:
    """An incident. tape: as recorded; cut, fixture: directories with about.json. shrunk: what `shrink` answered."""

    tape: Path
    cut: Path
    fixture: Path
    shrunk: dict[str, Any]


class NotMade(AssertionError):  # noqa: N818  reads as what happened
    """What must hold of an incident does not."""


def make(case: Case, place: Path, out: Path) -> Made:
    """Record, cut, scrub and shrink it. place: for all that is made on the way. Raises NotMade."""
    tape = record(case, place)
    broken = difference(tape, case.breakage)
    odd = difference(tape, "none")
    _require(not odd, f"the code as it is differs from the plain fold on the whole tape: {odd}")
    _require(bool(broken), f"{case.breakage} does not show")
    seq, what = broken.split(": ")[:2]
    cut = place / "cut"
    _tapedeck(
        "cut",
        tape,
        "--around",
        seq.removeprefix("record "),
        "--before",
        case.before,
        "--after",
        "150ms",
        "--proves",
        case.proves,
        "--out",
        cut,
    )
    check = f"python tests/incident_check.py {case.breakage} {{tape}}"
    options = ("--check", check, "--match", rf"^record [0-9]+: {what}:", "--proves", case.proves, "--json")
    shrunk = _tapedeck("shrink", cut / "tape", *options, "--out", place / case.name)
    made = Made(tape, cut, place / case.name, json.loads(shrunk))
    _tell(made.fixture, case)
    hold(made, case)
    shutil.copytree(made.fixture, out)
    return made


def hold(made: Made, case: Case) -> None:
    """What must be true of an incident. Raises NotMade."""
    small = made.fixture / "tape"
    _require(bool(difference(small, case.breakage)), "the shrunk tape does not fail on the broken code")
    _require(not difference(small, "none"), "the shrunk tape fails on the right code")
    _require(made.shrunk["minimal"], "it could be smaller")
    private = private_values(Tape.open(made.tape))
    _require(len(private) > 20, "there is nothing private in it to be looked for")
    left = remains(private, made.fixture) + remains(private, made.cut)
    _require(not left, f"private values are left: {left[:3]}")


def difference(tape: Path, breakage: str) -> str:
    """The first difference to the plain fold, "" = none."""
    return first_difference(Tape.open(tape).records(), breakage)


def record(case: Case, place: Path) -> Path:
    """The tape of a strategy's run at a sandbox with these faults."""
    with _sandbox(case.faults) as told:
        with urlopen(f"{told['rest_url']}/markets") as answer:  # a loopback exchange
            markets = [market["ticker"] for market in json.load(answer)["markets"]][: case.markets]
        key = {"KALSHI_ACCESS_KEY": told["access_key"], "KALSHI_PRIVATE_KEY_PATH": told["private_key_path"]}
        options = ("--for", f"{case.for_s}s", "--order-life", "30", "--set", f"markets={','.join(markets)}")
        still = () if case.toggles else ("--set", "toggles=false")
        strategy = f"{ROOT / 'tests' / 'incident_strategy.py'}:Trader"
        _tapedeck("run", strategy, "--env", told["rest_url"], "--out", place / "tape", *options, *still, env=key)
    return place / "tape"


@contextmanager
def _sandbox(faults: Sequence[str]) -> Iterator[dict[str, str]]:
    given = [word for fault in faults for word in ("--fault", fault)]
    command = [
        sys.executable,
        "-m",
        "tapedeck",
        "sandbox",
        "--markets",
        "3",
        "--rate",
        "150",
        "--seed",
        str(SEED),
        "--json",
    ]
    with subprocess.Popen([*command, *given], cwd=ROOT, env=_env({}), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "it is a pipe"
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def _tapedeck(command: str, *arguments: object, env: dict[str, str] | None = None) -> str:
    words = [sys.executable, "-m", "tapedeck", command, *map(str, arguments)]
    ran = subprocess.run(words, cwd=ROOT, env=_env(env or {}), check=False, capture_output=True, text=True)
    _require(
        ran.returncode == 0, f"tapedeck {command} ended with {ran.returncode}: {ran.stdout[-500:]}{ran.stderr[-500:]}"
    )
    return ran.stdout


def _env(more: dict[str, str]) -> dict[str, str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    python = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    return {**os.environ, "PATH": path, "PYTHONPATH": python, **more}


def _tell(fixture: Path, case: Case) -> None:
    """Which faults it comes from, in its about.json."""
    file = fixture / "about.json"
    about = json.loads(file.read_bytes())
    faults = " ".join(f"--fault {fault}" for fault in case.faults).replace(TRADE_ID, "(an id)")
    about["source"] = (
        f"tapedeck sandbox --markets 3 --rate 150 --seed {SEED} {faults}, traded by tapedeck run "
        f"tests/incident_strategy.py:Trader --for {case.for_s}s, {about['source']}"
    )
    file.write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotMade(otherwise)


def _made(case: Case, out: Path) -> str:
    """A line about a case."""
    if (out / case.name).exists():
        return f"{case.name}: is there already"
    with tempfile.TemporaryDirectory(prefix="tapedeck-incident-") as place:
        try:
            made = make(case, Path(place), out / case.name)
        except NotMade as error:
            return f"{case.name}: NOT MADE: {error}"
        size = sum(path.stat().st_size for path in made.fixture.rglob("*") if path.is_file())
        whole = Tape.open(made.tape).head_seq + 1
        told = made.shrunk
        records = f"{whole} -> {told['before']} -> {told['records']} records"
        return f"{case.name}: {records}, {told['tries']} tries, {size} bytes"


def main(out: str, *names: str) -> int:
    """Make them, two at a time; 1 when one could not be made."""
    chosen = [case for case in CASES if not names or case.name in names]
    said = []
    with ThreadPoolExecutor(2) as pool:
        for line in pool.map(lambda case: _made(case, Path(out)), chosen):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            said.append(line)
    return int(any("NOT MADE" in line for line in said))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
