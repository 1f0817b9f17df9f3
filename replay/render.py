"""Answers as lines of text for people. Every function gives lines; nobody here prints.

Knows words, columns and units. Must not know how an answer was found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from core.money import format_money, format_price, format_size
from replay.when import format_duration, format_time

if TYPE_CHECKING:
    from capture.tape.recovery import RecoveryReport
    from capture.tape.verify import VerifyReport
    from core.messages.types import Level
    from replay.books import BookAt, GridReport
    from replay.cut import CutReport
    from replay.demo import Demo
    from replay.exporter import ExportReport
    from replay.exports.terms import Exported
    from replay.fixture.shrink import ShrinkReport
    from replay.importer import ImportReport
    from replay.many import Result
    from replay.rebuild import RebuildReport
    from replay.run import Comparison, Run
    from replay.summary import Info

LISTED: Final = 20
"""Longest list shown to people; `--json` has all of it."""

_COVERED: Final = {
    "connections": "connects and disconnects",
    "control": "pings (a silence proves nothing)",
    "sent": "commands",
    "receive_time": "times of receipt",
}

LADDER_LEVELS: Final = 10
"""Levels of a side that fit a small terminal."""


def info_lines(info: "Info") -> Iterator[str]:
    """What is in a tape."""
    span = format_duration(info.last_ns - info.first_ns)
    yield f"tape         {info.tape}  ({info.environment}{', filtered' if info.filtered else ''})"
    yield f"time         {format_time(info.first_ns)} to {format_time(info.last_ns)}  ({span})"
    yield f"records      {info.records:,}, of which frames {info.frames:,}"
    yield f"on disk      {info.bytes:,} bytes in {info.segments} segments{_per_frame(info)}"
    if info.checkpoint_bytes:
        yield f"checkpoints  {info.checkpoint_bytes:,} bytes; read for this answer: {info.folded:,} records"
    yield f"ended        {info.ended}"
    missing = [_COVERED[name] for name, covered in info.covers.items() if not covered]
    yield f"not recorded {', '.join(missing) or 'nothing is left out'}"
    yield f"markets      {len(info.markets)}: {_listed(info.markets, 4)}"
    yield from _counted("types", info.by_type)
    yield from _counted("malformed", info.malformed)
    yield from _counted("unknown", info.unknown)
    yield from _counted("rejected", info.rejected)
    yield f"connections  {info.connections} in {info.sessions} sessions"
    yield from _short(_connection_line(row) for row in info.connection_list)
    yield f"gaps         {len(info.gaps) or 'none'}"
    yield from _short(_gap_line(gap) for gap in info.gaps)
    yield f"silences     {len(info.silences) or 'none'}"
    yield from _short(
        f"  {format_time(row.at_ns)} to {format_time(row.until_ns)}  {format_duration(row.duration_ns)}"
        for row in info.silences
    )


def _per_frame(info: "Info") -> str:
    return f", {info.bytes / info.frames:.1f} a frame" if info.frames else ""


def _connection_line(row: Any) -> str:
    closed = "open to the end" if row.closed_ns is None else f"to {format_time(row.closed_ns)}"
    how = "  (seen in the frames alone)" if row.implied else ""
    return f"  {row.connection:<4} {format_time(row.opened_ns)} {closed}  {row.frames:,} frames{how}"


def _gap_line(gap: Mapping[str, Any]) -> str:
    scope = f"connection {gap['connection']}" if gap["connection"] else "everything"
    scope += f" sid {gap['sid']}" if gap["sid"] else ""
    missing = f", expected {gap['expected']} got {gap['got']}" if gap["reason"] == "sequence" else ""
    if gap["until_ns"] is None:
        return f"  {gap['reason']:<10} {format_time(gap['at_ns'])} still open  {scope}{missing}"
    span = format_duration(gap["until_ns"] - gap["at_ns"])
    return (
        f"  {gap['reason']:<10} {format_time(gap['at_ns'])} to {format_time(gap['until_ns'])}  {span}  {scope}{missing}"
    )


def _counted(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts or title == "malformed":
        yield f"{title:<12} " + (", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none")


def _listed(names: Sequence[str], most: int) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _short(lines: Iterable[str]) -> Iterator[str]:
    hidden = 0
    for index, line in enumerate(lines):
        if index < LISTED:
            yield line
        else:
            hidden += 1
    if hidden:
        yield f"  ... and {hidden} more (--json lists all)"


def run_lines(run: "Run") -> Iterator[str]:
    """What a replay gave."""
    yield f"replayed     {run.records:,} records, {run.frames:,} frames by the path {run.path}"
    yield f"speed        {run.frames_per_s:,.0f} frames a second ({run.wall_s:.2f} s)"
    yield f"reached      {format_time(run.now_ns)}"
    yield f"gaps         {run.gaps or 'none'}"
    yield from _counted("rejected", run.rejected)
    yield f"state        {run.state_digest}"
    yield f"decisions    {run.decision_digest}"


def comparison_lines(comparison: "Comparison") -> Iterator[str]:
    """What holding the two paths against each other gave."""
    for run in (comparison.by_bytes, comparison.by_columns):
        yield f"{run.path:<12} {run.frames:,} frames, {run.frames_per_s:,.0f} a second, state {run.state_digest}"
    if comparison.equal:
        yield "equal        both paths give the same state throughout"
    else:
        span = f"records {comparison.first_seq} to {comparison.last_seq}"
        yield f"DIFFERENT    the states part within {span}; `tapedeck rebuild` decodes the tape again"


def result_lines(result: "Result") -> Iterator[str]:
    """What a replay by one path or by both gave."""
    from replay.many import Unplayed
    from replay.run import Run

    if isinstance(result, Unplayed):
        yield "NOT PLAYED"
    elif isinstance(result, Run):
        yield from run_lines(result)
    else:
        yield from comparison_lines(result)


def results_lines(results: "Sequence[Result]") -> Iterator[str]:
    """What replays of several tapes gave, a block for each."""
    for number, result in enumerate(results):
        if number:
            yield ""
        yield f"tape         {result.tape}"
        yield from result_lines(result)


def book_lines(book: "BookAt") -> Iterator[str]:
    """A ladder: offers of yes (what no bids for) above, bids for yes below, best prices in the middle."""
    trust = "trusted" if book.trusted else "NOT TRUSTED: something may be missing from it"
    yield f"{book.market}  at {format_time(book.at_ns)}  {trust}"
    if not book.yes and not book.no:
        yield "  empty: nobody bids for yes or for no"
        return
    yield f"  {'no bid':>8}  {'size':>14}    {'yes price':>9}    {'size':<14}"
    shown = book.no[-LADDER_LEVELS:]
    if len(book.no) > len(shown):
        yield f"  {'...':>8}  {len(book.no) - len(shown)} more levels"
    for price, size in shown:
        yield f"  {format_price(price):>8}  {format_size(size):>14}    {format_price(10_000 - price):>9}"
    yield f"  {'':>8}  {'spread':>14}    {_spread(book):>9}"
    for price, size in reversed(book.yes[-LADDER_LEVELS:]):
        yield f"  {'':>8}  {'':>14}    {format_price(price):>9}    {format_size(size):<14}"
    if len(book.yes) > LADDER_LEVELS:
        yield f"  {'':>8}  {'':>14}    {'...':>9}    {len(book.yes) - LADDER_LEVELS} more levels"


def _spread(book: "BookAt") -> str:
    best_yes: Level | None = book.yes[-1] if book.yes else None
    best_no: Level | None = book.no[-1] if book.no else None
    if best_yes is None or best_no is None:
        return "one side"
    spread = 10_000 - best_no[0] - best_yes[0]
    return format_price(spread) if spread >= 0 else "crossed"


def grid_lines(report: "GridReport") -> Iterator[str]:
    """What was written."""
    if not report.instants:
        yield f"{report.out}: no instant of the grid lies on the tape"
        return
    yield f"{report.out}: {report.rows:,} rows, {report.instants:,} instants, {report.markets} markets"
    yield f"from {format_time(report.first_ns)} to {format_time(report.last_ns)}"


def import_lines(report: "ImportReport") -> Iterator[str]:
    """What was imported, and what its owner should know."""
    kinds = ", ".join(sorted({source.dialect for source in report.sources}))
    yield f"{report.out}: {report.frames:,} frames from {len(report.sources)} files ({kinds})"
    yield f"from {format_time(report.first_ns)} to {format_time(report.last_ns)}, {report.segments} segments"
    yield from (f"incomplete: {text}" for text in report.torn)
    yield from (f"hint: {text}" for text in report.hints)
    if report.skipped:
        yield f"passed over, being no recordings: {_listed(report.skipped, 4)}"


def verify_lines(report: "VerifyReport") -> Iterator[str]:
    """Every problem with file, place and remedy; then whether the tape is whole."""
    for problem in report.problems:
        place = f", {problem.place}" if problem.place else ""
        yield f"DAMAGE  {problem.file}{place}: {problem.what}; {problem.remedy}"
    yield from (f"note    {note}" for note in report.notes)
    verdict = f"NOT WHOLE, {len(report.problems)} problems" if report.problems else "whole"
    yield (
        f"{report.path}: {verdict}; {report.segments} segments, {report.records:,} records checked; "
        f"ended: {report.ended}"
    )


def recovery_lines(report: "RecoveryReport") -> Iterator[str]:
    """What was done, what could not be, and what there is now."""
    yield from report.actions or ("nothing to do",)
    yield from (f"LOST    {problem}" for problem in report.problems)
    yield f"{report.path}: {report.records:,} records in {report.segments} segments; ended: {report.ended}"


def rebuild_lines(report: "RebuildReport") -> Iterator[str]:
    """What decoding again changed."""
    size = f"{report.bytes_before:,} bytes before, {report.bytes_after:,} after"
    yield f"{report.tape}: {report.segments} segments decoded again, {report.replaced} came out different; {size}"
    if report.skipped:
        yield f"{report.skipped} archived or pruned segments were left out"


def cut_lines(report: "CutReport") -> Iterator[str]:
    """What was cut."""
    start = "with the state before it" if report.carried else "from the beginning of a session"
    yield f"{report.out}: {report.records:,} records, {report.frames:,} frames, {start}"
    yield f"from {format_time(report.first_ns)} to {format_time(report.last_ns)}"
    if report.dropped or report.too_late:
        yield f"left out {report.dropped:,} frames of other markets, {report.too_late:,} that came too late to count"


def shrink_lines(report: "ShrinkReport") -> Iterator[str]:
    """What was found, and what it is worth."""
    if not report.fails:
        how = "passes (exit 0)" if report.code == 0 else f"ends with {report.code}, but does not say what --match wants"
        yield f"the check {how} on the whole tape: there is nothing to shrink"
        return
    known = f" and {report.remembered:,} answers of an earlier run" if report.remembered else ""
    yield f"{report.out}: {report.records:,} records left of {report.before:,}, in {report.tries:,} tries{known}"
    if report.minimal:
        yield f"the check still ends with {report.code}, and no longer does without any one part"
    else:
        yield f"the check still ends with {report.code}; tries or time ran out, so there may be a smaller tape"
    if report.test:
        yield f"{report.test}: fails until the check ends with 0"
    if not report.scrubbed:
        yield "it was not scrubbed: ids and accounts of yours may be in it"


def export_lines(report: "ExportReport") -> Iterator[str]:
    """What was written."""
    yield f"{report.out}: {report.frames:,} frames, {report.bytes:,} bytes"
    if report.skipped:
        skipped = ", ".join(f"{count:,} {name}" for name, count in report.skipped.items())
        yield f"without a line of their own in this format: {skipped}"


def exported_lines(report: "Exported") -> Iterator[str]:
    """A folder for another tool: what is in it, and what is not as on the tape."""
    yield f"wrote     {report.out}: {report.format}, {report.files:,} files, markets: {report.markets:,}"
    yield "rows      " + (", ".join(f"{name} {count:,}" for name, count in report.rows.items() if count) or "none")
    if report.clock_ahead_ns:
        yield f"clocks    the exchange's was ahead by {format_duration(report.clock_ahead_ns)}: taken from its times"
    for title, counts in (("left out", report.left_out), ("changed", report.changed), ("doubted", report.doubted)):
        for what, count in counts.items():
            yield f"{title:<9} {count:,}  {what}"


def demo_lines(demo: "Demo") -> Iterator[str]:
    """The picture at the end."""
    yield f"8. result    {demo.orders} orders placed, {demo.fills} fills, {format_money(demo.pnl)} dollars won or lost"
    yield ""
    yield from demo.picture
    yield ""
    ratio = demo.recording_bytes / demo.tape_bytes
    size = f"Tape: {demo.tape_bytes:,} bytes; the same frames as gzipped lines: {ratio:.1f} times that."
    yield f"{demo.wall_s:.1f} s. {size}"
    yield "Next: docs/STRATEGIES.md, your first strategy in 30 lines; tapedeck sandbox, an exchange to run it on"
