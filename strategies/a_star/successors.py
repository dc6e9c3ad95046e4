"""One expansion of A*: draw or list actions, drop what may not follow, and see where the others lead at what cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.environments.protocols import Environment, taken
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run
from searchkit.strategies.a_star.costs import AnyCost, Path, evaluate
from searchkit.strategies.common.actions import propose
from searchkit.tool_calls import label
from searchkit.types import Choice, Sample, Scored, Verdict, first_failure

START = "<start>"  # where a transition graph lists the actions that may come first


@dataclass(frozen=True, slots=True)
class Child:
    """A path one action longer. g: what that action costs, h: what is to come, NaN unknown. dead: ends in nothing."""

    action: Sample[Any]
    path: Path
    g: float = math.nan
    h: float = math.nan
    key: Hashable = None
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """What expanding a node brought. dropped: actions that were not to be followed. whole: no other action exists.

    spent: the budget ended before everything was done.
    """

    children: tuple[Child, ...] = ()
    dropped: tuple[tuple[Sample[Any], float], ...] = ()
    whole: bool = False
    spent: BudgetExhausted | None = None


@dataclass(frozen=True, slots=True)
class Successors:
    """How A* expands; the fields are those of `AStar`. ends: f and h of each end found, by its sample's id."""

    environment: Environment[Any]
    generator: Generator | None
    g: AnyCost
    h: AnyCost
    width: int
    least: float
    graph: Mapping[Any, Container[Any]] | None
    name: Callable[[Any], Hashable]
    key: Callable[[Any], Hashable] | None
    ends: dict[int, tuple[float, float]] = field(default_factory=dict)

    async def cheapest(self, ends: Sequence[Scored], run: Run) -> Choice:
        """The end that A* would answer with if no other were found: whole, with the least f, then the least h."""

        def rank(i: int) -> tuple[bool, bool, float, float]:
            f, h = self.ends.get(id(ends[i].sample), (math.nan, math.nan))
            unknown = math.isnan(f)
            return ends[i].sample.truncated, unknown, 0.0 if unknown else f, 0.0 if unknown else h

        return Choice(min(range(len(ends)), key=rank, default=None))

    async def of(self, path: Path, g: float, drawn: int, run: Run) -> Expansion:
        """The paths one action longer than `path`, which costs `g`; there, `drawn` samples were drawn before.

        Raises the first failure if nothing but failures came.
        """
        proposals, whole = await propose(self.environment, self.generator, path.state, self.width, drawn, run)
        total = sum(proposal.count for proposal in proposals)
        followed, dropped = list[tuple[Sample[Any], Hashable, float]](), list[tuple[Sample[Any], float]]()
        for proposal in proposals:
            action, share = proposal.action, proposal.count / total
            name, allowed = self._named(action, path, run)
            if allowed:
                followed.append((action, name, share))
            else:
                dropped.append((action, share))
        outcomes = await run.map(lambda item, child: self._follow(path, g, *item, child), followed, name="child")
        found = run.survivors(outcomes)
        failures = [first_failure(outcomes), *(spent for _, spent in found)]
        spent = next((error for error in failures if isinstance(error, BudgetExhausted)), None)
        return Expansion(tuple(child for child, _ in found), tuple(dropped), whole, spent)

    def _named(self, action: Sample[Any], path: Path, run: Run) -> tuple[Hashable, bool]:
        """What `action` is called, and whether it may follow. One that cannot be named may not: that is recorded."""
        try:
            name = self.name(_value(action))
            if self.graph is None:
                return name, True
            last = path.names[-1] if path.names else START
            if last not in self.graph:
                return name, not path.names
            return name, name in self.graph[last]
        except Exception as error:  # a model wrote the action: it can be anything
            run.fail(error)
            return None, False

    async def _follow(
        self, path: Path, g: float, action: Sample[Any], name: Hashable, share: float, run: Run
    ) -> tuple[Child, BudgetExhausted | None]:
        """The path with one more action, and its costs; what is paid for is kept, if need be with unknown costs."""
        step = await taken(self.environment, path.state, action, run)
        reached = replace(
            path, states=(*path.states, step.state), sample=self.environment.candidate(step.state),
            actions=(*path.actions, _value(action)), names=(*path.names, name), share=share,
            terminal=step.terminal, reward=step.reward,
        )  # fmt: skip
        sample, key = reached.sample, None if self.key is None else self.key(step.state)
        if step.terminal and step.reward is not None and step.reward <= self.least:
            return Child(action, reached, key=key, dead=True), None
        if step.terminal:
            run.offer(sample, Verdict(step.reward, feedback=step.observation))
        costs = await run.map(lambda cost, child: evaluate(cost, reached, child), (self.g, self.h), name="cost")
        for outcome in costs:
            run.note_failure(outcome.error)
        last, rest = (math.nan if outcome.value is None else outcome.value for outcome in costs)
        if last < 0:
            raise ConfigError(f"a step costs 0 or more, but g gave {last} for {action.text!r:.80}")
        if step.terminal:
            self.ends[id(sample)] = g + last + rest, rest
        if step.terminal and step.reward is None and math.isfinite(g + last + rest):
            run.offer(sample, Verdict(-(g + last + rest), feedback=step.observation))
        spent = next((o.error for o in costs if isinstance(o.error, BudgetExhausted)), None)
        return Child(action, reached, last, rest, key), spent


def _value(action: Sample[Any]) -> Any:
    """What an action is named by: its value, which of a call is the text that the tree shows."""
    return label(action) if isinstance(action.value, str) else action.value
