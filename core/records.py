"""The record: one entry of a tape, and the payloads that are ours rather than the exchange's.

Knows the one enum of kinds that the hot log, the sealed columns and every reader use.
Must not know how a record is stored or what a frame means.
"""

from enum import IntEnum
from typing import Any, Final

import msgspec

SCHEMA_VERSION: Final = 1
"""Version of the record kinds and their payloads; a reader refuses a tape with a newer one."""


class Kind(IntEnum):
    """What a record is. The numbers are on disk: add, never renumber."""

    FRAME = 1  # inbound text frame, bytes as received
    FRAME_BINARY = 2
    FRAME_PING = 3
    FRAME_PONG = 4
    FRAME_CLOSE = 5
    SENT = 6  # outbound text frame
    SENT_BINARY = 7
    SENT_PING = 8
    SENT_PONG = 9
    SENT_CLOSE = 10
    SESSION = 16
    OPENED = 17
    CLOSED = 18
    REST = 19
    TICK = 20
    DECISION = 21
    OUTCOME = 22
    CONTROL = 23
    PROGRESS = 24
    GAP_OPEN = 25
    GAP_CLOSE = 26
    HEARTBEAT = 27
    CLOCK_STEP = 28
    REFUSED = 29
    FAULT = 30
    CLEAN_STOP = 31

    @property
    def is_frame(self) -> bool:
        """True for anything received on a WebSocket, control frames included."""
        return self <= Kind.FRAME_CLOSE

    @property
    def is_sent(self) -> bool:
        """True for anything sent on a WebSocket."""
        return Kind.SENT <= self <= Kind.SENT_CLOSE


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry of a tape.

    seq: position in the tape, 0, 1, 2 ...; the only order there is.
    at_ns: wall clock (Unix ns) when it was appended; for people, never for order.
    mono_ns: monotonic clock (ns) of the same instant; 0 in imported recordings.
    connection: number of the socket it belongs to, unique within a session; 0 = none.
    payload: bytes as received for frames, JSON of the structs below for our own kinds.
    """

    seq: int
    at_ns: int
    mono_ns: int
    connection: int
    kind: int
    payload: bytes


class Coverage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the recorder of a session wrote down, so that absence is not taken for evidence."""

    connections: bool = True  # OPENED and CLOSED; else a reconnect shows only as numbering that restarts
    control: bool = True  # pings and pongs; else silence proves nothing
    sent: bool = True  # our own commands; else use_yes_price is assumed false
    receive_time: bool = True  # else at_ns was taken from the exchange's own stamps
    filtered: bool = False  # exchange seq counts frames of markets that are not here: jumps prove nothing


class Source(msgspec.Struct, frozen=True):
    """One imported file."""

    name: str
    bytes: int
    sha256: str
    dialect: str


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of SESSION: who records, how, and what state it starts from."""

    uuid: str
    environment: str  # "prod", "demo", a URL, or "unknown"
    schema: int = SCHEMA_VERSION
    code: str = ""
    config: str = ""  # digest of the configuration, secrets left out
    seed: int = 0
    boot_id: str = ""
    coverage: Coverage = Coverage()
    sources: tuple[Source, ...] = ()
    base: Any = None  # a cut tape: engine state before its first record (core.engine)
    run: Any = None  # strategies ran: core.actions.RunTerms


class Opened(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of OPENED: a socket is up. `replaces` names the connection it takes over from, 0 = none."""

    url: str = ""
    replaces: int = 0


class Closed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of CLOSED: a socket is down. final: the recorder hung up because it stops, so nothing was lost here."""

    code: int = 0
    reason: str = ""
    final: bool = False


class StoredGap(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of GAP_OPEN and GAP_CLOSE: a span only the recorder can know of.

    reason: down, crash, torn_tail, disk_full, sync_failed, damage, refused, maintenance,
        sequence (only in a cut, whose numbering no longer shows it), mute (data stopped while all else went on: a
        probe's answer differed from what had been received, or did not come).
    connection, sid, markets: scope; 0 and empty mean everything.
    from_ns, until_ns: wall clock bounds, 0 = not known (a GAP_OPEN has no until).
    missing: lower bound of lost frames, 0 = not known.
    """

    reason: str
    connection: int = 0
    sid: int = 0
    markets: tuple[str, ...] = ()
    from_ns: int = 0
    until_ns: int = 0
    missing: int = 0
    detail: str = ""


class RestCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of REST: one request and its answer. No header of ours is in it, so no key and no signature.

    path: from the root, with its query. body, answer: the texts as sent and received; answer_base64 instead of answer
    when the bytes are no UTF-8. status: 0 = there was no answer, `error` says why. took_ns: from the request to the
    last byte. date, age_s: the answer's Date header and Age (a cache's), where it had them. why: what it was asked for.
    """

    method: str
    path: str
    status: int = 0
    body: str = ""
    answer: str = ""
    answer_base64: str = ""
    error: str = ""
    took_ns: int = 0
    date: str = ""
    age_s: int = 0
    why: str = ""


class Heartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of HEARTBEAT, once a second while a session runs: it carries time, and how the recorder is doing.

    durable_seq: what an fdatasync covered. boottime_ns: CLOCK_BOOTTIME, which counts sleep where mono_ns does not.
    lags: records that each follower of the log was behind, by name. free_bytes: of the tape's disk.
    """

    durable_seq: int
    boottime_ns: int = 0
    lags: dict[str, int] = {}
    free_bytes: int = 0


class Refused(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of REFUSED: input that was not taken, such as a message over the limit.

    reason: countable words. size: bytes it had or claimed, 0 = not known. head_base64: its first bytes.
    """

    reason: str
    size: int = 0
    head_base64: str = ""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of FAULT: an error of our own, which somebody has to look at.

    where: which part of the recorder. error: its type and words, without any value of the operator's.
    """

    where: str
    error: str
    detail: str = ""


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of CONTROL: what the operator, or the daemon for them, asked for (stop, want, unwant ...)."""

    action: str
    markets: tuple[str, ...] = ()
    detail: str = ""


def encode_payload(payload: msgspec.Struct) -> bytes:
    """JSON bytes of one of the payload structs above; key order is the declared one."""
    return msgspec.json.encode(payload)


_SESSION = msgspec.json.Decoder(Session)
_OPENED = msgspec.json.Decoder(Opened)
_CLOSED = msgspec.json.Decoder(Closed)
_GAP = msgspec.json.Decoder(StoredGap)
_REST = msgspec.json.Decoder(RestCall)
_CONTROL = msgspec.json.Decoder(Control)


def decode_session(payload: bytes) -> Session:
    """The SESSION payload; raises msgspec.DecodeError when it is none."""
    return _SESSION.decode(payload)


def decode_opened(payload: bytes) -> Opened:
    """The OPENED payload; raises msgspec.DecodeError when it is none."""
    return _OPENED.decode(payload)


def decode_closed(payload: bytes) -> Closed:
    """The CLOSED payload; raises msgspec.DecodeError when it is none."""
    return _CLOSED.decode(payload)


def decode_gap(payload: bytes) -> StoredGap:
    """The GAP_OPEN or GAP_CLOSE payload; raises msgspec.DecodeError when it is none."""
    return _GAP.decode(payload)


def decode_rest(payload: bytes) -> RestCall:
    """The REST payload; raises msgspec.DecodeError when it is none."""
    return _REST.decode(payload)


def decode_control(payload: bytes) -> Control:
    """The CONTROL payload; raises msgspec.DecodeError when it is none."""
    return _CONTROL.decode(payload)
