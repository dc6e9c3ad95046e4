"""Material from what this process holds: results, trees, pools."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from searchkit.environments.text_steps import Written
from searchkit.errors import ConfigError
from searchkit.experiments.pool import Pool
from searchkit.export.trajectory import Grown, Material, Origin, Trajectory, is_text, model_of
from searchkit.result import Result
from searchkit.trace import Span
from searchkit.tree import ROOT, Tree
from searchkit.types import TRUNCATED, Problem, Scored


def of_result(
    problem: Problem, result: Result[Any], *, seed: int | None = None, licence: str = "", name: str = ""
) -> Material:
    """A result's candidates that are texts, and its tree if it has one whose nodes are steps.

    problem: the one that was searched; a result does not hold it. seed: the root seed, for provenance, which a result
    does not hold either. name: of the tree and the result, in each row. Cost: linear in candidates and nodes.
    """
    model, revision = model_of(_writer(result.trace))
    trajectories = [
        _candidate(one, Origin(problem.id, "result", name, seed, f"candidate {i}", model, revision,
                               one.sample.usage.generated_tokens, licence))
        for i, one in enumerate(result.candidates)
        if is_text(one.sample)
    ]  # fmt: skip
    trees: Sequence[Grown] = ()
    if result.tree is not None and not _is_record(result.tree):
        trees = (grown(result.tree, Origin(problem.id, "tree", name, seed, "", model, revision, 0, licence)),)
    return Material(problem.id, problem.prompt, trajectories, trees, problem.reference)


def _candidate(one: Scored, origin: Origin) -> Trajectory:
    return Trajectory.of(one.sample, one.verdict, origin)


def _writer(trace: Span) -> str:
    """The backend that wrote the answers: the name of the first call that generated. "" where agents did."""
    calls = (s for s in trace.walk() if s.kind == "call" and s.role == "generate" and s.usage.generated_tokens)
    return next((span.name for span in calls), "")


def of_tree(problem: Problem, tree: Tree, *, name: str = "", separator: str = "\n", licence: str = "") -> Material:
    """A search tree, such as one that `Tree.from_json` made again.

    separator: what stood between steps, where the tree's states do not say it. Raises `ConfigError` for a tree whose
    states are no text that grows: a step has to be what is added to the text.
    """
    return Material(
        problem.id, problem.prompt, (), (grown(tree, Origin(problem.id, "tree", name, licence=licence), separator),),
        problem.reference,
    )  # fmt: skip


def grown(tree: Tree, origin: Origin, separator: str = "\n") -> Grown:
    """A tree with what each node added, exactly as it was written, and its value: the mean of what was backed up."""
    values = [tree.mean(n) if tree.visits[n] else _finite(tree.score[n]) for n in range(len(tree))]
    return Grown(tree, _added(tree, separator), values, origin)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_record(tree: Tree) -> bool:
    """Whether its nodes are no steps from a first state: what agents said in rounds, thoughts made from several."""
    return bool(tree.joined) or (tree.state[ROOT] is None and any(state is not None for state in tree.state))


def _added(tree: Tree, separator: str) -> list[str]:
    if _is_record(tree):
        raise ConfigError("nodes of this tree are whole texts, some made of several: it is no tree of texts that grow")
    if isinstance(tree.state[ROOT], Written):
        return [_after(tree, node) for node in range(len(tree))]
    if any(tree.calls):
        raise ConfigError("actions of this tree call tools: training data of trees is made of texts that grow")
    return ["", *(text + separator for text in tree.text[1:])] if len(tree) else []


def _after(tree: Tree, node: int) -> str:
    """What a node's text has more than its parent's."""
    text = tree.state[node].text
    if node == ROOT:
        return str(text)
    before = tree.state[tree.parent[node]].text
    if not text.startswith(before):
        raise ConfigError("a node of this tree rewrites what stands before it: it is no tree of texts that grow")
    return str(text[len(before) :])


def of_pool(
    pool: Pool, problems: Iterable[Problem] | Mapping[str, Problem], *, name: str = "", model: str = "",
    licence: str = "",
) -> Iterator[Material]:  # fmt: skip
    """The samples of a pool, a problem after the other.

    problems: those of the pool, which holds no prompts; `ConfigError` names one that is missing. model: who wrote the
    samples, which a pool does not hold. Samples that failed, or whose value is no text, are left out.
    """
    known = by_id(problems)
    for problem, entries in pool.entries.items():
        if problem not in known:
            raise ConfigError(f"a pool holds no prompts: pass problems=[...] with {problem!r} among them")
        found = []
        for i, entry in enumerate(entries):
            if entry.finish != "error" and isinstance(entry.value, str):
                origin = Origin(
                    problem, "pool", name, None, f"sample {i}", *model_of(model), entry.generated_tokens, licence
                )
                right = None if entry.unknown else entry.correct
                whole = entry.finish not in TRUNCATED
                found.append(Trajectory(entry.value, (), right, entry.score, whole, origin))
        yield Material(problem, known[problem].prompt, found, (), known[problem].reference)


def by_id(problems: Iterable[Problem] | Mapping[str, Problem]) -> dict[str, Problem]:
    """Problems by their ids; `ConfigError` for two with one id and different prompts or references."""
    found = dict[str, Problem]()
    for problem in problems.values() if isinstance(problems, Mapping) else problems:
        if found.setdefault(problem.id, problem) != problem:
            raise ConfigError(f"two problems are called {problem.id!r}: give them different ids")
    return found
