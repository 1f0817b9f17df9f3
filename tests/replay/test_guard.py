"""A hook under watch: whatever its replay could not repeat raises, however it was bound; all else is left alone."""

# ruff: noqa: DTZ011, PLW0108, PTH123, SIM115, T201
# What these rules forbid is what is tested here: clocks, bare `open`, `print`, and calling through one more function.

import contextlib
import copy
import cProfile
import gc
import io
import json
import linecache
import logging
import multiprocessing
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from time import time as bound_before
from types import FrameType
from typing import Any

import msgspec
import numpy as np
import pytest
import requests
from sample_records import session_records

from core.engine import Engine
from replay.guard import Impure, guarded
from strategies.regime import Detector

DICE = random.Random(7)  # made before the guard came on
DRAW = DICE.random
NOW = datetime.now
HASH = hash
OPEN = open
THREAD = threading.Thread(target=print)
POOL = ThreadPoolExecutor(1)

RECORDS = session_records(60)


class Clock(datetime):
    """A class of the user's own that inherits the clock."""


def default_argument(clock: Callable[[], float] = time.monotonic) -> float:
    return clock()


def spread(*nothing: Any) -> float:
    return time.time(*nothing)


IMPURE: list[tuple[Callable[[], object], str]] = [
    (lambda: time.time(), "time.time() reads the clock; use ctx.now_ns (test_guard.py:"),
    (lambda: bound_before(), "time.time() reads the clock; use ctx.now_ns (test_guard.py:"),
    (time.time_ns, "time.time_ns() reads the clock"),
    (default_argument, "time.monotonic() reads the clock"),
    (spread, "time.time() reads the clock"),
    (lambda: perf_counter_ns(), "time.perf_counter_ns() reads the clock"),
    (lambda: time.sleep(0), "time.sleep() waits for the clock"),
    (lambda: time.strftime("%Y"), "time.strftime() reads the clock"),
    (lambda: time.localtime(), "time.localtime() reads the clock"),
    (lambda: datetime.now(UTC), "datetime.now() reads the clock"),
    (lambda: NOW(UTC), "datetime.now() reads the clock"),
    (lambda: Clock.now(UTC), "Clock.now() reads the clock"),
    (lambda: date.today(), "date.today() reads the clock"),
    (lambda: uuid.uuid1(), "uuid.uuid1() reads the clock"),
    (lambda: uuid.uuid4(), "uuid.uuid4() throws dice"),
    (lambda: random.random(), "Random.random() throws dice"),
    (lambda: random.shuffle([1]), "random.Random.shuffle() throws dice"),
    (lambda: DICE.random(), "Random.random() throws dice"),
    (lambda: DICE.randint(1, 6), "random.Random.randint() throws dice"),
    (lambda: DRAW(), "Random.random() throws dice"),
    (lambda: random.Random(7), "random.Random.__init__() throws dice"),
    (lambda: random.SystemRandom().random(), "random."),
    (lambda: secrets.token_bytes(4), "secrets.token_bytes() throws dice"),
    (lambda: os.urandom(4), "os.urandom() throws dice"),
    (lambda: np.random.default_rng(7), "threading.RLock() is what threads and numpy.random's generators"),
    (lambda: socket.socket(), "socket.socket.__init__() speaks to the network"),
    (lambda: socket.create_connection(("127.0.0.1", 1)), "socket.create_connection() speaks to the network"),
    (lambda: socket.gethostname(), "socket.gethostname() speaks to the network"),
    (lambda: requests.get("http://127.0.0.1:1", timeout=1), "requests.api.get() speaks to the network"),
    (lambda: THREAD.start(), "threading.Thread.start() does something in another thread"),
    (lambda: POOL.submit(print), "concurrent.futures.thread.ThreadPoolExecutor.submit() does something in another"),
    (lambda: subprocess.run(["true"], check=False), "subprocess.run() starts or stops a process"),
    (lambda: os.fork(), "os.fork() starts or stops a process"),
    (lambda: multiprocessing.Process(), "multiprocessing."),
    (lambda: open(os.devnull), "open() reaches for a file"),
    (lambda: OPEN(os.devnull), "open() reaches for a file"),
    (lambda: Path(os.devnull).read_text(encoding="utf-8"), "open() reaches for a file"),
    (lambda: Path(os.devnull).exists(), "os.stat() asks the operating system"),
    (lambda: os.open(os.devnull, os.O_RDONLY), "os.open() asks the operating system"),
    (lambda: list(map(open, [os.devnull])), "open reaches for a file"),  # C calls C: only the audit hook is told
    (lambda: io.FileIO(os.devnull), "open reaches for a file"),
    (lambda: np.load(os.devnull), "open() reaches for a file"),
    (lambda: os.environ["PATH"], "os.environ uses the environment"),
    (lambda: os.environ.get("PATH"), "os.environ uses the environment"),
    (lambda: "PATH" in os.environ, "os.environ uses the environment"),
    (lambda: dict(os.environ), "os.environ uses the environment"),
    (lambda: os.getenv("PATH"), "os.getenv() uses the environment"),
    (lambda: os.getpid(), "os.getpid() asks the operating system"),
    (lambda: hash("x"), "hash() differs between runs"),
    (lambda: HASH(b"x"), "hash() differs between runs"),
    (lambda: id("x"), "id() differs between runs"),
    (lambda: sys.setprofile(None), "sys.setprofile() would switch off the guard"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(IMPURE)))
