"""The two search models that ship: of one size, and each solves unseen puzzles in its own way."""

from __future__ import annotations

import json

import pytest

from searchkit import Model, Params, Problem, Prompt, run_sync, solve_many
from searchkit.experiments import spent
from searchkit.generators import Embedded, shipped
from searchkit.generators.embedded.checkpoint import SHIPPED, load
from searchkit.lab import traces
from searchkit.strategies import APRProtocol, SpawnJoin

PUZZLES = traces.TASK.puzzles(16, "dev")
CHILDREN = 7
KINDS = ("serial", "parallel")


def test_both_have_one_size_and_all_weights_together_are_small():
    """The comparison is of formats: architecture and vocabulary are the same. 40 MB is what the package may weigh."""
    folders = [shipped("countdown-serial"), shipped("countdown-parallel")]
    configs = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert configs[0] == configs[1]
    assert load(folders[0]).tokenizer == load(folders[1]).tokenizer
    assert configs[0]["max_position_embeddings"] == traces.CONTEXT
    assert sum(path.stat().st_size for path in SHIPPED.parent.rglob("*") if path.is_file()) < 40_000_000


@pytest.fixture(scope="module")
def results():
    """Greedy searches of both models over the same puzzles, by kind."""
    model = {kind: Model(Embedded(shipped(f"countdown-{kind}")), Params(temperature=0.0)) for kind in KINDS}
    prompts = {
        "serial": [traces.serial_prompt(puzzle, traces.CONTEXT) for puzzle in PUZZLES],
        "parallel": [traces.parallel_prompt(puzzle, CHILDREN) for puzzle in PUZZLES],
    }
    strategy = {"serial": model["serial"], "parallel": SpawnJoin(APRProtocol(), generator=model["parallel"])}
    found = {}
    for kind in KINDS:
        problems = [Problem(str(i), Prompt.of(text)) for i, text in enumerate(prompts[kind])]
        found[kind] = [outcome.unwrap() for outcome in run_sync(solve_many(problems, strategy[kind]))]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_unseen_puzzles_are_solved(results, kind):
    """About half of them, by a check that replays the operations; a third is asked for, chance would be none."""
    right = [not traces.check(p, r.answer) for p, r in zip(PUZZLES, results[kind], strict=True)]
    assert sum(right) >= len(PUZZLES) / 3


@pytest.mark.slow
def test_the_parallel_model_spawns_and_goes_on_from_the_join(results):
    """Its answer holds what the children returned and none of what they tried; the serial model writes one text."""
    words = load(shipped("countdown-parallel")).tokenizer
    for result in results["parallel"]:
        assert result.usage.generations > CHILDREN
        assert "<Sub Searches>" in result.answer
        assert "<Calling Sub Searches>" not in result.answer
        inside = result.answer.partition("<Sub Searches>")[2].partition("<End Sub Searches>")[0]
        assert "unequal" not in inside
        taken = spent(result, lambda text: len(words.encode(text)))
        assert taken.context <= taken.sequential < taken.total
    assert all(result.usage.generations == 1 for result in results["serial"])
