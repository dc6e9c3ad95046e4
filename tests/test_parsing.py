"""Parsing by several threads at the same time."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import pytest

from searchkit import parsing

TEXT = "x = [" + ", ".join(f"f({i}) + {{'a': [{i}]}}['a'][0]" for i in range(40)) + "]\n"


def test_threads_that_parse_at_once_all_get_their_tree() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: ast.dump(parsing.parse(TEXT)), range(200)))
    assert found == {ast.dump(ast.parse(TEXT))}


def test_a_parser_that_trips_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tripped = [SystemError("AST constructor recursion depth mismatch")] * (parsing.TRIES - 1)
    plain = ast.parse

    def trips(*args: object, **options: object) -> ast.AST:
        if tripped:
            raise tripped.pop()
        return plain(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(ast, "parse", trips)
    assert ast.unparse(parsing.parse("1+1", "eval")) == "1 + 1"
    tripped += [SystemError("again")] * parsing.TRIES
    with pytest.raises(SyntaxError, match="again and again"):
        parsing.parse("1")
    with pytest.raises(SyntaxError):
        parsing.parse("1 +")
