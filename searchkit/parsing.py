"""Python's own parser, where several threads use it."""

from __future__ import annotations

import ast
from typing import Literal, overload

TRIES = 20


@overload
def parse(text: str, mode: Literal["exec"] = "exec") -> ast.Module: ...
@overload
def parse(text: str, mode: Literal["eval"]) -> ast.Expression: ...
def parse(text: str, mode: Literal["exec", "eval"] = "exec") -> ast.Module | ast.Expression:
    """`ast.parse`. Up to Python 3.12 all threads share its count of depth, and a text is refused now and then because
    another one is being parsed (gh-106905): then it is parsed again.

    >>> ast.unparse(parse("1+1", "eval"))
    '1 + 1'
    """
    for _ in range(TRIES):
        try:
            return ast.parse(text, mode=mode)  # type: ignore[return-value, no-any-return, unused-ignore]
        except SystemError:
            continue
    raise SyntaxError("Python's parser failed again and again")
