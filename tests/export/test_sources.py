"""Material from real searches: what a journal says is what the results of the same searches said."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from searchkit import Budget, Model, Params, Problem, Prompt, solve_sync
from searchkit.errors import ConfigError, JournalError
from searchkit.experiments import Entry, Pool, Sweep, draw
from searchkit.export import FORMATS, Traces, export, of_journal, of_pool, of_result, of_sweep, of_tree
from searchkit.export.trajectory import cut, is_text
from searchkit.generators import Embedded, Simulated, shipped
from searchkit.lab.arithmetic import Arithmetic
from searchkit.lab.checker import ARITHMETIC, problem
from searchkit.lab.environment import ArithmeticSteps
from searchkit.strategies import MCTS, BestOfN, GraphOfThoughts, Rollout, Rounds, SelfConsistency
from searchkit.tree import Tree
from searchkit.types import Message, Sample, StepSpan, Text, ToolCall
from searchkit.verifiers import Exact

MODEL = Model(Simulated({"4": 0.5, "5": 0.3, "6": 0.2}))
PROBLEMS = [Problem(f"p{i}", Prompt.of(f"What is {i} - {i} + 4?"), reference="4") for i in range(4)]
CALCULATOR = Model(Embedded(shipped("arithmetic")), Params(max_tokens=112))
EXPRESSION = problem(Arithmetic().expressions(1, "train")[0])


def said(one):
    return one.text, one.right


def searched(path, strategy=None, chosen=PROBLEMS):
    strategy = strategy or BestOfN(6, Exact())
    return {p.id: solve_sync(p, strategy, generator=MODEL, journal=path, seed=3) for p in chosen}


def test_a_journal_says_what_the_results_said(tmp_path):
    """Every draw with its verdict, prompts included; problems in the order of their ids."""
    results = searched(tmp_path / "run.db")
    found = list(of_journal(tmp_path / "run.db"))
    assert [one.problem for one in found] == ["p0", "p1", "p2", "p3"]
    for one, asked in zip(found, PROBLEMS, strict=True):
        wanted = of_result(asked, results[asked.id], seed=3)
        assert one.prompt == wanted.prompt == asked.prompt
        assert sorted(map(said, one.trajectories)) == sorted(map(said, wanted.trajectories))
        assert {t.right for t in wanted.trajectories} <= {True, False}
        assert {t.origin.source for t in one.trajectories} == {"journal"}
        assert {t.origin.model for t in one.trajectories} == {t.origin.model for t in wanted.trajectories}
        assert one.solved == wanted.solved


def test_what_nobody_judged_is_unknown(tmp_path):
    """A vote without a verifier: all its samples, none right or wrong."""
    searched(tmp_path / "run.db", SelfConsistency(3), PROBLEMS[:1])
    [one] = of_journal(tmp_path / "run.db")
    assert [t.right for t in one.trajectories] == [None, None, None]


@pytest.mark.slow
def test_a_tree_search_leaves_whole_answers_and_no_steps(tmp_path):
    """In the journal each rollout with its verdict; in the result the same, and a tree whose texts join."""
    strategy = MCTS(ARITHMETIC, environment=ArithmeticSteps(), evaluation=Rollout(), iterations=12)
    result = solve_sync(EXPRESSION, strategy, generator=CALCULATOR, journal=tmp_path / "run.db")
    wanted = of_result(EXPRESSION, result)
    [one] = of_journal(tmp_path / "run.db")
    judged = {said(t) for t in wanted.trajectories if t.right is not None}  # what steps came to may be judged by none
    assert {said(t) for t in one.trajectories} == judged
    assert len(judged) > 1
    assert all(t.steps and "".join(t.steps) == t.text for t in wanted.trajectories)
    [tree] = wanted.trees
    for node in range(len(tree.tree)):
        assert tree.prefix(node) == tree.tree.state[node].text
    assert (tree.origin.model, len(tree.origin.revision)) == ("embedded/arithmetic", 12)
    export(wanted, tmp_path / "pairs.jsonl", "trl-dpo", shape="text")
    for row in map(json.loads, (tmp_path / "pairs.jsonl").read_text().splitlines()):
        assert row["prompt"].startswith(EXPRESSION.prompt.text)
        assert row["chosen"] != row["rejected"]


def test_damaged_rows_are_left_out(tmp_path):
    """A verdict that was changed: the text stays, unknown; a changed text is gone."""
    path = tmp_path / "run.db"
    searched(path, chosen=PROBLEMS[:1])
    whole = next(iter(of_journal(path))).trajectories
    with sqlite3.connect(path) as db:
        [verdict] = db.execute("SELECT min(id) FROM call WHERE role = 'verify'").fetchone()
        db.execute("UPDATE call SET outcome = replace(outcome, 'true', 'false') || ' ' WHERE id = ?", (verdict,))
        [text] = db.execute("SELECT max(id) FROM call WHERE role = 'generate'").fetchone()
        db.execute("UPDATE call SET outcome = '{}' WHERE id = ?", (text,))
    db.close()
    [left] = of_journal(path)
    assert len(left.trajectories) == len(whole) - 1
    assert sum(t.right is None for t in left.trajectories) in (0, 1)
    assert {said(t) for t in left.trajectories if t.right is not None} <= set(map(said, whole))


def test_what_is_no_journal_is_told(tmp_path):
    """Another file, and none."""
    (tmp_path / "x.db").write_text("hello")
    with pytest.raises(JournalError):
        list(of_journal(tmp_path / "x.db"))
    with pytest.raises(JournalError):
        list(of_journal(tmp_path / "none.db"))
    with pytest.raises(ConfigError, match="no journal, no sweep and no pool"):
        export(tmp_path / "x.db", tmp_path / "o.jsonl")


def test_a_sweep_gives_its_rows_with_prompts_and_truths(tmp_path):
    """Each search once, as `SweepResults` has it, of every strategy and seed."""
    results = Sweep(
        PROBLEMS, {"one": SelfConsistency(1), "three": SelfConsistency(3)}, [Budget(generations=3)], seeds=[0, 1],
        truth=Exact(), endpoints=[MODEL],
    ).run(tmp_path / "sweep")  # fmt: skip
    found = list(of_sweep(tmp_path / "sweep"))
    assert {one.problem: one.prompt for one in found} == {p.id: p.prompt for p in PROBLEMS}
    rows = {(t.origin.problem, t.origin.path, t.origin.seed): said(t) for one in found for t in one.trajectories}
    assert rows == {
        (row.problem, f"{row.strategy} {row.budget}", row.seed): (row.answer, row.right) for row in results.rows
    }
    assert {t.origin.model for one in found for t in one.trajectories} == {MODEL.backend.name}
    (tmp_path / "sweep" / "results.jsonl").unlink()
    with pytest.raises(ConfigError, match="no finished sweep"):
        list(of_sweep(tmp_path / "sweep"))


def test_a_damaged_sweep_is_told(tmp_path):
    """A line that is no row."""
    Sweep(PROBLEMS[:1], {"one": SelfConsistency(1)}, truth=Exact(), endpoints=[MODEL]).run(tmp_path / "sweep")
    results = tmp_path / "sweep" / "results.jsonl"
    results.write_text(results.read_text() + "[1, 2]\n")
    with pytest.raises(ConfigError, match="damaged"):
        list(of_sweep(tmp_path / "sweep"))


def test_a_pool_needs_its_prompts(tmp_path):
    """Failed samples and values that are no text are left out; unknown stays unknown."""
    entries = (Entry("4", correct=True), Entry("5"), Entry("6", unknown=True), Entry(None, finish="error"), Entry(7))
    pool = Pool({"p0": entries})
    [one] = of_pool(pool, PROBLEMS, model="served@r1")
    assert [said(t) for t in one.trajectories] == [("4", True), ("5", False), ("6", None)]
    assert (one.trajectories[0].origin.model, one.trajectories[0].origin.revision) == ("served", "r1")
    pool.save(tmp_path / "pool.jsonl")
    done = export(tmp_path / "pool.jsonl", tmp_path / "o.jsonl", "trl-kto", problems=PROBLEMS)
    assert list(done.rows.values()) == [2]
    with pytest.raises(ConfigError, match="'p0' among them"):
        export(pool, tmp_path / "o.jsonl")


@pytest.mark.parametrize(
    "strategy", [Rounds((None,) * 3, 1), Rounds((None,) * 2, 2), GraphOfThoughts().write(2).refine()]
)
def test_what_was_said_in_rounds_is_no_tree_of_steps(strategy):
    """Its samples are answers; a node says who spoke, and stands below what it has read."""
    asked = Problem("p", Prompt.of("q"), "5")
    result = solve_sync(asked, strategy, generator=Model(Simulated({"5": 0.5, "6": 0.5})))
    material = of_result(asked, result)
    assert len(material.trajectories) == len(result.candidates)
    assert not material.trees
    with pytest.raises(ConfigError, match="grow"):
        of_tree(asked, result.tree)


def test_what_is_no_text_is_no_training_data():
    """Values of agents, and turns that call tools, of which the text is a part."""
    call = Message("assistant", (Text("I look."),), (ToolCall("1", "look", "{}"),))
    samples = [Sample("4", call), Sample({"answer": 4}), Sample("4", Message("assistant", (Text("4"),)))]
    assert [is_text(sample) for sample in samples] == [False, False, True]


def test_a_prompt_that_begins_the_answer_is_refused(tmp_path):
    """Whether a text goes on from there or has it again, nobody can say."""
    begun = Problem("b", Prompt.of("What is 2 + 2?").continued("It is "), "4")
    result = solve_sync(begun, BestOfN(6, Exact()), generator=MODEL)
    done = export(of_result(begun, result), tmp_path / "o.jsonl", "trl-kto")
    assert set(done.dropped) == {"prompt with a beginning of the answer", "written before"}


def test_a_stored_tree_joins_its_steps_with_the_separator():
    """A tree that was saved has no states."""
    tree = Tree()
    tree.add(tree.add(0, "a"), "b")
    [grown] = of_tree(PROBLEMS[0], Tree.from_json(tree.to_json()), separator="\n\n").trees
    assert grown.prefix(2) == "a\n\nb\n\n"


@pytest.mark.parametrize(
    ("spans", "steps"),
    [
        ([], ()),
        ([(0, 2), (2, 4)], ("ab", "cd")),
        ([(1, 2), (3, 4)], ("ab", "cd")),
        ([(0, 2)], ("abcd",)),
        ([(2, 4), (0, 2)], ()),
        ([(0, 9)], ()),
    ],
)
def test_steps_always_join_to_the_text(spans, steps):
    """Whatever spans a backend gives."""
    found = cut("abcd", [StepSpan(*span) for span in spans])
    assert found == steps
    assert "".join(found) in ("", "abcd")


def test_a_rationalised_chain_is_learnt_without_its_hint(tmp_path):
    """STaR: drawn from problems that show the answer, exported under the problems as they are, and tagged."""
    hinted = [
        Problem(p.id, Prompt.of(f"{p.prompt.text} (The answer is {p.reference}.)"), p.reference) for p in PROBLEMS
    ]
    pool = asyncio.run(draw(hinted, MODEL, 6, verifier=Exact(str), key=str))
    pool.save(tmp_path / "rationalised.jsonl")
    export(list(of_pool(pool, PROBLEMS, name="rationalised")), tmp_path / "rows.jsonl", "trl-sft", shape="text")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["prompt"] for row in rows} <= {p.prompt.text for p in PROBLEMS}
    assert rows
    assert {row["completion"] for row in rows} == {"4"}
    assert {row["origin"]["name"] for row in rows} == {"rationalised"}


@pytest.mark.parametrize("right", [0, 1, 5, 9, 10, 11, 100])
def test_of_few_successes_no_failure_is_learnt(tmp_path, right):
    """DigiRL's quantile keeps all of 100 where fewer than a tenth succeed; a bar keeps those that did."""
    asked = [Problem(f"t{i}", Prompt.of(f"Task number {i} of the shop?")) for i in range(100)]
    pool = Pool({p.id: (Entry(f"did {i}", score=float(i < right)),) for i, p in enumerate(asked)})
    done = export(list(of_pool(pool, asked)), tmp_path / "rows.jsonl", "trl-sft", recipe=Traces(at_least=1.0))
    assert sum(done.rows.values()) == right


def test_sharegpt_says_what_is_to_be_masked():
    """LLaMA-Factory learns each turn of the assistant unless it is told not to."""
    assert "mask_history: true" in FORMATS["sharegpt"].flags
