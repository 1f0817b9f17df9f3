"""capture.pulse: a heartbeat a second, and how a machine that slept is found out."""

from pathlib import Path

import msgspec
import pytest
from live import until

from capture.pulse import Clocks, Pulse
from capture.tape.errors import DiskError
from core.records import Heartbeat, Kind, StoredGap

S = 1_000_000_000


class Book:
    """A writer that keeps what it is given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head_seq = 10
        self.durable_seq = 7
        self.records: list[tuple[int, bytes]] = []
        self.is_full = False

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        assert connection == 0
        if self.is_full:
            raise DiskError("full")
        self.records.append((kind, payload))
        return self.head_seq


class Times:
    """Clocks set by hand."""

    def __init__(self) -> None:
        self.wall, self.mono, self.boot = 1_000 * S, 100 * S, 100 * S

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall, lambda: self.mono, lambda: self.boot)

    def pass_(self, seconds: float, *, slept_s: float = 0.0) -> None:
        """Time goes by, some of it asleep."""
        self.wall += int((seconds + slept_s) * S)
        self.mono += int(seconds * S)
        self.boot += int((seconds + slept_s) * S)


class Heart:
    """A pulse that is beaten by hand."""

    def __init__(self, path: Path) -> None:
        self.writer, self.times = Book(path), Times()
        self.woke: list[str] = []
        self.beats = 0
        self.pulse = Pulse(
            self.writer, 1.0, lags=lambda: {"fold": 3}, woke=self.woke.append, each=self.count,
            clocks=self.times.clocks(),
        )  # fmt: skip

    def count(self) -> None:
        self.beats += 1


def test_a_beat_says_how_the_recorder_is_doing(tmp_path: Path) -> None:
    heart = Heart(tmp_path)
    heart.times.pass_(1)
    heart.pulse.beat()
    ((kind, payload),) = heart.writer.records
    beat = msgspec.json.decode(payload, type=Heartbeat)
    assert (kind, beat.durable_seq, beat.boottime_ns, beat.lags) == (Kind.HEARTBEAT, 7, 101 * S, {"fold": 3})
    assert beat.free_bytes > 0
    assert (heart.beats, heart.woke) == (1, [])


@pytest.mark.parametrize(
    ("seconds", "slept_s", "why"),
    [
        (1.0, 60.0, "the machine slept for 60 s"),
        (1.5, 2.1, "the machine slept for 2 s"),
        (61.0, 0.0, "the process stood still for 60 s"),
        (9.0, 0.0, ""),
        (1.0, 1.9, ""),
    ],
)
def test_a_machine_that_slept_leaves_a_gap_and_whoever_has_connections_is_told(
    tmp_path: Path, seconds: float, slept_s: float, why: str
) -> None:
    heart = Heart(tmp_path)
    heart.times.pass_(1)
    heart.pulse.beat()
    heart.times.pass_(seconds, slept_s=slept_s)
    heart.pulse.beat()
    assert heart.woke == [why] * bool(why)
    gaps = [msgspec.json.decode(p, type=StoredGap) for kind, p in heart.writer.records if kind == Kind.GAP_CLOSE]
    assert [gap.detail for gap in gaps] == heart.woke
    for gap in gaps:
        assert (gap.reason, gap.from_ns) == ("asleep", 1_001 * S)
        assert gap.until_ns - gap.from_ns == int((seconds + slept_s) * S)


def test_a_wall_clock_that_was_set_is_no_sleep(tmp_path: Path) -> None:
    heart = Heart(tmp_path)
    heart.times.pass_(1)
    heart.times.wall += 3_600 * S
    heart.pulse.beat()
    assert heart.woke == []


def test_how_long_nothing_became_durable_is_known(tmp_path: Path) -> None:
    heart = Heart(tmp_path)
    heart.pulse.beat()
    heart.times.pass_(40)
    heart.pulse.beat()
    assert heart.pulse.durable_age_s == 40
    heart.writer.durable_seq = 8
    heart.pulse.beat()
    assert heart.pulse.durable_age_s == 0
    heart.times.pass_(40)
    heart.writer.durable_seq = heart.writer.head_seq
    heart.pulse.beat()
    heart.pulse.beat()
    assert heart.pulse.durable_age_s == 0, "all of it is durable"


def test_a_full_disk_stops_no_heart(tmp_path: Path) -> None:
    heart = Heart(tmp_path / "gone")
    heart.writer.is_full = True
    heart.times.pass_(100)
    heart.pulse.beat()
    assert (heart.beats, len(heart.woke)) == (1, 1)


def test_it_beats_by_itself_until_it_is_stopped_and_beats_on_after_a_bug(tmp_path: Path) -> None:
    writer, beats = Book(tmp_path), [0]

    def fail_once() -> None:
        beats[0] += 1
        if beats[0] == 1:
            raise RuntimeError("a bug")

    pulse = Pulse(writer, 0.01, lags=dict, woke=lambda _: None, each=fail_once)
    pulse.start()
    until(lambda: beats[0] > 3, "the beats")
    assert pulse.is_alive
    assert pulse.stop(5.0)
    assert pulse.failed == "RuntimeError: a bug"
    assert [kind for kind, _ in writer.records].count(Kind.FAULT) == 1
    assert Pulse(writer, 1.0, lags=dict, woke=lambda _: None, each=fail_once).stop(0.0)
