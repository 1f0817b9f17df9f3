"""The exchange itself by REST: status, schedule, request budgets, and what it says when it refuses (protocol 11 to 13).

Knows the shapes of errors seen on the wire, of which there are five.
"""

import re
from typing import Any, Final

from core.answers.reading import items, member, read
from core.answers.types import Answer, ApiError, Costs, ExchangeStatus, Hours, Limits, Schedule, Window
from core.messages.fields import Fields, Refused
from core.messages.strict import NotStrict, parse_json

MAX_WORDS: Final = 300
"""Characters kept of what the exchange says of an error: its longest known sentence has 170."""

MINUTES_A_DAY: Final = 1_440
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


def parse_status(body: bytes) -> Answer[ExchangeStatus]:
    """`GET /exchange/status`; also the body of its 500, 503 and 504."""
    return read(body, _status)


def parse_schedule(body: bytes) -> Answer[Schedule]:
    """`GET /exchange/schedule`"""
    return read(body, lambda fields: _schedule(member(fields, "schedule")))


def parse_limits(body: bytes) -> Answer[Limits]:
    """`GET /account/limits`"""
    return read(body, _limits)


def parse_costs(body: bytes) -> Answer[Costs]:
    """`GET /account/endpoint_costs`"""
    return read(body, _costs)


def parse_error(body: bytes) -> ApiError:
    """What any body says of an error; never fails. A body that is no JSON of a known shape says nothing."""
    try:
        value = parse_json(body)
    except NotStrict:
        return ApiError()
    if not isinstance(value, dict):
        return ApiError()
    error = value.get("error")
    if isinstance(error, str):  # 429
        return ApiError(message=_words(error))
    source = error if isinstance(error, dict) else value
    message = source.get("message") or source.get("msg")
    return ApiError(_words(source.get("code")), _words(message), _words(source.get("details")))


def error_of(fields: Fields) -> ApiError | None:
    """The error of one item of a batch, None when it has none."""
    value = fields.take("error")
    if not isinstance(value, dict):
        return None
    return ApiError(_words(value.get("code")), _words(value.get("message")), _words(value.get("details")))


def _words(value: Any) -> str:
    """One line of what was said, without control characters."""
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in value[:MAX_WORDS])


def _status(fields: Fields) -> ExchangeStatus:
    exchange, trading = fields.flag("exchange_active"), fields.flag("trading_active")
    if exchange is None or trading is None:
        raise Refused("exchange_active: missing")
    return ExchangeStatus(
        exchange,
        trading,
        fields.time("exchange_estimated_resume_time"),
        items(fields, "exchange_index_statuses", _shard, required=False),
    )


def _shard(fields: Fields) -> tuple[int, bool, bool]:
    return (
        fields.integer("exchange_index", least=-1) or 0,
        fields.flag("exchange_active") is not False,
        fields.flag("trading_active") is not False,
    )


def _schedule(fields: Fields) -> Schedule:
    standard = items(fields, "standard_hours", _week, required=False)
    windows = items(fields, "maintenance_windows", _window, required=False)
    return Schedule(tuple(day for week in standard for day in week), windows)


def _week(fields: Fields) -> tuple[Hours, ...]:
    from_ns, until_ns = fields.time("start_time"), fields.time("end_time")
    return tuple(
        Hours(weekday, *span, from_ns, until_ns)
        for weekday, name in enumerate(_WEEKDAYS)
        for span in items(fields, name, _opening, required=False)
    )


def _opening(fields: Fields) -> tuple[int, int]:
    return _minute(fields, "open_time"), _minute(fields, "close_time")


def _minute(fields: Fields, name: str) -> int:
    found = _CLOCK.fullmatch(fields.text(name)[:5])
    if found is None:
        raise Refused(f"{name}: not a time of day")
    return (int(found[1]) * 60 + int(found[2])) % MINUTES_A_DAY


def _window(fields: Fields) -> Window:
    window = Window(fields.time("start_datetime"), fields.time("end_datetime"))
    if not 0 < window.from_ns < window.until_ns:
        raise Refused("maintenance_windows: not a span of time")
    return window


def _limits(fields: Fields) -> Limits:
    rates = [_budget(fields, name) for name in ("read", "write")]
    return Limits(fields.text("usage_tier"), *rates[0], *rates[1])


def _budget(fields: Fields, name: str) -> tuple[int, int]:
    budget = member(fields, name)
    rate, capacity = (budget.integer(part, least=1) for part in ("refill_rate", "bucket_capacity"))
    if rate is None or capacity is None:
        raise Refused(f"{name}: no budget")
    return rate, capacity


def _costs(fields: Fields) -> Costs:
    default = fields.integer("default_cost", least=1)
    if default is None:
        raise Refused("default_cost: missing")
    return Costs(default, items(fields, "endpoint_costs", _cost))


def _cost(fields: Fields) -> tuple[str, str, int]:
    cost = fields.integer("cost")
    if cost is None:
        raise Refused("cost: missing")
    return fields.name("method"), fields.name("path"), cost
