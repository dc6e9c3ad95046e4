"""Spawn and join: a thread hands parts of its work to children that run in parallel, and goes on from their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from searchkit.calls import CallError
from searchkit.errors import BudgetExhausted, SearchkitError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.checks import check_method
from searchkit.strategies.spawn_join.protocols.base import Returned, Slip, Spawn, SpawnProtocol, Task
from searchkit.strategy import Strategy, worst_case
from searchkit.types import NO_USAGE, Message, Outcome, Params, Prompt, Sample, Text, Usage

LONGEST = 20_000  # characters of what a child returns


class SpawnRefused(SearchkitError):
    """A child that a thread asked for was not started. Recorded in `Result.errors`, never raised."""


@dataclass(eq=False)
class _Thread:
    """Where a thread stands. part: what it wrote last, until it is in `prompt`. left: children that it may yet have."""

    opened: Prompt
    prompt: Prompt
    params: Params
    left: int
    part: Sample[Any] | None = None
    used: Usage = NO_USAGE

    @property
    def empty(self) -> bool:
        return self.prompt is self.opened and self.part is None


@dataclass(frozen=True)
class SpawnJoin(Strategy):
    """One thread of text that may spawn children and join their answers; the answer is what the thread says in the end.

    - protocol: how spawn and join look to the model: `APRProtocol`, `ToolCallProtocol` or `TagProtocol`.
    - depth: how deep children may nest; 0 forbids them.
    - children: most children of one spawn.
    - spawns: most spawns of one thread.
    - threads: most children in all, at any depth; where children may have children, what is left of them after a spawn
      is split among these and the parent.
    - child: what answers a child, a strategy for example (`depth` is its own affair then); None: a thread like this
      one.
    - generator: what writes the thread; None is the one given to `solve`.

    A child sees what it was handed and nothing else of its parent, runs beside its siblings, and has an equal share of
    what is left of the budget (the parent keeps one too, and at least what its next part may cost). What it returns
    stands in the parent in place of the spawn, in the order of the spawn; a failed or exhausted child is reported
    there, without its text, and not raised.

    What goes beyond a bound is refused in the join, which names it; a thread that is refused for too many spawns and
    asks yet again is cut off. Whatever was refused is in `Result.errors`.

    Cost: a generation for each part of a thread, which ends at a spawn: at most `spawns` + 2, each of at most
    `max_tokens`. At most `threads` children, for each of which the same holds. The prompt of each part holds the thread
    so far, which is charged again (`Usage.cached_tokens` says how much of it the server still knew).

    Source: Pan et al. 2025, Learning Adaptive Parallel Reasoning with Language Models.
    """

    protocol: SpawnProtocol
    depth: int = 1
    children: int = 16
    spawns: int = 8
    threads: int = 128
    child: Generator | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_method("a protocol", self.protocol, "join", "ToolCallProtocol()")
        check_counts(self, depth=0, children=1, spawns=1, threads=0)

    def worst_case(self, sample: Usage) -> Usage | None:
        """As many children as there may be, and every thread with as many parts."""
        own, deep = worst_case(self.generator, sample), self.depth if self.child is None else min(self.depth, 1)
        most = min(self.threads, sum((self.spawns * self.children) ** level for level in range(1, deep + 1)))
        if self.child is None or own is None:
            return None if own is None else own.times((self.spawns + 2) * (most + 1))
        below = worst_case(self.child, sample)
        return None if below is None else own.times(self.spawns + 2) + below.times(most)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        opened, base = (
            self.protocol.opening(prompt, self._bound(0, self.threads) == ""),
            run.base_params(self.generator),
        )
        thread = _Thread(
            opened, opened, replace(base, stop=tuple(dict.fromkeys((*base.stop, *self.protocol.stops)))), self.threads
        )
        try:
            for number in range(self.spawns + 2):
                [part] = await run.sample(
                    self.generator, thread.prompt, start=run.index, params=thread.params, partial=True
                )
                thread.part, thread.used = part, thread.used + part.usage
                asked = self.protocol.read(thread.prompt, part)
                if asked is None:
                    return self._said(thread)
                thread.prompt, added = await self._answered(asked, thread, part, number, run)
                thread.part = None
                with run.traced("join", kind="item", index=number) as span:
                    span.text = added
        except BudgetExhausted as error:
            if thread.empty:
                raise
            run.note_failure(error)
        except BaseException:
            if not thread.empty:
                run.offer(self._said(thread, cut=True))
            raise
        return self._said(thread, cut=True)

    def _said(self, thread: _Thread, *, cut: bool = False) -> Sample[Any]:
        """The thread's text as a sample; one that never spawned is just what the generator returned."""
        part, text = thread.part, self.protocol.text(thread.opened, thread.prompt, thread.part)
        if thread.prompt is thread.opened and part is not None and not cut and text == part.text:
            return part
        said = Message("assistant", (Text(text),))
        if part is None or cut:
            return Sample(text, said, "length", usage=thread.used)
        finish = "stop" if part.finish == "tool_calls" else part.finish
        return Sample(text, said, finish, part.stop_reason, thread.used)

    async def _answered(
        self, asked: Spawn | Slip, thread: _Thread, part: Sample[Any], number: int, run: Run
    ) -> tuple[Prompt, str]:
        """The thread as it goes on, and what was put in. number: how often it has asked before."""
        if isinstance(asked, Slip):
            return asked.thread, asked.added
        most, bound = min(self.children, thread.left), self._bound(number, thread.left)
        tasks, note = asked.tasks[: self.children if bound else most], asked.problem
        if len(asked.tasks) > len(tasks):
            named = f"a spawn may have at most {self.children}" if most == self.children else self._in_all()
            note = f"{len(asked.tasks) - len(tasks)} more tasks: {named}"
        for refused in filter(None, (note, bound)):
            run.fail(SpawnRefused(refused))
        results = [Returned(None, bound)] * len(tasks) if bound else await self._returned(tasks, thread, number, run)
        return self.protocol.join(thread.prompt, part, asked, results, bound if note and bound else note)

    def _bound(self, number: int, left: int) -> str:
        """Why a thread may not spawn for the `number`-th time, or with so many children left; "" if it may."""
        if self.depth == 0:
            return "refused: the bound on depth is reached"
        if left == 0:
            return f"refused: {self._in_all()}"
        return f"refused: a thread may spawn at most {self.spawns} times" if number >= self.spawns else ""

    def _in_all(self) -> str:
        return f"there may be at most {self.threads} children here in all"

    async def _returned(self, tasks: tuple[Task, ...], thread: _Thread, number: int, run: Run) -> list[Returned]:
        """What became of each task, in their order. Children are told apart by their place, never by their text."""
        ready = [place for place, task in enumerate(tasks) if task.prompt is not None]
        source = self._child(thread, len(ready))

        async def work(place: int, child: Run) -> Sample[Any]:
            index = (run.index * (self.spawns + 2) + number) * self.children + place  # equal tasks, different samples
            prompt = tasks[place].prompt
            assert prompt is not None
            [sample] = await child.sample(source, prompt, start=index, partial=True)
            return sample

        results = [Returned(None, task.problem) for task in tasks]
        for task in tasks:
            if task.prompt is None:
                run.fail(SpawnRefused(task.problem))
        if ready:
            next_part = run.worst_case(thread.prompt, thread.params)
            kept = worst_case(self.generator, next_part) or next_part
            with run.child("spawn", run.children_budget(len(ready), kept)) as group:
                for place, outcome in zip(ready, await group.map(work, ready, name="child"), strict=True):
                    run.note_failure(outcome.error)
                    results[place] = self._result(outcome)
        return results

    def _child(self, thread: _Thread, n: int) -> Generator:
        """What answers each of `n` children. What is left of `threads` is split now: who asks first gains nothing."""
        thread.left -= n
        if self.child is not None:
            return self.child
        each = thread.left // (n + 1) if self.depth > 1 else 0
        thread.left -= each * n
        return replace(self, depth=self.depth - 1, threads=each, protocol=self.protocol.below())

    def _result(self, outcome: Outcome[Sample[Any]]) -> Returned:
        if outcome.value is None:
            return Returned(None, why(outcome.error))
        text = self.protocol.returned(outcome.value)
        if text is None:
            return Returned(None, "cut off before the end" if outcome.value.truncated else "nothing was returned")
        return Returned(text if len(text) <= LONGEST else text[:LONGEST] + "...")


def why(error: Exception | None) -> str:
    """A failure in a few words that say nothing of what the child wrote, and do not change from try to try."""
    if isinstance(error, BudgetExhausted):
        return f"out of budget ({error.ceiling})"
    return f"the call failed ({error.kind})" if isinstance(error, CallError) else type(error).__name__
