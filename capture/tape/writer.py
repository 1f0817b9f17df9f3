"""The writer of a tape: whoever has something to say appends it here, and that is its place in the one sequence.

Knows sessions, the tape's lock and the threads behind a writer. Must not know what a frame means.

What a caller may rely on:
- `append` returned: the kernel has the whole record. It survives the death of this process (kill -9 included), not
  that of the machine.
- `seq <= durable_seq`: an fdatasync that began after the append has returned. It survives a power cut, as far as the
  disk keeps what it has confirmed. This is at most `sync_interval_s` (and `sync_bytes`) behind.
- A record that `append` refused with DiskError is not on the tape, and the refusal is there as a gap: GAP_OPEN when
  it began, GAP_CLOSE (with its bounds and a count of frames) when the disk takes records again.
- A failed fdatasync proves nothing about what the file holds beyond the durable part, now or later, so the file is
  left behind for a new segment to which everything not yet durable is appended again from memory; `durable_seq`
  stands still until that is done.
"""

import contextlib
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from capture.tape.background import SealWorker, Worker
from capture.tape.clock import Clock, SystemClock
from capture.tape.disk import Disk, SystemDisk
from capture.tape.errors import DiskError, TapeError, disk_error
from capture.tape.follow import Follower
from capture.tape.layout import FORMAT_VERSION, Label, Layout, hot_numbers, read_label
from capture.tape.lock import TapeLock
from capture.tape.log import HotLog
from capture.tape.manifest import Manifest
from capture.tape.outage import Reserve
from capture.tape.recorder import Recorder, WriterOptions
from capture.tape.recovery import RecoveryReport, recover_locked
from capture.tape.sealer import create_tape, seal_hot_segment
from capture.tape.sealing import SealProcess
from core.records import Kind, Session, StoredGap, encode_payload

DEFAULTS: Final = WriterOptions()
SYSTEM_CLOCK: Final = SystemClock()
SYSTEM_DISK: Final = SystemDisk()
FOLLOWER_CAPACITY: Final = 65_536
"""Records kept ready for a follower: six seconds at 10,000 a second; one that is slower reads them from the tape."""


