"""A hook of a strategy is run under watch: whatever would make its replay decide differently raises, there and then.

Knows how the interpreter tells of calls. What is forbidden is said in `replay.deeds`. Must not know hooks, nor tapes.

    decisions = guarded(strategy.on_book, ctx, view)

Two lines of defence, both of the calling thread alone. The profile function (`sys.setprofile`) is told of every call
that Python code makes, with the very function that is called: so a function bound before the guard came on is
recognised, which replacing names in modules would miss. The audit hook (PEP 578) is told of files, sockets, threads and
processes, also where C code makes the call, and still watches after a strategy has swallowed the first exception: the
interpreter takes a profile function off when it raises. It cannot be removed again, and lies idle while nothing is
guarded. Whatever was swallowed is raised when the hook ends.

What is let through: `print` and `logging` (what they write, the strategy does not read); what the interpreter does in
the middle of a hook for somebody else (finalizers, gc callbacks, signal handlers); warnings, which read source lines to
show them; and importing what the standard library, msgspec, numpy, numba, `core` and `strategies` import late, for that
depends on the code alone. `hash` and `id` are forbidden to the strategy's own code only, and allowed in a `__hash__`.

What it cannot see: a compiled function that C code calls for Python (`map(hash, x)`, `functools.partial(time)()`,
`iter(time, None)`), operators and iteration of compiled objects (`for line in file`), generators of numpy.random that
exist already (their methods are no C functions to the interpreter), the walk through a set, and what a returned
generator does afterwards. `replay.lint` sees most of these.

Measured (Python 3.11, two cores with other work): 2 us for a guarded call, and in it 0.4 us more for each call of a
Python function (or resumption of a generator) and 0.4 us for each of a compiled one. A hook of 3 us that only calls
small functions (`strategies.regime`) takes 17 us, one of 18 us that sums with numpy and decodes with msgspec takes 38,
a step of the engine 88 instead of 39. The audit hook costs every thread some 0.7 us for each audit event (a file
opened, a module loaded), of which a recorder has few.
"""

import _io
import _random
import _socket
import gc
import signal
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import PurePath
from types import CodeType, FrameType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar

from core.errors import TapedeckError
from replay import deeds
from replay.deeds import Deed

P = ParamSpec("P")
T = TypeVar("T")


class Impure(TapedeckError):  # noqa: N818  # what the strategy is, not what went wrong in Tapedeck
    """A strategy did what its replay could not repeat. The text names the function, what to use instead, and where."""


_TRUSTED: Final = sys.stdlib_module_names | {"core", "strategies", "msgspec", "numpy", "numba"}
"""Whose late imports are let through, and who may call `hash` and `id`."""

_PLAIN: Final = frozenset(
    (list, dict, str, bytes, bytearray, int, float, tuple, set, frozenset, deque, OrderedDict, type(None))
)
"""Types whose methods touch nothing: most calls end here."""

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (_random.Random, deeds.DICE),
    (_socket.socket, deeds.NETWORK),
    (_io.StringIO, ""),
    (_io.BytesIO, ""),
    (_io._IOBase, deeds.FILE),
)
"""Compiled types to why their methods must not be called; the first that fits decides."""

_CLOCKS: Final = frozenset(("now", "utcnow", "today"))

_IMPORTING: Final = frozenset(f"{module}._find_and_load" for module in deeds.IMPORTERS)
_COMPILING: Final = "numba.core.dispatcher._DispatcherBase._compile_for_args"
"""A compiled function's first call, which looks at clock and files: what the function gives does not depend on them."""

_LET_THROUGH: Final = frozenset(
    ("warnings._showwarnmsg", "logging.Logger._log", "weakref.finalize.__call__", _COMPILING)
)

_set_profile: Final = partial(sys.setprofile)
"""Through a partial, because a profile function is not told of that: the guard would see itself leave."""


class _Here(threading.local):
    """Of this thread: the violations in the hook that is being run, None = none is run."""

    found: list[Impure] | None = None


_here: Final = _Here()
_functions: Final[dict[Any, Deed | None]] = {}  # compiled functions of modules, each judged once
_kinds: Final[dict[type, str]] = {}  # types of what compiled methods are bound to; "" = harmless
_once: Final = threading.Lock()
_hooked: Final[list[bool]] = []


