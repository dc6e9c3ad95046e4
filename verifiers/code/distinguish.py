"""Distinguish: a model writes tests that tell the best programs apart, sees what they do, and names the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit import templates as wording
from searchkit.answers.programs import LONGEST, NO_PROGRAM, aside, is_program, program, syntax_key
from searchkit.mistakes import check_verifier
from searchkit.protocols import Generator, Run, Verifier
from searchkit.sandbox.levels import Level
from searchkit.sandbox.limits import Limits
from searchkit.types import Params, Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Composed, Together, rebound
from searchkit.verifiers.code.bench import EACH, Bench, check_bench, named
from searchkit.verifiers.code.contest import TELL_APART, Contest, Told
from searchkit.verifiers.code.dual_agreement import DualAgreement
from searchkit.verifiers.code.misread import common_function
from searchkit.verifiers.judges.asking import check_asking, name_of

LONGEST_SHOWN = 20_000  # characters of a program that is shown


@dataclass(frozen=True)
class Distinguish(Composed, Together):
    """Ranks programs by `first`, then has a model tell the best of them apart, by tests that are run in the sandbox.

    - first: scores the samples, such as `DualAgreement()`, or `UnitTests(tests)`, whose score is how many tests passed.
    - generator: writes tests and names the winner; None is the one given to `solve`.
    - top: so many different programs are compared: the best by `first`, of equals one that Python parses, then the
      shorter. Programs with the same syntax tree are one (`syntax_key`). One that scores least of all that may be (no
      test passed) is not compared.
    - rounds: how often the model is asked, at most. In each it sees the task, the programs, numbered in a random order
      (seeded), and which of them passed which of its tests; it answers with new tests or with the winner, in the last
      with the winner alone.
    - template: the question. Its fields: {task}, {programs} (numbered and fenced), {results}, {todo}, {n}.
    - params: for its replies; None takes the generator's own.
    - entry_point, prompt: as in `DualAgreement`; a problem's reference that is a mapping gives them, and nothing else
      of it is used here. `first` is bound to the problem, and may use more.
    - sandbox, limits, libraries: as in `DualAgreement`.

    The winner is first. A reply with neither tests nor a number that was shown ends the asking: there is no winner
    then, nor after a failure or a spent budget, and the programs that were compared rank by how many of the tests that
    were written they pass, then as before. Where one program is left to compare, nobody is asked. Tests are read as
    those of `DualAgreement`: assertions about calls, which could do nothing else; at most 10 of a reply.

    Joint. Scores are ranks: of m different programs that on place r has (m - r + 1) / m, equal ones share a place; the
    feedback has place, winner, and each test with what became of it. So the order of the samples changes nothing. A
    reply without a program scores 0 and is unread; what is truncated, and what `first` does not score, abstains. If
    `first` scores no program all abstain: a reply without one is no better than those.

    Range: [0, 1]. Cost for n samples: n verifications, what `first` costs for them (n more), at most `rounds` model
    calls, and `top` * 10 runs of a program with a test for each but the last. Raises `ConfigError` where there is no
    sandbox, and what `first` raises. Source: CodeMonkeys (Ehrlich et al. 2025), whose selection machine edits a
    repository's tests, and chooses nothing where no winner is named.

        from searchkit.verifiers import Distinguish, DualAgreement

        Distinguish(DualAgreement(samples=4), rounds=3)
    """

    first: Verifier = field(default_factory=DualAgreement)
    generator: Generator | None = None
    top: int = 3
    rounds: int = 4
    template: str = TELL_APART
    params: Params | None = None
    entry_point: str = ""
    prompt: str = ""
    sandbox: Level = "auto"
    limits: Limits = EACH
    libraries: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def __post_init__(self) -> None:
        check_verifier("Distinguish", self.first)
        check_asking(self, self.generator, top=2, rounds=1)
        wording.check(self.template, {"programs", "results", "todo"}, {"task", "programs", "results", "todo", "n"})
        check_bench(self)

    @property
    def members(self) -> tuple[Verifier, ...]:
        return (self.first,)

    @property
    def key(self) -> str:
        asked = f"{name_of(self.generator)}:{self.top}:{self.rounds}:{self.params}:{self.template!r}"
        ran = f"{self.entry_point}:{self.prompt!r}:{self.sandbox}:{self.limits}:{self.libraries}"
        return f"distinguish:1:{self.first.key}:{asked}:{ran}"

    def bind(self, problem: Problem) -> Distinguish:
        """The same with `first` bound to the problem, and with the names of its reference, withheld or not."""
        return rebound(self, first=self.first.bind(problem), **named(self, problem, "entry_point", "prompt"))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        scored = await run.score(self.first, prompt, samples)
        size = sum(len(one.text) for one in samples)
        texts, keys, subject = await aside(size, self._programs, [one.text for one in samples])
        entrants = dict[str, _Entrant]()
        for text, key, one in zip(texts, keys, scored, strict=True):
            if text and one.score is not None and not one.sample.truncated:
                entrants[key] = _Entrant(text, one.score, self._broken(text, key)).and_also(entrants.get(key))
        ranked = sorted(entrants.values(), key=lambda one: (-one.score, one.broken, len(one.text), one.text))
        best = [one for one in ranked if one.score > self.first.range[0] and len(one.text) <= LONGEST_SHOWN][: self.top]
        told = await self._contest(subject).hold(prompt, [one.text for one in best], run) if len(best) > 1 else Told()
        for at, entrant in enumerate(best):
            entrant.passed, entrant.winner, entrant.said = told.passed(at), told.winner == at, _said(at, told)
        return [
            _verdict(sample, text, entrants.get(key), ranked)
            for sample, text, key in zip(samples, texts, keys, strict=True)
        ]

    def _programs(self, replies: Sequence[str]) -> tuple[list[str], list[str], str]:
        """The program in each reply, "" where there is none, and what makes it this one; and the function that is
        tested, as far as that is known: where nobody says, the one that all of them define.
        """
        named = self.entry_point or common_function(map(program, replies))
        names = [named.partition(".")[0], "Solution"] if named else []
        found = [program(reply, names, self.prompt) for reply in replies]
        texts = [text if len(text) <= LONGEST and is_program(text, self.prompt) else "" for text in found]
        return texts, [_key(text) for text in texts], named

    def _broken(self, text: str, key: str) -> bool:
        """Whether Python parses it neither alone nor as the rest of the prompt."""
        return key == text and syntax_key(self.prompt + text) is None

    def _contest(self, subject: str) -> Contest:
        bench = Bench(self.sandbox, self.limits, self.entry_point, self.prompt, self.libraries)
        return Contest(self.generator, self.rounds, self.template, self.params, bench, subject)


@dataclass(slots=True)
class _Entrant:
    """A program, of equal ones the shortest text. score: by the first verifier, the best of equal ones. broken: Python
    does not parse it. said: of it."""

    text: str
    score: float
    broken: bool
    passed: int = 0
    winner: bool = False
    said: str = ""

    def and_also(self, other: _Entrant | None) -> _Entrant:
        if other is None:
            return self
        shortest = min(self.text, other.text, key=lambda t: (len(t), t))
        return _Entrant(shortest, max(self.score, other.score), self.broken)

    @property
    def rank(self) -> tuple[bool, int, float, bool, int]:
        """The higher, the better."""
        return self.winner, self.passed, self.score, not self.broken, -len(self.text)


def _key(text: str) -> str:
    """What makes a program this one; one that Python does not parse, and the rest of a prompt, by its text."""
    return syntax_key(text) or text


def _verdict(sample: Sample[Any], text: str, entrant: _Entrant | None, ranked: Sequence[_Entrant]) -> Verdict:
    if sample.truncated:
        return Verdict(feedback="it was truncated")
    if not text:
        return Verdict(0.0 if ranked else None, feedback=NO_PROGRAM, unread=True)
    if entrant is None:
        return Verdict(feedback="the first verifier does not score it")
    better, m = sum(other.rank > entrant.rank for other in ranked), len(ranked)
    place = f"place {better + 1} of {m} different programs, first score {entrant.score:.3g}"
    return Verdict((m - better) / m, feedback=f"{place}{entrant.said}")


def _said(at: int, told: Told) -> str:
    """What the tests say of the program with this index, and why it won, if it did."""
    won = f"; the winner: {told.why}" if told.winner == at else ""
    words = {True: "passed", False: "failed", None: "not known"}
    return won + "".join(f"\n{words[row[at]]}: {test}" for test, row in told.tests.items())
