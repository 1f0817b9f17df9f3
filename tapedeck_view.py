"""The command that shows a tape in a browser: view.

Knows its options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
command, so that `--help` is quick.
"""

from typing import Annotated

import typer

from tapedeck_console import Json, TapePath, answer

app = typer.Typer()


@app.command(epilog="Example: tapedeck view monday --market KXBTC15M-26MAY110145-45 --port 8400")
def view(
    tape: TapePath,
    *,
    market: Annotated[
        str | None, typer.Option("--market", "-m", metavar="M", help="The market to show first. [default: the busiest]")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Where to listen on 127.0.0.1; 0 takes any free port.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Look at a tape in a browser: scrub through time, books, trades, own orders, decisions and why, gaps.

    A page on this machine only, until Ctrl-C; also of a tape that is still recorded. Any moment has a link of its own.
    From another machine: `ssh -L 8400:127.0.0.1:8400 HOST`, with `--port 8400`. `--json` prints one line when ready.
    """
    from replay.view.server import ViewServer, run

    server = ViewServer(tape, port, market or "")

    def ready() -> None:
        lines = (f"Open {server.url}", "Stop with Ctrl-C.")
        answer({"url": server.url, "tape": str(tape)}, lines, as_json=as_json)

    run(server, ready)