def test_an_impurity_is_raised_at_its_place(number: int) -> None:
    hook, text = IMPURE[number]
    with pytest.raises(Impure) as caught:
        guarded(hook)
    assert str(caught.value).startswith(text)


def test_a_file_opened_before_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("1", encoding="utf-8")
    for mode in ("r", "rb", "a"):
        with open(tmp_path / "secret", mode) as file, pytest.raises(Impure, match=r"\(\) reaches for a file"):
            guarded(file.tell if mode == "a" else file.read)


def test_a_socket_made_before_is_not_used() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Impure, match=r"socket\.send\(\) speaks to the network"):
        guarded(lambda: ours.send(b"x"))


@dataclass(frozen=True)
class Key:
    """Its `__hash__` calls `hash`, which decides nothing by itself."""

    market: str
    price: int


class Message(msgspec.Struct):
    """What msgspec reads and writes."""

    text: str


def pure() -> object:
    table = {Key("A", 1): Decimal("0.5") + 1, ("B", 2): json.loads('{"a": [1, 2]}')}
    numbers = np.sort(np.array([3, 1, 2])).astype(np.float64).sum()
    message = msgspec.json.decode(msgspec.json.encode(Message("x")), type=Message)
    copied = copy.deepcopy(table)
    when = datetime.strptime("2026-08-11", "%Y-%m-%d").replace(tzinfo=UTC).strftime("%d"), repr(Key("A", 1))
    return copied[Key("A", 1)], float(numbers), message, when, io.StringIO("x").read(), str(uuid.UUID(int=1))


def fold() -> object:
    engine = Engine()
    for record in RECORDS:
        engine.step(record)
    return engine.counts


def regime() -> object:
    detector = Detector()
    for second in range(100):
        detector.on_prices(second * 10**9, 4000 + second, 4200 + second)
    return detector.at(100 * 10**9)


def test_a_pure_hook_gives_what_it_gives_without_the_guard() -> None:
    assert guarded(pure) == pure()
    assert guarded(fold) == fold()
    assert guarded(regime) == regime()
    assert guarded(dict, {"a": 1}, b=2) == {"a": 1, "b": 2}


def test_printing_logging_and_warning_are_let_through(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda *told: shown.append(warnings.formatwarning(*told[:4])))

    def hook() -> None:
        print("printed")
        sys.stdout.write("written\n")
        logging.getLogger("hook").warning("logged")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("warned", stacklevel=1)

    linecache.clearcache()  # so that showing the line opens this file
    guarded(hook)
    assert capsys.readouterr().out == "printed\nwritten\n"
    assert caplog.messages == ["logged"]
    assert 'warnings.warn("warned", stacklevel=1)' in shown[0]


def test_print_to_a_stream_written_in_python_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            return super().write(f"{time.time() > 0} {text}")

    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    guarded(print, "x")
    assert stream.getvalue().startswith("True x")


@pytest.mark.parametrize("swallow", [Exception, BaseException])
def test_a_swallowed_violation_is_raised_when_the_hook_ends(swallow: type[BaseException]) -> None:
    reached: list[object] = []

    def hook() -> str:
        with contextlib.suppress(swallow):
            reached.append(time.time())
        with contextlib.suppress(swallow):
            reached.append(list(map(open, [os.devnull])))  # still watched: the audit hook stays
        return "decided"

    with pytest.raises(Impure, match=r"^time\.time\(\)"):
        guarded(hook)
    assert reached == []


def test_a_violation_outlives_the_exception_that_came_of_it() -> None:
    def hook() -> None:
        try:
            time.time()
        except Exception:
            raise KeyError("market") from None

    with pytest.raises(Impure) as caught:
        guarded(hook)
    assert isinstance(caught.value.__context__, KeyError)


