"""What came of making a report: where its tapes are, and what was written, as plain data and as lines for people."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from core.errors import ConfigError
from replay.report.parts import Page
from replay.report.source import Result


class Written(msgspec.Struct, frozen=True):
    """A page that was written. bytes: its size. left_out: section, or market, to why there is nothing in it.

    pictures: files of its charts, where they were asked for.
    """

    out: str
    bytes: int
    headline: str
    warnings: list[str]
    charts: int
    left_out: dict[str, str]
    pictures: list[str]


def tapes_of(result: Result, given: Sequence[Path] | None) -> list[Path]:
    """Where a result's tapes are: where it says, or where somebody says. Raises ConfigError when those are too few or
    too many."""
    named = [Path(tape["path"]) for tape in result.manifest["tapes"]]
    if not given:
        return named
    if len(given) != len(named):
        raise ConfigError(
            f"--tape was given {len(given)} times, the result is of {len(named)} tapes: name each of them"
        )
    return list(given)


def written(page: Page, out: Path, pictures: Sequence[Path] = ()) -> Written:
    """What is to be said of a page that was just written, and of pictures beside it."""
    left_out = dict(sorted(page.missing.items())) | {
        chart.market: chart.missing for chart in page.charts if chart.missing
    }
    return Written(
        str(out), out.stat().st_size, page.top.headline, list(page.top.warnings), len(page.charts), left_out,
        [str(path) for path in pictures],
    )  # fmt: skip


def written_lines(found: Written) -> Iterator[str]:
    """The same for people."""
    yield found.headline
    yield from (f"beware     {warning}" for warning in found.warnings)
    for why in dict.fromkeys(found.left_out.values()):
        names = [name for name, reason in found.left_out.items() if reason == why]
        yield f"left out   {', '.join(names)}: {why.rstrip('.')}"
    yield f"report     {found.out}  ({found.bytes:,} bytes, charts of {found.charts} markets)"
    if found.pictures:
        yield f"pictures   {len(found.pictures)} in {Path(found.pictures[0]).parent}"
