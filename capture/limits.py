"""What a connection may take, and how it can end or fail to begin.

Knows words and numbers only: `capture.wire` keeps to them, whoever connects chooses and reads them.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

DETAIL_CHARACTERS: Final = 200


class Cause(StrEnum):
    """Why a connection ended."""

    CLOSED = "closed"  # a close frame
    RESET = "reset"  # the peer went without one
    SILENT = "silent"  # no byte for silent_s
    SLOW = "slow"  # a message that was not complete after message_s
    STOPPED = "stopped"  # abort or close
    PROTOCOL = "protocol"  # what came is no WebSocket
    OVERSIZE = "oversize"  # a message over max_message_bytes
    SEND = "send"  # the peer took nothing, or part of a frame


@dataclass(frozen=True, slots=True)
class WireEnd:
    """How a connection ended. code: of the close frame received, or else sent; 0 = there was none. reason: words."""

    cause: Cause
    code: int = 0
    reason: str = ""


class WireRefused(Exception):  # noqa: N818  reads as what happened
    """There is no connection, or not any more. The text holds nothing secret.

    status: the HTTP status of the upgrade, 0 = there was none. detail: words, at most 200 characters.
    is_untrusted: the certificate was refused, which no quick retry will change. retry_after_s: as the answer asked,
    0 = it did not. date: the answer's own clock (its Date header), which explains a refused timestamp.
    """

    def __init__(
        self, status: int, detail: str, *, is_untrusted: bool = False, retry_after_s: int = 0, date: str = ""
    ) -> None:
        detail = detail[:DETAIL_CHARACTERS]
        super().__init__(f"HTTP {status}: {detail}" if status else detail)
        self.status = status
        self.detail = detail
        self.is_untrusted = is_untrusted
        self.retry_after_s = retry_after_s
        self.date = date


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a connection may take. Times in seconds.

    connect_s: from the first lookup to the finished upgrade. silent_s: without any byte; the exchange pings every
    10 s. max_message_bytes: a snapshot of a full book has some 20 kB. message_s: from a message's first byte to its
    last. send_s: until the peer has taken a frame. close_s: for the answer to our close frame. poll_s: how often all
    this is looked at while nothing comes. ca_file: PEM file of the authorities to trust instead of the system's.
    """

    connect_s: float = 10.0
    silent_s: float = 25.0
    max_message_bytes: int = 8 << 20
    message_s: float = 25.0
    send_s: float = 5.0
    close_s: float = 1.0
    poll_s: float = 0.25
    ca_file: Path | None = None


DEFAULT_LIMITS: Final = WireLimits()
