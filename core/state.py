"""The whole state of an engine as canonical bytes: the same state gives the same bytes, whatever way it was reached.

Knows the form that checkpoints and digests share. Must not know files.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from core.engine import Engine, SavedEngine

STATE_VERSION: Final = 2
"""Goes up whenever the same records may give other bytes; a checkpoint of another version is of no use."""


class StateError(Exception):
    """The bytes are no state, or one of another version."""


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    state: msgspec.Raw


_ENVELOPES: Final = msgspec.msgpack.Decoder(_Envelope)
_STATES: Final = msgspec.msgpack.Decoder(SavedEngine)


def dump(engine: Engine) -> bytes:
    """The state as msgpack: everything that is saved comes in one order only."""
    return msgspec.msgpack.encode((STATE_VERSION, engine.save()))


def load(state: bytes, focus: str | None = None) -> Engine:
    """The engine that was dumped; StateError when these bytes are none, or of another version.

    focus: a market. Of all others the recent trades and prices are left out, and the ids of their trades are forgotten:
    books, trust, gaps and accounts are the same, and loading takes a fraction of the time.
    """
    try:
        envelope = _ENVELOPES.decode(state)
        if envelope.version != STATE_VERSION:
            raise StateError(f"state version {envelope.version}, this program reads {STATE_VERSION}")
        saved = _STATES.decode(envelope.state)
        if focus is not None:
            _narrow(saved, focus)
        return Engine(saved)
    except (msgspec.DecodeError, ValueError, OverflowError) as error:
        raise StateError(f"not a state: {error}") from error


def _narrow(saved: SavedEngine, focus: str) -> None:
    kept = [entry.view for entry in saved.store.markets if entry.view.market == focus]
    for entry in saved.store.markets:
        if entry.view.market != focus:
            entry.view = msgspec.structs.replace(entry.view, trades=(), prices=(), last_trade=None)
    trades = {trade.trade_id for view in kept for trade in view.trades}
    saved.store.trade_ids = tuple(trade_id for trade_id in saved.store.trade_ids if trade_id in trades)


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
