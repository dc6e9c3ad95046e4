"""Pools as Parquet files: equal when they come back, typed, and with a fix named for each mistake."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, given, settings

from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
from searchkit.experiments.pool.parquet import from_parquet, to_parquet
from tests.experiments.pool.pools import POOLS, SMALL, scored


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(POOLS)
def test_parquet_gives_back_an_equal_pool(tmp_path, entries):
    """Whatever a pool can hold, by way of a file that data frames read: one row an entry, one column a score."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "pool.parquet"
    to_parquet(Pool(entries), path)
    assert from_parquet(path) == Pool(entries)


def test_parquet_columns_are_typed(tmp_path):
    """Also where all of them are empty; files that other tools wrote may leave out what has a default."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "pool.parquet"
    to_parquet(scored(SMALL, prm=0.5), path)
    assert {field.name: str(field.type) for field in parquet.read_schema(path)} == {
        "problem": "string", "value": "string", "key": "string", "score": "double", "correct": "bool",
        "generated_tokens": "int64", "prompt_tokens": "int64", "finish": "string", "usd": "double",
        "unknown": "bool", "feedback": "string", "score.prm": "double",
    }  # fmt: skip
    parquet.write_table(parquet.read_table(path, columns=["problem", "value", "correct"]), path)
    bare = [Entry(e.value, correct=e.correct) for column in SMALL.entries.values() for e in column]
    assert [entry for column in from_parquet(path).entries.values() for entry in column] == bare


def test_parquet_mistakes_are_named(tmp_path):
    """A missing file, another kind of file, other columns, a value that is no JSON, a folder that is not there."""
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "notes").write_text("notes")
    to_parquet(SMALL, tmp_path / "other")
    parquet.write_table(parquet.read_table(tmp_path / "other").rename_columns([*"abcdefghijk"]), tmp_path / "other")
    for name in ("nowhere", "notes", "other"):
        with pytest.raises(ConfigError, match=f"{name} is no pool in Parquet"):
            from_parquet(tmp_path / name)
    with pytest.raises(ConfigError, match="value of type tuple"):
        to_parquet(Pool({"p": (Entry((1, 2)),)}), tmp_path / "x")
    with pytest.raises(ConfigError, match="cannot be written"):
        to_parquet(SMALL, tmp_path / "missing" / "x")


def test_parquet_without_pyarrow_names_the_fix(tmp_path, monkeypatch):
    """Importing searchkit needs no pyarrow; using it without says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (from_parquet, lambda path: to_parquet(SMALL, path)):
        with pytest.raises(ConfigError, match="pip install 'pyarrow'"):
            use(tmp_path / "x")
