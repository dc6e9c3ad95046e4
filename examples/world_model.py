"""Plan with a world model: A* over what a model believes its actions do. `python examples/world_model.py`.

Blocks are to be stacked. The "language model" is a function, so that this runs offline: it proposes legal moves at
random, and predicts where a move leads, rightly with a stated probability. Nothing but its predictions is searched; the
plans are then replayed by the true rules.
"""

from __future__ import annotations

import random

from searchkit import Function, Prompt, solve_sync
from searchkit.environments.world_model import Predicted, WorldModel
from searchkit.strategies import AStar
from searchkit.strategies.a_star.costs import Path

START = "a on b\nb on table\nc on d\nd on table"
GOAL = "a on d\nb on c\nc on a\nd on table"
TASK = f'Stack the blocks: {GOAL.replace(chr(10), ", ")}. A move is "move X to Y", Y is a block or the table.'

World = dict[str, str]  # block -> what it stands on


def parse(state: str) -> World:
    return {block: under for block, _, under in (line.split() for line in state.splitlines())}


def moves(world: World) -> list[str]:
    """All legal moves: only a block with nothing on it is moved, onto the table or another such block."""
    clear = [block for block in sorted(world) if block not in world.values()]
    return [f"move {x} to {y}" for x in clear for y in ("table", *clear) if y not in (x, world[x])]


def moved(world: World, action: str) -> World:
    """The true rules; an illegal move changes nothing."""
    _, block, _, target = action.split()
    return world | {block: target} if action in moves(world) else world


def shown(world: World) -> str:
    return "\n".join(f"{block} on {world[block]}" for block in sorted(world))


async def propose(text: str, seed: int) -> str:
    """A legal move in the state that the prompt shows, at random."""
    return random.Random(seed).choice(moves(parse(text.split("```")[1].strip())))


def predictor(accuracy: float) -> Function:
    """A world model that is right with probability `accuracy`, else drops a block on the table."""

    async def predict(text: str, seed: int) -> str:
        state, action = (text.split("```")[part].strip() for part in (1, 3))
        luck, after = random.Random(seed), moved(parse(state), action)
        return shown(after if luck.random() < accuracy else after | {luck.choice(sorted(after)): "table"})

    return Function(predict)


def misplaced(path: Path) -> float:
    """Blocks that do not stand where they should: each has to be moved at least once, so this is never too much."""
    return sum(under != parse(GOAL)[block] for block, under in parse(path.state.text).items())


def reached(state: str) -> bool:
    return state == GOAL


def begin(task: str) -> str:
    return START


def same(state: Predicted) -> str:
    return state.text


def plan(accuracy: float, seed: int) -> list[str]:
    """The moves of the plan that A* finds in the predicted world."""
    world = WorldModel(reached, initial=begin, depth=8, world=predictor(accuracy))
    planner = AStar(world, h=misplaced, key=same, width=24, expansions=32)
    result = solve_sync(Prompt.of(TASK), planner, generator=propose, seed=seed)
    moves: list[str] = result.answer.splitlines()
    return moves


def works(moves: list[str]) -> bool:
    """Whether the plan leads to the goal by the true rules."""
    state = parse(START)
    for action in moves:
        state = moved(state, action)
    return reached(shown(state))


if __name__ == "__main__":
    print("one plan:", "; ".join(plan(1.0, seed=1)))
    for accuracy in (1.0, 0.9, 0.5):
        good = sum(works(plan(accuracy, seed)) for seed in range(10))
        print(f"predictions right {accuracy:.0%} of the time: {good} of 10 plans work in the real world")
