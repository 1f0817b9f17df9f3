"""The names of what a strategy must not do: each exists, and says what to do instead."""

import importlib
from functools import reduce

import pytest

from replay import deeds

NEWER = {"_thread.start_joinable_thread", "sys._setprofileallthreads", "uuid.uuid6", "uuid.uuid7"}
"""Not yet in Python 3.11."""


@pytest.mark.parametrize(
    "name", sorted({*deeds.COMPILED, *deeds.COMPILED_OWN, *deeds.WRITTEN, *deeds.WRITTEN_OWN} - NEWER)
)
def test_every_name_is_that_of_a_function(name: str) -> None:
    module, _, path = name.partition(".")
    assert callable(reduce(getattr, path.split("."), importlib.import_module(module)))


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        ("time", "time", "time.time() reads the clock; use ctx.now_ns"),
        ("io", "open", "open() reaches for a file; read it before the run and give it as a parameter"),
        ("posix", "urandom", "os.urandom() throws dice; " + deeds.DICE.partition("; ")[2]),
        ("posix", "stat", "os.stat() asks the operating system; give the strategy what it needs as a parameter"),
        ("_socket", "getaddrinfo", "socket.getaddrinfo() speaks to the network; " + deeds.NETWORK.partition("; ")[2]),
        ("builtins", "hash", "hash() differs between runs (PYTHONHASHSEED); compare the value itself"),
        ("posix", "fspath", "None"),
        ("time", "mktime", "None"),
        ("builtins", "len", "None"),
    ],
)  # fmt: skip
def test_what_a_compiled_function_does(module: str, name: str, text: str) -> None:
    assert str(deeds.of_compiled(module, name)) == text


@pytest.mark.parametrize(
    ("module", "name", "shown"),
    [
        ("random", "Random.randint", "random.Random.randint()"),
        ("os", "_Environ.__getitem__", "os.environ"),
        ("os", "getenv", "os.getenv()"),
        ("urllib.request", "urlopen", "urllib.request.urlopen()"),
        ("concurrent.futures.thread", "Pool.submit", "concurrent.futures.thread.Pool.submit()"),
        ("threading", "Thread.start", "threading.Thread.start()"),
    ],
)  # fmt: skip
def test_what_a_written_function_does(module: str, name: str, shown: str) -> None:
    deed = deeds.of_written(module, name)
    assert deed is not None
    assert deed.name == shown
    assert deeds.is_watched(module)


@pytest.mark.parametrize(
    ("module", "name"),
    [("urllib.parse", "urlsplit"), ("threading", "Event.set"), ("uuid", "UUID.__init__"), ("maker", "f")],
)
def test_a_harmless_function_does_nothing(module: str, name: str) -> None:
    assert deeds.of_written(module, name) is None


def test_a_strategy_s_own_module_is_not_watched() -> None:
    assert not any(map(deeds.is_watched, ("maker", "core.book", "decimal", "__main__", None)))
