"""Before anything is recorded: whether the tape can be written, who records it, and what of this process is safe.

Knows the tape, the machine's boot and the process's limits. Must not know the network.
"""

import random
import resource
import time
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError, TapeLocked
from capture.tape.identity import is_recording
from capture.tape.layout import Layout, read_label
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Session
from core.version import VERSION as VERSION

OPTIONS: Final = WriterOptions(sync_interval_s=0.01, seal_apart=True)
"""A power cut may cost 10 ms: at the exchange's rates the disk is idle otherwise. Sealing has a process of its own."""

LOCK_WAIT_S: Final = 1.0
"""How long a tape in use is waited for: after a kill -9 the sealing child, which shares the lock, lives some ms on."""

LOCK_LOOK_S: Final = 0.02

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Linux's name of the present boot: monotonic times are comparable within one."""


def no_core_dumps() -> None:
    """A core dump would hold the private key, so there is none, whatever the limits were."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def new_session(environment: str, config: Any) -> Session:
    """Who records from now on. `config`: anything that makes JSON and holds no secret; only its digest is kept."""
    digest = sha256(msgspec.json.encode(config, order="deterministic")).hexdigest()
    return Session(
        uuid=str(uuid.uuid4()),
        environment=environment,
        code=VERSION,
        config=digest,
        seed=random.SystemRandom().getrandbits(63),
        boot_id=_boot_id(),
    )


def require_writable(path: Path, environment: str) -> None:
    """Raises TapeError when the tape is of another environment or in use, before anybody was asked anything.

    Opening it finds the same and more; this is to be told early. Whoever is about to let go of the tape is waited for.
    """
    if not is_tape(path):
        return
    label = read_label(path)
    if label.environment != environment:
        raise TapeError(
            f"{path}: is a tape of environment {label.environment!r}, not {environment!r}; use one tape for each"
        )
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while (in_use := is_recording(Layout(path))) and time.monotonic() < deadline_s:
        time.sleep(LOCK_LOOK_S)
    if in_use:
        raise TapeLocked(f"{path}: is being recorded by another process; stop that one or choose another tape")


def is_tape(path: Path) -> bool:
    """Whether there is something to go on with, sound or not."""
    layout = Layout(path)
    return layout.label.exists() or layout.manifest.exists()


def open_writer(path: Path, session: Session) -> TapeWriter:
    """The writer of a new tape, or of the one that is there; raises as TapeWriter."""
    if is_tape(path):
        return TapeWriter.open(path, session.environment, session, options=OPTIONS)
    return TapeWriter.create(path, session.environment, session, options=OPTIONS)


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
