"""For all tests: throw-away keys of the exchanges come from a small pool; to make one takes a tenth of a second.

Two that are asked for one after the other differ, and so do the access keys, always.

What was collected is never garbage: every collection would walk through ten thousand tests and their modules.

And no example of hypothesis fails for the time it takes: on a busy machine any of them may take long.
"""

import gc
from collections.abc import Iterator
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, settings

from replay.exchange.keyring import RSA_BITS

POOL: Final = 8

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Take what there is now out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def few_keys() -> Iterator[None]:
    """Make the first keys, then hand them out in turn."""
    honest, made, asked = rsa.generate_private_key, list[rsa.RSAPrivateKey](), 0

    def pooled(public_exponent: int, key_size: int, backend: Any = None) -> rsa.RSAPrivateKey:
        nonlocal asked
        if key_size != RSA_BITS:
            return honest(public_exponent, key_size, backend)
        asked += 1
        if asked <= POOL:
            made.append(honest(public_exponent, key_size, backend))
        return made[asked % len(made)] if asked > POOL else made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa, "generate_private_key", pooled)
        yield
