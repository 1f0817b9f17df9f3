"""The compiled inner loops of `core.scan`: frames as bytes in, columns as arrays out, and back.

Plain functions over arrays and integers, so that they run the same compiled and not compiled.
"""

from typing import Any, Final

import numpy as np

from core.compiled import compiled

NULL: Final = -(1 << 63)
FIRST_DAY: Final = 10_957
LAST_DAY: Final = 47_847
_ALL = ["sid", "id", "int", "dec4", "rest4", "dec2", "pos2", "side", "book", "text", "rfc", "ms", "sec", "bool"]
FORMATS: Final = {name: number for number, name in enumerate(_ALL, start=1)}
"""Number of each hole format in a program's steps; 0 is a literal."""

_SID, _ID, _INT, _DEC4, _REST4, _DEC2, _POS2, _SIDE, _BOOK, _TEXT, _RFC, _MS, _SEC, _BOOL = FORMATS.values()
_BAD: Final = -1  # a position: the text does not fit
_MAX_TEXT: Final = 128
_AT: Final = np.uintp  # a position that cannot count from the end: without that question a copy is made in wide moves
_ZERO, _TEN = _AT(48), _AT(10)
_POWERS: Final = np.array([10**power for power in range(19)], np.uintp)
_FIRST_US, _LAST_US = FIRST_DAY * 86_400_000_000, LAST_DAY * 86_400_000_000


@compiled
def _digits(buffer: Any, at: int, end: int, most: int) -> Any:
    """(position after, value) of 1 to `most` digits without a leading zero."""
    start = at
    value = 0
    while at < end and at - start < most and 48 <= buffer[at] <= 57:
        value = value * 10 + (int(buffer[at]) - 48)
        at += 1
    if at == start or (buffer[start] == 48 and at - start > 1):
        return _BAD, 0
    return at, value


@compiled
def _fixed(buffer: Any, at: int, end: int, width: int) -> Any:
    """(position after, value) of exactly `width` digits."""
    if at + width > end:
        return _BAD, 0
    value = 0
    for index in range(at, at + width):
        if not 48 <= buffer[index] <= 57:
            return _BAD, 0
        value = value * 10 + (int(buffer[index]) - 48)
    return at + width, value


@compiled
def _days(year: int, month: int, day: int) -> int:
    shifted = year - (1 if month <= 2 else 0)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468


@compiled
def _civil(days: int) -> Any:
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1


