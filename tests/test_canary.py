"""References reach the verifier that is bound to them, and nothing else: no generator, no record of the search."""

from __future__ import annotations

from typing import Any

import pytest

from searchkit import Model, Params, Problem, Prompt, solve_sync
from searchkit.sandbox.levels import LEVELS, trouble
from searchkit.strategies import BeamSearch, BestOfN, FilteredBestOfN, SelfConsistency, SuccessiveHalving, Vote
from searchkit.testing import Scripted
from searchkit.verifiers import Exact, MathEqual, UnitTests

CANARY = "9021031337"
SANDBOX = "auto" if not all(trouble(level) for level in LEVELS) else "none"
VERIFIERS = {
    "exact": (Exact(), CANARY),
    "maths": (MathEqual(), CANARY),
    "programs": (UnitTests(sandbox=SANDBOX), [f"assert f() == {CANARY}"]),
}
STRATEGIES = {
    "best of n": lambda verifier: BestOfN(3, verifier),
    "vote": lambda verifier: BestOfN(3, verifier, select=Vote(str)),
    "beams": lambda verifier: BeamSearch(2, 2, verifier),
    "filtered": lambda verifier: FilteredBestOfN(2, verifier, 0.5),
    "halved": lambda verifier: SuccessiveHalving(2, verifier, (1,)),
    "nested": lambda verifier: BestOfN(2, verifier, generator=SelfConsistency(2, key=str)),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_the_reference_is_nowhere_but_in_its_verifier(verifier: str, strategy: str) -> None:
    """In no request, and not in the result: trace, candidates, verdicts with their feedback, errors."""
    seen: list[str] = []

    def write(request: Any) -> str:
        seen.append(repr(request))
        return f"def f(): return {request.index}\n"

    judge, reference = VERIFIERS[verifier]
    problem = Problem("p", Prompt.of("Write f(), or say how much it is."), reference)
    model = Model(Scripted(write), Params(max_tokens=30))
    result = solve_sync(problem, STRATEGIES[strategy](judge), generator=model)
    assert seen
    assert result.usage.verifications >= 2
    shown = [*seen, result.trace.to_json(), repr(result.candidates), repr(result.errors), repr(result.tree)]
    assert CANARY not in "".join(shown)
