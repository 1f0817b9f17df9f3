"""Commands that record: capture, doctor, archive.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import answer, marking, seconds_of, stop

if TYPE_CHECKING:
    from capture.daemon import CaptureOptions
    from capture.status import DaemonStatus, Watcher

app = typer.Typer()

_STDOUT = 1


Environment = Annotated[
    str, typer.Option("--env", metavar="prod|demo|URL", help="Which exchange; a URL for a local one.")
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="TAPE", help="The tape: made, or gone on with if it is there.")
]
Named = Annotated[list[str] | None, typer.Option("--market", "-m", metavar="MARKET", help="Repeatable.")]
Series = Annotated[
    list[str] | None, typer.Option("--series", "-s", metavar="SERIES", help="Repeatable; new markets come along.")
]
Events = Annotated[
    list[str] | None, typer.Option("--event", "-e", metavar="EVENT", help="Repeatable; new markets come along.")
]
Everything = Annotated[bool, typer.Option("--all", help="All markets there are but combos.")]
Combos = Annotated[bool, typer.Option("--combos", help="Combos too, which are 99.8 % of all markets.")]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", "-c", metavar="CHANNEL", help="Repeatable; default: what is public about a market."),
]
Connections = Annotated[int, typer.Option("--connections", min=1, max=50, help="Split the markets over so many.")]
For = Annotated[
    float | None,
    typer.Option("--for", "--seconds", metavar="SPAN", parser=seconds_of, help="Stop after 90s, 10m, 2h or 1d."),
]
MaxTries = Annotated[
    int, typer.Option("--max-tries", min=0, help="Give up after so many failed tries to connect; 0 = never.")
]
RestShare = Annotated[
    float,
    typer.Option(
        "--rest-share", min=0.01, max=1.0, help="Part of the account's request budget to use, if others need the rest."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say which markets, frames a second, GB a day, days until full.")
]
MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", min=0, max=65535, help="Prometheus metrics and /health on 127.0.0.1; 0 = any."),
]
Notify = Annotated[
    str | None, typer.Option("--notify", metavar="CMD|URL", help="Tell of gaps, disk, key, trouble and the end.")
]
HeartbeatUrl = Annotated[
    str | None, typer.Option("--heartbeat-url", metavar="URL", help="Visited every minute while all is well.")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", metavar="FILE", help="Trust these authorities instead of the system's.")
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON objects, one a line, instead of text.")]


@app.command(epilog="Example: tapedeck capture --env demo --series KXBTC15M --out tapes/demo")
def capture(
    *,
    environment: Environment,
    out: Out,
    markets: Named = None,
    series: Series = None,
    events: Events = None,
    everything: Everything = False,
    combos: Combos = False,
    channels: Channels = None,
    connections: Connections = 1,
    for_s: For = None,
    max_tries: MaxTries = 0,
    rest_share: RestShare = 1.0,
    dry_run: DryRun = False,
    metrics_port: MetricsPort = None,
    notify: Notify = None,
    heartbeat_url: HeartbeatUrl = None,
    ca_file: CaFile = None,
    as_json: JsonLines = False,
) -> None:
    """Record an exchange until told to stop. Leave it running for months.

    The key comes from KALSHI_ACCESS_KEY and KALSHI_PRIVATE_KEY_PATH. Every frame is on the tape as it was received;
    every gap is too. Connections that break are made again for ever. The first SIGTERM or Ctrl-C seals the tape and
    ends with exit 0, a second one ends at once. Exit 2: it could not begin, or the key was refused.
    """
    from capture.daemon import CaptureOptions
    from capture.environments import environment as find_environment
    from capture.selection import choose_channels, select

    options = CaptureOptions(
        environment=find_environment(environment),
        tape=out,
        selection=select(markets=markets, series=series, events=events, everything=everything, combos=combos),
        channels=choose_channels(channels, combos=combos),
        connections=connections,
        for_s=for_s or 0.0,
        rest_share=rest_share,
        max_tries=max_tries,
        ca_file=ca_file,
    )
    if dry_run:
        _preview(options, as_json=as_json)
        return
    with _watchers(metrics_port, notify, heartbeat_url) as watchers, marking(out) as marker:
        _record(options, [*watchers, marker], as_json=as_json)


def _preview(options: "CaptureOptions", *, as_json: bool) -> None:
    """What recording would take. Market data is public, so that a key is used only where there is one."""
    from capture.auth import Credentials
    from capture.dryrun import estimate_lines
    from capture.preview import preview

    credentials = Credentials.load(os.environ) if os.environ.get("KALSHI_ACCESS_KEY") else None
    found = preview(options, credentials)
    answer(found, estimate_lines(found), as_json=as_json)


def _record(options: "CaptureOptions", watchers: "list[Watcher]", *, as_json: bool) -> None:
    from capture.auth import Credentials
    from capture.daemon import Daemon
    from capture.reporting import Reporter
    from capture.startup import no_core_dumps

    no_core_dumps()
    credentials = Credentials.load(os.environ)
    reporter = Reporter(_STDOUT, as_json=as_json)
    try:
        status = Daemon(options, credentials, reporter, watchers).run()
    finally:
        reporter.close()
    if status.exit_code:
        stop(status.exit_code, status.why)


@contextlib.contextmanager
def _watchers(metrics_port: int | None, notify: str | None, heartbeat_url: str | None) -> "Iterator[list[Watcher]]":
    """Whoever wants to see each status, by the options that were given."""
    with contextlib.ExitStack() as closing:
        watchers: list[Watcher] = []
        if metrics_port is not None:
            from capture.metrics import Metrics

            metrics = Metrics(metrics_port)
            closing.callback(metrics.close)
            if not metrics_port:
                typer.echo(f"metrics and health: http://127.0.0.1:{metrics.port}", err=True)
            watchers.append(metrics.observe)
        if notify is not None:
            from capture.alarms import Alarms
            from capture.notify import Notifier

            notifier, alarms = Notifier(notify), Alarms()
            closing.callback(notifier.close)

            def tell(status: "DaemonStatus") -> None:
                for notice in alarms.observe(status):
                    notifier.tell(notice)

            watchers.append(tell)
        if heartbeat_url is not None:
            from capture.notify import Beacon
            from capture.status import State

            beacon = Beacon(heartbeat_url)
            closing.callback(beacon.close)
            watchers.append(lambda status: beacon.observe(status.healthy or status.state is State.MAINTENANCE))
        yield watchers
