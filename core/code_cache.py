"""Where compiled code is kept between processes, and under which name.

The one module of `core` that touches files: what is kept changes how soon a result is there, never which. numba's own
cache knows a function by the age of its file, so it gives stale code when a function or constant that it uses in
another module has changed, and writes index and code apart, so that two processes may find each other's halves. Here
an entry is one file, put in place whole, and its name covers everything that the code was made from.

Must not import numba: whoever compiles hands in what numba knows.
"""

import builtins
import contextlib
import dis
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

KEPT: Final = 16
"""Entries of one function that stay in a directory: its signatures, and versions that may still be running."""

_MODULES: Final = ("numpy", "math")
_VALUES: Final = (int, float, str, bytes, type(None))
_DIGEST: Final = 32  # bytes of a SHA-256


def fingerprint(function: Callable[..., Any]) -> str:
    """A digest of everything that a function's compiled code depends on: its own code, constants, and callees'.

    Raises NameError when it uses a global that is not defined yet, TypeError when it uses one whose value cannot be
    covered: functions, numbers (numpy's, and their types too), texts, tuples of these, the modules numpy and math can.
    """
    digest = sha256()
    done: set[FunctionType] = set()
    waiting = [_plain(function)]
    while waiting:
        item = waiting.pop()
        if item not in done:
            done.add(item)
            for part in _parts(item, waiting):
                digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return getattr(value, "py_func", value)  # a compiled function keeps the one it was made from


def _parts(function: FunctionType, waiting: list[FunctionType]) -> Iterator[bytes]:
    """What one function is; the functions that it uses are put in `waiting`."""
    yield f"{function.__module__}.{function.__qualname__}".encode()
    yield from _code_parts(function.__code__)
    used = {name: _global(function, name) for name in sorted(_globals_of(function.__code__))}
    closed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    used.update({name: cell.cell_contents for name, cell in closed.items()})
    for name, value in sorted({**used, "=": function.__defaults__}.items()):
        plain = _plain(value)
        if isinstance(plain, FunctionType):
            waiting.append(plain)
            yield f"{name}={plain.__module__}.{plain.__qualname__}".encode()
        elif not _is_covered(plain):
            raise TypeError(f"{function.__qualname__} uses {name}, a {type(plain).__name__}: compiled code may not")
        else:
            yield f"{name}={plain.__name__ if isinstance(plain, ModuleType | type) else plain!r}".encode()


def _code_parts(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags, code.co_argcount)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        else:
            yield repr(constant).encode()


def _globals_of(code: CodeType) -> set[str]:
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return names.union(*map(_globals_of, inner))


def _global(function: FunctionType, name: str) -> Any:
    if name in function.__globals__:
        return function.__globals__[name]
    if hasattr(builtins, name):
        return name
    raise NameError(f"{function.__qualname__} uses {name}, which must be defined above it to be compiled")


def _is_covered(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_covered, value))
    if isinstance(value, _VALUES) or (isinstance(value, ModuleType) and value.__name__ in _MODULES):
        return True
    return (value if isinstance(value, type) else type(value)).__module__ == "numpy"  # its scalars, and their types


class CodeCache:
    """The kept code of one function. Nothing here raises: what cannot be read is compiled, what cannot be kept is not.

    part: of the name, covers whatever the code depends on beside the function (compiler, processor).
    places: directories to look in, the best first.
    """

    def __init__(self, function: Callable[..., Any], part: str, places: Sequence[Path]) -> None:
        plain = _plain(function)
        self._name = plain.__name__
        self._key = f"{part} {fingerprint(plain)}"
        self._places = places

    def load(self, signature: str) -> bytes | None:
        """What was kept for this signature, as it was kept; None when nothing was, or it is damaged."""
        for place in self._places:
            with contextlib.suppress(OSError):
                content = (place / self._file(signature)).read_bytes()
                if sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                    return content[_DIGEST:]
        return None

    def save(self, signature: str, content: bytes) -> None:
        """Keep it in the first place that takes it; at every instant all of it is there or nothing."""
        for place in self._places:
            with contextlib.suppress(OSError):
                self._put(place, self._file(signature), sha256(content).digest() + content)
                return

    def _file(self, signature: str) -> str:
        return f"{self._name}-{sha256(f'{self._key} {signature}'.encode()).hexdigest()[:32]}.code"

    def _put(self, place: Path, name: str, content: bytes) -> None:
        place.mkdir(parents=True, exist_ok=True)
        aside = place / f"{name}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            with aside.open("xb") as file:
                file.write(content)
            aside.replace(place / name)
        finally:
            aside.unlink(missing_ok=True)
        self._prune(place)

    def _prune(self, place: Path) -> None:
        entries = sorted(place.glob(f"{self._name}-*"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        for path in entries[:-KEPT]:
            path.unlink(missing_ok=True)


@cache
def places_for(source: str) -> tuple[Path, ...]:
    """Where the code of a source file may be kept by this process."""
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:  # no directory takes a file
        temporary = os.devnull
    return places(Path(source), os.environ, Path(temporary))


def places(source: Path, environment: Mapping[str, str], temporary: Path) -> tuple[Path, ...]:
    """Directories for the code of a source file, the best first; whether they can be written is not looked at.

    NUMBA_CACHE_DIR alone where it is set; else beside Python's own compiled files, the user's cache (if there is a
    home), and a directory under `temporary` that only this user can write, which is made.
    """
    chosen = environment.get("NUMBA_CACHE_DIR")
    if chosen:
        return (Path(chosen) / "tapedeck",)
    found = [source.parent / "__pycache__"]
    home = environment.get("HOME", "")
    cached = Path(environment.get("XDG_CACHE_HOME") or Path(home) / ".cache")
    if cached.is_absolute():
        found.append(cached / "tapedeck")
    private = _private(temporary)
    return (*found, private) if private is not None else tuple(found)


def _private(temporary: Path) -> Path | None:
    """A directory that belongs to this user alone, for what lies in it gets run; None when it cannot be had."""
    path = temporary / f"tapedeck-code-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    return path if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077 else None
