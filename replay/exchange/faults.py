"""Faults as values: which there are, what triggers them, and the short text a script writes them in.

`kind@trigger[,name=value]...`, as in `drop@frames=100` or `close@after=5s,code=1001`. Knows words and numbers. Must not
know how a fault is done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from core.errors import ConfigError
from replay.exchange.port import CHANNELS

Value = int | float | str

FRAME: Final = ("frames", "p", "after", "now")
ACTION: Final = ("frames", "p", "after", "commands", "now")
COMMAND: Final = ("commands", "p", "now")
UNSUBSCRIBE: Final = ("unsubscribe",)
UPGRADE: Final = ("upgrade",)
REST: Final = ("rest",)

TRIGGERS: Final = {
    "frames": "at the N-th data frame of a session that fits the filters, then at the next N-th while times allows",
    "p": "at each data frame (each command) with this probability, by seed; times is unlimited unless given",
    "after": "this long after the session began (clock: after the server began)",
    "commands": "at the N-th command of a session",
    "unsubscribe": "when a session ends a subscription",
    "upgrade": "at the next WebSocket upgrade, or the N-th from now",
    "rest": "at the next REST request, or the next whose path begins so (as in rest=/portfolio)",
    "now": "at once on every open session that fits, or at its next frame or command",
}
"""What sets a fault off, each given as `name` or `name=value`."""

FILTERS: Final = {
    "channel": "only frames of this channel",
    "market": "only frames about this market",
    "session": "only the N-th session of the server",
    "times": "how often in all (0 = no limit)",
}
"""What every fault may be narrowed by."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a kind: how its text is read, what it is when left out (None: it must be given), what it says."""

    name: str
    read: Callable[[str], Value]
    default: Value | None
    help: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault, told in one sentence."""

    name: str
    what: str
    triggers: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault as it was asked for. times 0 = no limit; session 0, channel "" and market "" = any."""

    text: str
    kind: str
    trigger: str
    at: Value = 0
    times: int = 1
    session: int = 0
    channel: str = ""
    market: str = ""
    values: dict[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """An argument that is a count or nanoseconds."""
        return int(self.values[name])

    def word(self, name: str) -> str:
        """An argument that is text."""
        return str(self.values[name])


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise ValueError("a whole number, 0 or more")
    return int(text)


def _chance(text: str) -> float:
    try:
        chance = float(text)
    except ValueError:
        chance = -1.0
    if not 0.0 <= chance <= 1.0:
        raise ValueError("a probability between 0 and 1")
    return chance


_UNITS: Final = (("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000))


def _span(text: str) -> int:
    """Nanoseconds; a minus sign is allowed, for clocks."""
    for unit, unit_ns in _UNITS:
        digits = text.removesuffix(unit)
        if digits != text:
            try:
                return round(float(digits) * unit_ns)
            except (ValueError, OverflowError):
                break
    raise ValueError("a time such as 200ms, 5s or 2m")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return read


def _code_of(*allowed: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or int(text) not in allowed:
            raise ValueError(f"one of {', '.join(map(str, allowed))}")
        return int(text)

    return read


def _close_code(text: str) -> int:
    if text.isdigit() and (text == "0" or 1_000 <= int(text) <= 4_999):
        return int(text)
    raise ValueError("a close code between 1000 and 4999, or 0 for a close frame without one")


def _status(text: str) -> int:
    if text.isdigit() and 400 <= int(text) <= 599:
        return int(text)
    raise ValueError("an HTTP status between 400 and 599")


def _n(what: str) -> Argument:
    return Argument("n", _count, 1, what)


_FOR: Final = Argument("for", _span, 0, "how long; left out = for ever")
_BYTES: Final = 16 << 20

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("drop", "frames are numbered but never sent", FRAME, (_n("how many in a row"),)),
        Kind("repeat", "a frame is sent again", FRAME, (_n("how many more times"),)),
        Kind("reorder", "a frame is sent after those that follow it", FRAME, (_n("after how many"),)),
        Kind("delay", "a frame, and what comes after it, leaves late",
             FRAME, (Argument("for", _span, 200_000_000, "how late"),)),
        Kind("corrupt", "one byte of a frame is another, chosen by seed",
             FRAME, (Argument("how", _one_of("text", "utf8"), "text", "a letter, or a byte that is no UTF-8"),)),
        Kind("truncate", "a frame ends early", FRAME, (Argument("bytes", _count, 0, "its length; 0 = half"),)),
        Kind("field", "one field of a frame has another value", FRAME, (
            Argument("name", str, None, "the field, wherever it stands first"),
            Argument("value", str, None, "its value as JSON"))),
        Kind("oversize", "a huge frame of no known type comes before this one",
             FRAME, (Argument("bytes", _count, _BYTES, "its length"),)),
        Kind("giant", "a frame header announces 2^62 bytes, then silence, pings included", FRAME),
        Kind("unknown", "a frame of a type that nobody knows comes before this one",
             FRAME, (Argument("type", str, "market_weather", "its type"),)),
        Kind("malformed", "a frame that is no JSON comes before this one",
             FRAME, (Argument("text", str, '{"type":"orderbook_delta","sid":1,', "what it holds"),)),
        Kind("restart", "the subscription's seq begins again at 1 with this frame", FRAME),
        Kind("half", "half of a frame, then silence, pings included", FRAME),
        Kind("stall", "no frame and no reply leaves, pings go on; afterwards what waited is sent", ACTION, (_FOR,)),
        Kind("mute", "nothing is published about one market (market=) or one channel (channel=)", ACTION, (_FOR,)),
        Kind("noping", "no pings are sent", ACTION, (
            _FOR, Argument("pongs", _one_of("yes", "no"), "yes", "whether a client's pings are answered"))),
        Kind("reset", "TCP is reset without a close frame", ACTION, (
            Argument("grace", _span, 100_000_000, "how long a client can read what was sent; 0s = it may lose it"),)),
        Kind("hangup", "TCP is closed without a close frame", ACTION),
        Kind("close", "a close frame with this code", ACTION, (
            Argument("code", _close_code, 1_000, "1000 to 4999, or 0 for none"),
            Argument("reason", str, "", "the text beside it"),
            Argument("linger", _span, 1_000_000_000, "how long TCP stays open if the client does not answer"))),
        Kind("error", "a terminal error ends the frame's subscription, or the one of channel=, or the first",
             ACTION, (Argument("code", _code_of(10, 25), 10, "10 or 25"),)),
        Kind("swap", "a command is carried out and answered after the next one",
             COMMAND, (Argument("for", _span, 1_000_000_000, "at the latest after this time"),)),
        Kind("unanswered", "the replies to a command are lost", COMMAND),
        Kind("late", "frames of a subscription go on after its end",
             UNSUBSCRIBE, (Argument("n", _count, 10, "how many"),)),
        Kind("http", "a request is answered by an HTTP error", UPGRADE + REST, (
            Argument("status", _status, 503, "400 to 599"),
            Argument("retry", str, "", "a Retry-After header"),
            Argument("body", str, "", "the body; left out = what fits the status"))),
        Kind("hang", "an upgrade is never answered", UPGRADE, (_FOR,)),
        Kind("cursor", "an answer's cursor is one that the exchange never gave",
             REST, (Argument("value", str, "bm90IGEgY3Vyc29y", "the cursor"),)),
        Kind("stale", "after a write, reads are answered as before it",
             REST, (Argument("for", _span, 360_000_000, "for how long"),)),
        Kind("clock", "the exchange's clock jumps: signatures, Date and sending_ts_ms",
             ("after", "now", "upgrade"), (Argument("by", _span, None, "by how much, as -60s"), _FOR)),
    )
}  # fmt: skip
"""Every kind of fault, by name."""

_OPTIONAL: Final = ("upgrade", "rest", "unsubscribe", "now")
_UNLIMITED: Final = ("p", "unsubscribe")


def parse(text: str) -> Fault:
    """Read one fault; what cannot be read is a ConfigError that names it and what is allowed."""
    name, mark, rest = text.strip().partition("@")
    kind = KINDS.get(name)
    if kind is None:
        raise ConfigError(f"fault {text!r}: there is no {name!r}; there are {', '.join(KINDS)}")
    items = [item.partition("=") for item in rest.split(",")] if mark else []
    given = {key: value for key, _, value in items}
    triggers = [key for key, _, _ in items if key in TRIGGERS]
    if len(triggers) != 1 or triggers[0] not in kind.triggers:
        shown = triggers[0] if len(triggers) == 1 else f"{len(triggers)} triggers"
        raise ConfigError(f"fault {text!r}: {name} takes one of {', '.join(kind.triggers)}, not {shown}")
    return _fault(text.strip(), kind, triggers[0], given)


def parse_lines(lines: str) -> tuple[Fault, ...]:
    """Faults, one a line; empty lines and those that begin with # say nothing."""
    stripped = (line.strip() for line in lines.splitlines())
    return tuple(parse(line) for line in stripped if line and not line.startswith("#"))


def _fault(text: str, kind: Kind, trigger: str, given: dict[str, str]) -> Fault:
    arguments = {argument.name: argument for argument in kind.arguments}
    for key in given:
        if key not in (trigger, *FILTERS, *arguments):
            raise ConfigError(f"fault {text!r}: {kind.name} knows no {key!r}, only {', '.join((*arguments, *FILTERS))}")
    missing = [name for name, argument in arguments.items() if argument.default is None and name not in given]
    if missing:
        raise ConfigError(f"fault {text!r}: {kind.name} needs {missing[0]}= ({arguments[missing[0]].help})")
    if kind.name == "mute" and not {"market", "channel"} & given.keys():
        raise ConfigError(f"fault {text!r}: mute needs market= or channel=")
    values = {
        name: argument.default if name not in given else _read(text, name, given[name], argument.read)
        for name, argument in arguments.items()
    }
    return Fault(
        text=text,
        kind=kind.name,
        trigger=trigger,
        at=_trigger_value(text, trigger, given[trigger]),
        times=int(_read(text, "times", given.get("times", "0" if trigger in _UNLIMITED else "1"), _count)),
        session=int(_read(text, "session", given.get("session", "0"), _count)),
        channel=str(_read(text, "channel", given["channel"], _one_of(*CHANNELS)) if "channel" in given else ""),
        market=given.get("market", ""),
        values={name: value for name, value in values.items() if value is not None},
    )


def _trigger_value(text: str, trigger: str, value: str) -> Value:
    if not value and trigger in _OPTIONAL:
        return "" if trigger == "rest" else 1
    match trigger:
        case "p":
            return _read(text, trigger, value, _chance)
        case "after":
            return _read(text, trigger, value, _span)
        case "rest":
            return value
        case _:
            return _read(text, trigger, value, _positive)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) < 1:
        raise ValueError("a whole number, 1 or more")
    return int(text)


def _read(text: str, name: str, value: str, read: Callable[[str], Value]) -> Value:
    try:
        return read(value)
    except ValueError as error:
        raise ConfigError(f"fault {text!r}: {name}={value} is not {error}") from error


def help_lines() -> tuple[str, ...]:
    """Every kind with its triggers and arguments, for `--help`."""
    lines = []
    for kind in KINDS.values():
        arguments = "".join(f",{argument.name}=" for argument in kind.arguments)
        lines.append(f"{kind.name}@{'|'.join(kind.triggers)}{arguments}: {kind.what}")
    return tuple(lines)
