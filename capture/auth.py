"""The account's key: where it comes from, whether it is safe where it lies, and the signatures made with it.

Knows PEM files and how the exchange wants a request signed (protocol 2). Must not know what is sent, or when: the time
is given. No secret leaves this module but in `Credentials.headers` and `Credentials.access_key`: an error is raised
only where no local variable holds one, so that not even a traceback with variables shows it.
"""

import base64
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.errors import AuthError

ACCESS_KEY: Final = "KALSHI_ACCESS_KEY"
PRIVATE_KEY_PATH: Final = "KALSHI_PRIVATE_KEY_PATH"
"""The environment variables; both are needed."""

MIN_RSA_BITS: Final = 2048  # what the exchange itself hands out; less is broken or a mistake
SALT_BYTES: Final = 32  # the digest's length, as documented
_MAX_FILE_BYTES: Final = 64 << 10  # an RSA key of 16,384 bits has 13 kB
_MAX_ACCESS_KEY: Final = 200  # it is a UUID of 36 characters
_MAX_SHOWN: Final = 300  # characters of a path in an error

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


class Credentials:
    """An account's key, loaded and able to sign. Immutable; it cannot be pickled, copied or shown."""

    __slots__ = ("_access_key", "_private_key")

    _access_key: str
    _private_key: PrivateKey

    def __init__(self, access_key: str, private_key: PrivateKey) -> None:
        """Not for callers, who use `load`."""
        object.__setattr__(self, "_access_key", access_key)
        object.__setattr__(self, "_private_key", private_key)

    @staticmethod
    def load(environ: Mapping[str, str]) -> "Credentials":
        """The key that KALSHI_ACCESS_KEY and KALSHI_PRIVATE_KEY_PATH name; AuthError says what is wrong with either."""
        found = _load(environ)
        del environ  # it holds the access key
        if isinstance(found, str):
            raise AuthError(found)
        return found

    @property
    def access_key(self) -> str:
        """The key's id. Not a secret like the private key, but it names the account: it belongs into no output."""
        return self._access_key

    def headers(self, method: str, path: str, now_ms: int) -> dict[str, str]:
        """The three headers that sign one request.

        path: from the root and without its query, which is not signed. now_ms: Unix ms; the exchange takes a
        signature for some ten seconds, so every request and every connection attempt needs its own.
        """
        if "?" in path or not path.startswith("/"):
            raise ValueError("a path is signed from the root and without its query")
        signature = self._sign(f"{now_ms}{method.upper()}{path}".encode())
        return {
            "KALSHI-ACCESS-KEY": self._access_key,
            "KALSHI-ACCESS-TIMESTAMP": str(now_ms),
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self._private_key, Ed25519PrivateKey):
            return self._private_key.sign(message)
        digest = hashes.SHA256()
        return self._private_key.sign(message, padding.PSS(padding.MGF1(digest), SALT_BYTES), digest)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("credentials are immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("credentials are immutable")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials are not pickled or copied, so that the key stays in one place")

    def __repr__(self) -> str:
        kind = "Ed25519" if isinstance(self._private_key, Ed25519PrivateKey) else f"RSA {self._private_key.key_size}"
        return f"<Credentials {kind}>"


def _load(environ: Mapping[str, str]) -> Credentials | str:
    fault = _access_key_fault(environ) or _path_fault(environ)
    if fault:
        return fault
    path = Path(os.path.expanduser(environ[PRIVATE_KEY_PATH]))  # noqa: PTH111  never raises, unlike Path's
    place = _safe_place(path)
    content = place if isinstance(place, str) else _read(path, place)
    key = content if isinstance(content, str) else _parse(path, content)
    return key if isinstance(key, str) else Credentials(environ[ACCESS_KEY], key)


def _access_key_fault(environ: Mapping[str, str]) -> str:
    """What keeps the access key from being sent in a header, "" = nothing. Its value is never repeated."""
    value = environ.get(ACCESS_KEY, "")
    if not value.strip():
        return f"{ACCESS_KEY} is not set; set it to the id of your API key"
    if "-----BEGIN" in value:
        return f"{ACCESS_KEY} holds a private key; set it to the key's id and {PRIVATE_KEY_PATH} to the key's file"
    if not all("!" <= letter <= "~" for letter in value):
        return f"{ACCESS_KEY} holds a space, a line break or another character that no key id has; set it again"
    if len(value) > _MAX_ACCESS_KEY:
        return f"{ACCESS_KEY} has {len(value)} characters, more than any key id ({_MAX_ACCESS_KEY}); set it again"
    return ""


