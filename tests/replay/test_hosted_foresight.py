"""No look ahead: nothing that a strategy can reach shows what comes, though the machine is already there."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from seers import KINDS, Everyone, SeerParams, Trader, compare, needs_numba, play, ran, spec
from wild import MARKETS, busy

from core.actions import StrategySpec
from core.context import Context
from core.window import Window

pytestmark = needs_numba


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


class Peeper(Everyone):
    """Tries to see what comes: through whatever it was given, and whatever that leads to."""

    def __init__(self, params: SeerParams) -> None:
        super().__init__(params)
        self.held: list[Window] = []

    def on_book(self, ctx: Context, market: Window) -> None:
        self.held = [*self.held[-5:], market]
        turn = len(self.seen)
        names = [name for name in dir(Window) if not name.startswith("_")]
        target = self.held[turn % len(self.held)]
        name = names[turn % len(names)]
        value = getattr(target, name)
        found = value if not callable(value) else {"depth": target.depth, "freeze": target.freeze}.get(name)
        if callable(found):
            found = found() if name == "freeze" else found(5)
        if name == "state":
            assert target.state is not None
            found = target.state.save(), target.state.owner
        if turn % 11 == 0:
            host = ctx._host
            found = host.window(MARKETS[1]).freeze(), host.now_ns, host.health, host.next_id()
        self.seen.append((name, target.market, msgspec.to_builtins(found), ctx.now_ns, market.bid))


@pytest.mark.parametrize("least", [1, 8, 512])
def test_nothing_that_can_be_reached_shows_what_comes(least: int, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "Peeper", Peeper)
    tape = busy(400).tape(place / "tape")
    casts = (StrategySpec("a", "Peeper", {"every": 0}), spec("b", Trader, every=0))
    expected = play(tape, "bytes", casts)
    names = {entry[0] for entry in expected.seen[0]}
    assert {"depth", "freeze", "trades", "prices", "state", "now_ns", "heard_ns", "age_ns"} <= names
    compare(expected, ran(tape, casts, least=least))
