"""Whose signature is this? The exchange's side of authentication (protocol 2).

Knows accounts, their public keys and the words of a refusal. Must not know HTTP or what is asked for. A timestamp more
than the allowed skew away is refused (15 s unless told otherwise: the real limit lies between 10 s and 30 s).
"""

import base64
import binascii
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from core.errors import ConfigError
from replay.exchange.options import ServerOptions

KEY_HEADER: Final = "kalshi-access-key"
TIME_HEADER: Final = "kalshi-access-timestamp"
SIGNATURE_HEADER: Final = "kalshi-access-signature"
KEY_TYPES: Final = ("rsa", "ed25519")
RSA_BITS: Final = 2_048

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """A refusal as HTTP has it."""

    status: int
    body: bytes


def _failure(code: str, message: str, details: str = "") -> AuthFailure:
    tail = f',"details":"{details}"' if details else ""
    return AuthFailure(401, f'{{"error":{{"code":"{code}","message":"{message}"{tail}}}}}'.encode())


WRONG_SIGNATURE: Final = _failure("authentication_error", "authentication_error", "INCORRECT_API_KEY_SIGNATURE")
UNKNOWN_KEY: Final = _failure("authentication_error", "authentication_error", "NOT_FOUND")
NO_SIGNATURE: Final = _failure("signature_is_missing_from_headers", "signature is missing from headers")
STALE: Final = _failure("header_timestamp_expired", "header timestamp expired")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client of an account needs: the key's id and the file that holds the private key."""

    access_key: str
    private_key_path: Path


class Keyring:
    """The accounts of one exchange, by access key."""

    def __init__(self, skew_s: float = 15.0) -> None:
        self._skew_ms = skew_s * 1_000
        self._keys: dict[str, tuple[str, PublicKey]] = {}

    def add(self, account: str, access_key: str, path: Path) -> None:
        """Let an account in with this key file (PEM, private or public); a file that is no key is a ConfigError."""
        self._keys[access_key] = (account, _load_public(path))

    def throwaway(self, account: str, directory: Path, *, key_type: str = "rsa", pkcs1: bool = False) -> Credentials:
        """Make a key pair for an account: a fresh access key, and a PEM file in `directory` that only we can read."""
        if key_type not in KEY_TYPES:
            raise ConfigError(f"key type {key_type!r} is none of {', '.join(KEY_TYPES)}")
        key: PrivateKey = (
            rsa.generate_private_key(65_537, RSA_BITS) if key_type == "rsa" else ed25519.Ed25519PrivateKey.generate()
        )
        form = serialization.PrivateFormat.TraditionalOpenSSL if pkcs1 else serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        credentials = Credentials(str(uuid.uuid4()), directory / f"{account}.pem")
        descriptor = os.open(credentials.private_key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        self._keys[credentials.access_key] = (account, key.public_key())
        return credentials

    def issue(self, options: ServerOptions, directory: Path) -> dict[str, Credentials]:
        """Let in every account there is to be, by the key that was given or by a throw-away pair."""
        issued: dict[str, Credentials] = {}
        for account in options.accounts:
            if not issued and options.key_path is not None:
                self.add(account, options.access_key, options.key_path)
                issued[account] = Credentials(options.access_key, options.key_path)
            else:
                issued[account] = self.throwaway(account, directory, key_type=options.key_type)
        return issued

    def verify(self, headers: Mapping[str, str], method: str, path: str, now_ms: int) -> str | AuthFailure:
        """The account that signed this request, or why it is refused. headers: lower-case; path: without the query."""
        signature = headers.get(SIGNATURE_HEADER, "")
        if not signature:
            return NO_SIGNATURE
        timestamp = headers.get(TIME_HEADER, "")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 15:
            return STALE
        if abs(now_ms - int(timestamp)) > self._skew_ms:
            return STALE
        account, key = self._keys.get(headers.get(KEY_HEADER, ""), ("", None))
        if key is None:
            return UNKNOWN_KEY
        message = f"{timestamp}{method.upper()}{path}".encode()
        return account if _is_signed(key, signature, message) else WRONG_SIGNATURE


def is_signed_attempt(headers: Mapping[str, str]) -> bool:
    """True when a request carries any of the three headers, so that it means to be signed."""
    return any(name in headers for name in (KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER))


def _is_signed(key: PublicKey, signature: str, message: bytes) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, rsa.RSAPublicKey):
            # Any salt length: clients use the digest's and the longest, and the exchange takes both (protocol 2.3).
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            key.verify(raw, message, pss, hashes.SHA256())
        else:
            key.verify(raw, message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _load_public(path: Path) -> PublicKey:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read ({error.strerror}); check its path") from error
    try:
        if b"PUBLIC KEY" in pem:
            key: object = serialization.load_pem_public_key(pem)
        else:
            private = serialization.load_pem_private_key(pem, password=None)
            key = private.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise ConfigError(f"{path} holds no RSA or Ed25519 key in PEM form; make one with `openssl genrsa`")
    return key
