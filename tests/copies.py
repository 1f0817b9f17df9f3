"""Both copies of the machine, for tests that are to hold for either, and what both are held against."""

from typing import Final

import pytest

from core.compiled import INSTALLED
from core.engine import Engine, Step
from core.messages import Malformed, Message

COMPILED: Final = pytest.param(
    True, id="compiled", marks=pytest.mark.skipif(not INSTALLED, reason="numba is not installed")
)
EACH_COPY: Final = pytest.mark.parametrize("is_compiled", [pytest.param(False, id="plain"), COMPILED])
"""Parameter `is_compiled` of a test: False, and True where numba is installed."""

needs_compiled = pytest.mark.skipif(not INSTALLED, reason="numba is not installed: there is only one copy")


class LongWay(Engine):
    """An engine that judges every frame as one that is out of the ordinary: the machine steps nothing by itself."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(is_compiled=False)

    def _message(self, connection: int, message: Message | Malformed, now_ns: int) -> Step:
        return self._judged(connection, message, now_ns)
