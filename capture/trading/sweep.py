"""Cancels what rests, one by one, and looks again until nothing does: no run is needed for it.

Knows orders by REST and whose they are by their ids. Must not know strategies. It never uses the exchange's cancel-all,
which may hit orders that are placed within the next minute (protocol 13.3).
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from capture.account_api import AccountApi
from capture.auth import Credentials
from capture.environments import Environment
from capture.rest import RestClient, RestOptions
from core.answers import OrderAnswer
from core.errors import ConfigError, ExchangeError
from core.money import format_price, format_size
from core.records import RestCall
from core.trading import nonce_of

LOOK_S: Final = 0.5
"""Between two listings: reads lag behind writes by about that (protocol 13.6)."""

CLEAN: Final = 2
"""Listings in a row that show nothing are believed; one that is stale shows nothing of an order just placed."""

PATIENCE_S: Final = 30.0


class Swept(msgspec.Struct, frozen=True):
    """What came of it. cancelled: order ids; left: those that may still rest, as text."""

    cancelled: tuple[str, ...]
    left: tuple[str, ...]
    untouched: int


def sweep(account: AccountApi, is_ours: Callable[[OrderAnswer], bool], why: str, until_s: float) -> Swept:
    """Cancel resting orders of ours until two listings in a row show none, or it is that late (monotonic seconds) and
    some are there still.

    Raises ExchangeError when they cannot be listed then either; AuthError at once, for the key stays refused.
    """
    cancelled: dict[str, None] = {}
    clean = late = 0
    while clean < CLEAN:
        is_late = time.monotonic() > until_s
        try:
            resting = tuple(account.orders(status="resting", why=why))
        except ExchangeError:
            if is_late:
                raise
            time.sleep(LOOK_S)
            continue
        ours = tuple(order for order in resting if is_ours(order))
        clean = 0 if ours else clean + 1
        for order in ours:
            with contextlib.suppress(ExchangeError):  # 404: it is gone, or filled; the next listing tells
                account.cancel(order.order_id, order.market, why)
                cancelled[order.order_id] = None
        late += bool(ours and is_late)
        if clean >= CLEAN or late > 1:  # what was cancelled late is looked at once more
            break
        time.sleep(LOOK_S)
    return Swept(tuple(cancelled), tuple(map(_shown, ours)), len(resting) - len(ours))


def cancel_resting(
    place: Environment, credentials: Credentials, *, tape: Path | None, everything: bool, ca_file: Path | None
) -> Swept:
    """Cancel by command: the orders of a tape's runs, of any run, or every one.

    Raises ConfigError, TapeError, AuthError before anything was cancelled; ExchangeError when listing fails to the end.
    """
    nonces = None if tape is None else _nonces(tape, place)
    client = RestClient(place, credentials, _nowhere, RestOptions(ca_file=ca_file))
    try:
        return sweep(
            AccountApi(client),
            lambda order: everything or _is_of(order, nonces),
            "cancel-all",
            time.monotonic() + PATIENCE_S,
        )
    finally:
        client.close()


def _nonces(tape: Path, place: Environment) -> frozenset[str]:
    # here, for where orders are to be cancelled without a tape nobody waits for what reads tapes
    from capture.startup import is_tape
    from capture.tape.layout import read_label
    from capture.trading.earlier import earlier

    if not is_tape(tape):
        raise ConfigError(f"--tape {tape}: there is no tape, so which orders are its own cannot be told")
    label = read_label(tape)
    if label.environment != place.name:
        raise ConfigError(f"--tape {tape}: is a tape of environment {label.environment!r}, not {place.name!r}")
    return earlier(tape).nonces


def sweep_lines(swept: Swept) -> list[str]:
    """The same for people."""
    lines = [f"cancelled {len(swept.cancelled)} orders, {swept.untouched} others were left alone"]
    if swept.left:
        lines.append(f"{len(swept.left)} may still rest: {'; '.join(swept.left[:5])}")
    else:
        lines.append("none of them rests any more: two listings in a row have shown none")
    return lines


def _is_of(order: OrderAnswer, nonces: frozenset[str] | None) -> bool:
    """Whether an order is of these sessions; None = of any session of any run."""
    nonce = nonce_of(order.client_order_id)
    return bool(nonce) if nonces is None else nonce in nonces


def _shown(order: OrderAnswer) -> str:
    return (
        f"{order.order_id} {order.market} {order.side} {format_size(order.remaining_count)} at "
        f"{format_price(order.price)}"
    )


def _nowhere(_call: RestCall) -> None:
    """This command records nothing."""
