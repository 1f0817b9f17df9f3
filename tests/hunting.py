"""Looking for what must not be there: every byte of every file of a tape, unpacked, for each form of a value.

Written without anything of `replay.fixture`, which it is to prove right: forms are made from the value, and each is
looked for as it stands.
"""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from capture.tape.reader import Tape

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PRIVATE: Final = ("order_id", "client_order_id", "user_id", "trade_id", "fill_id", "order_group_id", "uuid", "boot_id")


def everything(place: Path) -> dict[str, bytes]:
    """Every file below a place: its bytes; of Parquet also each column's values, joined, and the footer's metadata; of
    a tape every record's payload."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.is_file():
            found[str(path)] = path.read_bytes()
        if path.suffix == ".parquet":
            found |= _columns(path)
    for label in sorted(place.rglob("tape.json")):
        payloads = [record.payload for record in Tape.open(label.parent).records()]
        found[f"{label} records"] = b"\n".join(payloads)
    return found


def _columns(path: Path) -> dict[str, bytes]:
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    found = {f"{path} metadata": b"\n".join([*metadata, *metadata.values()])}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_binary(column.type) or pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            values = [value for value in column.to_pylist() if value is not None]
            found[f"{path} {name}"] = b"\n".join(v.encode() if isinstance(v, str) else bytes(v) for v in values)
    return found


def forms(value: str) -> set[bytes]:
    """A value as it is, in capitals, percent-encoded, in JSON's escapes, in hexadecimal, in base64 wherever it may
    stand in a longer text; of a UUID also without dashes and in binary, and that in base64."""
    plain = value.encode()
    found = {plain, quote(value, safe="").encode(), value.replace("-", "%2D").encode(), value.upper().encode()}
    found |= {"".join(f"%{byte:{case}}" for byte in plain).encode() for case in ("02X", "02x")}
    found |= {"".join(f"\\u{byte:04x}" for byte in plain).encode()}
    found |= {plain.hex().encode(), plain.hex().upper().encode(), value.replace("-", "\\u002d").encode()}
    for text in (plain, value.upper().encode()):
        found |= _in_base64(text)
        found |= {twice for once in _in_base64(text) for twice in _in_base64(once)}
    if _UUID.fullmatch(value):
        digits = value.replace("-", "")
        found |= {digits.encode(), digits.upper().encode(), bytes.fromhex(digits), *_in_base64(digits.encode())}
        found |= _in_base64(bytes.fromhex(digits))
    return {form for form in found if len(form) >= 4}


def _in_base64(text: bytes) -> set[bytes]:
    """What of base64 shows the text, whatever stands before and after it; both alphabets."""
    found = set()
    for before in range(3):
        first = -(-8 * before // 6)
        last = 8 * (before + len(text)) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * before + text + b"\0\0")[first:last])
    return found


def private_values(tape: Tape) -> set[str]:
    """The ids and accounts that a tape holds under their names, at any depth of JSON inside JSON."""
    found: set[str] = set()
    for record in tape.records():
        try:
            _collect(json.loads(record.payload), found)
        except (ValueError, UnicodeDecodeError):
            continue
    return {value for value in found if value}


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in PRIVATE and isinstance(inner, str):
                found.add(inner)
            _collect(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found)
    elif isinstance(value, str) and value[:1] in ("{", "["):
        try:
            _collect(json.loads(value), found)
        except ValueError:
            return


def remains(values: set[str], place: Path) -> list[str]:
    """Where any of the values still is, as `file: value as form`."""
    texts = {name: text for name, text in everything(place).items() if text}
    assert texts, f"there is nothing at {place}"
    return remains_in(values, texts)


def remains_in(values: set[str], texts: Mapping[str, bytes]) -> list[str]:
    """The same in texts by their names; many of them are looked through as one first."""
    whole = b"\n".join(texts.values())
    there = _grams(whole)
    forms_of = [(value, form) for value in sorted(values) for form in sorted(forms(value))]
    sought = [
        (value, form)
        for value, form in forms_of
        if all(there[_mixed(int.from_bytes(form[at : at + 4], "little"))] for at in range(0, len(form) - 3, 4))
        and form in whole
    ]
    return [f"{name}: {value} as {form!r}" for name, text in texts.items() for value, form in sought if form in text]


def _grams(text: bytes) -> Any:
    """Which runs of four bytes there are at all, by `_mixed`: most of what is sought needs no search after that."""
    there = np.zeros(1 << 22, bool)
    for offset in range(4):
        whole = text[offset : offset + (len(text) - offset) // 4 * 4]
        there[_mixed(np.frombuffer(whole, "<u4").astype(np.uint64))] = True
    return there


def _mixed(gram: Any) -> Any:
    return (gram * 2_654_435_761 % (1 << 32)) >> 10
