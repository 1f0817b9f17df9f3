"""Commands that record: capture, doctor, archive.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

import typer

app = typer.Typer()
