"""What a strategy must not do, by the names of the functions that do it, and what to do instead.

Knows names and nothing else: nothing named here is imported for it, so the guard costs no module that nobody uses.
Must not know how a call is noticed.
"""

from functools import lru_cache
from typing import Final, NamedTuple

CLOCK: Final = "reads the clock; use ctx.now_ns"
WAIT: Final = "waits for the clock; ask for a timer instead"
DICE: Final = "throws dice; decide by what is on the tape, or by a seed that is a parameter"
NETWORK: Final = "speaks to the network; return a command, its answer comes as a record"
THREAD: Final = "does something in another thread; decide in the hook itself"
PROCESS: Final = "starts or stops a process; decide in the hook itself"
FILE: Final = "reaches for a file; read it before the run and give it as a parameter"
SYSTEM: Final = "asks the operating system; give the strategy what it needs as a parameter"
ENVIRONMENT: Final = "uses the environment; give the strategy what it needs as a parameter"
TERMINAL: Final = "reads the terminal; give the strategy what it needs as a parameter"
HASH: Final = "differs between runs (PYTHONHASHSEED); compare the value itself"
ADDRESS: Final = "differs between runs (an address); compare the value itself"
IMPORT: Final = "is imported in a hook, which reads files; import it at the top of the module"
SWITCH: Final = "would switch off the guard"


_MOST_REMEMBERED: Final = 4_096
"""Judgements that are kept, each of some hundred bytes: more modules than a program loads."""


class Deed(NamedTuple):
    """One thing that must not be done.

    own: it is a fault only in the strategy's own code, for the standard library does it where nothing comes of it.
    """

    name: str
    why: str
    own: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.why}"


def _table(texts: dict[str, str]) -> dict[str, str]:
    return {name: why for why, names in texts.items() for name in names.split()}


COMPILED: Final = _table(
    {
        CLOCK: """time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns
            time.process_time time.process_time_ns time.thread_time time.thread_time_ns time.clock_gettime
            time.clock_gettime_ns posix.times""",
        WAIT: "time.sleep select.select select.poll _signal.pause _signal.sigwait",
        DICE: "posix.urandom posix.getrandom _uuid.generate_time_safe",
        THREAD: """_thread.start_new_thread _thread.start_new _thread.start_joinable_thread
            _signal.setitimer _signal.alarm _signal.signal""",
        PROCESS: """posix.fork posix.forkpty posix.posix_spawn posix.posix_spawnp posix.execv posix.execve posix.system
            posix.kill posix.killpg posix.waitpid posix.wait posix.abort posix._exit _posixsubprocess.fork_exec""",
        FILE: "io.open io.open_code _io.open _io.open_code",
        ENVIRONMENT: "posix.putenv posix.unsetenv",
        TERMINAL: "builtins.input",
        SWITCH: "sys.setprofile sys.settrace sys._setprofileallthreads",
    }
)
_COMPILED_MODULES: Final = {"_socket": NETWORK, "_ssl": NETWORK, "posix": SYSTEM, "nt": SYSTEM}
COMPILED_OWN: Final = {
    **_table({HASH: "builtins.hash", ADDRESS: "builtins.id"}),
    **dict.fromkeys(("time.localtime", "time.gmtime", "time.ctime", "time.asctime", "time.strftime"), CLOCK),
}
_HARMLESS: Final = frozenset(
    ("posix.fspath", "posix.strerror", "_socket.htons", "_socket.ntohs", "_socket.htonl", "_socket.ntohl")
)
_SHOWN: Final = {
    "posix": "os", "nt": "os", "_socket": "socket", "_thread": "threading", "_signal": "signal",
    "builtins": "", "io": "", "_io": "",
}  # fmt: skip

WRITTEN: Final = _table(
    {
        CLOCK: "uuid.uuid1 uuid.uuid6 uuid.uuid7",
        DICE: "uuid.uuid4",
        THREAD: "threading.Thread.start",
        ENVIRONMENT: """os.getenv os.getenvb os._Environ.__getitem__ os._Environ.__setitem__ os._Environ.__delitem__
            os._Environ.__iter__ os._Environ.__len__ os._Environ.copy""",
        SYSTEM: "ctypes.CDLL.__init__",
    }
)
_WRITTEN_PACKAGES: Final = _table(
    {
        DICE: "random secrets",
        NETWORK: "socket ssl requests urllib3 urllib.request http.client aiohttp httpx websocket websockets",
        PROCESS: "subprocess multiprocessing",
        THREAD: "concurrent.futures",
        FILE: "tempfile shutil",
    }
)
WRITTEN_OWN: Final = {"threading.RLock": "is what threads and numpy.random's generators are made with; use neither"}

IMPORTERS: Final = ("importlib._bootstrap", "_frozen_importlib")
"""What the module that imports modules calls itself."""

_WATCHED: Final = frozenset(
    {name.split(".")[0] for name in (*WRITTEN, *WRITTEN_OWN, *_WRITTEN_PACKAGES)} | {"importlib", *IMPORTERS}
)

EVENTS: Final = _table(
    {
        WAIT: "time.sleep",
        NETWORK: """socket.__new__ socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo
            socket.gethostbyname socket.gethostname""",
        THREAD: "_thread.start_new_thread _thread.start_joinable_thread",
        PROCESS: "subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.kill",
        FILE: """open os.listdir os.scandir os.remove os.rename os.mkdir os.rmdir os.link os.symlink os.chdir os.chmod
            os.truncate os.utime""",
        ENVIRONMENT: "os.putenv os.unsetenv",
    }
)
"""Names of audit events (PEP 578) to why they must not be: what C code does for a strategy is seen by these only."""


def of_compiled(module: str, name: str) -> Deed | None:
    """What a function of a C module does, None when nothing that matters."""
    full = f"{module}.{name}"
    shown = f"{_SHOWN.get(module, module)}.{name}".lstrip(".") + "()"
    if full in COMPILED_OWN:
        return Deed(shown, COMPILED_OWN[full], own=True)
    why = COMPILED.get(full) or ("" if full in _HARMLESS else _COMPILED_MODULES.get(module, ""))
    return Deed(shown, why) if why else None


@lru_cache(maxsize=_MOST_REMEMBERED)
def is_watched(module: str | None) -> bool:
    """False when nothing that is written in this module, or in another of its package, can be a deed."""
    return (module or "").split(".")[0] in _WATCHED


@lru_cache(maxsize=_MOST_REMEMBERED)
def of_written(module: str, qualified: str) -> Deed | None:
    """The same for a function written in Python."""
    full = f"{module}.{qualified}"
    shown = "os.environ" if full.startswith("os._Environ.") else full + "()"
    if full in WRITTEN_OWN:
        return Deed(shown, WRITTEN_OWN[full], own=True)
    parts = module.split(".")
    packages = (_WRITTEN_PACKAGES.get(".".join(parts[:end])) for end in range(1, len(parts) + 1))
    why = WRITTEN.get(full) or next(filter(None, packages), None)
    return Deed(shown, why) if why else None
