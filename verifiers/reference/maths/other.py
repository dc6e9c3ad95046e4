"""math-verify, asked about answers that our parser cannot read. Only the worker process imports this file.

Its parser and its grader are used, not its search for the answer in a text: ours has found it. Its time limits, which
need the alarm clock of a main thread, are off: the worker is killed instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from searchkit.verifiers.reference.maths.outcome import Outcome

_HARMLESS = re.compile(r"[A-Za-z]+|Integer \([0-9]+ \)|(?:Float|Symbol) \('[0-9A-Za-z.]+' \)")
"""One name or one literal: all that math-verify needs to have evaluated, for it hands the text of a number to sympy."""


class MathVerify:
    """The package, loaded. Making one forbids sympy to evaluate text in this process, but for a name or a number."""

    def __init__(self) -> None:
        library: Any = import_module("math_verify")
        self._how: Any = replace(library.LatexExtractionConfig().normalization_config, boxed="none")
        latex: Any = import_module("latex2sympy2_extended")
        self._read: Callable[..., Any] = latex.latex2sympy
        self._verify: Callable[..., bool] = library.verify
        forbid_evaluation()

    def compare(self, a: str, b: str, reason: str) -> Outcome:
        """Equal or unknown, for our own `reason` to be in doubt. Its no also meets equal answers, and is no proof."""
        try:
            gold, found = (self._read(text, normalization_config=self._how) for text in (a, b))
            equal = self._verify(gold, found, timeout_seconds=None, raise_on_error=True)
        except MemoryError:  # antlr remembers all that it ever parsed: a fresh process has room again
            raise SystemExit from None
        except Exception as error:  # antlr and sympy raise whatever they like
            return Outcome(None, f"{reason}; math-verify failed with {type(error).__name__}")
        if equal:
            return Outcome(True, f"by math-verify, as {reason}")
        return Outcome(None, f"{reason}; math-verify does not find them equal")


def forbid_evaluation() -> None:
    """sympy's own parser, to which `sympify` hands every string, ends in Python's `eval`."""
    parser: Any = import_module("sympy.parsing.sympy_parser")
    evaluate: Callable[..., Any] = parser.eval_expr

    def guarded(code: str, *scopes: Any) -> Any:
        if _HARMLESS.fullmatch(code.strip()) is None:
            raise ValueError("the text of an answer is not evaluated")
        return evaluate(code, *scopes)

    parser.eval_expr = guarded
