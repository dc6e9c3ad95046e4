"""Rounds: several agents answer, read what the others answered, and answer again; then their answers are combined."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.kinds import forgotten
from searchkit.mistakes import check_selector
from searchkit.protocols import Generator, Run, Selector, Verifier
from searchkit.strategies.common.choosing import choose
from searchkit.strategies.common.reserving import shared
from searchkit.strategies.common.scoring import scored_together
from searchkit.strategies.ensembles.fuse import Fuse
from searchkit.strategies.ensembles.seats import check_rounds, needs_scores, places, sight
from searchkit.strategies.ensembles.table import Spoken, Table, agreement
from searchkit.strategies.ensembles.turns import TEMPLATE, Turn, turns_of
from searchkit.strategies.selection.rules import Key, Vote, ballot
from searchkit.strategy import AnswerRule, Strategy, most_expensive, worst_case
from searchkit.types import Budget, Outcome, Prompt, Sample, Scored, Usage

Sees = Literal["all", "others"] | Callable[[int, int], Sequence[int] | None]
Stop = float | Callable[[Sequence[Sample[Any]]], bool]


@dataclass(frozen=True)
class Rounds(Strategy):
    """Agents answer side by side, round after round, each shown what others said before; `combine` makes the answer.

    - agents: who answers, one or more; None is `generator`.
    - rounds: how many; or how many agents take part in each, never more than before: ``(7, 7, 2)``. Who goes on are
      those whose last answers score highest.
    - sees: whose last answers an agent is shown: those of "all", its own among them, or of "others"; or a function
      ``(agent, round) -> agents``, both counted from 0, and None where it is not the agent's turn.
    - stop: ends the search early: a share of a round's agents, once as many give the same answer; or a function of the
      round's samples, in the order of the agents. None: nothing does.
    - combine: makes the answer from the last one of each agent that still takes part: a rule such as `Vote()`, a judge
      such as `Tournament(judge)`, or `Fuse()`, which has one written; None: `Vote(key)`.
    - roles: for each agent what is added to its system message, "" for nothing; () for no roles.
    - voters: the agents whose answers are combined, and can end the search; None: all. The others write for agents.
    - verifier: scores answers: before a round with fewer agents, and before they are combined, but not for a plain
      vote.
    - key: finds the answer in a sample's value, for `stop` and the vote.
    - window: agents at once; then they speak in an order drawn by chance, and a round ends as soon as a share in `stop`
      is reached. None: all, and rounds are never cut short.
    - workspace: characters of answers in one prompt; each is cut to an equal part, in its middle.
    - template: what an agent is asked that is shown something, with the fields {task} and {answers} (fenced); or one
      for each agent.
    - generator: what None among the agents draws from.

    What an agent is shown is frozen when the round before has ended, stands in an order drawn by chance, and is fenced.
    An answer that is cut off or cannot be read (`key`) counts for nobody, neither in a vote nor in a stop; agents are
    shown it all the same. Where an agent fails its last answer stands. Where all of a round fail, what was said before
    is combined. `Result.tree` has what was said, a `Spoken` in the state of each node, for `importance`.

    Cost: a generation for each agent in each round, and what `Fuse` costs; in sequence one for each round. Prompts of
    later rounds hold the task and at most `workspace` characters. Compare with a vote over as many samples, and with
    one over as many tokens. Under a budget `Fuse` keeps what its own call may cost.

    Sources: multi-agent debate, Du et al. 2023; mixture of agents, Wang et al. 2024; others stand in the guide.

    >>> from searchkit.strategies import Fuse, Rounds
    >>> debate = Rounds((None,) * 3, rounds=2)
    >>> mixture = Rounds((None,) * 6, rounds=1, combine=Fuse())
    >>> debate.counts(), mixture.counts()
    ((6, 0), (7, 0))
    """

    ANSWER: ClassVar[AnswerRule] = "own"

    agents: tuple[Generator | None, ...]
    rounds: int | tuple[int, ...] = 2
    sees: Sees = "all"
    stop: Stop | None = None
    combine: Selector | Fuse | None = None
    roles: tuple[str, ...] = ()
    voters: tuple[int, ...] | None = None
    verifier: Verifier | None = None
    key: Key = keys.default
    window: int | None = None
    workspace: int = 16_000
    template: str | tuple[str, ...] = TEMPLATE
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_rounds(self)
        if self.combine is not None and not isinstance(self.combine, Fuse):
            check_selector("combine= of Rounds", self.combine)

    # ---------------------------------------------------------------- cost

    def selector(self) -> Selector:
        """What chooses the best so far, among all answers."""
        rule = self.combine.otherwise if isinstance(self.combine, Fuse) else self.combine
        return Vote(self.key) if rule is None else rule

    def counts(self) -> tuple[int, int] | None:
        turns = [min(most, sum(self._takes_part(number))) for number, most in enumerate(self._places)]
        fused = self.combine.calls(self._combined) if isinstance(self.combine, Fuse) else 0
        shrunk = sum(before for before, after in itertools.pairwise(self._places) if after < before)
        return sum(turns) + fused, shrunk + self._combined * self._judges

    def worst_case(self, sample: Usage) -> Usage | None:
        costs = [worst_case(self._agent(agent), sample) for agent in range(len(self.agents))]
        total = Usage(verifications=(self.counts() or (0, 0))[1])
        for number, most in enumerate(self._places):
            turns = self._takes_part(number)
            acting = [cost for cost, takes_part in zip(costs, turns, strict=True) if takes_part]
            known = [cost for cost in acting if cost is not None]
            if len(known) < len(acting):
                return None
            # Who of several goes on is not known: the most that so many of them may cost, in every respect.
            total += _most(known, most)
        if not isinstance(self.combine, Fuse):
            return total
        fused = self.combine.worst_case(self._combined, self.generator, sample)
        return None if fused is None else total + fused

    @property
    def _places(self) -> tuple[int, ...]:
        return places(self)

    @property
    def _combined(self) -> int:
        """How many answers are combined, at most."""
        return min(self._places[-1], len(self.agents) if self.voters is None else len(self.voters))

    @property
    def _judges(self) -> bool:
        """Whether the answers that are combined are scored."""
        return self.verifier is not None and needs_scores(self.combine)

    def _takes_part(self, number: int) -> list[bool]:
        return [sight(self, agent, number) is not None for agent in range(len(self.agents))]

    def _agent(self, agent: int) -> Generator | None:
        chosen = self.agents[agent]
        return self.generator if chosen is None else chosen

    def _votes(self, agent: int) -> bool:
        return self.voters is None or agent in self.voters

    # ---------------------------------------------------------------- search

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        table, every, seats = Table(), list[Outcome[Spoken]](), list(range(len(self.agents)))
        run.show_tree(table.tree)
        for number, most in enumerate(self._places):
            seats = await self._seated(prompt, table, seats, most, run)
            turns = turns_of(self, prompt, table, seats, number, run)
            outcomes = await self._round(prompt, turns, number, run) if turns else []
            replies = sorted((o.value for o in outcomes if o.value is not None), key=lambda reply: reply.agent)
            for reply in replies:
                table.add(reply)
            every += outcomes
            if turns and not replies:
                break
            if self._over(turns, replies):
                if number < len(self._places) - 1 or len(outcomes) < len(turns):
                    run.stop("threshold")
                break
        run.survivors(every)  # raises the first failure if nothing is left
        return await self._answer(prompt, table, seats, run)

    async def _seated(self, prompt: Prompt, table: Table, seats: list[int], most: int, run: Run) -> list[int]:
        """Who takes part in the next round, in the order of the agents."""
        there = [agent for agent in seats if agent in table.last]
        if len(seats) <= most:
            return seats
        scored = await self._scored(prompt, table, there, run)
        ranked = sorted(zip(there, scored, strict=True), key=lambda one: _rank(one[1]))
        return sorted([agent for agent, _ in ranked][:most])

    async def _round(self, prompt: Prompt, turns: Sequence[Turn], number: int, run: Run) -> list[Outcome[Spoken]]:
        """The replies of a round; with a window up to the one that ends the search."""

        async def speak(turn: Turn, child: Run) -> Spoken:
            start = (run.index * len(self._places) + number) * len(self.agents) + turn.agent
            [sample] = await child.sample(self._agent(turn.agent), turn.asked, start=start)
            answer = ballot(self.key, sample, child) if isinstance(self.stop, (int, float)) else None
            return Spoken(turn.agent, number, sample, turn.saw, answer)

        with run.child("round", self._share(prompt, len(turns), run)) as group:
            if self.window is None:
                return await group.map(speak, turns, name="agent")
            outcomes = list[Outcome[Spoken]]()
            async with group.stream(speak, turns, window=self.window, name="agent") as stream:
                async for outcome in stream:
                    outcomes.append(outcome)
                    replies = [one.value for one in outcomes if one.value is not None]
                    if self._agree(turns, replies):
                        break
            return outcomes

    def _share(self, prompt: Prompt, n: int, run: Run) -> Budget | None:
        """What the agents of a round may spend; None: all. `Fuse` keeps what it may cost."""
        if not isinstance(self.combine, Fuse):
            return None
        return shared(run, n, self.combine.aggregator or self.generator, self.combine.calls(self._combined), prompt)

    def _over(self, turns: Sequence[Turn], replies: Sequence[Spoken]) -> bool:
        """Whether a round with these replies ends the search."""
        if callable(self.stop) and replies:
            if forgotten(said := self.stop([reply.sample for reply in replies])):
                raise ConfigError("stop of Rounds is a plain function of a round's samples, and this one is async")
            return bool(said)
        return self._agree(turns, replies)

    def _agree(self, turns: Sequence[Turn], replies: Sequence[Spoken]) -> bool:
        """Whether as large a share of a round's voters as is needed has given the same answer."""
        voting = sum(self._votes(turn.agent) for turn in turns)
        if not isinstance(self.stop, (int, float)) or not voting:
            return False
        return agreement([one.answer for one in replies if self._votes(one.agent)]) >= self.stop * voting - 1e-9

    async def _answer(self, prompt: Prompt, table: Table, seats: Sequence[int], run: Run) -> Sample[Any]:
        there = [agent for agent in seats if agent in table.last] or sorted(table.last)
        agents = [agent for agent in there if self._votes(agent)] or there
        scored = [Scored(table.sample(agent)) for agent in agents]
        if self._judges:
            scored = await self._scored(prompt, table, agents, run)
        if isinstance(self.combine, Fuse):
            return await self.combine.write(prompt, scored, self.generator, run)
        return scored[await choose(self.selector(), prompt, scored, run)].sample

    async def _scored(self, prompt: Prompt, table: Table, agents: Sequence[int], run: Run) -> list[Scored]:
        """The last answers of `agents` with their verdicts; without, where they could not be judged."""
        samples = [table.sample(agent) for agent in agents]
        assert self.verifier is not None
        scored = await scored_together(self.verifier, prompt, samples, run)
        if scored is None:
            return [Scored(sample) for sample in samples]
        for agent, one in zip(agents, scored, strict=True):
            table.score(agent, one.score)
        return scored


def _rank(scored: Scored) -> float:
    return math.inf if scored.score is None else -scored.score


def _most(costs: Sequence[Usage], n: int) -> Usage:
    """The most that `n` of these may cost together, in every respect."""
    if len(costs) <= n:
        return sum(costs, Usage())
    return most_expensive(costs).times(n)
