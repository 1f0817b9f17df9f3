"""Both copies of the machine, for tests that are to hold for either."""

from typing import Final

import pytest

from core.compiled import INSTALLED

COMPILED: Final = pytest.param(
    True, id="compiled", marks=pytest.mark.skipif(not INSTALLED, reason="numba is not installed")
)
EACH_COPY: Final = pytest.mark.parametrize("is_compiled", [pytest.param(False, id="plain"), COMPILED])
"""Parameter `is_compiled` of a test: False, and True where numba is installed."""

needs_compiled = pytest.mark.skipif(not INSTALLED, reason="numba is not installed: there is only one copy")
