"""Handing a memory from problem to problem: each reads it as it was `lag` problems ago, all write in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_whole, told
from searchkit.memory.memory import Memory, Note
from searchkit.protocols import Generator, Run, Verifier
from searchkit.strategy import Strategy
from searchkit.types import Params, Problem, Prompt, Sample

Arms = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class Remembering(Strategy):
    """`strategy` on a problem with the notes that it is shown; then the note on that problem, which goes to `written`.

    It has no candidates of its own: without notes the search is that of `strategy`.
    """

    strategy: Generator
    verifier: Verifier
    memory: Memory
    id: str
    notes: tuple[Note, ...]
    arms: tuple[Arms, ...] = ()  # of all problems that it may learn from
    written: list[Note] = field(default_factory=list, compare=False)

    def sources(self) -> Sequence[Generator | None]:
        return self.strategy.sources() if isinstance(self.strategy, Strategy) else (self.strategy,)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        return await self.generate(prompt, run)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        strategy, brought = self.strategy, list[Any]()
        if (taught := getattr(strategy, "taught", None)) is not None:
            strategy, brought = taught(self.arms)
        try:
            sample = await strategy.generate(self.memory.shown(prompt, self.notes), run, params=params)
            if isinstance(sample, Sample):  # what is none is a mistake, and told as one by who called
                await self._write(prompt, sample, run)
        finally:
            self._carry(prompt, brought)
        return sample

    def _carry(self, prompt: Prompt, brought: Sequence[tuple[int, float, float]]) -> None:
        """Put down what arms have brought, on a note of its own where there is none; whether it was solved or not."""
        if any(rewards for rewards, _, _ in brought):
            [note] = self.written or [Note(self.id, prompt.text, "", False)]
            self.written[:] = [replace(note, arms=tuple(brought))]

    async def _write(self, prompt: Prompt, sample: Sample[Any], run: Run) -> None:
        """Whatever goes wrong here: the answer is there, and stays it."""
        try:
            note = await self.memory.written(self.id, prompt, sample, run)
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
        else:
            self.written.extend([] if note is None else [note])


class Passing:
    """One `solve_many` with a memory.

    Problem j starts when all up to j - `lag` have ended, and reads what these, and those before this call, have
    written. So at most `lag` are in flight, and how many are, or how long each takes, changes nothing.
    """

    def __init__(self, memory: Memory, strategy: Generator, problems: Sequence[Problem], lag: int) -> None:
        if not isinstance(memory, Memory):
            raise ConfigError(f"memory= is a Memory(verifier), got {told(memory)}")
        if not is_whole(lag) or lag < 1:
            raise ConfigError(f"lag must be >= 1 problems, a whole number, got {lag!r}")
        self._memory, self._strategy, self._problems, self._lag = memory, strategy, problems, lag
        self._ended, self._passed = set[int](), [asyncio.Event() for _ in problems]  # passed: with all before it
        self._read = [len(memory.notes)]  # how many notes there were after the first 0, 1, 2, ... problems
        self._written: dict[int, list[Note]] = {}

    async def strategy(self, i: int) -> Remembering:
        """What problem `i` is searched with, once all problems that it learns from have ended."""
        if i >= self._lag:
            await self._passed[i - self._lag].wait()
        memory, problem = self._memory, self._problems[i]
        notes = memory.notes[: self._read[max(0, i - self._lag + 1)]]
        shown = tuple(memory.recalled(problem.id, problem.prompt.text, notes))
        arms = tuple(note.arms for note in notes if note.arms and note.id != problem.id)
        made = Remembering(self._strategy, memory.verifier, memory, problem.id, shown, arms)
        self._written[i] = made.written
        return made

    def end(self, i: int) -> None:
        """Problem `i` has ended, well or not. Its notes are appended once those of all before it are."""
        self._ended.add(i)
        while (place := len(self._read) - 1) in self._ended:
            self._memory.notes.extend(self._written.pop(place, []))
            self._read.append(len(self._memory.notes))
            self._passed[place].set()
