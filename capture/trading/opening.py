"""Before anything is quoted: what the account has and what rests, until tape and account agree.

Knows what has to be asked, and whose a resting order can be proved to be. Must not know strategies. All answers are on
the tape, from which the strategies' fold has them too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from capture.account_api import AccountApi
from core.answers import OrderAnswer
from core.errors import ConfigError
from core.money import format_money, format_price, format_size
from core.trading import nonce_of

TRIES: Final = 8
"""How often the account is read until its balance stands still for one reading; each takes a second."""

WHY: Final = "the account before the run"

FILLS_S: Final = 600
"""Fills of so long before are read, so that one told late by the socket is known for old."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The account at the start. own: orders of earlier sessions of this tape; foreign: all others that rest."""

    balance: int
    positions: tuple[tuple[str, int], ...]
    own: tuple[OrderAnswer, ...]
    foreign: tuple[OrderAnswer, ...]


def read_account(account: AccountApi, nonces: frozenset[str], now_s: Callable[[], int]) -> Opened:
    """The account when nothing moved while it was read. Raises ExchangeError, AuthError; ConfigError when it never
    stands still, which an account that somebody else trades may not."""
    before = account.balance(WHY)
    for _ in range(TRIES):
        positions = tuple(account.positions(why=WHY))
        orders = tuple(account.orders(status="resting", why=WHY))
        for _ in account.fills(min_s=now_s() - FILLS_S, why=WHY):
            pass  # the answer is on the tape, which is what it is for
        after = account.balance(WHY)
        if after.balance == before.balance:
            own = tuple(order for order in orders if nonce_of(order.client_order_id) in nonces)
            return Opened(
                after.balance,
                tuple((held.market, held.position) for held in positions if held.position),
                own,
                tuple(order for order in orders if order not in own),
            )
        before = after
    raise ConfigError(f"the account's balance moved during {TRIES} readings; stop what else trades on it")


def adopted(opened: Opened, *, adopt: bool, ignore: bool) -> tuple[str, ...]:
    """The client_order_ids that the run takes over. Raises ConfigError when orders rest that nobody decided about."""
    if opened.own and not adopt and not ignore:
        raise ConfigError(
            f"{len(opened.own)} orders of earlier sessions of this tape still rest ({_shown(opened.own)}); "
            "--adopt takes them over, --ignore leaves them"
        )
    if opened.foreign and not ignore:
        raise ConfigError(
            f"{len(opened.foreign)} orders rest that nothing on this tape proves ours ({_shown(opened.foreign)}); "
            "--ignore leaves them alone, `tapedeck cancel-all --everything` cancels them"
        )
    return tuple(order.client_order_id for order in opened.own) if adopt else ()


def account_lines(opened: Opened) -> list[str]:
    """The account in words."""
    held = ", ".join(f"{market} {format_size(count)}" for market, count in opened.positions[:5])
    more = f" and {len(opened.positions) - 5} more" if len(opened.positions) > 5 else ""
    return [
        f"account: {format_money(opened.balance)} dollars; positions: {held + more or 'none'}",
        f"orders resting: {len(opened.own)} of earlier sessions of this tape, {len(opened.foreign)} others",
    ]


def _shown(orders: tuple[OrderAnswer, ...]) -> str:
    words = [
        f"{order.market} {order.side} {format_size(order.remaining_count)} at {format_price(order.price)}"
        for order in orders[:3]
    ]
    return "; ".join(words) + (" ..." if len(orders) > 3 else "")
