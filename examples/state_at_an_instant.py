"""The state half way through a tape, reached without playing on to the end: `state_at_an_instant.py TAPE`."""

import sys

from core.money import format_price, format_size
from replay import Player, open_tape


def main(path: str) -> None:
    """Print every market's top of book at the tape's middle record."""
    tape = open_tape(path)
    player = Player(tape, start="checkpoint")
    player.advance(until_seq=tape.head_seq // 2)
    print(f"after record {player.position - 1} of {tape.head_seq}, now_ns {player.now_ns}")
    for market in player.store.markets():
        view = player.store.view(market)
        bid = f"{format_price(view.yes[-1][0])} x {format_size(view.yes[-1][1])}" if view.yes else "none"
        print(f"{market:<32} yes bid {bid:<20} {len(view.yes)} + {len(view.no)} levels, trusted: {view.trusted}")
    print(f"state {player.state_digest()}")


if __name__ == "__main__":
    main(sys.argv[1])
