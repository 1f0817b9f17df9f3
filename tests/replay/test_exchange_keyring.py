"""Signatures as the exchange judges them, and the words of its refusals (protocol 2)."""

import base64
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from exchange_client import signature

from core.errors import ConfigError
from replay.exchange.gate import Buckets, Gate, cost_of, needs_signature
from replay.exchange.keyring import (
    NO_SIGNATURE,
    STALE,
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    AuthFailure,
    Credentials,
    Keyring,
)
from replay.exchange.options import RestBudget, ServerOptions

NOW_MS = 1_795_435_200_000
PATH = "/trade-api/v2/portfolio/orders"


@pytest.fixture(scope="module", params=["rsa-pkcs8", "rsa-pkcs1", "ed25519"])
def signer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Keyring, Credentials]:
    """A keyring with one account, by each kind of key in each form."""
    keyring = Keyring()
    kind, _, form = request.param.partition("-")
    directory = tmp_path_factory.mktemp("keys")
    return keyring, keyring.throwaway("trader", directory, key_type=kind, pkcs1=form == "pkcs1")


def headers(credentials: Credentials, signed: str, now_ms: int = NOW_MS) -> dict[str, str]:
    return {
        "kalshi-access-key": credentials.access_key,
        "kalshi-access-timestamp": str(now_ms),
        "kalshi-access-signature": signature(credentials.private_key_path, signed),
    }


def test_who_signs_well_is_let_in(signer: tuple[Keyring, Credentials]) -> None:
    keyring, credentials = signer
    assert keyring.verify(headers(credentials, f"{NOW_MS}GET{PATH}"), "get", PATH, NOW_MS) == "trader"


def test_the_refusals_are_the_exchanges_own_words() -> None:
    assert {failure.status for failure in (WRONG_SIGNATURE, UNKNOWN_KEY, NO_SIGNATURE, STALE)} == {401}
    error = '{"error":{"code":%s}}'
    assert [failure.body.decode() for failure in (WRONG_SIGNATURE, UNKNOWN_KEY, NO_SIGNATURE, STALE)] == [
        error % '"authentication_error","message":"authentication_error","details":"INCORRECT_API_KEY_SIGNATURE"',
        '{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}',
        '{"error":{"code":"signature_is_missing_from_headers","message":"signature is missing from headers"}}',
        '{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}',
    ]


@pytest.mark.parametrize(
    "signed",
    [
        f"{NOW_MS}GET{PATH}?limit=5",
        f"{NOW_MS}GET/portfolio/orders",
        f"{NOW_MS}POST{PATH}",
        f"{NOW_MS}get{PATH}",
        f"{NOW_MS + 1}GET{PATH}",
        "",
    ],
)
def test_what_signs_something_else_is_refused(signer: tuple[Keyring, Credentials], signed: str) -> None:
    keyring, credentials = signer
    assert keyring.verify(headers(credentials, signed), "GET", PATH, NOW_MS) == WRONG_SIGNATURE


@pytest.mark.parametrize("garbage", ["AAAA", "not base64 at all!", "====", "\xff"])
def test_what_is_no_signature_is_a_wrong_one(signer: tuple[Keyring, Credentials], garbage: str) -> None:
    keyring, credentials = signer
    sent = headers(credentials, f"{NOW_MS}GET{PATH}") | {"kalshi-access-signature": garbage}
    assert keyring.verify(sent, "GET", PATH, NOW_MS) == WRONG_SIGNATURE


