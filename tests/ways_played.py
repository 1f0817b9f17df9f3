"""Which ways a tape was played: record by record, or with the machine ahead of strategies."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.ahead import Ahead
from core.host import Host
from replay.player import Player


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each way of playing was gone while this lasts: ahead, rewound, singly, due."""
    counts: Counter[str] = Counter()
    settle = Ahead.settle

    def settled(self: Ahead) -> None:
        counts["rewound"] += self.is_ahead
        settle(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ahead, "settle", settled)
        for kind, method, name in (
            (Ahead, "run", "ahead"), (Host, "woken", "singly"), (Player, "last", "due"),
        ):  # fmt: skip
            patch.setattr(kind, method, _counting(counts, name, getattr(kind, method)))
        yield counts


def _counting(counts: Counter[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        counts[name] += 1
        return method(*arguments, **named)

    return call