class TapeWriter(contextlib.AbstractContextManager["TapeWriter"]):
    """The one writer of a tape, made by `create` or `open`; any thread may append. Close it, or use it with `with`.

    Every method may raise DiskError (the disk refuses; recording resumes by itself) and TapeError (closed, or stopped
    by a fault of our own). recovery: what `open` found and did, None after `create`. session_seq: where its session
    begins. claims: who has what may be had once in a session; `setdefault` gives it to the first.
    """

    def __init__(self, lock: TapeLock, manifest: Manifest, *, clock: Clock, options: WriterOptions, disk: Disk) -> None:
        """Not for callers. Takes over `lock`, also when this raises OSError."""
        layout = manifest.layout
        self._root = layout.root
        self._lock = threading.Lock()
        self.claims: dict[str, object] = {}
        self._is_eager = not options.sync_interval_s
        self._is_closed = False
        self.recovery: RecoveryReport | None = None
        self.session_seq = manifest.next_seq
        reserve = Reserve(layout.reserve, options.reserve_bytes, disk)
        with contextlib.ExitStack() as undo:
            undo.callback(lock.release)
            reserve.fill()
            undo.callback(reserve.release)
            seal: Callable[[Path, int], object] = seal_hot_segment
            if options.seal_apart:
                seal = process = SealProcess(lock.fd)
                undo.callback(process.stop)
            self._sealing = SealWorker(layout.root, seal)
            undo.callback(self._sealing.stop)
            self._log = HotLog(
                layout,
                self._lock,
                number=_next_number(manifest),
                base_seq=manifest.next_seq,
                previous_crc=manifest.last.hot_crc if manifest.last else 0,
                disk=disk,
                finished=self._sealing.submit,
            )
            undo.callback(self._log.abandon)
            self._syncing = Worker("tape-sync", self._tick, options.sync_interval_s or None, self._faulted)
            undo.callback(self._syncing.stop)
            self._recorder = Recorder(
                layout.root, self._log, reserve, clock=clock, options=options, wake=self._syncing.wake
            )
            self._syncing.start()
            self._resources = undo.pop_all()

    @staticmethod
    def create(
        path: Path,
        environment: str,
        session: Session,
        *,
        clock: Clock = SYSTEM_CLOCK,
        options: WriterOptions = DEFAULTS,
        disk: Disk = SYSTEM_DISK,
    ) -> "TapeWriter":
        """Make a tape, which gets the session's uuid, and begin that session.

        Raises TapeError when something lies at `path`, DiskError when the disk refuses or has too little room: then
        nothing is left there. ValueError when the session names another environment.
        """
        _require_environment(session, environment)
        existed = _require_unused(path)
        _require_space(path, options)
        try:
            label = Label(FORMAT_VERSION, session.uuid, environment, writer=f"tapedeck {session.code}".rstrip())
            manifest = create_tape(path, label)
            lock = TapeLock(manifest.layout.lock)
            return _begin(lock, manifest, session, clock=clock, options=options, disk=disk)
        except DiskError:
            _remove_made(path, keep_root=existed)
            raise

    @staticmethod
    def open(
        path: Path,
        environment: str,
        session: Session,
        *,
        clock: Clock = SYSTEM_CLOCK,
        options: WriterOptions = DEFAULTS,
        disk: Disk = SYSTEM_DISK,
    ) -> "TapeWriter":
        """Go on with a tape: recover it, begin a new session, and say that nothing was recorded in between.

        Raises TapeFormat (no tape, or a newer one), TapeError (it is of another environment), TapeLocked (it has a
        writer), TapeDamaged (it cannot be appended to), DiskError. ValueError as `create`.
        """
        _require_environment(session, environment)
        label = read_label(path)
        if label.environment != environment:
            raise TapeError(
                f"{path}: is a tape of environment {label.environment!r}, not {environment!r}; use one tape for each"
            )
        lock = TapeLock(Layout(path).lock)
        try:
            report = recover_locked(path)
            _require_space(path, options)
            manifest = Manifest.load(Layout(path))
        except BaseException:
            lock.release()
            raise
        writer = _begin(lock, manifest, session, clock=clock, options=options, disk=disk)
        writer.recovery = report
        return writer

    @property
    def path(self) -> Path:
        """The tape's directory."""
        return self._root

    @property
    def head_seq(self) -> int:
        """Seq of the last appended record."""
        return self._log.head_seq

    @property
    def durable_seq(self) -> int:
        """Everything up to this seq survives a power cut."""
        return self._log.durable_seq

    @property
    def problem(self) -> str:
        """What keeps the writer from recording or sealing just now, one sentence; empty when all is well."""
        return self._recorder.problem or self._sealing.problem

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        """Append a record and return its seq; see the module for what that promises.

        Raises DiskError: it is not on the tape (but see `sync`), ValueError: it does not fit a record.
        """
        return self._put(lambda: self._recorder.append(kind, payload, connection))

    def append_all(self, kind: int, payloads: Sequence[bytes], connection: int = 0) -> int:
        """Append a record for each of the payloads, which were received at once; the seq of the last.

        As `append`, but DiskError means that at least one of them is not on the tape; the gap counts them.
        """
        return self._put(lambda: self._recorder.append_all(kind, payloads, connection))

    def _put(self, append: Callable[[], int]) -> int:
        with self._lock:
            try:
                seq = append()
            except (TapeError, ValueError):
                raise
            except BaseException as error:  # an interrupt or a bug: memory may disagree with the file
                self._recorder.halt(f"{self._root}: recording was stopped by {error!r}; open the tape again")
                raise
        if self._is_eager:
            self.sync()
        return seq

    def follow(
        self, name: str, capacity: int = FOLLOWER_CAPACITY, *, from_seq: int | None = None, rest_s: float = 0.0
    ) -> Follower:
        """Follow this log from a seq on, by default from this session's SESSION; close the follower when done.

        name: of the follower, for HEARTBEAT's lags. capacity: records kept ready for it. rest_s: between two
        hand-overs at least; see `capture.tape.follow`.
        """
        begin = self.session_seq if from_seq is None else from_seq
        return Follower(name, self._root, self._log, self._lock, capacity=capacity, from_seq=begin, rest_s=rest_s)

    def sync(self) -> int:
        """Return when everything appended before the call is durable; the durable seq.

        DiskError: it is not durable yet. It stays on the tape and in memory and becomes durable with the outage's end.
        """
        try:
            self._log.sync()
        except OSError as error:
            with self._lock:
                self._recorder.suspend(error, sync=True)
                raise DiskError(self._recorder.problem) from error
        return self._log.durable_seq

    def roll(self) -> None:
        """Finish the present hot segment now, so that it gets sealed."""
        with self._lock:
            self._recorder.roll()

    def seal_all(self) -> None:
        """Return when every finished segment is sealed; TapeError when one cannot be (it stays in the hot log)."""
        self._sealing.drain()

    def close(self) -> None:
        """Write CLEAN_STOP, make everything durable, seal it, let go of the tape. More than once is fine.

        Whatever is raised, the tape is let go of and what was appended is in its hot log.
        """
        problem: TapeError | None = None
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        with self._resources:
            with self._lock:
                is_sound = not self._recorder.halted
                try:
                    self._recorder.append(Kind.CLEAN_STOP, b"", 0)
                except TapeError as error:
                    problem = error
                self._recorder.halt(f"{self._root}: the writer is closed; open the tape again")
            self._syncing.stop()
            if is_sound:
                problem = _finish(self._log, self._lock, self._root) or problem
            self._sealing.drain()
        if problem is not None:
            raise problem

    def abandon(self) -> None:
        """Let go of the tape as a crash would: nothing more is written, the next one who opens it recovers it."""
        with self._lock:
            self._is_closed = True
            self._recorder.halt(f"{self._root}: the writer was abandoned; open the tape again")
        self._resources.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tick(self) -> None:
        """What the sync thread does every `sync_interval_s`, and sooner when `sync_bytes` have come."""
        with contextlib.suppress(DiskError):  # the recorder has noted it
            self.sync()
        with self._lock:
            self._recorder.tick()

    def _faulted(self, error: BaseException) -> None:
        with self._lock:
            self._recorder.halt(f"{self._root}: the sync thread was stopped by {error!r}; open the tape again")


