"""capture.auth: keys of every form, what is refused and how, and that nothing shows a secret."""

import base64
import copy
import os
import pickle
import traceback
from pathlib import Path
from typing import Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from capture.auth import Credentials
from core.errors import AuthError

KEY_ID: Final = "a0b1c2d3-canary-4e5f-8899-aabbccddeeff"
RSA: Final = rsa.generate_private_key(65_537, 2_048)
ED25519: Final = ed25519.Ed25519PrivateKey.generate()
MESSAGE: Final = b"1795435200000GET/trade-api/ws/v2"


def pem(
    key: PrivateKeyTypes,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def saved(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def environ(path: Path | str, access_key: str = KEY_ID) -> dict[str, str]:
    return {"KALSHI_ACCESS_KEY": access_key, "KALSHI_PRIVATE_KEY_PATH": str(path)}


def loaded(folder: Path, content: bytes) -> Credentials:
    return Credentials.load(environ(saved(folder, content)))


def fault(values: dict[str, str]) -> str:
    """The one sentence that `load` refuses with, after a search for secrets in everything around it."""
    with pytest.raises(AuthError) as refused:
        Credentials.load(values)
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    ours = [frame for frame in told.stack if Path(frame.filename).name == "auth.py"]
    shown = str(refused.value) + repr(refused.value) + repr([frame.locals for frame in ours])
    assert ours
    secrets = [KEY_ID[:8], *(line for key in (RSA, ED25519) for line in pem(key).decode().splitlines()[1:-1])]
    assert [secret for secret in secrets if secret in shown] == []
    assert refused.value.__context__ is None
    text = str(refused.value)
    assert "\n" not in text
    assert "; " in text, "a remedy"
    return text


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_rsa_key_of_either_pem_form_signs_with_pss_and_a_salt_of_32_bytes(
    tmp_path: Path, form: PrivateFormat
) -> None:
    credentials = loaded(tmp_path, pem(RSA, form))
    headers = credentials.headers("get", "/trade-api/ws/v2", 1_795_435_200_000)
    assert list(headers) == ["KALSHI-ACCESS-KEY", "KALSHI-ACCESS-TIMESTAMP", "KALSHI-ACCESS-SIGNATURE"]
    assert headers["KALSHI-ACCESS-KEY"] == credentials.access_key == KEY_ID
    assert headers["KALSHI-ACCESS-TIMESTAMP"] == "1795435200000"
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True)
    RSA.public_key().verify(signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        RSA.public_key().verify(
            signature, MESSAGE + b"?", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
        )


def test_an_ed25519_key_signs_the_same_message(tmp_path: Path) -> None:
    headers = loaded(tmp_path, pem(ED25519)).headers("GET", "/trade-api/ws/v2", 1_795_435_200_000)
    ED25519.public_key().verify(base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True), MESSAGE)


def test_every_request_is_signed_anew(tmp_path: Path) -> None:
    credentials = loaded(tmp_path, pem(RSA))
    signatures = {credentials.headers("GET", "/p", 1)["KALSHI-ACCESS-SIGNATURE"] for _ in range(3)}
    assert len(signatures) == 3


@pytest.mark.parametrize("path", ["/trade-api/v2/markets?limit=5", "portfolio/balance", ""])
def test_a_path_that_would_be_signed_wrongly_is_a_bug(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="from the root and without its query"):
        loaded(tmp_path, pem(ED25519)).headers("GET", path, 1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "KALSHI_ACCESS_KEY is not set"),
        ("", "KALSHI_ACCESS_KEY is not set"),
        ("  ", "KALSHI_ACCESS_KEY is not set"),
        (KEY_ID + "\n", "a space, a line break"),
        (f"{KEY_ID}\r\nX-Evil: 1", "a space, a line break"),
        (f" {KEY_ID}", "a space, a line break"),
        (KEY_ID + "\u00e9", "a space, a line break"),
        (KEY_ID + "\0", "a space, a line break"),
        (KEY_ID * 9, "has 342 characters"),
        pytest.param(pem(ED25519).decode(), "KALSHI_ACCESS_KEY holds a private key", id="key"),
    ],
)
def test_an_access_key_that_is_none_is_refused_and_not_shown(tmp_path: Path, value: str | None, words: str) -> None:
    values = environ(saved(tmp_path, pem(ED25519)))
    if value is None:
        del values["KALSHI_ACCESS_KEY"]
    else:
        values["KALSHI_ACCESS_KEY"] = value
    assert words in fault(values)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "KALSHI_PRIVATE_KEY_PATH is not set"),
        ("", "KALSHI_PRIVATE_KEY_PATH is not set"),
        pytest.param(pem(RSA).decode(), "holds a key instead of a path", id="key"),
        pytest.param(pem(ED25519).decode().replace("\n", " "), "holds a key instead of a path", id="key-in-a-line"),
        pytest.param(pem(ED25519).decode().splitlines()[1], "holds a key instead of a path", id="key-bare"),
        ("a\0b", "cannot be a path"),
        ("k" * 5_000, "cannot be a path"),
        ("/nowhere/key.pem", "/nowhere/key.pem: there is no such file"),
        ("~nobody-of-this-name/key.pem", "there is no such file"),
    ],
)
def test_a_path_that_is_none_is_refused_and_a_key_in_its_place_not_shown(value: str | None, words: str) -> None:
    values = environ("")
    if value is None:
        del values["KALSHI_PRIVATE_KEY_PATH"]
    else:
        values["KALSHI_PRIVATE_KEY_PATH"] = value
    text = fault(values)
    assert words in text
    assert pem(ED25519).decode().splitlines()[1] not in text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666, 0o610, 0o677])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = saved(tmp_path, pem(RSA), mode)
    assert fault(environ(path)) == f"{path}: others may use this key (mode {mode:04o}); run `chmod 600 {path}`"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_that_only_its_owner_may_use_is_taken(tmp_path: Path, mode: int) -> None:
    assert Credentials.load(environ(saved(tmp_path, pem(ED25519), mode)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_this_user_may_not_read_is_refused(tmp_path: Path) -> None:
    assert "cannot be read by this user" in fault(environ(saved(tmp_path, pem(RSA), 0o000)))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    tmp_path.chmod(0o700)
    assert "not a file" in fault(environ(tmp_path))
    assert "not a file" in fault(environ(pipe))
    assert "cannot be read: Not a directory" in fault(environ(saved(tmp_path, b"") / "key"))


def test_a_link_beside_the_key_is_followed_and_one_to_elsewhere_is_not(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "secrets", tmp_path / "elsewhere"
    (folder / "..data").mkdir(parents=True)
    elsewhere.mkdir()
    (folder / "mounted").symlink_to(saved(folder / "..data", pem(ED25519)))
    (folder / "leading-away").symlink_to(saved(elsewhere, pem(ED25519)))
    (folder / "circle").symlink_to(folder / "circle")
    assert Credentials.load(environ(folder / "mounted"))
    assert "a link to another directory" in fault(environ(folder / "leading-away"))
    assert "circle" in fault(environ(folder / "circle"))


def test_a_key_within_a_git_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    path = saved(tmp_path / "deep" / "er", pem(ED25519))
    assert f"lies in the git repository {tmp_path}" in fault(environ(path))


def test_a_home_directory_kept_in_git_may_hold_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    saved(tmp_path, pem(ED25519))
    assert Credentials.load(environ("~/key.pem"))


WRONG: Final = {
    "empty": (b"", "holds no PEM text"),
    "der": (RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "holds no PEM text"),
    "encrypted pkcs8": (pem(RSA, encryption=BestAvailableEncryption(b"pw")), "is encrypted"),
    "encrypted pkcs1": (pem(RSA, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"pw")), "is encrypted"),
    "openssh": (pem(ED25519, PrivateFormat.OpenSSH), "OpenSSH's own format"),
    "public": (
        RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "no private key but a public key",
    ),
    "ec": (pem(ec.generate_private_key(ec.SECP256R1())), "a key of type EC"),
    "ec sec1": (pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL), "a key of type EC"),
    "dsa": (pem(dsa.generate_private_key(1_024)), "a key of type DSA"),
    "x25519": (pem(x25519.X25519PrivateKey.generate()), "a key of type X25519"),
    "small": (pem(rsa.generate_private_key(65_537, 1_024)), "an RSA key of 1024 bits, at least 2048"),
    "cut": (pem(RSA)[:700] + b"\n-----END PRIVATE KEY-----\n", "is damaged"),
    "endless": (pem(RSA)[:700], "is damaged"),
    "letters": (b"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "is damaged"),
    "large": (pem(RSA) + b"\n" * 70_000, "no key has more than 65536"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_holds_no_usable_key_is_refused_by_name(tmp_path: Path, name: str) -> None:
    content, words = WRONG[name]
    path = saved(tmp_path, content)
    text = fault(environ(path))
    assert text.startswith(f"{path}: ")
    assert words in text


def test_text_around_the_key_does_no_harm(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"my key\r\n" + pem(RSA).replace(b"\n", b"\r\n") + b"\r\n\r\n")


@pytest.mark.parametrize(("key", "name"), [(RSA, "RSA 2048"), (ED25519, "Ed25519")], ids=["rsa", "ed25519"])
def test_nothing_shows_copies_or_changes_a_key(tmp_path: Path, key: PrivateKeyTypes, name: str) -> None:
    credentials = loaded(tmp_path, pem(key))
    assert repr(credentials) == str(credentials) == f"{credentials}" == f"<Credentials {name}>"
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            copied(credentials)
    with pytest.raises(AttributeError, match="immutable"):
        credentials._access_key = "other"
    with pytest.raises(AttributeError, match="immutable"):
        del credentials._private_key
    with pytest.raises(TypeError):
        vars(credentials)
    assert not hasattr(credentials, "__dict__")
