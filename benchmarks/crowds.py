"""Do several agents that read one another beat a vote among as many samples, and among as many tokens?

    nice python benchmarks/crowds.py --only debate --seeds 2000     # a minute
    nice python benchmarks/crowds.py --only fusion --seeds 2000     # a minute
    nice python benchmarks/crowds.py --only sorting --seeds 400     # minutes
    nice python benchmarks/crowds.py --only embedded --problems 200 # minutes: the shipped model, held-out expressions

debate      simulated agents whose chance of being right depends on how many right answers they see: a Markov chain on
            counts. `computed` from the chain, `found` by `Rounds`; `votes` is a majority over as many calls, `tokens`
            one over as many tokens (prompts included), both computed.
fusion      the same for an aggregator, behind one layer of proposers and behind two.
sorting     64 numbers sorted by a seeded noisy sorter, who misreads a number now and then, the more often the longer
            the list: errors left by a graph of thoughts, by a tree of thoughts and by best-of-N, at equal calls.
            `computed` from the distribution of errors, `found` by the strategies themselves.
embedded    the shipped arithmetic model. It cannot read English, nor its own answers as anything but a beginning to go
            on from: an agent here goes on from the lines that most of the answers shown to it have in common.

Each line of output is a row as JSON. Intervals are 95 %, over seeds or problems.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit import Model, Params, Problem, Prompt, Result, Strategy, solve
from searchkit.calls import Request
from searchkit.environments import Rewrite
from searchkit.experiments import Interval, bootstrap, paired_bootstrap
from searchkit.generators import Simulated
from searchkit.protocols import Generator, Run
from searchkit.strategies import BestOfN, Fuse, GraphOfThoughts, Rounds, SelfConsistency, TreeOfThoughts
from searchkit.testing import Scripted
from searchkit.types import Sample
from searchkit.verifiers import Predicate

AT_ONCE = 8
Pmf = list[float]
Follows = Callable[[int, int], float]  # right answers seen, answers seen -> chance of being right

# ---------------------------------------------------------------- agents of known accuracy


def conforms(right: int, seen: int) -> float:
    """Says what most say."""
    return 0.95 if 2 * right > seen else 0.05


def recognises(right: int, seen: int) -> float:
    """Knows a right answer when it sees one, mostly."""
    return 0.8 if right else 0.25


def distracted(right: int, seen: int) -> float:
    """Each wrong answer that it sees leads it astray."""
    return 0.75 * 0.9 ** (seen - right)


def proportional(right: int, seen: int) -> float:
    """Takes any of the answers that it sees."""
    return right / seen


FOLLOWS: dict[str, Follows] = {f.__name__: f for f in (conforms, recognises, distracted, proportional)}
WORKING = "so that " * 48  # what an answer says before its last line: 96 tokens


def last_line(text: str) -> str:
    return text.rpartition("\n")[2]


def model(first: float, then: Follows) -> Model:
    """Right with chance `first`; of the answers that it sees, it goes by how many are right."""

    def answers(asked: str) -> Mapping[str, float]:
        right, wrong = asked.count("\nright\n"), asked.count("\nwrong\n")
        p = then(right, right + wrong) if right + wrong else first
        return {f"{WORKING}\nright": p, f"{WORKING}\nwrong": 1 - p}

    return Model(Simulated(answers, tokens=100))


def binomial(n: int, p: float) -> Pmf:
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def majority(n: int, p: float) -> float:
    """The chance that a vote of n is right; a tie is a coin, as to which answer was seen first."""
    found = binomial(n, p)
    return sum(found[n // 2 + 1 :]) + (found[n // 2] / 2 if n % 2 == 0 else 0.0)


def counts_after(agents: int, rounds: int, first: float, then: Follows) -> Pmf:
    """How many agents are right after so many rounds: a Markov chain, since all see the same answers."""
    state = binomial(agents, first)
    for _ in range(rounds - 1):
        rows = [binomial(agents, then(right, agents)) for right in range(agents + 1)]
        state = [sum(state[k] * rows[k][j] for k in range(agents + 1)) for j in range(agents + 1)]
    return state


def debated(agents: int, rounds: int, first: float, then: Follows) -> float:
    """The chance that most of an odd number of agents are right in the end."""
    return sum(counts_after(agents, rounds, first, then)[agents // 2 + 1 :])


def mixed(agents: int, layers: int, first: float, then: Follows) -> float:
    """The chance that an aggregator is right that reads the last layer."""
    return sum(p * then(right, agents) for right, p in enumerate(counts_after(agents, layers, first, then)))


# ---------------------------------------------------------------- debate and fusion

QUESTION = "A question with one right answer. " * 12


def debate(seeds: int, _: int) -> Iterator[dict[str, Any]]:
    for name, then in FOLLOWS.items():
        for first in (0.4, 0.6, 0.75):
            for rounds in (2, 3):
                strategy = Rounds((None,) * 3, rounds=rounds, key=last_line)
                computed = debated(3, rounds, first, then)
                yield compared("debate", name, first, rounds, strategy, computed, 3 * rounds, model(first, then), seeds)


def fusion(seeds: int, _: int) -> Iterator[dict[str, Any]]:
    for name, then in FOLLOWS.items():
        for first in (0.25, 0.4, 0.6, 0.75):
            for layers in (1, 2):
                strategy = Rounds((None,) * 4, rounds=layers, combine=Fuse(), key=last_line)
                computed = mixed(4, layers, first, then)
                calls = 4 * layers + 1
                yield compared("fusion", name, first, layers, strategy, computed, calls, model(first, then), seeds)


def compared(
    kind: str, name: str, first: float, rounds: int, strategy: Strategy, computed: float, calls: int, agent: Model,
    seeds: int,
) -> dict[str, Any]:  # fmt: skip
    """A row: what the strategy makes of it, and votes over as many calls and over as many tokens."""
    asked = Problem(f"{kind}, {name}, {first}, {rounds}", Prompt.of(QUESTION))  # draws of its own
    results = asyncio.run(all_of([asked] * seeds, strategy, agent))
    right = [float(last_line(result.answer) == "right") for result in results]
    tokens = sum(result.usage.total_tokens for result in results) / seeds
    sample = len(QUESTION) // 4 + 100
    assert {result.usage.generations for result in results} == {calls}
    afford = int(tokens // sample)
    return {
        "kind": kind, "agents": name, "first": first, "rounds": rounds, "computed": round(computed, 4),
        "found": interval(right), "calls": calls, "votes": round(majority(calls, first), 4),
        "tokens": round(tokens), "samples": afford, "votes_of_tokens": round(majority(afford, first), 4),
    }  # fmt: skip


# ---------------------------------------------------------------- sorting

LENGTH, MISREAD = 64, 1000  # numbers; what is added to one that was misread
MENDED, BROKEN = 0.3, 0.005  # chances that mending a list mends a number that was misread, and misreads another
SORT, JOIN = "Sort these numbers.\n{thought}", "Merge these sorted lists.\n{thoughts}"
MEND = "{task}\nMend this list.\n{thought}"
FENCED = re.compile(r"^(`{3,})\n([\d ]+)\n\1$", re.MULTILINE)


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def errors(prompt: Prompt, text: str) -> float:
    """Minus how many numbers of the task are not in the answer: counted by a program that knows no solution."""
    asked, said = Counter(numbers(prompt.text)), Counter(numbers(text))
    return -float((asked - said).total())


COUNTED = Predicate(errors, name="errors", range=(-float(LENGTH), 0.0))


@dataclass(frozen=True)
class Sorter:
    """Sorts, merges or mends, and misreads a number now and then.

    sorts: the chance that a number is misread, by the length of the list that is sorted. merges: of one in a merge.
    """

    sorts: Mapping[int, float]
    merges: float

    def __call__(self, request: Request) -> str:
        rng, text = random.Random(request.seed), request.prompt.text
        shown = [numbers(found[2]) for found in FENCED.finditer(text)]
        if "Merge these" in text:
            return said([misread(n, self.merges, rng) for part in shown for n in part])
        if shown and "Sort these" not in text:
            return said([mended(n, rng) for n in shown[-1]])
        asked = shown[0] if shown else numbers(text)
        return said([misread(n, self.sorts[len(asked)], rng) for n in asked])

    def sorting(self, length: int) -> Pmf:
        """How many numbers of a list are misread."""
        return binomial(length, self.sorts[length])

    def merging(self, e: int, length: int) -> Pmf:
        """Errors after a merge of lists with e of them."""
        return [0.0] * e + binomial(length - e, self.merges)

    def part(self, length: int, sorts: int, merges: int, splits: int) -> Pmf:
        """Errors of a list that is sorted in 2^splits parts, the best of so many sorts and merges each."""
        if splits == 0:
            return best(self.sorting(length), sorts)
        half = self.part(length // 2, sorts, merges, splits - 1)
        return mixture(plus(half, half), lambda e: best(self.merging(e, length), merges))

    def graph(self, sorts: int, merges: int, mends: int, splits: int) -> float:
        """Expected errors: as above, then the best of the list and of so many that were mended."""
        done = self.part(LENGTH, sorts, merges, splits)
        return mean(mixture(done, lambda e: best_with(e, best(mending(e, LENGTH), mends))))

    def tree(self, branch: int, depth: int) -> float:
        """Expected errors of the best of all drafts, where the best of each level is what the next level mends."""
        state = {(e, e): p for e, p in enumerate(best(self.sorting(LENGTH), branch))}
        rows = [best(mending(e, LENGTH), branch) for e in range(LENGTH + 1)]
        for _ in range(depth - 1):
            after = dict[tuple[int, int], float]()
            for (least, last), p in state.items():
                for x, q in enumerate(rows[last] if p > 1e-12 else ()):
                    after[min(least, x), x] = after.get((min(least, x), x), 0.0) + p * q
            state = after
        return sum(least * p for (least, _), p in state.items())

    def best_of(self, n: int) -> float:
        return mean(best(self.sorting(LENGTH), n))


SORTERS = {
    "long lists are hard": Sorter({64: 0.08, 32: 0.03, 16: 0.01}, 0.01),
    "merging is hard": Sorter({64: 0.05, 32: 0.05, 16: 0.05}, 0.15),
}


def misread(n: int, chance: float, rng: random.Random) -> int:
    return n + MISREAD if n < MISREAD and rng.random() < chance else n


def mended(n: int, rng: random.Random) -> int:
    if n < MISREAD:
        return misread(n, BROKEN, rng)
    return n - MISREAD if rng.random() < MENDED else n


def said(found: list[int]) -> str:
    return " ".join(map(str, sorted(found)))


def best(pmf: Pmf, n: int) -> Pmf:
    """The least of n draws."""
    above = [sum(pmf[x:]) ** n for x in range(len(pmf) + 1)]
    return [above[x] - above[x + 1] for x in range(len(pmf))]


def plus(one: Pmf, other: Pmf) -> Pmf:
    found = [0.0] * (len(one) + len(other) - 1)
    for i, p in enumerate(one):
        for j, q in enumerate(other):
            found[i + j] += p * q
    return found


def mending(e: int, length: int) -> Pmf:
    return plus(binomial(e, 1 - MENDED), binomial(length - e, BROKEN))


def mixture(pmf: Pmf, then: Callable[[int], Pmf]) -> Pmf:
    found = [0.0] * len(pmf)
    for e, p in enumerate(pmf):
        for x, q in enumerate(then(e)):
            found[x] += p * q
    return found


def mean(pmf: Pmf) -> float:
    return sum(x * p for x, p in enumerate(pmf))


def best_with(e: int, pmf: Pmf) -> Pmf:
    """The lesser of e and a draw."""
    return [*pmf[:e], sum(pmf[e:]), *[0.0] * (len(pmf) - e - 1)]


def halves(text: str) -> list[str]:
    found = numbers(text)
    return [" ".join(map(str, part)) for part in (found[: len(found) // 2], found[len(found) // 2 :])]


def graph(sorts: int, merges: int, mends: int, splits: int) -> GraphOfThoughts:
    made = GraphOfThoughts()
    for _ in range(splits):
        made = made.split(halves, 2)
    made = made.write(sorts, SORT).score(COUNTED).keep(1)
    for _ in range(splits):
        made = made.merge(merges, JOIN).score(COUNTED).keep(1)
    return made.refine(mends, MEND).score(COUNTED).keep(1)


def sorting(seeds: int, _: int) -> Iterator[dict[str, Any]]:
    drafts = Rewrite(template="{task}\nMend this list.\n{drafts}")
    for kind, sorter in SORTERS.items():
        for k, splits in ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (8, 1)):
            calls = 2**splits * k + (2**splits - 1) * 2 * k + 2 * k
            settings: list[tuple[str, Strategy, float]] = [
                (f"graph, {2**splits} parts", graph(k, 2 * k, 2 * k, splits), sorter.graph(k, 2 * k, 2 * k, splits)),
                ("tree", TreeOfThoughts(1, calls // 3, COUNTED, drafts, depth=3), sorter.tree(calls // 3, 3)),
                ("best of n", BestOfN(calls, COUNTED), sorter.best_of(calls)),
            ]
            for name, strategy, computed in settings:
                yield {"kind": "sorting", "sorter": kind} | sorted_by(name, strategy, computed, calls, sorter, seeds)


def sorted_by(name: str, strategy: Strategy, computed: float, calls: int, sorter: Sorter, seeds: int) -> dict[str, Any]:
    rng = random.Random(0)
    tasks = [" ".join(str(rng.randrange(100)) for _ in range(LENGTH)) for _ in range(seeds)]
    problems = [Problem(f"list {i}", Prompt.of(task)) for i, task in enumerate(tasks)]
    results = asyncio.run(all_of(problems, strategy, Model(Scripted(sorter))))
    found = [-errors(Prompt.of(task), result.answer) for task, result in zip(tasks, results, strict=True)]
    spent = {result.usage.generations for result in results}
    assert max(spent) <= calls
    return {
        "by": name, "calls": max(spent), "computed": round(computed, 3), "errors": interval(found),
        "tokens": round(sum(result.usage.total_tokens for result in results) / seeds),
    }  # fmt: skip


# ---------------------------------------------------------------- the embedded model


@dataclass(frozen=True)
class Reader(Strategy):
    """Reads answers in the one way that the lab's model can: it goes on from the lines that most of them begin with."""

    generator: Generator | None = None

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        shown = [found[2] for found in re.finditer(r"^(`{3,})\n(.*?)\n\1$", prompt.text, re.MULTILINE | re.DOTALL)]
        inner = [f[2] for one in shown for f in re.finditer(r"^(`{3,})\n(.*?)\n\1$", one, re.MULTILINE | re.DOTALL)]
        beginning = agreed(inner)
        task = Prompt.of(prompt.text.partition("\n")[0] + "\n")
        asked = task.continued(beginning) if beginning else task
        [sample] = await run.sample(self.generator, asked, start=run.index, partial=True)
        whole = replace(sample, value=beginning + sample.text, message=None, token_ids=None, logprobs=None)
        run.offer(whole)
        return whole


