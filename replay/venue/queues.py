"""Queue models: how many of the contracts that were cancelled at a price were ahead of our order there.

Pure numbers: knows neither books nor orders. A public book tells how much is cancelled at a price, never by whom, so
each model is a belief, and a result names the one it was made with. Counts in 1/100 contract.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.errors import ConfigError

Share = Callable[[int, int, int], int]
"""(ahead of us, others at the price in all, cancelled of these) to how many of the cancelled were ahead."""


@dataclass(frozen=True, slots=True)
class QueueModel:
    """A belief by name. share: see `Share`. is_first: trades at our price reach us whoever is ahead."""

    name: str
    share: Share
    is_first: bool = False


def _nobody(_ahead: int, _others: int, _cancelled: int) -> int:
    return 0


def _everybody(_ahead: int, _others: int, cancelled: int) -> int:
    return cancelled


def _proportionally(ahead: int, others: int, cancelled: int) -> int:
    """Each contract at the price is as likely to be cancelled as any other."""
    return cancelled * ahead // others


def _rather_late(ahead: int, others: int, cancelled: int) -> int:
    """Who came late cancels rather: with a share `a` of all ahead of us, a^2 of the cancelled are from there (the
    likelihood grows evenly from the front, where it is 0, to the back)."""
    return cancelled * ahead * ahead // (others * others)


MODELS: Final = {
    model.name: model
    for model in (
        QueueModel("pessimistic@1", _nobody),
        QueueModel("power@1", _rather_late),
        QueueModel("proportional@1", _proportionally),
        QueueModel("optimistic@1", _everybody, is_first=True),
    )
}
"""From the fewest fills to the most: each says of every cancellation at least as much as the one before."""


def queue_model(name: str) -> QueueModel:
    """The model of this name; raises ConfigError when there is none."""
    if name not in MODELS:
        raise ConfigError(f"queue model {name!r} is none of {', '.join(MODELS)}")
    return MODELS[name]


def gone_ahead(model: QueueModel, ahead: int, others: int, cancelled: int) -> int:
    """How many of `cancelled` contracts were ahead, by a model, within what is possible.

    Never more than are ahead or were cancelled; never fewer than must have been, since no more can have been cancelled
    behind us than stood there: that is known, not believed, so it holds for every model. others: at the price in all,
    before.
    """
    ahead = min(ahead, others)
    if not ahead or not cancelled:
        return 0
    must = cancelled - (others - ahead)
    return min(max(model.share(ahead, others, cancelled), must, 0), ahead, cancelled)