def _begin(
    lock: TapeLock, manifest: Manifest, session: Session, *, clock: Clock, options: WriterOptions, disk: Disk
) -> TapeWriter:
    """A writer whose session has begun; gives the lock back when it raises."""
    try:
        writer = TapeWriter(lock, manifest, clock=clock, options=options, disk=disk)
    except OSError as error:
        raise disk_error(error, manifest.layout.root, "begin to record") from error
    try:
        writer.session_seq = writer.append(Kind.SESSION, encode_payload(session))
        down = _time_down(manifest, clock.wall_ns())
        if down is not None:
            writer.append(Kind.GAP_CLOSE, encode_payload(down))
    except BaseException:
        writer.abandon()
        raise
    return writer


def _finish(log: HotLog, lock: threading.Lock, root: Path) -> DiskError | None:
    with lock:
        try:
            log.close()
        except OSError as error:
            return disk_error(error, root, "make the last records durable")
    return None


def _require_environment(session: Session, environment: str) -> None:
    if session.environment != environment:
        raise ValueError(f"a session of environment {session.environment!r} on a tape of {environment!r}")


def _require_unused(path: Path) -> bool:
    """Whether there is an empty directory at `path`; TapeError when there is more."""
    try:
        if path.exists() and any(path.iterdir()):
            raise TapeError(f"{path}: cannot make a tape here: the directory is not empty; choose another name")
    except OSError as error:
        raise disk_error(error, path, "make a tape here") from error
    return path.exists()


def _require_space(path: Path, options: WriterOptions) -> None:
    """A recording that could not outlive its first minute is refused: room for the reserve and one segment."""
    place = next((parent for parent in (path, *path.absolute().parents) if parent.exists()), path)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise disk_error(error, path, "see how much room there is") from error
    needed = options.reserve_bytes + options.roll_bytes
    if free < needed:
        raise DiskError(
            f"{path}: only {free >> 20} MiB are free there and recording needs {-(-needed >> 20)}; free some space"
        )


def _remove_made(path: Path, *, keep_root: bool) -> None:
    """Take back what a failed `create` has made in a place that was empty."""
    for entry in sorted(path.iterdir()) if path.is_dir() else ():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()
    if not keep_root:
        with contextlib.suppress(OSError):
            path.rmdir()


def _next_number(manifest: Manifest) -> int:
    """The first number that no segment of this tape ever had."""
    sealed = manifest.last.number if manifest.last else 0
    return max([sealed, *hot_numbers(manifest.layout)]) + 1


def _time_down(manifest: Manifest, now_ns: int) -> StoredGap | None:
    """The gap between the last record and the session that begins now.

    After a crash recovery has left a GAP_OPEN there, which the new SESSION closes: a second gap would count it twice.
    """
    last = manifest.last
    if last is None or last.last_kind == Kind.GAP_OPEN:
        return None
    return StoredGap("down", from_ns=last.last_ns, until_ns=max(now_ns, last.last_ns))
