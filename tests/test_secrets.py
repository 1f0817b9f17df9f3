"""The key, its id and every signature stay out of all that the program writes, whatever goes wrong."""

import base64
import os
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import forked
import pytest
from cryptography.hazmat.primitives import serialization
from recorded_exchange import PATIENCE_S, ROOT, recorded_exchange
from tapping import Tap
from waiting import wait_for_condition

from capture.tape.reader import Tape
from replay.exchange.keyring import Keyring
from replay.exchange.local import LocalExchange

pytestmark = pytest.mark.integration

FAULTS: Final = (
    "reset@frames=50", "http@upgrade=2,status=401", "http@upgrade=3,status=502", "http@rest,status=500,times=2",
)  # fmt: skip
"""Each makes the recorder sign again, or say what went wrong."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[LocalExchange]:
    """A few hundred frames, and a key of its own."""
    with recorded_exchange(tmp_path) as running:
        yield running


@pytest.fixture
def tap(exchange: LocalExchange) -> Iterator[Tap]:
    """The way to the exchange, overheard."""
    with Tap(exchange.port) as running:
        yield running


def key_secrets(path: Path) -> set[bytes]:
    """A private key in every form that it could leak in: PEM lines, DER in base64, hex and raw, its numbers."""
    pem = path.read_bytes()
    lines = [line for line in pem.splitlines() if line and not line.startswith(b"-----")]
    whole = b"".join(lines)
    der = base64.b64decode(whole)
    key = serialization.load_pem_private_key(pem, None)
    numbers = getattr(key, "private_numbers", None)
    found = {*(line for line in lines if len(line) >= 16), whole, der, der.hex().encode(), b"PRIVATE KEY-----"}
    if numbers is not None:
        found |= {str(number).encode() for number in (numbers().d, numbers().p, numbers().q)}
    return found


def written_forms(secret: bytes) -> set[bytes]:
    """A header's value as it is, as a query or JSON would write it, as its bytes, and one half of it."""
    forms = {secret, quote(secret, safe="").encode(), secret.replace(b"/", b"\\/"), secret[: len(secret) // 2]}
    return forms | {base64.b64encode(secret)}


def everything_written(place: Path, key: Path) -> dict[str, bytes]:
    """Every file below a place but the key, raw, and the records of the tapes there, decoded."""
    found = {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file() and path != key}
    for label in place.rglob("tape"):
        records = Tape.open(label).records() if (label / "MANIFEST").exists() else iter(())
        found[f"{label} decoded"] = b"\n".join(record.payload for record in records)
    return found


def assert_absent(secrets: set[bytes], texts: dict[str, bytes]) -> None:
    """None of the secrets is in any of the texts; says where, never what."""
    assert secrets and all(len(secret) >= 16 for secret in secrets)
    where = [name for name, text in texts.items() for secret in secrets if secret in text]
    assert not where, f"secrets in {where}"


def run(tap_url: str, place: Path, exchange: LocalExchange, *arguments: str, **environ: str) -> tuple[int, bytes]:
    """`tapedeck ARGUMENTS` against the overheard exchange: exit code, and all that it printed."""
    variables = {**os.environ, **exchange.environ(), "HOME": str(place), **environ}
    ran = forked.run(*arguments, "--env", tap_url, environ=variables)
    return ran.returncode, ran.stdout + ran.stderr


def secrets_of(exchange: LocalExchange, tap: Tap) -> set[bytes]:
    """All that must not be found anywhere, once the programs under test have signed something."""
    signatures = tap.signatures()
    assert signatures, "nothing was signed, so nothing was tested"
    found = key_secrets(exchange.private_key_path) | written_forms(exchange.access_key.encode())
    return found.union(*(written_forms(signature) for signature in signatures))


def page_of(url: str) -> bytes:
    """The body of a page, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            body: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
    return body


def recorded(exchange: LocalExchange, tap: Tap, place: Path, *arguments: str) -> dict[str, bytes]:
    """Record all that the exchange plays, with metrics, to the end; the pages it served and what it complained of."""
    command = [sys.executable, "-m", "tapedeck", "capture", "--env", tap.url, "--out", str(place / "tape"), "--all"]
    with (place / "stdout").open("wb") as stdout:
        process = subprocess.Popen(
            [*command, "--json", "--metrics-port", "0", *arguments],
            cwd=ROOT,
            env={**os.environ, **exchange.environ()},
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        url = first.split()[-1].decode()
        assert exchange.wait_played(PATIENCE_S)
        wait_for_condition(lambda: b"tapedeck_frames_total" in page_of(f"{url}/metrics"))
        pages = {page: page_of(f"{url}/{page}") for page in ("metrics", "health", "none")}
        process.send_signal(signal.SIGTERM)
        pages["stderr"] = first + process.communicate(timeout=PATIENCE_S)[1]
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    return pages


def test_recording_through_faults_writes_no_secret(exchange: LocalExchange, tap: Tap, tmp_path: Path) -> None:
    place, notices = tmp_path / "recorder", tmp_path / "recorder" / "notices"
    place.mkdir()
    script = f"import sys; open({str(notices)!r}, 'ab').write(sys.stdin.buffer.read() + repr(sys.argv).encode())"
    for fault in FAULTS:
        exchange.control("inject", fault=fault)
    pages = recorded(exchange, tap, place, "--notify", f"{sys.executable} -c {shlex.quote(script)}")
    assert {fault.kind for fault in exchange.injected} == {"reset", "http"}
    texts = everything_written(place, exchange.private_key_path)
    assert texts[f"{place / 'tape'} decoded"]
    assert any(name.endswith(".parquet") for name in texts)
    assert notices.exists()
    assert_absent(secrets_of(exchange, tap), texts | pages)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param("", marks=pytest.mark.slow),
        "http@upgrade,status=401,times=0",
        "http@rest,status=401,times=0",
        "wrong",
        pytest.param("tls", marks=pytest.mark.slow),
    ],
)
def test_what_is_printed_in_trouble_holds_no_secret(
    exchange: LocalExchange, tap: Tap, tmp_path: Path, trouble: str
) -> None:
    place, environ = tmp_path / "recorder", dict[str, str]()
    place.mkdir()
    url = tap.url.replace("http:", "https:") if trouble == "tls" else tap.url
    secrets = key_secrets(exchange.private_key_path) | written_forms(exchange.access_key.encode())
    if trouble.startswith("http"):
        exchange.control("inject", fault=trouble)
    elif trouble == "wrong":
        other = Keyring().throwaway("other", tmp_path)
        environ = {"KALSHI_PRIVATE_KEY_PATH": str(other.private_key_path)}
        secrets |= key_secrets(other.private_key_path)
    tape, printed = ("--out", str(place / "tape")), dict[str, bytes]()
    short = ("--for", "1s", "--max-tries", "2")
    for arguments in (("capture", "--all", *short), ("capture", "--all", "--dry-run"), ("doctor",)):
        code, printed[arguments[-1]] = run(url, place, exchange, *arguments, *tape, "--json", **environ)
        assert printed[arguments[-1]], f"{arguments} said nothing, exit {code}"
    secrets = secrets.union(*(written_forms(signature) for signature in tap.signatures()))
    assert tap.signatures() or trouble == "tls"
    assert_absent(secrets, printed | everything_written(place, exchange.private_key_path))


def test_a_secret_that_leaked_would_be_found(tmp_path: Path) -> None:
    secret = Keyring().throwaway("leaky", tmp_path)
    for leak in key_secrets(secret.private_key_path) | written_forms(secret.access_key.encode()):
        with pytest.raises(AssertionError, match=r"secrets in .'log'"):
            assert_absent({leak}, {"log": b"before " + leak + b" after"})
