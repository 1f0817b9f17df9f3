"""A backtest's result: tables and a manifest, in memory and as a directory that has all that is needed to repeat it.

Knows how a result is written, read and told from another. Must not know how it came about.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from capture.tape.errors import disk_error
from core.errors import TapedeckError
from replay.backtest.tables import TABLES

SCHEMA: Final = 1
MANIFEST: Final = "result.json"

UNHASHED: Final = ("mid", "mark_1s", "mark_10s", "mark_60s", "settlement")
"""Columns of fills that tell what came after them, which is no part of what was done."""


class ResultError(TapedeckError):
    """A result that cannot be read or written; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Result:
    """tables: by the names of `replay.backtest.tables.TABLES`. manifest: what result.json holds, plain JSON values."""

    tables: Mapping[str, pa.Table]
    manifest: Mapping[str, Any]

    @property
    def orders_hash(self) -> str:
        """SHA-256 (hex) over the orders and fills: the same hash, the same deeds."""
        return str(self.manifest["orders_hash"])

    @property
    def totals(self) -> Mapping[str, Any]:
        """What it comes to; see docs/BACKTESTS.md."""
        found: Mapping[str, Any] = self.manifest["totals"]
        return found

    def write(self, directory: Path) -> None:
        """Write it to a new directory, whole or not at all. Raises ResultError where there is something, DiskError."""
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ResultError(f"{directory}: exists already and is not empty; choose another name or remove it")
        aside = directory.with_name(f"{directory.name}.{os.getpid()}.partial")
        try:
            aside.mkdir(parents=True)
            for name in TABLES:
                pq.write_table(self.tables[name], aside / f"{name}.parquet", compression="zstd")
            (aside / MANIFEST).write_bytes(_text(self.manifest))
            aside.rename(directory)
        except OSError as error:
            raise disk_error(error, directory, "write the result") from error

    @classmethod
    def read(cls, directory: Path) -> "Result":
        """Raises ResultError when it is none, or not whole."""
        manifest = read_manifest(directory)
        tables = {}
        for name, schema in TABLES.items():
            path = directory / f"{name}.parquet"
            try:
                table = pq.read_table(path)
                tables[name] = table.select(schema.names).cast(schema)
            except (OSError, pa.ArrowException, KeyError) as error:
                raise ResultError(f"{path}: is no table {name} of a result: {error}") from error
        found = orders_hash(tables)
        if found != manifest["orders_hash"]:
            raise ResultError(
                f"{directory}: its orders and fills hash to {found[:12]}, {MANIFEST} says "
                f"{manifest['orders_hash'][:12]}; it was altered"
            )
        return cls(tables, manifest)


def is_result(directory: Path) -> bool:
    """Whether a path is meant to be a result."""
    return (directory / MANIFEST).is_file()


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest alone; raises ResultError."""
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise ResultError(f"{directory}: is no result of a backtest (there is no {MANIFEST})") from None
    except (OSError, msgspec.DecodeError) as error:
        raise ResultError(f"{path}: cannot be read: {error}") from error
    if manifest.get("schema") != SCHEMA or not isinstance(manifest.get("orders_hash"), str):
        raise ResultError(f"{path}: is of schema {manifest.get('schema')!r}; this program reads {SCHEMA}")
    return manifest


def orders_hash(tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 (hex) over every order and every fill, a line each, in their order."""
    found = sha256()
    for name in ("orders", "fills"):
        table = tables[name]
        columns = [column for column in table.column_names if column not in UNHASHED]
        for batch in table.select(columns).to_batches(max_chunksize=16_384):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found.update(json.dumps([name, *row], separators=(",", ":")).encode() + b"\n")
    return found.hexdigest()


def _text(manifest: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
