"""What keeps a recorder from working on this machine: key, clock, disk, reachability, age of messages; with a remedy.

Knows how to look. Changes nothing on the exchange: it asks for what everybody may see, and who the key belongs to.
"""

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from capture.account_api import AccountApi
from capture.api import Api
from capture.auth import Credentials
from capture.environments import Environment
from capture.rest import RestClient, RestOptions
from capture.tape.disk import SystemDisk
from capture.wire import Wire, WireLimits, WireRefused
from core.errors import AuthError, ExchangeError
from core.messages import ErrorReply, Malformed, decode
from core.records import Kind

LISTEN_S: Final = 5.0
"""How long messages are listened to: a busy exchange sends hundreds, a quiet one may send none."""

CLOCK_FINE_S: Final = 1.5
CLOCK_BAD_S: Final = 8.0
"""Signatures are taken within 10 s (protocol 2.4); a Date header is exact to half a second."""

AGE_FINE_S: Final = 1.0
ROOM_FINE_BYTES: Final = 10 << 30
ROOM_BAD_BYTES: Final = 1 << 30
SYNC_FINE_S: Final = 0.02
SYNCS: Final = 20
SUBSCRIBE: Final = b'{"id":1,"cmd":"subscribe","params":{"channels":["ticker"]}}'


class Health(StrEnum):
    """How a thing is."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. what: one sentence; remedy: what to do, "" = nothing."""

    name: str
    health: Health
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. place: where the tape is or will be. ca_file: authorities to trust instead of the system's."""

    environment: Environment
    environ: Mapping[str, str]
    place: Path
    ca_file: Path | None = None
    listen_s: float = LISTEN_S


def examine(patient: Patient) -> Iterator[Finding]:
    """Every finding, as soon as it is found; nothing raises."""
    key = _key(patient.environ)
    yield key[0]
    yield from _disk(patient.place)
    client = RestClient(patient.environment, key[1], _unheard, RestOptions(max_tries=2, ca_file=patient.ca_file))
    try:
        reached = _reach(client)
        yield reached
        yield _clock(client)
        yield _accepted(client, key[1], reached)
    finally:
        client.close()
    yield _messages(patient, key[1])


def _unheard(_: object) -> None:
    """There is no tape here."""


def _key(environ: Mapping[str, str]) -> tuple[Finding, Credentials | None]:
    try:
        credentials = Credentials.load(environ)
    except AuthError as error:
        return Finding("key", Health.BAD, str(error), "give the key that `tapedeck capture` would use"), None
    return Finding("key", Health.FINE, "the key can be read, and by nobody else"), credentials


def _disk(place: Path) -> Iterator[Finding]:
    there = next(parent for parent in (place, *place.absolute().parents) if parent.is_dir())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        yield Finding("disk", Health.BAD, f"{there}: {error.strerror}", "choose another place for the tape")
        return
    health = Health.FINE if free >= ROOM_FINE_BYTES else Health.DOUBTFUL if free >= ROOM_BAD_BYTES else Health.BAD
    remedy = "" if health is Health.FINE else "make room, or archive old segments with `tapedeck archive`"
    yield Finding("disk", health, f"{free / 1e9:,.1f} GB are free at {there}", remedy)
    yield _sync(there)


def _sync(there: Path) -> Finding:
    """How long this disk takes to confirm: what is not confirmed, a power cut takes."""
    disk, took = SystemDisk(), []
    try:
        with tempfile.TemporaryFile(dir=there, prefix=".tapedeck-doctor-") as file:
            for _ in range(SYNCS):
                os.write(file.fileno(), b"x" * 20_000)
                began = time.perf_counter()
                disk.fdatasync(file.fileno())
                took.append(time.perf_counter() - began)
    except OSError as error:
        return Finding("sync", Health.BAD, f"{there}: {error.strerror}", "choose another place for the tape")
    median, worst = statistics.median(took), max(took)
    what = f"an fdatasync takes {median * 1e3:.1f} ms, the slowest of {SYNCS} took {worst * 1e3:.1f}"
    if median <= SYNC_FINE_S:
        return Finding("sync", Health.FINE, what)
    return Finding("sync", Health.DOUBTFUL, what, "a power cut costs that much more; use another disk if that matters")