def agreed(answers: Sequence[str]) -> str:
    """The lines that more than half of the answers begin with, the last line of an answer never."""
    split, lines = [answer.strip().split("\n") for answer in answers], list[str]()
    while True:
        at = len(lines)
        going = [one[at] for one in split if one[:at] == lines and len(one) > at + 1]
        line, times = Counter(going).most_common(1)[0] if going else ("", 0)
        if 2 * times <= len(split):
            return "".join(f"{line}\n" for line in lines)
        lines.append(line)


def embedded(_: int, problems: int) -> Iterator[dict[str, Any]]:
    from halving import solves
    from lab_work import KEYS, policy

    from searchkit.lab import checker
    from searchkit.lab.rollouts import problem

    key, small = KEYS["arithmetic"], Model(policy("arithmetic"), Params(max_tokens=112))
    asked = [problem("arithmetic", number, "test")[0] for number in range(problems)]
    reader = Reader()
    strategies: dict[str, Strategy] = {
        "one sample": SelfConsistency(1, key=key),
        "vote of 5": SelfConsistency(5, key=key),
        "vote of 6": SelfConsistency(6, key=key),
        "debate, 3 agents, 2 rounds": Rounds((reader,) * 3, rounds=2, key=key),
        "debate, 3 agents, 3 rounds": Rounds((reader,) * 3, rounds=3, key=key),
        "vote of 9": SelfConsistency(9, key=key),
        "fusion of 4": Rounds((reader,) * 4, rounds=1, combine=Fuse(aggregator=reader), key=key),
        "in English, 3 agents, 2 rounds": Rounds((None,) * 3, rounds=2, key=key),
    }
    rights = dict[str, list[float]]()
    for name, strategy in strategies.items():
        results = asyncio.run(all_of([checker.problem(one) for one in asked], strategy, small))
        rights[name] = [float(solves("arithmetic", one, r.answer)) for one, r in zip(asked, results, strict=True)]
        per = [sum(getattr(r.usage, what) for r in results) / len(results) for what in ("generations", "total_tokens")]
        yield {
            "kind": "embedded", "by": name, "right": interval(rights[name]), "calls": round(per[0], 2),
            "tokens": round(per[1]), "failed": sum(len(r.errors) for r in results),
        }  # fmt: skip
    for one, other in (
        ("debate, 3 agents, 2 rounds", "vote of 6"), ("debate, 3 agents, 3 rounds", "vote of 9"),
        ("fusion of 4", "vote of 5"),
    ):  # fmt: skip
        found = paired_bootstrap(rights[one], rights[other])
        yield {"kind": "embedded", "by": f"{one} - {other}", "difference": shown(found)}


# ---------------------------------------------------------------- running


async def all_of(problems: Sequence[Problem], strategy: Strategy, generator: Model) -> list[Result[Any]]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int, problem: Problem) -> Result[Any]:
        async with slots:
            return await solve(problem, strategy, generator=generator, seed=seed)

    return await asyncio.gather(*(one(seed, problem) for seed, problem in enumerate(problems)))


def interval(values: Sequence[float]) -> list[float]:
    """The mean, and its interval."""
    return shown(bootstrap(values))


def shown(found: Interval) -> list[float]:
    return [round(x, 4) for x in (found.mean, found.low, found.high)]


def main() -> None:
    parts = {one.__name__: one for one in (debate, fusion, sorting, embedded)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=parts, nargs="*", default=[*parts])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=200)
    asked = parser.parse_args()
    for name in asked.only:
        for row in parts[name](asked.seeds, asked.problems):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
