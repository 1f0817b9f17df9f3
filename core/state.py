"""The whole state of an engine as canonical bytes: the same state gives the same bytes, whatever way it was reached.

Knows the form that checkpoints and digests share. Must not know files.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from core.account import SavedAccount
from core.engine import Counts, Engine, SavedEngine
from core.market import SavedMarket
from core.session import SavedConnections
from core.store import Brief, SavedStore, ids_of
from core.timeline import Timeline

STATE_VERSION: Final = 2
"""Goes up whenever the same records may give other bytes; a checkpoint of another version is of no use."""


class StateError(Exception):
    """The bytes are no state, or one of another version."""


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    state: msgspec.Raw


class _StoreParts(msgspec.Struct):
    """`SavedStore` whose markets are not read yet."""

    markets: tuple[msgspec.Raw, ...]
    trade_ids: msgspec.Raw
    account: SavedAccount


class _Parts(msgspec.Struct):
    """`SavedEngine` likewise."""

    next_seq: int
    timeline: Timeline
    counts: Counts
    connections: SavedConnections
    store: _StoreParts


_ENVELOPES: Final = msgspec.msgpack.Decoder(_Envelope)
_STATES: Final = msgspec.msgpack.Decoder(SavedEngine)
_PARTS: Final = msgspec.msgpack.Decoder(_Parts)
_MARKETS: Final = msgspec.msgpack.Decoder(SavedMarket)
_BEFORE_NAME: Final = 64
"""Bytes of a market in which the head of its name lies, and the name's own length follows."""


def dump(engine: Engine, brief: Brief | None = None) -> bytes:
    """The state as msgpack: everything that is saved comes in one order only. A brief one is no tape's checkpoint."""
    return msgspec.msgpack.encode((STATE_VERSION, engine.save(brief)))


def load(state: bytes, brief: Brief | None = None) -> Engine:
    """The engine that was dumped; StateError when these bytes are none, or of another version.

    brief: with a market. All others are left out as if nothing had been said of them; connections, gaps and the account
    are whole. Takes a few milliseconds whatever the number of markets.
    """
    try:
        envelope = _ENVELOPES.decode(state)
        if envelope.version != STATE_VERSION:
            raise StateError(f"state version {envelope.version}, this program reads {STATE_VERSION}")
        return Engine(_STATES.decode(envelope.state) if brief is None else _narrow(envelope.state, brief))
    except (msgspec.DecodeError, ValueError, OverflowError) as error:
        raise StateError(f"not a state: {error}") from error


def _narrow(state: msgspec.Raw, brief: Brief) -> SavedEngine:
    parts = _PARTS.decode(state)
    name = msgspec.msgpack.encode(brief.market)
    head = _BEFORE_NAME + len(name)
    found = [_MARKETS.decode(raw) for raw in parts.store.markets if name in bytes(memoryview(raw)[:head])]
    kept = tuple(_brief(entry, brief.trades) for entry in found if entry.view.market == brief.market)
    store = SavedStore(kept, ids_of(kept), parts.store.account)
    return SavedEngine(parts.next_seq, parts.timeline, parts.counts, parts.connections, store)


def _brief(entry: SavedMarket, trades: int) -> SavedMarket:
    view = msgspec.structs.replace(entry.view, trades=entry.view.trades[-trades:], prices=())
    return msgspec.structs.replace(entry, view=view)


def digest(engine: Engine) -> str:
    """SHA-256 of the dump, in hex."""
    return hashlib.sha256(dump(engine)).hexdigest()


class DecisionDigest:
    """SHA-256 over decisions in order, one after the other; `hexdigest` at any time."""

    __slots__ = ("_whole",)

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def add(self, decision: bytes) -> None:
        """The next decision, encoded."""
        self._whole.update(len(decision).to_bytes(8, "big") + decision)

    def hexdigest(self) -> str:
        """The digest of those added so far, in hex."""
        return self._whole.hexdigest()


def decision_digest(decisions: Iterable[bytes] = ()) -> str:
    """SHA-256 over decisions in order, in hex; that of none while there are no strategies."""
    whole = DecisionDigest()
    for decision in decisions:
        whole.add(decision)
    return whole.hexdigest()