def guarded(hook: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `hook(*args, **kwargs)` gives; raises `Impure` when it did anything that a replay could not repeat.

    The first violation is raised where it happens, and again here if the hook swallowed it; other exceptions pass.
    May be nested. A profile function that was set before is set again afterwards (it is told of nothing in between).
    """
    if not _hooked:
        _add_audit_hook()
    before, outer = sys.getprofile(), _here.found
    found: list[Impure] = []
    _here.found = found
    _set_profile(_watch)
    try:
        return hook(*args, **kwargs)
    finally:
        _set_profile(None)
        _here.found = outer
        if before is not None:
            _restore(before)
        if found:
            if outer is not None:
                outer.append(found[0])
            if sys.exception() is not found[0]:
                raise found[0]


def _restore(profile: Any) -> None:
    if callable(profile):
        _set_profile(profile)
    else:
        profile.enable()  # cProfile's, which `sys.setprofile` does not take


def _add_audit_hook() -> None:
    with _once:
        if not _hooked:
            sys.addaudithook(_audit)
            _hooked.append(True)


def _watch(frame: FrameType, event: str, arg: Any) -> None:
    """The profile function. Most of its time is the interpreter's call of it, so it is written for the common case."""
    if event == "call":
        module = frame.f_globals.get("__name__")
        if deeds.is_watched(module):  # before anything that is an audit event: reading `f_code` would double the cost
            deed = _of_code(frame, str(module))
            if deed is not None and frame.f_back is not None:
                _accuse(deed, frame, frame.f_back)
    elif event == "c_call":
        owner = arg.__self__
        kind = type(owner)
        if kind in _PLAIN:
            return
        if kind is ModuleType:
            try:
                deed = _functions[arg]
            except KeyError:
                deed = _functions[arg] = deeds.of_compiled(arg.__module__ or owner.__name__, arg.__name__)
        else:
            deed = _of_method(owner, kind, arg)
        if deed is not None:
            _accuse(deed, frame, frame)


def _of_method(owner: Any, kind: type, method: Any) -> Deed | None:
    """What a compiled method does that is bound to `owner`, which is a class when it is a class's own method."""
    why = _kinds.get(kind)
    if why is None:
        why = _kinds[kind] = next((why for base, why in _KINDS if issubclass(kind, base)), "")
    if why and owner is not sys.stdout and owner is not sys.stderr:
        return Deed(f"{kind.__qualname__}.{method.__name__}()", why)
    if isinstance(owner, type) and method.__name__ in _CLOCKS and issubclass(owner, date):
        return Deed(f"{owner.__qualname__}.{method.__name__}()", deeds.CLOCK)
    return None


def _of_code(frame: FrameType, module: str) -> Deed | None:
    """What the function does that is written in Python and begins in this frame."""
    qualified = frame.f_code.co_qualname
    if f"{module}.{qualified}" in _IMPORTING:
        return Deed(str(frame.f_locals.get("name")), deeds.IMPORT)
    return deeds.of_written(module, qualified)


def _audit(event: str, _args: tuple[Any, ...], why_not: Callable[[str], str | None] = deeds.EVENTS.get) -> None:
    """The audit hook, told of every thread; while it runs the profile function is not told anything.

    why_not is bound here because the hook outlives this module's names when the interpreter ends.
    """
    why = why_not(event)
    if why is not None and _here is not None and _here.found is not None:
        frame = sys._getframe(1)
        _accuse(Deed(event, why), frame, frame)


def _accuse(deed: Deed, frame: FrameType, caller: FrameType) -> None:
    """Raises, unless there is an excuse. frame: where to begin to look for one; caller: who made the call."""
    if deed.own and (_top(caller) in _TRUSTED or caller.f_code.co_name == "__hash__"):
        return
    stack = _stack(frame)
    others = {*map(_code_of, gc.callbacks), *map(_code_of, map(signal.getsignal, signal.valid_signals()))}
    if any(_is_let_through(each, others) for each in stack):
        return
    mine = next((each for each in _stack(caller) if _top(each) not in _TRUSTED), caller)
    error = Impure(f"{deed} ({PurePath(mine.f_code.co_filename).name}:{mine.f_lineno})")
    if _here.found is not None:
        _here.found.append(error)
    raise error


def _stack(frame: FrameType | None) -> list[FrameType]:
    """The frames from this one up to the hook's, which is the last."""
    frames = []
    while frame is not None and frame.f_code is not guarded.__code__:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _is_let_through(frame: FrameType, others: set[CodeType | None]) -> bool:
    """True when what this frame does, it does not do for the strategy's decision."""
    code = frame.f_code
    name = f"{_module(frame)}.{code.co_qualname}"
    if name in _IMPORTING:
        return str(frame.f_locals.get("name")).split(".")[0] in _TRUSTED
    stream = frame.f_locals.get("self") if code.co_argcount else None  # a stream written in Python, under print()
    if stream is not None and (stream is sys.stdout or stream is sys.stderr):
        return True
    return name in _LET_THROUGH or code.co_name == "__del__" or code in others


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__") or ""


def _top(frame: FrameType) -> str:
    return _module(frame).split(".")[0]


def _code_of(function: Any) -> CodeType | None:
    plain = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None) or getattr(vars(type(plain)).get("__call__"), "__code__", None)
    return code if isinstance(code, CodeType) else None
