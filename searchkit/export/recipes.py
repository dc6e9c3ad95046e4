"""Recipes: which training data a problem's material gives. Pure; what they leave out they count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from searchkit.errors import ConfigError
from searchkit.export.records import Demonstration, Group, Labelled, Preference, Record, Task
from searchkit.export.trajectory import Grown, Material, Origin, Piece, Trajectory
from searchkit.kinds import is_number
from searchkit.tree import ROOT

STD_FLOOR = 1e-4  # added to the deviation, as TRL's GRPOTrainer does


class Recipe(Protocol):
    """A recipe: records of a problem. dropped: what is left out, by its reason, is counted there."""

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Record]: ...


@dataclass(frozen=True)
class Traces:
    """Texts to imitate: right trajectories, each text once (STaR, rejection sampling).

    at_least: takes trajectories with at least this score instead, where nothing says what is right; None asks for
    verdicts. What is cut off, unknown or wrong is left out. Rejection sampling is biased to easy problems: cap them
    with ``Keep(most=4)``. Cost: linear in the trajectories.
    """

    at_least: float | None = None

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Demonstration]:
        for one in distinct(whole(material.trajectories, dropped), dropped):
            if why := self._unfit(one):
                dropped[why] += 1
            else:
                yield Demonstration(material.prompt, (Piece(one.text),), one.origin)

    def _unfit(self, one: Trajectory) -> str:
        if self.at_least is not None:
            return "" if one.score is not None and one.score >= self.at_least else "score below the bar"
        return {True: "", False: "wrong", None: "unknown"}[one.right]


@dataclass(frozen=True)
class Pairs:
    """Whole answers against each other: right against wrong, else the best score against the worst.

    margin: by how much the chosen one's value is greater, at least; a value is 1 for right and 0 for wrong, else the
    score. every: all chosen against all rejected, instead of the best against the worst alone. Texts occur once; equal
    texts with different verdicts are left out. Cost: linear, quadratic in a problem's trajectories with `every`.
    """

    margin: float = 0.0
    every: bool = False

    def __post_init__(self) -> None:
        check_margin(self.margin)

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Preference]:
        known = valued(distinct(whole(material.trajectories, dropped), dropped), dropped)
        dropped["problem with less than two answers to pair"] += len(known) < 2 and bool(material.trajectories)
        for (high, chosen), (low, rejected) in self._couples(sorted(known, key=lambda pair: -pair[0])):
            if is_apart(high, low, self.margin, dropped):
                yield Preference(
                    material.prompt, "", chosen.text, rejected.text, high - low, chosen.origin, rejected.origin
                )

    def _couples(
        self, ordered: Sequence[tuple[float, Trajectory]]
    ) -> Iterator[tuple[tuple[float, Trajectory], tuple[float, Trajectory]]]:
        if self.every:
            yield from ((a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :] if a[0] > b[0])
        elif len(ordered) >= 2:
            yield ordered[0], ordered[-1]


@dataclass(frozen=True)
class Siblings:
    """Steps against each other: children of one node, whose texts so far are the same, byte for byte.

    margin: the difference of their values, at least: Agent Q's theta. opposed: pairs every child of value > `zero` with
    every one below it, as CPL does on plan steps; else the best with the worst. The margin stands in the row, for
    Step-APO: -log sigmoid(beta * (log-ratio gap) - alpha * (Q_w - Q_l)) (CPL). visits: of each child, at least. A
    node's value is the mean of what was backed up through it. Cost: linear in the nodes, quadratic in a node's children
    if opposed.
    """

    margin: float = 0.0
    opposed: bool = False
    zero: float = 0.0
    visits: int = 1

    def __post_init__(self) -> None:
        check_margin(self.margin)

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Preference]:
        for tree in material.trees:
            for node in tree.tree.walk():
                yield from self._of_node(material, tree, node, dropped)

    def _of_node(self, material: Material, grown: Grown, node: int, dropped: Counter[str]) -> Iterator[Preference]:
        rated = sorted(rated_children(grown, node, self.visits, dropped), reverse=True)
        for (high, best), (low, worst) in self._couples(rated):
            if grown.texts[best].strip() == grown.texts[worst].strip() or not is_apart(high, low, self.margin, dropped):
                continue
            yield Preference(
                material.prompt, grown.prefix(node), grown.texts[best], grown.texts[worst], high - low,
                at_node(grown, best), at_node(grown, worst),
            )  # fmt: skip

    def _couples(self, rated: Sequence[tuple[float, int]]) -> Iterator[tuple[tuple[float, int], tuple[float, int]]]:
        if self.opposed:
            yield from ((a, b) for a in rated for b in rated if a[0] > self.zero > b[0])
        elif len(rated) >= 2:
            yield rated[0], rated[-1]


@dataclass(frozen=True)
class Tasks:
    """The problems themselves, for trainers that sample by themselves (GRPO, PPO). One record a problem."""

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Task]:
        sources = [one.origin for one in material.trajectories] or [one.origin for one in material.trees]
        if sources:
            origin = replace(sources[0], path="", tokens=0)
            yield Task(material.prompt, material.reference, material.solved, origin)


@dataclass(frozen=True)
class Both:
    """What several recipes give, one after the other."""

    recipes: tuple[Recipe, ...]

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Record]:
        for recipe in self.recipes:
            yield from recipe.records(material, dropped)


@dataclass(frozen=True)
class Verdicts:
    """Each text with whether it is right: for KTO and for outcome verifiers. Unknown ones are left out.

    balanced: as many right as wrong of each problem, the first ones: else a verifier learns how hard problems are.
    """

    balanced: bool = False

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Labelled]:
        known = [one for one in distinct(whole(material.trajectories, dropped), dropped) if one.right is not None]
        dropped["unknown"] += sum(one.right is None for one in material.trajectories if one.whole)
        if self.balanced:
            right, wrong = ([one for one in known if one.right is side] for side in (True, False))
            fewest = min(len(right), len(wrong))
            dropped["beyond the balance"] += len(known) - 2 * fewest
            known = right[:fewest] + wrong[:fewest]
        for one in known:
            yield Labelled(material.prompt, one.text, bool(one.right), one.origin)


@dataclass(frozen=True)
class Groups:
    """All samples of a prompt with their rewards, and siblings of a tree: GRPO groups with advantages.

    A reward is 1 for right and 0 for wrong, else the score. The advantage of a sample is (r - mean) / (std + 1e-4), the
    deviation of the sample (n - 1), as in TRL; scaled=False leaves the division out (Dr. GRPO), and for siblings it is
    Q(s, a) - mean Q. Equal texts stay, since they are samples. Groups whose rewards are all equal teach nothing and are
    left out and counted; so are groups of one. Of a sweep, each strategy under a budget is a policy with groups of its
    own, over seeds: its answers are chosen, and several strategies may choose one and the same sample.
    """

    scaled: bool = True
    trees: bool = True

    def records(self, material: Material, dropped: Counter[str]) -> Iterator[Group]:
        policies = dict[str, list[tuple[float, Trajectory]]]()
        for value, one in valued(whole(material.trajectories, dropped), dropped):
            searched = one.origin.source == "sweep"
            policies.setdefault(one.origin.path if searched else "group", []).append((value, one))
        for path, known in policies.items():
            texts, rewards = tuple(one.text for _, one in known), [value for value, _ in known]
            yield from self._group(material, "", texts, rewards, dropped, replace(known[0][1].origin, path=path))
        for grown in material.trees if self.trees else ():
            for node in grown.tree.walk():
                if rated := list(rated_children(grown, node, 1, dropped)):
                    texts = tuple(grown.texts[child] for _, child in rated)
                    rewards = [value for value, _ in rated]
                    origin = at_node(grown, node)
                    yield from self._group(material, grown.prefix(node), texts, rewards, dropped, origin)

    def _group(
        self, material: Material, prefix: str, texts: tuple[str, ...], rewards: Sequence[float],
        dropped: Counter[str], origin: Origin,
    ) -> Iterator[Group]:  # fmt: skip
        if len(rewards) < 2 or min(rewards) == max(rewards):
            dropped["group of one" if len(rewards) < 2 else "group whose rewards are equal"] += 1
            return
        given = tuple(advantages(rewards, scaled=self.scaled))
        yield Group(material.prompt, prefix, texts, tuple(rewards), given, material.reference, origin)


def advantages(rewards: Sequence[float], *, scaled: bool = True) -> list[float]:
    """Of each sample of a group: (r - mean) / (std + 1e-4), with the deviation of a sample; without it if not scaled.

    Source: GRPO as in TRL's ``grpo_trainer.py``. Raises `ConfigError` for fewer than two rewards.

    >>> [round(a, 3) for a in advantages([1.0, 0.0, 0.0, 1.0])]
    [0.866, -0.866, -0.866, 0.866]
    """
    if len(rewards) < 2:
        raise ConfigError("a group has at least two rewards")
    mean = sum(rewards) / len(rewards)
    variance = sum((r - mean) ** 2 for r in rewards) / (len(rewards) - 1)
    return [(r - mean) / (variance**0.5 + STD_FLOOR) if scaled else r - mean for r in rewards]


def whole(trajectories: Sequence[Trajectory], dropped: Counter[str]) -> list[Trajectory]:
    """Those that were not cut off, and say something."""
    found = [one for one in trajectories if one.whole and one.text.strip()]
    dropped["cut off or empty"] += len(trajectories) - len(found)
    return found


def distinct(trajectories: Sequence[Trajectory], dropped: Counter[str]) -> list[Trajectory]:
    """The first of each text, outer blanks apart; none of a text that was called right once and wrong another time."""
    kept, said = dict[str, Trajectory](), dict[str, set[bool]]()
    for one in trajectories:
        key = one.text.strip()
        said.setdefault(key, set()).update(() if one.right is None else (one.right,))
        if key not in kept or (kept[key].right is None and one.right is not None):
            kept[key] = one
    torn = {key for key, verdicts in said.items() if len(verdicts) > 1}
    dropped["called right and wrong"] += len(torn)
    dropped["written before"] += len(trajectories) - len(kept)
    return [one for key, one in kept.items() if key not in torn]


def valued(trajectories: Sequence[Trajectory], dropped: Counter[str]) -> list[tuple[float, Trajectory]]:
    """With 1 for right and 0 for wrong; with the score where nothing says of any of them what is right.

    Never both: a score of 3 and a verdict are no two points of one scale. Those without, and those whose score is no
    finite number, are left out and counted.
    """
    judged = any(one.right is not None for one in trajectories)
    found = [(float(one.right) if one.right is not None else one.score, one)
             for one in trajectories if one.right is not None or not judged]  # fmt: skip
    kept = [(value, one) for value, one in found if value is not None and math.isfinite(value)]
    dropped["unknown"] += len(trajectories) - len(kept)
    return kept


def is_apart(high: float, low: float, margin: float, dropped: Counter[str]) -> bool:
    """Whether two values differ by the margin, and at all; counted if not."""
    dropped["pairs"] += 1
    if high - low >= margin and high > low:
        return True
    dropped["margin below the bar"] += 1
    return False


def rated_children(grown: Grown, node: int, visits: int, dropped: Counter[str]) -> Iterator[tuple[float, int]]:
    """The children of a node that have a value, with it."""
    for child in grown.tree.children(node):
        value = grown.values[child]
        if (
            value is None
            or not math.isfinite(value)
            or (grown.tree.visits[child] < visits and grown.tree.visits[child])
        ):
            dropped["node without a value"] += 1
        elif grown.texts[child].strip():
            yield value, child


def at_node(grown: Grown, node: int) -> Origin:
    path = "/".join(map(str, grown.tree.path(node)))
    return replace(grown.origin, path=path, tokens=grown.tree.tokens[node] if node != ROOT else 0)


def check_margin(margin: float) -> None:
    if not is_number(margin) or not margin >= 0:
        raise ConfigError(f"margin must be a number >= 0, got {margin!r}")
