"""Commands that look after a recorder: doctor and archive.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from tapedeck_console import Json, TapePath, answer, progress_bar

app = typer.Typer()


@app.command(epilog="Example: tapedeck doctor --env prod --out tapes/prod")
def doctor(
    *,
    environment: Annotated[
        str, typer.Option("--env", metavar="prod|demo|URL", help="Which exchange; a URL for a local one.")
    ] = "demo",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="TAPE", help="Where the tape is or will be; its disk is looked at.")
    ] = Path(),
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="FILE", help="Trust these authorities instead of the system's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Would recording work here? Key, disk, clock, exchange, account, age of messages; each with a remedy.

    Exit 0: nothing stands in the way. Exit 1: something does. It subscribes to tickers for five seconds and changes
    nothing.
    """
    from capture.doctor import Finding, Health, Patient, examine
    from capture.environments import environment as find_environment

    found: list[Finding] = []
    for finding in examine(Patient(find_environment(environment), os.environ, out, ca_file)):
        found.append(finding)
        if not as_json:
            typer.echo(f"{finding.name:9} {finding.health.upper():9} {finding.what}")
            if finding.remedy:
                typer.echo(f"{'':19} -> {finding.remedy}")
    healthy = all(finding.health is not Health.BAD for finding in found)
    if as_json:
        answer({"healthy": healthy, "findings": found}, (), as_json=True)
    raise typer.Exit(0 if healthy else 1)


@app.command(epilog="Example: tapedeck archive tapes/prod --to /mnt/archive --keep-days 30")
def archive(
    tape: TapePath,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where archives are; the tape gets its own there.")],
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", min=0, metavar="N", help="Also remove here what is older and lies there, whole."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy a tape's sealed segments elsewhere, check the copies, and remove old ones here if asked.

    The tape may be recorded meanwhile. The archive is a tape itself: replay, verify and query it there. Without
    --keep-days nothing is ever removed.
    """
    from capture.tape.archive import archive as run_archive

    with progress_bar("archiving", "segments") as progress:
        report = run_archive(tape, to, now_ns=time.time_ns(), keep_days=keep_days, progress=progress)
    lines = [
        f"{report.archive}: {report.copied} segments copied and checked ({report.copied_bytes:,} bytes)",
        f"{report.tape}: {report.removed} segments removed ({report.removed_bytes:,} bytes), {report.kept} kept",
        *report.problems,
    ]
    answer(report, lines, as_json=as_json)
    raise typer.Exit(1 if report.problems else 0)