@compiled
def _read_rfc3339(buffer: Any, at: int, end: int) -> Any:
    """(position after, Unix microseconds) of a canonical UTC stamp."""
    if at + 20 > end:
        return _BAD, 0
    for offset, letter in ((4, 45), (7, 45), (10, 84), (13, 58), (16, 58)):  # yyyy-mm-ddThh:mm:ss
        if buffer[at + offset] != letter:
            return _BAD, 0
    p1, year = _fixed(buffer, at, end, 4)
    p2, month = _fixed(buffer, at + 5, end, 2)
    p3, day = _fixed(buffer, at + 8, end, 2)
    p4, hour = _fixed(buffer, at + 11, end, 2)
    p5, minute = _fixed(buffer, at + 14, end, 2)
    p6, second = _fixed(buffer, at + 17, end, 2)
    if min(p1, p2, p3, p4, p5, p6) < 0 or hour > 23 or minute > 59 or second > 59:
        return _BAD, 0
    days = _days(year, month, day)
    if days < FIRST_DAY or days >= LAST_DAY or _civil(days) != (year, month, day):
        return _BAD, 0
    at += 19
    micros = 0
    if buffer[at] == 46:
        at += 1
        start = at
        while at < end and at - start < 6 and 48 <= buffer[at] <= 57:
            micros = micros * 10 + (int(buffer[at]) - 48)
            at += 1
        if at == start or buffer[at - 1] == 48:
            return _BAD, 0
        for _ in range(6 - (at - start)):
            micros *= 10
    if at >= end or buffer[at] != 90:
        return _BAD, 0
    return at + 1, (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros


@compiled
def _words(form: int) -> Any:
    """The letters of the word for 1 and of the word for anything else, 0 = no letter."""
    if form == _SIDE:
        return (121, 101, 115, 0, 0), (110, 111, 0, 0, 0)
    if form == _BOOK:
        return (98, 105, 100, 0, 0), (97, 115, 107, 0, 0)
    return (116, 114, 117, 101, 0), (102, 97, 108, 115, 101)


@compiled
def _read_word(form: int, buffer: Any, at: int, end: int) -> Any:
    """(position after, code) of yes/no, bid/ask or true/false."""
    first, second = _words(form)
    other = NULL if form == _BOOL else 2
    for word, code in ((first, 1), (second, other)):
        length = 0
        while length < 5 and word[length] and at + length < end and buffer[at + length] == word[length]:
            length += 1
        if length == 5 or word[length] == 0:
            return at + length, code
    return _BAD, 0


@compiled
def _read_text(buffer: Any, at: int, end: int) -> Any:
    """(position after, start) of a text of harmless characters."""
    start = at
    while at < end and at - start <= _MAX_TEXT:
        c = buffer[at]
        if not (97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 58 or c == 45 or c == 46 or c == 95 or c == 43):
            break
        at += 1
    if at == start or at - start > _MAX_TEXT:
        return _BAD, 0
    return at, start


@compiled
def _read_price(buffer: Any, at: int, end: int) -> Any:
    """(position after, 1/10,000 dollar) of 0.dddd or 1.0000."""
    if at + 6 > end or buffer[at + 1] != 46:
        return _BAD, 0
    after, fraction = _fixed(buffer, at + 2, end, 4)
    whole = int(buffer[at]) - 48
    if after < 0 or whole < 0 or whole > 1 or (whole == 1 and fraction > 0):
        return _BAD, 0
    return after, whole * 10_000 + fraction


@compiled
def _read_size(buffer: Any, at: int, end: int, signed: bool) -> Any:
    """(position after, 1/100 contract) of d.dd with an optional sign."""
    negative = signed and at < end and buffer[at] == 45
    if negative:
        at += 1
    at, whole = _digits(buffer, at, end, 13)
    if at < 0 or at + 3 > end or buffer[at] != 46:
        return _BAD, 0
    at, fraction = _fixed(buffer, at + 1, end, 2)
    value = whole * 100 + fraction
    if at < 0 or (negative and value == 0):
        return _BAD, 0
    return at, -value if negative else value


@compiled
def _read_int(form: int, buffer: Any, at: int, end: int) -> Any:
    """(position after, value) of a number of the formats sid, id, int, ms and sec, stamps as microseconds."""
    negative = form not in (_SID, _ID) and at < end and buffer[at] == 45
    if negative:
        at += 1
    at, value = _digits(buffer, at, end, 9 if form == _SID else 15)
    if at < 0 or (value == 0 and (negative or form in (_SID, _ID))):
        return _BAD, 0
    if negative:
        value = -value
    if form in (_MS, _SEC):
        scale = 1_000 if form == _MS else 1_000_000
        if value * 1.0 * scale >= _LAST_US or value * scale < _FIRST_US:
            return _BAD, 0
        return at, value * scale
    return at, value


@compiled
def _read(form: int, buffer: Any, at: int, end: int) -> Any:
    """(position after, value) of one hole; the value is in the column's own unit."""
    if form in (_DEC4, _REST4):
        at, value = _read_price(buffer, at, end)
        return at, 10_000 - value if form == _REST4 else value
    if form in (_DEC2, _POS2):
        return _read_size(buffer, at, end, form == _DEC2)
    if form == _TEXT:
        return _read_text(buffer, at, end)
    if form == _RFC:
        return _read_rfc3339(buffer, at, end)
    if form in (_SIDE, _BOOK, _BOOL):
        return _read_word(form, buffer, at, end)
    return _read_int(form, buffer, at, end)


@compiled
def _agrees(form: int, value: int, truth: int) -> bool:
    """Whether a hole that does not set its column shows what the column holds."""
    scale = 1_000 if form == _MS else 1_000_000 if form == _SEC else 1
    return value == truth // scale * scale


@compiled
def _fit(buffer: Any, at: int, end: int, steps: Any, literals: Any, values: Any, stops: Any) -> bool:
    """Whether the frame follows the steps; leaves each hole's value and its end."""
    for index in range(len(steps)):
        form, a, b = steps[index, 0], steps[index, 1], steps[index, 2]
        if form == 0:
            if at + b > end:
                return False
            for offset in range(b):
                if buffer[at + offset] != literals[a + offset]:
                    return False
            at += b
            continue
        at, values[index] = _read(form, buffer, at, end)
        if at < 0:
            return False
        stops[index] = at
    if at != end:
        return False
    for index in range(len(steps)):
        form, a, sets = steps[index, 0], steps[index, 1], steps[index, 2]
        if form == 0 or sets:
            continue
        if form == _TEXT:
            return False  # no frame shows one text twice
        for other in range(len(steps)):
            if steps[other, 0] not in (0, _TEXT) and steps[other, 1] == a and steps[other, 2]:
                if not _agrees(form, values[index], values[other]):
                    return False
                break
    return True


@compiled
def scan_frames(buffer: Any, ends: Any, rows: Any, program: Any, matrix: Any, spans: Any, found: Any) -> None:
    """For each of these rows the number of the shape its frame fits (0 = none), its numbers, its texts' places."""
    steps, starts, literals = program
    values = np.zeros(len(steps) + 1, np.int64)
    stops = np.zeros(len(steps) + 1, np.int64)
    for frame in range(len(rows)):
        row = rows[frame]
        begin, end = ends[row - 1] if row else 0, ends[row]
        for number in range(1, len(starts)):
            some = steps[starts[number - 1] : starts[number]]
            if not _fit(buffer, begin, end, some, literals, values, stops):
                continue
            found[frame] = number
            for index in range(len(some)):
                form, column, sets = some[index, 0], some[index, 1], some[index, 2]
                if form == 0 or not sets:
                    continue
                if form == _TEXT:
                    spans[column, 0, frame] = values[index]
                    spans[column, 1, frame] = stops[index] - values[index]
                else:
                    matrix[column, row] = values[index]
            break


@compiled
def intern_texts(buffer: Any, starts: Any, lengths: Any, table: Any, codes: Any, firsts: Any) -> int:
    """Number equal texts alike, in order of first appearance; returns how many different ones there are."""
    count = 0
    mask = len(table) - 1
    for index in range(len(starts)):
        start, length = starts[index], lengths[index]
        key = 1_469_598_103 + length
        for offset in range(max(0, length - 16), length):  # names of markets differ near their ends
            key = ((key ^ int(buffer[start + offset])) * 16_777_619) & 0xFFFF_FFFF
        slot = key & mask
        while table[slot] >= 0:
            first = firsts[table[slot]]
            same = lengths[first] == length
            if same:
                for offset in range(length):
                    if buffer[starts[first] + offset] != buffer[start + offset]:
                        same = False
                        break
            if same:
                break
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = count
            firsts[count] = index
            count += 1
        codes[index] = table[slot]
    return count


@compiled
def _copy(out: Any, at: int, source: Any, start: int, length: int) -> int:
    """Copy bytes; returns the position after."""
    for offset in range(length):
        out[_AT(at + offset)] = source[_AT(start + offset)]
    return at + length


@compiled
def _write_number(out: Any, at: int, value: int, width: int) -> int:
    """Write a number with at least `width` digits; returns the position after."""
    rest = _AT(max(value, 0))
    end = at + width
    while end - at < len(_POWERS) and rest >= _POWERS[end - at]:
        end += 1
    for place in range(end - 1, at - 1, -1):
        out[_AT(place)] = _ZERO + rest % _TEN
        rest //= _TEN
    return end


@compiled
def _write_rfc3339(out: Any, at: int, us: int, before: Any) -> int:
    """Write a UTC stamp; returns the position after. `before`: the second of the stamp before this one, and where."""
    second = us // 1_000_000
    micros = us - second * 1_000_000
    start = at
    if before[0] == second:
        at = _copy(out, at, out, before[1], 19)
    else:
        of_day = second % 86_400
        year, month, day = _civil(second // 86_400)
        at = _write_number(out, at, year, 4)
        for sign, value in ((45, month), (45, day), (84, of_day // 3600), (58, of_day // 60 % 60), (58, of_day % 60)):
            out[at] = sign
            at = _write_number(out, at + 1, value, 2)
    before[0], before[1] = second, start
    if micros:
        out[at] = 46
        at = _write_number(out, at + 1, micros, 6)
        while out[at - 1] == 48:
            at -= 1
    out[at] = 90
    return at + 1


@compiled
def _write(form: int, value: int, out: Any, at: int, before: Any) -> int:
    """Write one hole that is no text; returns the position after."""
    if form in (_SIDE, _BOOK, _BOOL):
        first, second = _words(form)
        for letter in first if value == 1 else second:
            if letter:
                out[at] = letter
                at += 1
        return at
    if form == _RFC:
        return int(_write_rfc3339(out, at, value, before))
    if form == _REST4:
        value = 10_000 - value
    elif form in (_MS, _SEC):
        value //= 1_000 if form == _MS else 1_000_000
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    if form in (_DEC4, _REST4, _DEC2, _POS2):
        places, whole = (4, 10_000) if form in (_DEC4, _REST4) else (2, 100)
        at = _write_number(out, at, value // whole, 1)
        out[at] = 46
        return int(_write_number(out, at + 1, value % whole, places))
    return int(_write_number(out, at, value, 1))


@compiled
def render_frames(shape: Any, program: Any, matrix: Any, codes: Any, pool: Any, out: Any, ends: Any) -> None:
    """Write every row's frame from its columns; `pool` is (all texts end to end, where each ends)."""
    steps, starts, literals = program
    texts, text_ends = pool
    before = np.full(2, NULL, np.int64)
    at = 0
    for row in range(len(shape)):
        if shape[row] > 0:
            for index in range(starts[shape[row] - 1], starts[shape[row]]):
                form, a, b = steps[index, 0], steps[index, 1], steps[index, 2]
                if form == 0:
                    at = _copy(out, at, literals, a, b)
                elif form == _TEXT:
                    begin, end = text_ends[codes[a, row]], text_ends[codes[a, row] + 1]
                    at = _copy(out, at, texts, begin, end - begin)
                else:
                    at = _write(form, matrix[a, row], out, at, before)
        ends[row] = at
