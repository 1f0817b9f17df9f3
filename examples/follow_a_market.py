"""Plays a tape and prints the best prices of its busiest market each time they change: `follow_a_market.py TAPE`."""

import sys
from collections import Counter

from core.messages import BookDelta, BookSnapshot
from core.money import format_price, format_size
from replay import Player, open_tape

ROWS = 12


def busiest(path: str) -> str:
    """The market with the most order book changes."""
    counts: Counter[str] = Counter()
    for _, message in Player(open_tape(path), "columns").messages():
        if isinstance(message, BookDelta | BookSnapshot):
            counts[message.market] += 1
    return counts.most_common(1)[0][0]


def main(path: str) -> None:
    """Print the first changes of best bid and ask."""
    market = busiest(path)
    player = Player(open_tape(path), "columns")
    print(f"{market}\n{'now_ns':>20} {'bid':>8} {'size':>10} {'ask':>8} {'size':>10} trusted")
    shown, before = 0, None
    for _, step in player.play():
        if getattr(step.message, "market", "") != market:
            continue
        view = player.store.view(market)
        best = view.yes_bid, view.yes_ask
        if best != before and view.yes_bid and view.yes_ask:
            cells = [
                f"{format_price(price):>8} {format_size(size):>10}" for price, size in (view.yes_bid, view.yes_ask)
            ]
            print(f"{step.now_ns:>20} {' '.join(cells)} {view.trusted}")
            shown += 1
        before = best
        if shown == ROWS:
            return


if __name__ == "__main__":
    main(sys.argv[1])