def _reach(client: RestClient) -> Finding:
    try:
        status = Api(client).status()
    except ExchangeError as error:
        return Finding("exchange", Health.BAD, str(error), "check the network, the firewall and --env")
    except AuthError as error:
        return Finding("exchange", Health.DOUBTFUL, str(error), "see the key below")
    if status.is_exchange_active and status.is_trading_active:
        return Finding("exchange", Health.FINE, "it answers and is open")
    what = "it answers and is paused" if status.is_exchange_active else "it answers and is closed"
    return Finding("exchange", Health.DOUBTFUL, what, "recording goes on and notes the pause as maintenance")


def _clock(client: RestClient) -> Finding:
    offset_ns = client.clock_offset_ns
    if offset_ns is None:
        return Finding("clock", Health.SKIPPED, "the exchange told no time to compare with")
    apart_s = abs(offset_ns) / 1e9
    what = f"this clock is {apart_s:.1f} s {'behind' if offset_ns > 0 else 'ahead of'} the exchange's"
    if apart_s <= CLOCK_FINE_S:
        return Finding("clock", Health.FINE, f"{what}, which is within what can be measured")
    health = Health.DOUBTFUL if apart_s <= CLOCK_BAD_S else Health.BAD
    return Finding("clock", health, what, "let the system keep time by NTP (timedatectl set-ntp true)")


def _accepted(client: RestClient, credentials: Credentials | None, reached: Finding) -> Finding:
    if credentials is None or reached.health is Health.BAD:
        return Finding("account", Health.SKIPPED, "needs a key and an exchange that answers")
    try:
        AccountApi(client).balance()
        limits = Api(client).limits()
    except AuthError as error:
        return Finding("account", Health.BAD, str(error), "check that the key belongs to this environment")
    except ExchangeError as error:
        return Finding("account", Health.DOUBTFUL, str(error), "try again; recording needs no account data")
    return Finding("account", Health.FINE, f"the exchange takes the key; its tier is {limits.tier or 'not told'}")


def _messages(patient: Patient, credentials: Credentials | None) -> Finding:
    """Connects, subscribes to all tickers for a moment, and looks how old they are when they come."""
    if credentials is None:
        return Finding("messages", Health.SKIPPED, "need a key")
    path = patient.environment.ws_url.partition("://")[2].partition("/")[2]
    heard: list[tuple[bytes, int]] = []

    def taken(kind: Kind, payload: bytes) -> None:
        if kind == Kind.FRAME:
            heard.append((payload, time.time_ns()))

    wire = Wire(
        patient.environment.ws_url,
        lambda: credentials.headers("GET", f"/{path}", time.time_ns() // 1_000_000),
        taken,
        WireLimits(ca_file=patient.ca_file),
    )
    try:
        wire.connect()
    except WireRefused as error:
        remedy = "check the key and the clock" if error.status in (401, 403) else "check the network and --env"
        return Finding("messages", Health.BAD, f"no WebSocket: {error}", remedy)
    with _running(wire.run):
        try:
            wire.send(SUBSCRIBE)
            threading.Event().wait(patient.listen_s)
        except WireRefused as error:
            return Finding("messages", Health.BAD, f"the WebSocket broke: {error}", "try again")
        finally:
            wire.close()
    return _age(heard)


def _age(heard: list[tuple[bytes, int]]) -> Finding:
    ages = []
    for payload, at_ns in heard:
        message = decode(payload)
        if isinstance(message, ErrorReply):
            return Finding("messages", Health.BAD, f"the exchange refused to subscribe: {message.text}", "try again")
        sent_ms = 0 if isinstance(message, Malformed) else message.sending_ms
        if sent_ms:
            ages.append((at_ns - sent_ms * 1_000_000) / 1e9)
    if not ages:
        return Finding("messages", Health.SKIPPED, f"{len(heard)} came, none with a time: the exchange may be quiet")
    age_s = statistics.median(ages)
    what = f"{len(heard)} came; half are older than {age_s * 1e3:.0f} ms by the two clocks"
    if abs(age_s) <= AGE_FINE_S:
        return Finding("messages", Health.FINE, what)
    return Finding("messages", Health.DOUBTFUL, what, "see the clock above, or use a machine nearer to the exchange")


@contextmanager
def _running(run: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=run, name="doctor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(5)