def test_a_hook_s_own_exception_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(divmod, 1, 0)
    assert sys.getprofile() is None
    assert bound_before() > 0


def test_guards_nest_and_the_outer_one_learns_of_what_the_inner_one_found() -> None:
    def outer() -> str:
        assert guarded(lambda: 1) == 1
        with contextlib.suppress(Impure):
            guarded(time.time)
        return "decided"

    with pytest.raises(Impure, match=r"^time\.time\(\)"):
        guarded(outer)
    with pytest.raises(Impure, match=r"^time\.time_ns\(\)"):
        guarded(lambda: (guarded(lambda: 1), time.time_ns()))


@pytest.mark.parametrize("hook", [pure, time.time])
def test_the_profile_function_of_before_is_set_again(hook: Callable[[], object]) -> None:
    def mine(_frame: FrameType, event: str, _arg: Any) -> None:
        seen.append(event)

    seen: list[str] = []
    sys.setprofile(mine)
    try:
        with contextlib.suppress(Impure):
            guarded(hook)
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)
    assert "call" in seen


def test_cprofile_goes_on_afterwards() -> None:
    profile = cProfile.Profile()
    profile.enable()
    try:
        with pytest.raises(Impure):
            guarded(time.time)
        date(2026, 8, 11).isoformat()
    finally:
        profile.disable()
    assert any("isoformat" in str(entry.code) for entry in profile.getstats())


def test_other_threads_go_on_undisturbed() -> None:
    begin, done = threading.Event(), threading.Event()
    worlds: list[object] = []

    def recorder() -> None:
        begin.wait()
        try:
            with open(os.devnull) as file:
                worlds.extend((time.time(), random.random(), os.environ["PATH"], file.read(), sys.getprofile()))
        except BaseException as error:
            worlds.append(error)
        done.set()

    def hook() -> None:
        begin.set()
        done.wait()

    thread = threading.Thread(target=recorder)
    thread.start()
    guarded(hook)
    thread.join()
    assert len(worlds) == 5, worlds
    assert worlds[-1] is None


class Finalized:
    """Something of somebody else's that the collector ends in the middle of a hook."""

    ended: list[float] = []  # noqa: RUF012  # shared on purpose

    def __del__(self) -> None:
        self.ended.append(time.time())


def test_what_the_interpreter_does_for_others_in_a_hook_is_let_through() -> None:
    handled: list[float] = []

    def collected(_phase: str, _info: dict[str, int]) -> None:
        handled.append(time.time())

    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(time.time()))
    gc.collect()  # what other tests left, with finalizers of its own, is not what is tested
    gc.callbacks.append(collected)
    try:
        guarded(gc.collect)
        assert len(handled) >= 2
        handled.clear()
        guarded(signal.raise_signal, signal.SIGUSR1)
        assert handled
    finally:
        gc.callbacks.remove(collected)
        signal.signal(signal.SIGUSR1, before)
    others = [Finalized()]
    guarded(others.clear)
    assert Finalized.ended


def test_a_compiled_functions_first_call_is_let_through() -> None:
    numba = pytest.importorskip("numba", reason="numba (the extra `fast`) is not installed, nothing is compiled")

    @numba.njit  # type: ignore[untyped-decorator]  # numba has no stubs
    def double(value: int) -> int:
        return 2 * value

    with numba.core.event.install_timer("numba:compile", lambda _: None):  # so that the clock is looked at
        assert guarded(double, 2) == 4


def test_late_imports_of_the_standard_library_and_of_ours_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    import core.backoff

    monkeypatch.setattr(core, "backoff", core.backoff)  # what the import sets anew is put back
    monkeypatch.delitem(sys.modules, "core.backoff")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)

    def hook() -> None:
        import colorsys  # noqa: F401  # importing is what is tested

        import core.backoff  # noqa: F401  # the same

    guarded(hook)
    assert {"colorsys", "core.backoff"} <= sys.modules.keys()


def test_a_late_import_of_the_user_s_own_is_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "guard_helper.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Impure, match=r"^guard_helper is imported in a hook, which reads files; import it at the top"):
        guarded(__import__, "guard_helper")
    assert "guard_helper" not in sys.modules


def test_what_it_is_documented_not_to_see_it_does_not_see() -> None:
    assert guarded(partial(time.time)) > 0
    assert guarded(lambda: sorted(["x"], key=hash)) == ["x"]
