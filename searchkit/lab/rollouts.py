"""Draw labelled rollouts of the lab's policies: what reward models learn from, and are measured on.

    python -m searchkit.lab.rollouts --task countdown --problems 20000 --samples 16 --out runs/countdown.jsonl

Problems of the train split, each with `samples` solutions at temperature 1, labelled by the exact checker and by
nothing else: whether a single step was good is known only from how often the samples that begin with it succeed (see
`reward_to_go`). The file is JSON lines, a header and then a line a problem, and is only ever appended to: killed or
finished, the same command with the same or a larger number of problems goes on behind the last whole line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from searchkit.calls import CallError, Request
from searchkit.engine.seeds import derive, root, seed_of
from searchkit.errors import ConfigError
from searchkit.generators.embedded.backend import Embedded
from searchkit.generators.embedded.checkpoint import shipped
from searchkit.lab import arithmetic, countdown
from searchkit.lab.arithmetic import Arithmetic, Expression
from searchkit.lab.countdown import Countdown, Puzzle
from searchkit.lab.reward import lines
from searchkit.types import Params, Prompt

Split = Literal["train", "dev", "test"]
VERSION = 1
BLOCK = 32  # problems drawn together; two blocks are in flight, so that the engine's rows stay full


@dataclass(frozen=True, slots=True)
class Solution:
    """A text that the policy wrote `count` times for the same problem, and whether it is right."""

    text: str
    count: int
    right: bool


@dataclass(frozen=True, slots=True)
class Rollouts:
    """All samples of one problem, equal texts once, in the order in which they were first drawn."""

    prompt: str
    solutions: tuple[Solution, ...]

    @property
    def line(self) -> str:
        return json.dumps([self.prompt, [[s.text, s.count, int(s.right)] for s in self.solutions]])

    @classmethod
    def of(cls, line: str) -> Rollouts:
        prompt, solutions = json.loads(line)
        return cls(prompt, tuple(Solution(text, count, bool(right)) for text, count, right in solutions))


def reward_to_go(solutions: Iterable[Solution]) -> dict[str, tuple[int, int]]:
    """For every prefix of whole steps: how many of the samples that begin with it are right, and how many there are.

    Their ratio is an unbiased Monte-Carlo estimate of the policy's chance of success from there. That a sample has
    ended is not part of a prefix: a text and those that go on behind its last line break share an estimate.
    """
    right, seen = Counter[str](), Counter[str]()
    for solution in solutions:
        for end in lines(solution.text):
            seen[solution.text[:end]] += solution.count
            right[solution.text[:end]] += solution.count * solution.right
    return {prefix: (right[prefix], total) for prefix, total in seen.items()}


def puzzle(rng: random.Random, split: Split) -> Puzzle:
    """A solvable puzzle of the shipped model's range."""
    task = Countdown()
    while True:
        found = task.draw(rng)
        values = (final for final, _ in countdown.paths(found.numbers, task.max_value))
        if found.split == split and found.target in values:
            return found


def expression(rng: random.Random, split: Split) -> Expression:
    """An expression of the shipped model's range. On the way to a training one's value no held-out one is met."""
    task = Arithmetic()
    while True:
        found = task.draw(rng)
        if found.split == split and (split != "train" or all(e.split == "train" for e in _reached(found))):
            return found


def _reached(found: Expression) -> Iterator[Expression]:
    """The expressions of at least three numbers that reductions of `found` lead to; some more than once."""
    for after in arithmetic.reduce(found):
        if not isinstance(after.tree, int) and any(
            not isinstance(side, int) for side in (after.tree[0], after.tree[2])
        ):
            yield after
            yield from _reached(after)


TASKS: dict[str, tuple[Callable[[random.Random, Split], Any], Callable[[Any, str], str]]] = {
    "countdown": (puzzle, countdown.check),
    "arithmetic": (expression, arithmetic.check),
}


def problem(task: str, number: int, split: Split = "train", seed: int = 0) -> tuple[Puzzle | Expression, bytes]:
    """Problem `number` of a split, and the key that its samples' seeds come from."""
    key = root(seed, f"rollouts/{task}/{split}/{number}")
    return TASKS[task][0](random.Random(key), split), key


