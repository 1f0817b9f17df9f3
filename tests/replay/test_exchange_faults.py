"""Faults as text: what is read, what is refused and how that helps, and that the documentation lists them all."""

from pathlib import Path

import pytest

from core.errors import ConfigError
from replay.exchange.faults import FILTERS, KINDS, TRIGGERS, Fault, help_lines, parse, parse_lines

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "FAULTS.md"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop@frames=100", Fault(text="", kind="drop", trigger="frames", at=100, values={"n": 1})),
        (
            "close@after=5s,code=1001",
            Fault(
                text="",
                kind="close",
                trigger="after",
                at=5_000_000_000,
                values={"code": 1001, "reason": "", "linger": 1_000_000_000},
            ),
        ),
        (
            "stall@frames=500,for=20s",
            Fault(text="", kind="stall", trigger="frames", at=500, values={"for": 20_000_000_000}),
        ),
        (
            "http@upgrade,status=502,times=2",
            Fault(
                text="", kind="http", trigger="upgrade", at=1, times=2, values={"status": 502, "retry": "", "body": ""}
            ),
        ),
        ("drop@p=0.25", Fault(text="", kind="drop", trigger="p", at=0.25, times=0, values={"n": 1})),
        ("mute@now,market=A", Fault(text="", kind="mute", trigger="now", at=1, market="A", values={"for": 0})),
        (
            "stale@rest=/portfolio",
            Fault(text="", kind="stale", trigger="rest", at="/portfolio", values={"for": 360_000_000}),
        ),
        (
            "clock@after=1m,by=-500ms",
            Fault(text="", kind="clock", trigger="after", at=60_000_000_000, values={"by": -500_000_000, "for": 0}),
        ),
        (
            "hangup@frames=3,channel=trade,session=2",
            Fault(text="", kind="hangup", trigger="frames", at=3, channel="trade", session=2),
        ),
    ],
)  # fmt: skip
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    read = parse(text)
    assert (read.text, Fault(**{name: getattr(read, name) for name in Fault.__slots__} | {"text": ""})) == (text, fault)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode@now", "no 'explode'; there are drop, repeat"),
        ("drop", "drop takes one of frames, p, after, now, not 0 triggers"),
        ("drop@frames=1,after=2s", "not 2 triggers"),
        ("drop@upgrade", "drop takes one of frames, p, after, now, not upgrade"),
        ("drop@frames=many", "frames=many is not a whole number, 1 or more"),
        ("drop@frames=0", "frames=0 is not a whole number, 1 or more"),
        ("drop@p=2", "p=2 is not a probability between 0 and 1"),
        ("stall@after=5", "after=5 is not a time such as 200ms, 5s or 2m"),
        ("close@now,code=999", "code=999 is not a close code between 1000 and 4999, or 0"),
        ("error@now,code=7", "code=7 is not one of 10, 25"),
        ("http@upgrade,status=200", "status=200 is not an HTTP status between 400 and 599"),
        ("drop@frames=1,code=1", "drop knows no 'code', only n, channel, market, session, times"),
        ("drop@frames=1,channel=books", "channel=books is not one of orderbook_delta, "),
        ("field@frames=1,name=price", r"field needs value= \(its value as JSON\)"),
        ("mute@now", "mute needs market= or channel="),
        ("drop@frames=1,times=-1", "times=-1 is not a whole number"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refusal:
        parse(text)
    assert repr(text) in str(refusal.value)


def test_a_file_holds_one_fault_a_line() -> None:
    lines = "# a bad night\n\ndrop@frames=1\n  reset@after=2s  \n"
    assert [fault.kind for fault in parse_lines(lines)] == ["drop", "reset"]


def test_help_and_document_name_every_kind_trigger_argument_and_filter() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    listed = "\n".join(help_lines())
    for kind in KINDS.values():
        assert f"| `{kind.name}` | {kind.what} |" in document, kind.name
        assert f"{kind.name}@" in listed
        (row,) = [line for line in document.splitlines() if line.startswith(f"| `{kind.name}` |")]
        assert all(f"`{argument.name}=`" in row for argument in kind.arguments), row
        assert all(f"`{trigger}`" in row for trigger in kind.triggers), row
    for name, what in {**TRIGGERS, **FILTERS}.items():
        assert f"| `{name}` | {what} |" in document, name
    assert document.count("\n| `") == len(KINDS) + len(TRIGGERS) + len(FILTERS)


def test_every_example_of_the_document_is_a_fault() -> None:
    quoted = [
        line.split("`")[1] for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("- `")
    ]
    assert len(quoted) >= 6
    for text in quoted:
        parse(text)
