"""A*-like search: always go on from where the cost so far and the estimated cost to come are least."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from searchkit.environments.protocols import Environment, Listing, is_complete
from searchkit.environments.text_steps import TextSteps
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.mistakes import check_counts, check_environment
from searchkit.protocols import LATER, Generator, Run
from searchkit.strategies.a_star.costs import AnyCost, Cost, Judged, Path, unit, zero
from searchkit.strategies.a_star.frontier import Frontier
from searchkit.strategies.a_star.successors import Expansion, Successors
from searchkit.strategies.a_star.toolchain import IMAGINED, Imagination, Plan, ToolChainG, ToolChainH
from searchkit.strategy import AnswerRule, Strategy
from searchkit.tree import Tree
from searchkit.types import Prompt, Sample, Scored


def itself(action: Any) -> Any:
    return action


@dataclass(frozen=True)
class AStar(Strategy):
    """Expands the open node with the least f = g + h, until that is the end of an episode: the answer.

    - environment: what a state and an action are.
    - g: the cost of a path's last step; of a path, their sum. By default each step costs 1.
    - h: the estimated cost from there to a goal, 0 at one. By default it is 0, which is uniform-cost search. Each of
      the two is a function of the `Path`, or asks somebody: `Judged(verifier)`, `Imagined()`, any `Cost`.
    - width: actions drawn at an expansion; equal ones are merged, the more frequent first. Where the environment lists
      the legal actions (`Listing`), all are taken, and no generator is asked.
    - expansions: how many, at most.
    - in_flight: how many at once; selection j knows the outcomes 0 ... j - in_flight, and an end waits until nothing is
      in flight.
    - retries: of an expansion that brought nothing.
    - least: an end with a reward of at most that is a dead end, never an answer.
    - graph: an action -> the actions that may follow (a mapping, a networkx DiGraph); "<start>" -> the first ones, any
      if it is missing. Others are dropped before they are stepped, and stay in the tree as closed nodes without a
      state.
    - name: what an action's value is called there, and in plans.
    - key: state -> what it is known by; a state that was reached as cheaply before is closed, one that is reached more
      cheaply is opened again. Without a key nothing is merged.
    - generator: what proposes actions; None is the one given to `solve`.

    Ties go to the lower h, then to the node made first; a node whose cost could not be had comes behind all others. The
    answer has the least g if h never overestimates. A guess of a model may, and then nothing is promised: the search is
    only A*-like. Where it ends before an end comes first, the best end that was found is the answer; without any, the
    unfinished path with the least h, of equals the longest, marked as truncated. A candidate's score is the
    environment's reward, else -f; so is a node's.

    Cost: at most `expansions` * `width` steps, and what g and h ask for each.
    """

    ANSWER: ClassVar[AnswerRule] = "own"  # the end of the cheapest path

    environment: Environment[Any] = field(default_factory=TextSteps)
    g: AnyCost = unit
    h: AnyCost = zero
    width: int = 4
    expansions: int = 64
    in_flight: int = 1
    retries: int = 1
    least: float = 0.0
    graph: Mapping[Any, Container[Any]] | None = None
    name: Callable[[Any], Hashable] = itself
    key: Callable[[Any], Hashable] | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, width=1, expansions=1, in_flight=1, retries=0)
        check_environment(type(self).__name__, self.environment)
        for which in ("g", "h"):
            cost = getattr(self, which)
            if not isinstance(cost, Cost) and (not callable(cost) or hasattr(cost, "verify")):
                raise ConfigError(f"{which} is a function of a Path or a Cost, such as Judged(verifier), got {cost!r}")

    @classmethod
    def toolchain(
        cls,
        environment: Environment[Any],
        memory: tuple[Plan, ...] = (),
        alpha: float = 0.5,
        beta: float = 0.5,
        imagine: Imagination | None = IMAGINED,
        **options: Any,
    ) -> AStar:
        """A*-like search with our reading of the costs of ToolChain*: see `ToolChainG` and `ToolChainH`.

        memory: solved plans, each a tuple of names; add the next one with ``memory + (solved_plan(result.tree),)``.
        """
        return cls(environment, ToolChainG(memory, alpha), ToolChainH(memory, beta, imagine), **options)

    def counts(self) -> tuple[int, int] | None:
        """None where a cost is no verifier's, or where the environment lists the actions to be judged."""
        asking = [cost for cost in (self.g, self.h) if isinstance(cost, Cost)]
        listed = asking and isinstance(self.environment, Listing)
        if listed or not all(isinstance(cost, Judged) for cost in asking):
            return None
        steps = self.expansions * self.width
        return steps, steps * len(asking)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        run.params = run.base_params(self.generator)  # the environment adds stop strings to them
        state = await self.environment.start(prompt, run)
        tree = Tree(state, prompt.text)
        run.show_tree(tree)
        frontier = Frontier(tree, Path(prompt, (state,), self.environment.candidate(state)), self.retries, self.key)
        successors = Successors(
            self.environment, self.generator, self.g, self.h, self.width, self.least, self.graph, self.name, self.key
        )
        run.so_far(successors.cheapest)
        under_way, failure, spent = deque[int](), None, False

        def nodes() -> Iterator[int]:
            """Asked for a node just when its expansion is to start. An end is taken when nothing can undercut it."""
            while not spent and ((node := frontier.first()) is not None or under_way):
                if node is None or (tree.terminal[node] and under_way):
                    yield LATER
                elif tree.terminal[node]:
                    return
                else:
                    frontier.pop()
                    tree.start(node)
                    under_way.append(node)
                    yield node

        async def expand(node: int, child: Run) -> Expansion:
            path = frontier.paths[node]
            assert path is not None
            return await successors.of(path, frontier.g[node], tree.failures[node] * self.width, child)

        window, most = self.in_flight, self.expansions
        try:
            async with run.stream(expand, nodes(), window=window, most=most, name="expand") as stream:
                async for outcome in stream:
                    node = under_way.popleft()
                    tree.finish(node)
                    run.note_failure(outcome.error)
                    failure = failure or outcome.error
                    spent = spent or isinstance(outcome.error, BudgetExhausted)
                    if outcome.value is None:
                        frontier.failed(node, outcome.error)
                        continue
                    spent = spent or outcome.value.spent is not None
                    frontier.take(node, outcome.value)
        finally:
            for node in under_way:
                tree.finish(node)
        if len(tree) == 1 and failure is not None:
            raise failure
        return self._answer(frontier)

    def _answer(self, frontier: Frontier) -> Sample[Any]:
        end = frontier.end()
        if end is not None:
            frontier.tree.fill(end)
        path = frontier.paths[frontier.nearest() if end is None else end]
        assert path is not None
        if end is not None:
            frontier.tree.keep(end, Scored(path.sample), answer=True)
        if end is not None or is_complete(self.environment, path.state):
            return path.sample
        return replace(path.sample, finish="length")