async def draw(
    task: str, policy: Embedded, problems: Sequence[int], samples: int, split: Split = "train", seed: int = 0
) -> list[Rollouts]:
    """The rollouts of the problems numbered `problems`; each depends on (task, policy, split, seed, number) alone.

    Two numbers may, rarely, be the same problem; their samples differ. Cost: `samples` requests a problem.
    """
    check, requests = TASKS[task][1], list[Request]()
    drawn = [problem(task, number, split, seed) for number in problems]
    for found, key in drawn:
        seeds = [seed_of(derive(key, "sample", 0, i)) for i in range(samples)]
        requests += [Request(Prompt.of(found.prompt), Params(temperature=1.0), s) for s in seeds]
    answers = await policy.complete(requests)
    rollouts = []
    for i, (found, _) in enumerate(drawn):
        texts = Counter[str]()
        for answer in answers[i * samples : (i + 1) * samples]:
            if isinstance(answer, CallError):
                raise answer
            texts[answer.text] += 1
        solutions = (Solution(text, count, not check(found, text)) for text, count in texts.items())
        rollouts.append(Rollouts(found.prompt, tuple(solutions)))
    return rollouts


def header(task: str, policy: str, samples: int, split: Split = "train", seed: int = 0) -> dict[str, Any]:
    """The first line of a file: everything that its rollouts depend on."""
    return {
        "searchkit_rollouts": VERSION, "task": task, "policy": policy, "samples": samples, "split": split,
        "temperature": 1.0, "seed": seed,
    }  # fmt: skip


def read(path: Path) -> tuple[dict[str, Any], list[Rollouts]]:
    """The header and the rollouts of a file; a last line that was cut off by a kill does not count."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        head = json.loads(lines[0])
        if head["searchkit_rollouts"] == VERSION:
            return head, [Rollouts.of(line) for line in lines[1:]]
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise ConfigError(f"{path} is missing, or no file of rollouts: write it with `python -m searchkit.lab.rollouts`")


def resume(path: Path, head: dict[str, Any]) -> int:
    """Make `path` ready to be appended to, and return how many problems it holds.

    Begins a new file with `head`, or cuts off the line that a kill left unfinished. `ConfigError` if the file holds
    rollouts of another kind.
    """
    line = json.dumps(head).encode() + b"\n"
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not whole:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(line)
        return 0
    if not whole.startswith(line):
        raise ConfigError(f"{path} was begun with other settings ({whole[:300]!r}): give --out another name")
    with path.open("rb+") as file:
        file.truncate(len(whole))
    return whole.count(b"\n") - 1


async def extend(path: Path, task: str, policy: Embedded, problems: int, samples: int, seed: int = 0) -> None:
    """Append to `path` until it holds `problems` problems, in their order."""
    first = resume(path, header(task, policy.name, samples, "train", seed))
    blocks = iter([range(i, min(i + BLOCK, problems)) for i in range(first, problems, BLOCK)])
    flying: deque[asyncio.Task[list[Rollouts]]] = deque()
    with path.open("a", encoding="utf-8") as file:
        while True:
            while len(flying) < 2 and (block := next(blocks, None)):
                flying.append(asyncio.create_task(draw(task, policy, block, samples, "train", seed)))
            if not flying:
                return
            for rollouts in await flying.popleft():
                file.write(rollouts.line + "\n")
            file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=sorted(TASKS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="file to write or to go on with")
    parser.add_argument("--problems", type=int, default=20_000, help="how many the file is to hold")
    parser.add_argument("--samples", type=int, default=16, help="solutions a problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", type=Path, help="folder of the policy; the shipped one by default")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    policy = Embedded(args.policy or shipped(args.task), threads=args.threads)
    asyncio.run(extend(args.out, args.task, policy, args.problems, args.samples, args.seed))
    _, found = read(args.out)
    drawn = sum(s.count for r in found for s in r.solutions)
    right = sum(s.count for r in found for s in r.solutions if s.right)
    print(f"{len(found)} problems, {drawn} samples, {right / drawn:.1%} right")


if __name__ == "__main__":
    main()
