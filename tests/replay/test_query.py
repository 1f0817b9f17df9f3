"""The door to DuckDB: names and texts that stand for themselves, functions, errors."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay import query


def test_texts_and_names_stand_for_themselves() -> None:
    with query.connect() as connection:
        for text in ("it's", 'say "x"', "'; select 1; --", "\\'"):
            assert connection.execute(f"select {query.literal(text)} as {query.identifier(text)}").fetchone() == (text,)


def test_a_path_is_no_pattern(tmp_path: Path) -> None:
    for name in ("a*b", "a[x]b", "a?b", "axb", "it's"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"name": [name]}), tmp_path / name / "1.parquet")
    with query.connect() as connection:
        for name in ("a*b", "a[x]b", "a?b", "axb", "it's"):
            path = query.path_literal(str(tmp_path / name / "1.parquet"))
            assert connection.execute(f"from read_parquet([{path}])").fetchall() == [(name,)]


def refuse(_column: Any) -> Any:
    raise ValueError("not that")


def test_a_functions_error_is_the_statements() -> None:
    with query.connect() as connection:
        query.add_function(connection, "refuse", refuse, ["VARCHAR", "VARCHAR"])
        with pytest.raises(query.SqlError, match="not that") as caught:
            query.ask(connection, "select refuse(x) from (values ('a')) t(x)")
        assert "Python" not in str(caught.value)


def test_an_error_while_an_answer_is_read_is_one_too() -> None:
    with query.connect() as connection:
        relation = query.run(connection, "select error('late') from range(10)")
        with pytest.raises(query.SqlError, match="late"):
            assert relation is not None
            list(query.batches(relation)[1])


def test_a_connection_left_open_ends_without_a_word() -> None:
    code = (
        "from replay import query; c = query.connect(); "
        "query.add_function(c, 'f', lambda x: x, ['BIGINT', 'BIGINT']); c.execute('select f(1)')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