def _path_fault(environ: Mapping[str, str]) -> str:
    """What keeps the path from being one, "" = nothing. Who puts the key itself there must not see it in a log."""
    value = environ.get(PRIVATE_KEY_PATH, "")
    if not value.strip():
        return f"{PRIVATE_KEY_PATH} is not set; set it to the file of your private key"
    if "-----" in value or "\n" in value or re.fullmatch(r"M[A-Za-z0-9+/=\s]{40,}", value):
        return f"{PRIVATE_KEY_PATH} holds a key instead of a path; save the key to a file and set its path"
    if "\0" in value or len(value) > _MAX_SHOWN:
        return f"{PRIVATE_KEY_PATH} cannot be a path; set it to the file of your private key"
    return ""


def _safe_place(path: Path) -> Path | str:
    """The file itself behind the last link, or why it must not be read from there."""
    try:
        place = path.resolve(strict=True)
        folder = path.absolute().parent.resolve(strict=True)
    except OSError as error:
        return _unreadable(path, error)
    except RuntimeError:
        return f"{path}: a link that leads in a circle; set {PRIVATE_KEY_PATH} to the key's file"
    # A secret mounted into a container is a link beside its file; one that leads elsewhere may lead to what others own.
    if not place.is_relative_to(folder):
        return f"{path}: a link to another directory; set {PRIVATE_KEY_PATH} to the key's file itself"
    home = os.path.expanduser("~")  # noqa: PTH111  never raises; a home kept in git is no place that is published
    for parent in place.parents:
        if str(parent) != home and os.path.exists(parent / ".git"):  # noqa: PTH110  False where one may not look
            return f"{path}: lies in the git repository {parent}, from where it could be published; move it elsewhere"
    return place


def _read(path: Path, place: Path) -> bytes | str:
    """What is in the file, or why it is not read."""
    try:
        # Not blocking, or a pipe without a writer would stop the start.
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(path, error)
    try:
        return _fault_of(path, os.fstat(fd)) or os.read(fd, _MAX_FILE_BYTES)
    except OSError as error:
        return _unreadable(path, error)
    finally:
        os.close(fd)


def _fault_of(path: Path, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return f"{path}: not a file; set {PRIVATE_KEY_PATH} to the file of your private key"
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        return f"{path}: others may use this key (mode {mode:04o}); run `chmod 600 {path}`"
    if status.st_size > _MAX_FILE_BYTES:
        return f"{path}: has {status.st_size} bytes, no key has more than {_MAX_FILE_BYTES}; give the key's file"
    return ""


def _unreadable(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is no such file; set {PRIVATE_KEY_PATH} to the file of your private key"
    if isinstance(error, PermissionError):
        return f"{path}: cannot be read by this user; run `chown $(id -u) {path}` as its owner"
    return f"{path}: cannot be read: {error.strerror}; set {PRIVATE_KEY_PATH} to the file of your private key"


def _parse(path: Path, content: bytes) -> PrivateKey | str:
    """The key in a PEM text, or the sentence. Says nothing of what the library found: that could be part of the key."""
    kinds = re.findall(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----", content)
    if not kinds:
        return f"{path}: holds no PEM text (-----BEGIN ... KEY-----); save the key as the exchange gave it"
    if b"ENCRYPTED" in content:
        return f"{path}: is encrypted; write it without a password (`openssl pkey -in OLD -out NEW`), mode 600"
    if b"OPENSSH PRIVATE KEY" in kinds:
        return f"{path}: is in OpenSSH's own format; save the key as the exchange gave it"
    if not any(kind.endswith(b"PRIVATE KEY") for kind in kinds):
        return f"{path}: holds no private key but a {kinds[0].decode().lower()}; give the private key's file"
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{path}: the key in it is damaged; save the key as the exchange gave it"
    if isinstance(key, RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            return f"{path}: an RSA key of {key.key_size} bits, at least {MIN_RSA_BITS} are needed; make a new key"
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    kind = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
    return f"{path}: a key of type {kind}; the exchange takes RSA and Ed25519 keys only"
