"""The one door to numba, which is optional: the same functions run as plain Python where it is not installed.

Importing this module does not import numba (it costs 0.2 s); the first `compiled()` does.
"""

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

INSTALLED: Final = importlib.util.find_spec("numba") is not None
"""True when the `fast` extra is there."""

_waiting: list[Callable[[], object]] = []


@cache
def compile_here(function: Callable[..., Any], samples: Callable[[], tuple[Any, ...]]) -> tuple[Any, str]:
    """`function` compiled for arguments like `samples()`, once in a process; it is not called. It must say yes or no.

    With why not: "" where it was compiled; else the first is None. An index beyond an array raises, as it does in
    Python, which keeps no fractions in arrays of integers either: one that does is not compiled.
    """
    if not INSTALLED:
        return None, "numba is not installed"
    numba = importlib.import_module("numba")
    try:
        made = numba.njit(nogil=True, boundscheck=True)(function)
        made.compile(tuple(numba.typeof(sample) for sample in samples()))
    except Exception as error:  # of many kinds, all of them about what the function does
        return None, _said(error)
    why = _unlike_python(numba.types, made)
    return (None, why) if why else (made, "")


def _said(error: Exception) -> str:
    """What numba has against a function, in a line: what it found, and in which line of the source."""
    lines = [line.strip() for line in str(error).splitlines()]
    found = [line for line in lines if line and set(line) - set("^~-")]
    where = next((line for line in found if line.startswith("File ")), "")
    told = [line for line in found if not line.startswith(("Failed in", "During:", "File ", "This error"))]
    return f"{type(error).__name__}: {' '.join(told[:2])} {where}".strip()[:300]


def _unlike_python(types: Any, made: Any) -> str:
    """Why the compiled function would not do what the plain one does, "" = it would."""
    answer = made.nopython_signatures[0].return_type
    if not isinstance(answer, types.Boolean | types.BooleanLiteral | types.Integer):
        return f"it gives {answer}, not True or False"
    calls = next(iter(made.overloads.values())).type_annotation.calltypes
    for what, call in calls.items():
        if type(what).__name__ in ("SetItem", "StaticSetItem") and not isinstance(
            call.args[-1], types.Boolean | types.BooleanLiteral | types.Integer
        ):
            return f"it keeps {call.args[-1]}, not an integer, in line {what.loc.line}"
    return ""


@cache
def compiled(function: Callable[..., Any], *, is_kept: bool = True, is_lean: bool = False) -> Callable[..., Any]:
    """`function` compiled (no GIL held, kept between processes) when numba is installed, else itself.

    It may use numbers, texts and functions that are defined above it, and numpy and math.

    is_kept: False for one that is given functions, whose code would be found again under a name that says nothing of
    theirs. is_lean: it makes no array, so it need not count who uses which.
    """
    if not INSTALLED:
        return function
    numba = importlib.import_module("numba")
    made = _lean(numba, function) if is_lean else numba.njit(nogil=True)(function)
    if is_kept:
        made._cache = _kept_class()(function)
    return made  # type: ignore[no-any-return]  # numba has no stubs


def _lean(numba: Any, function: Callable[..., Any]) -> Any:
    """`function` to be compiled without counting of references: half of all that the machine would do.

    numba has that as an option without a promise; where it is gone, the function counts and gives the same.
    """
    try:
        return numba.njit(nogil=True, _nrt=False)(function)
    except Exception:  # whatever numba says of an option that it does not know
        return numba.njit(nogil=True)(function)


@contextlib.contextmanager
def told_of_compiling(tell: Callable[[], object]) -> Iterator[None]:
    """Within it, `tell` is called once when something must be compiled first, by whichever thread does that.

    The first time on a machine that takes 10 to 20 s, and again after an update.
    """
    _waiting.append(tell)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # it was told
            _waiting.remove(tell)


def _tell() -> None:
    with contextlib.suppress(IndexError):  # another thread was first
        while _waiting:
            _waiting.pop()()


@cache
def _kept_class() -> Any:
    """numba's way to ask for code that was compiled before, over `core.code_cache`."""
    from core.code_cache import CodeCache, places_for

    numba = importlib.import_module("numba")
    caching = importlib.import_module("numba.core.caching")
    serialize = importlib.import_module("numba.core.serialize")
    pickle = importlib.import_module("pickle")
    implementation = caching.CompileResultCacheImpl

    class Kept(caching.NullCache):  # type: ignore[misc, name-defined]  # numba has no stubs
        def __init__(self, function: Callable[..., Any]) -> None:
            compiler = f"1 {numba.__version__} {importlib.util.MAGIC_NUMBER.hex()}"
            self._cache = CodeCache(function, compiler, places_for(function.__code__.co_filename))

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            target_context.refresh()
            content = self._cache.load(self._signature(sig, target_context.codegen()))
            if content is not None:
                with contextlib.suppress(Exception):  # whatever is wrong with it, compiling is right
                    return implementation.rebuild(None, target_context, pickle.loads(content))
            _tell()
            return None

        def save_overload(self, sig: Any, data: Any) -> None:
            if data.library.has_dynamic_globals:  # addresses of this process
                return
            with contextlib.suppress(pickle.PicklingError):
                content = serialize.dumps(implementation.reduce(None, data))
                self._cache.save(self._signature(sig, data.codegen), content)

        @staticmethod
        def _signature(sig: Any, codegen: Any) -> str:
            return f"{sig!r} {codegen.magic_tuple()!r}"

    return Kept
