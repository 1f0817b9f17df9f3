"""Commands that are an exchange: serve a tape, or a sandbox to trade in.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import Json, TapePath, answer

if TYPE_CHECKING:
    from replay.exchange.options import ServerOptions
    from replay.exchange.port import Venue
    from replay.exchange.server import Server

app = typer.Typer()

FAULTS_HELP = """Faults are written `kind@trigger[,name=value]...`, as in `drop@frames=100`; `--list-faults` explains
each. Frames: drop, repeat, reorder, delay, corrupt, truncate, field, oversize, giant, unknown, malformed, restart, half
(at frames, p, after, now). Sessions: stall, mute, noping, reset, hangup, close, error (at frames, p, after, commands,
now). Commands: swap, unanswered (at commands, p, now), late (at unsubscribe). HTTP: http (at upgrade, rest), hang (at
upgrade), cursor, stale (at rest), clock (at after, now, upgrade)."""


def _list_faults(value: bool) -> None:
    if value:
        from replay.exchange.faults import help_lines

        for line in help_lines():
            typer.echo(line)
        raise typer.Exit


Port = Annotated[int, typer.Option("--port", metavar="N", help="Where to listen on 127.0.0.1; 0 takes any free port.")]
Certificate = Annotated[
    Path | None, typer.Option("--tls-cert", metavar="FILE", help="Serve TLS with this certificate (PEM).")
]
CertificateKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key (PEM).")]
AccessKey = Annotated[
    str, typer.Option("--access-key", metavar="ID", help="Let this key in, instead of one made for this run.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="What --access-key is signed with: a private or public key (PEM)."),
]
FaultTexts = Annotated[
    list[str] | None, typer.Option("--fault", metavar="FAULT", help="Break like this; repeatable. See below.")
]
FaultFile = Annotated[
    Path | None, typer.Option("--faults", metavar="FILE", help="A fault a line; lines that begin with # say nothing.")
]
FaultSeed = Annotated[int, typer.Option("--fault-seed", metavar="N", help="The dice of faults.")]
ListFaults = Annotated[
    bool, typer.Option("--list-faults", callback=_list_faults, is_eager=True, help="Explain every fault and stop.")
]


@app.command(
    epilog=f"{FAULTS_HELP}\n\nExample: tapedeck serve monday --speed 10 --fault close@after=30s,code=1001",
)
def serve(
    tape: TapePath,
    *,
    speed: Annotated[
        str, typer.Option("--speed", metavar="X", help="Tape seconds a second, or max: as fast as clients read.")
    ] = "1",
    start: Annotated[
        str, typer.Option("--start", metavar="WHEN", help="Play on: subscription, now, or paused until a control.")
    ] = "subscription",
    port: Port = 0,
    tls_certificate: Certificate = None,
    tls_key: CertificateKey = None,
    access_key: AccessKey = "",
    key: KeyFile = None,
    fault: FaultTexts = None,
    faults: FaultFile = None,
    fault_seed: FaultSeed = 0,
    list_faults: ListFaults = False,  # noqa: ARG001  # its callback has printed and ended already
    as_json: Json = False,
) -> None:
    """Be the exchange of a tape: real WebSocket and REST on this machine, until Ctrl-C.

    Any Kalshi client connects as to the exchange: it signs, subscribes and gets what the recorder got, at the tape's
    pace. `POST /tapedeck/pause`, `resume`, `step`, `seek`, `speed` steer it. `--json` prints one line when ready.
    """
    from replay import open_tape
    from replay.exchange.options import ServerOptions
    from replay.exchange.playhead import parse_speed
    from replay.exchange.taped import TapedVenue

    venue = TapedVenue.of(open_tape(tape), speed=parse_speed(speed), start=start)
    options = ServerOptions(
        port=port,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        access_key=access_key,
        key_path=key,
        dialect=venue.dialect,
        faults=_faults(fault, faults),
        fault_seed=fault_seed,
    )
    _run(venue, options, as_json=as_json)


@app.command(epilog=f"{FAULTS_HELP}\n\nExample: tapedeck sandbox --markets 50 --rate 500 --seed 7 --json")
def sandbox(
    *,
    markets: Annotated[int, typer.Option("--markets", metavar="N", help="Markets that are open at the start.")] = 20,
    rate: Annotated[
        float,
        typer.Option("--rate", metavar="R", help="Frames a second over all channels; 0 = only what clients cause."),
    ] = 200.0,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The dice of markets and traders.")] = 1,
    speed: Annotated[
        str, typer.Option("--speed", metavar="X", help="Exchange seconds a second, or max: as fast as clients read.")
    ] = "1",
    port: Port = 0,
    tls_certificate: Certificate = None,
    tls_key: CertificateKey = None,
    access_key: AccessKey = "",
    key: KeyFile = None,
    fault: FaultTexts = None,
    faults: FaultFile = None,
    fault_seed: FaultSeed = 0,
    list_faults: ListFaults = False,  # noqa: ARG001  # its callback has printed and ended already
    as_json: Json = False,
) -> None:
    """Be an exchange to trade in: a matching engine and made-up traders on this machine, until Ctrl-C.

    Any Kalshi client connects, subscribes and trades over REST with play money. The same seed and the same commands
    give the same frames. `--json` prints one line when ready.
    """
    from replay.exchange.options import ServerOptions
    from replay.exchange.playhead import MAX, parse_speed
    from replay.exchange.sandbox import SandboxOptions, SandboxVenue

    pace = parse_speed(speed)
    options = ServerOptions(
        port=port,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        access_key=access_key,
        key_path=key,
        faults=_faults(fault, faults),
        fault_seed=fault_seed,
    )
    venue = SandboxVenue(SandboxOptions(markets=markets, rate=rate, seed=seed, speed=0.0 if pace == MAX else pace))
    _run(venue, options, as_json=as_json)


def _faults(texts: list[str] | None, file: Path | None) -> tuple[str, ...]:
    """All faults that were asked for; one that cannot be read is found before anything starts."""
    from core.errors import ConfigError
    from replay.exchange.faults import parse, parse_lines

    try:
        lines = file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--faults {file} cannot be read: {error}") from error
    return tuple(fault.text for fault in (*map(parse, texts or ()), *parse_lines(lines)))


def _run(venue: "Venue", options: "ServerOptions", *, as_json: bool) -> None:
    from replay.exchange.local import run

    def ready(server: "Server") -> None:
        credentials = next(iter(server.credentials.values()))
        found = {
            "rest_url": server.rest_url,
            "ws_url": server.ws_url,
            "access_key": credentials.access_key,
            "private_key_path": str(credentials.private_key_path),
        }
        lines = (
            f"REST       {server.rest_url}",
            f"WebSocket  {server.ws_url}",
            "Give a client its key, and stop with Ctrl-C:",
            f"  export KALSHI_ACCESS_KEY={credentials.access_key}",
            f"  export KALSHI_PRIVATE_KEY_PATH={credentials.private_key_path}",
        )
        answer(found, lines, as_json=as_json)

    run(venue, options, ready)