def test_any_salt_length_is_taken_and_pkcs1_padding_is_not(tmp_path: Path) -> None:
    keyring = Keyring()
    credentials = keyring.throwaway("trader", tmp_path)
    message = f"{NOW_MS}GET{PATH}"
    sent = headers(credentials, message)
    longest = signature(credentials.private_key_path, message, padding.PSS.MAX_LENGTH)  # type: ignore[arg-type]  # a mark
    assert keyring.verify(sent | {"kalshi-access-signature": longest}, "GET", PATH, NOW_MS) == "trader"
    key = serialization.load_pem_private_key(credentials.private_key_path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    old = base64.b64encode(key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    assert keyring.verify(sent | {"kalshi-access-signature": old}, "GET", PATH, NOW_MS) == WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("skew_ms", "result"),
    [(0, "trader"), (-5_000, "trader"), (10_000, "trader"), (-15_000, "trader"), (-30_000, STALE), (60_000, STALE)],
)
def test_the_clock_may_be_a_little_wrong(tmp_path: Path, skew_ms: int, result: str | AuthFailure) -> None:
    keyring = Keyring()
    credentials = keyring.throwaway("trader", tmp_path, key_type="ed25519")
    sent = headers(credentials, f"{NOW_MS + skew_ms}GET{PATH}", NOW_MS + skew_ms)
    assert keyring.verify(sent, "GET", PATH, NOW_MS) == result


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    keyring = Keyring()
    credentials = keyring.throwaway("trader", tmp_path, key_type="ed25519")
    sent = headers(credentials, f"{NOW_MS}GET{PATH}")
    assert keyring.verify({}, "GET", PATH, NOW_MS) == NO_SIGNATURE
    without = {name: value for name, value in sent.items() if name != "kalshi-access-signature"}
    assert keyring.verify(without, "GET", PATH, NOW_MS) == NO_SIGNATURE
    for timestamp in ("", "soon", "1795435200.5", "-1", "9" * 40, "\u0661"):
        assert keyring.verify(sent | {"kalshi-access-timestamp": timestamp}, "GET", PATH, NOW_MS) == STALE
    assert keyring.verify(sent | {"kalshi-access-key": "someone"}, "GET", PATH, NOW_MS) == UNKNOWN_KEY


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    credentials = Keyring().throwaway("trader", tmp_path)
    assert stat.S_IMODE(credentials.private_key_path.stat().st_mode) == 0o600
    assert credentials.private_key_path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    (tmp_path / "old").mkdir()
    old = Keyring().throwaway("trader", tmp_path / "old", pkcs1=True)
    assert old.private_key_path.read_bytes().startswith(b"-----BEGIN RSA PRIVATE KEY-----")


@pytest.mark.parametrize("half", ["private", "public"])
def test_a_key_that_exists_can_be_let_in_by_either_half(tmp_path: Path, half: str) -> None:
    made = Keyring().throwaway("trader", tmp_path)
    public = tmp_path / "public.pem"
    key = serialization.load_pem_private_key(made.private_key_path.read_bytes(), None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    keyring = Keyring()
    given = made.private_key_path if half == "private" else public
    issued = keyring.issue(ServerOptions(access_key=made.access_key, key_path=given, accounts=("me", "you")), tmp_path)
    assert issued["me"] == Credentials(made.access_key, given)
    assert keyring.verify(headers(made, f"{NOW_MS}GET{PATH}"), "GET", PATH, NOW_MS) == "me"
    assert keyring.verify(headers(issued["you"], f"{NOW_MS}GET{PATH}"), "GET", PATH, NOW_MS) == "you"


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    elliptic = tmp_path / "ec.pem"
    command = ("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(elliptic))
    subprocess.run(command, check=True, capture_output=True)
    for path in (bad, elliptic):
        with pytest.raises(ConfigError, match=f"{path.name} holds no RSA or Ed25519 key"):
            Keyring().add("trader", "id", path)
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file"):
        Keyring().add("trader", "id", tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="'dsa' is none of rsa, ed25519"):
        Keyring().throwaway("trader", tmp_path, key_type="dsa")


# ------------------------------------------------------------------ the gate


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/trade-api/ws/v2", True),
        ("/trade-api/v2/portfolio/balance", True),
        ("/trade-api/v2/account/limits", True),
        ("/trade-api/v2/api_keys", True),
        ("/trade-api/v2/communications/rfqs", True),
        ("/trade-api/v2/account/endpoint_costs", False),
        ("/trade-api/v2/exchange/status", False),
        ("/trade-api/v2/markets/X/orderbook", False),
        ("/trade-api/v2/events", False),
        ("/trade-api/v2/series/X", False),
        ("/trade-api/v2/historical/trades", False),
        ("/trade-api/v2/portfolios", False),
    ],
)
def test_only_what_concerns_an_account_needs_a_signature(path: str, needed: bool) -> None:
    assert needs_signature(path) is needed


def test_a_public_path_takes_nobody_or_somebody_but_no_liar(tmp_path: Path) -> None:
    keyring = Keyring()
    credentials = keyring.throwaway("trader", tmp_path, key_type="ed25519")
    gate = Gate(venue=None, keyring=keyring, budget=RestBudget())  # type: ignore[arg-type]  # not asked for anything
    path, now_ns = "/trade-api/v2/markets", NOW_MS * 1_000_000
    assert gate.account_of({}, "GET", path, now_ns) == ""
    assert gate.account_of(headers(credentials, f"{NOW_MS}GET{path}"), "GET", path, now_ns) == "trader"
    assert gate.account_of(headers(credentials, "a lie"), "GET", path, now_ns) == WRONG_SIGNATURE


def test_buckets_are_spent_and_filled() -> None:
    buckets = Buckets(RestBudget(read_per_s=20, write_per_s=10, capacity_s=2))
    second = 1_000_000_000
    spent = [buckets.spend("a", "GET", PATH, second) for _ in range(5)]
    assert spent == [True] * 4 + [False]
    assert buckets.spend("b", "GET", PATH, second)
    assert buckets.spend("a", "POST", PATH, second)
    assert not buckets.spend("a", "GET", PATH, second + second // 4)
    assert buckets.spend("a", "GET", PATH, second + second // 2)
    assert [buckets.spend("a", "GET", PATH, 100 * second) for _ in range(5)] == spent
    assert all(Buckets(RestBudget()).spend("a", "GET", PATH, 0) for _ in range(1_000))


def test_cancels_are_cheap() -> None:
    assert cost_of("DELETE", "/trade-api/v2/portfolio/events/orders/abc") == 2
    assert cost_of("GET", "/trade-api/v2/portfolio/orders/abc") == 2
    assert cost_of("POST", "/trade-api/v2/portfolio/events/orders") == 10
    assert cost_of("GET", "/trade-api/v2/markets") == 10
