"""The work of benchmarks/worlds.py: one search of one world, with one method, as a row that JSON can hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from searchkit import Budget, solve_sync
from searchkit.errors import BudgetExhausted
from searchkit.protocols import Generator, Run
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MASTER,
    MCTS,
    PUCT,
    RAP,
    UCT,
    AgentQ,
    AlphaMathBeam,
    AStar,
    BeamSearch,
    BestFirst,
    BestOfN,
    Children,
    FilteredBestOfN,
    Judged,
    ParticleFilter,
    ParticleGibbs,
    RecedingHorizon,
    Rollout,
    SWESearch,
    TreeOfThoughts,
    Widening,
)
from searchkit.testing.worlds import WORLDS, Place, World
from searchkit.types import Params, Sample, Usage

TIMES = 20  # the optimum: what a run may cost, and what one counts as that found nothing

# From a verifier, an environment and a range of scores. Names with a colon are published settings of the class before
# it. Left out: strategies that count equal answers (two drafts or paths are hardly ever equal) and AlphaMath's MCTS,
# whose prior is made of the log-probabilities of tokens, which draws do not have.
METHODS: Mapping[str, Callable[[Any, Any, float], Any]] = {
    "MCTS": lambda v, e, high: MCTS(v, environment=e),
    "BestFirst": lambda v, e, high: BestFirst(v, environment=e),
    "ABMCTS": lambda v, e, high: ABMCTS(v, e),
    "BeamSearch": lambda v, e, high: BeamSearch(16, 4, v, e),
    "DVTS": lambda v, e, high: DVTS(16, 4, v, e),
    "AlphaMathBeam": lambda v, e, high: AlphaMathBeam(3, 5, v, e),
    "ParticleFilter": lambda v, e, high: ParticleFilter(16, v, e),
    "ParticleGibbs": lambda v, e, high: ParticleGibbs(16, v, environment=e),
    "TreeOfThoughts": lambda v, e, high: TreeOfThoughts(5, 5, v, e),
    "FilteredBestOfN": lambda v, e, high: FilteredBestOfN(16, v, sum(v.range) / 2, environment=e),
    "AStar": lambda v, e, high: AStar(e, h=Judged(v)),
    "MCTS: RAP": lambda v, e, high: MCTS(v, policy=RAP(), environment=e, prior=v, iterations=10, width=4),
    "MCTS: Agent Q": lambda v, e, high: MCTS(v, policy=AgentQ(), environment=e, prior=v, evaluation=Rollout()),
    "MCTS: MASTER": lambda v, e, high: MCTS(v, policy=MASTER(), environment=e, prior=v),
    "MCTS: SWE-Search": lambda v, e, high: MCTS(
        v, policy=SWESearch(), environment=e, evaluation=Children(), iterations=100, width=1, expansions=5, pick="value"
    ),
    "MCTS: WebPilot": lambda v, e, high: MCTS(
        v, policy=UCT(q="max", widening=Widening(1, 0.5)), environment=e, evaluation=Children(), width=1, expansions=4
    ),
    "MCTS: R-MCTS": lambda v, e, high: RecedingHorizon(
        MCTS(
            v, policy=PUCT(1.0), environment=e, iterations=20, width=20, branch=5, threshold=high, pick="visits"
        ),
        commit="action",
    ),
    "BestFirst: Koh": lambda v, e, high: RecedingHorizon(
        BestFirst(v, environment=e, iterations=20, width=20, branch=5, threshold=high)
    ),
    "TreeOfThoughts: DFSDT": lambda v, e, high: TreeOfThoughts(5, 5, v, e, order="dfs", at_once=1),
}  # fmt: skip
NAMES = (*METHODS, "BestOfN")


class Watched:
    """`world`, with a count of what its draws cost, and of what they had cost when the first right answer was drawn.

    As an environment it is what the world is: that states are complete, say, is asked of the world.
    """

    start, step, generate = World.start, World.step, World.generate

    def __init__(self, world: World) -> None:
        self.world = world
        self.spent = 0
        self.opened: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    def proposer(self, state: Place) -> Generator:
        return Counted(self, self.world.proposer(state))

    def after(self, place: Place, action: Any) -> Place:
        found = self.world.after(place, action)
        if found.right and self.opened is None:
            self.opened = self.spent
        return found


class Counted:
    """A world's draws, with what they cost."""

    def __init__(self, watched: Watched, draws: Any) -> None:
        self.watched, self.draws = watched, draws

    async def generate(self, prompt: Any, run: Run, *, params: Params | None = None) -> Sample[Any]:
        sample: Sample[Any] = await self.draws.generate(prompt, run, params=params)
        self.watched.spent += self.watched.world.tokens(self.draws.place)
        return sample


def length(world: World) -> int:
    """Draws of a whole answer."""
    rng, place, drawn = random.Random(0), world.begin(0), 0
    while not place.complete:
        place, drawn = world.after(place, world.draw(place, rng)), drawn + 1
    return drawn


def scaled(world: World) -> Budget:
    """`TIMES` what the world's reference costs, in its unit."""
    most = round(TIMES * world.reference)
    return Budget(**{world.optimum.unit: most})


def until(strategy: Any, threshold: float) -> Any:
    """`strategy` with a threshold, if it has one; that of the planner inside, too."""
    if isinstance(strategy, RecedingHorizon):
        return replace(strategy, planner=until(strategy.planner, threshold))
    has = is_dataclass(strategy) and any(f.name == "threshold" for f in fields(strategy))
    return replace(strategy, threshold=threshold) if has else strategy  # type: ignore[type-var]


def search(run: str, name: str, method: str, seed: int) -> dict[str, Any]:
    """One row. run: "rate", under the world's budget, or "cost", until open. cost: None where nothing opened."""
    world = WORLDS[name]
    budget = world.budget if run == "rate" else scaled(world)
    watched, (_, high) = Watched(world), world.range
    if method == "BestOfN":
        most = budget.generations or budget.generated_tokens or 0
        strategy: Any = BestOfN(max(1, most // length(world)), world.verifier, generator=watched)  # type: ignore[arg-type]
    else:
        strategy = METHODS[method](world.verifier, watched, high)
    if run == "cost" and world.opens_at is not None:
        strategy = until(strategy, world.opens_at)
    row = {"run": run, "world": name, "method": method, "seed": seed}
    try:
        result = solve_sync(name, strategy, budget=budget, seed=seed)
        success, used = world.success(result), result.usage
    except BudgetExhausted:  # not even one candidate
        success, used = 0.0, Usage()
    return row | {"success": success, "cost": watched.opened, "spent": watched.spent, "checks": used.verifications}
