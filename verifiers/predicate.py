"""Predicate: any callable as a verifier."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from numbers import Real
from typing import Any

from searchkit.agents.workspace import Workspace
from searchkit.arguments import namespace, resolved
from searchkit.errors import ConfigError, SearchkitError, VerifierError
from searchkit.function import in_thread, is_async
from searchkit.protocols import Run, Scale, calls_of, scale_of
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers.base import Independent, identity, label

Judgement = bool | float | Verdict
THREADS = 32  # as many functions at once that look at files


@dataclass(frozen=True)
class Predicate(Independent):
    """Judges by `fn(value)` or `fn(prompt, value)`, sync or async, chosen by how many arguments `fn` requires.

    - fn: returns True or False (passed), a number within `range` (a score, higher is better) or a `Verdict`;
      `Verdict()` abstains. Anything else, NaN, and an exception raise `VerifierError`. It is given the sample's value
      (its text, for a model), and where it has an argument called "reference" the right answer by that name. A sync
      `fn` is called directly, on the event loop: give an async one for what takes more than a few milliseconds
      (``await asyncio.to_thread(...)``). Where that argument is annotated `Workspace`, its files are there, in a copy
      that is then removed (``workspace.path``), and a sync `fn` is called in a thread.
    - name: what a journal knows `fn` by; needed for lambdas and inner functions.
    - range: the least and the greatest score.
    - version: to be changed when `fn` changes.
    - reference: the right answer, for an `fn` that takes one; the problem's wins. Raises `ConfigError` when bound to a
      problem without one, where this is None too.
    - scale: what its scores mean: "chance", "progress" or "quality", see `Verifier`.
    - calls: how many model calls it takes; None: the search counts them.

    Cost: `fn`'s own.
    """

    fn: Callable[..., Judgement | Awaitable[Judgement]]
    name: str | None = None
    range: tuple[float, float] = (0.0, 1.0)
    version: str = ""
    reference: Any = None
    scale: Scale = "quality"
    calls: int | None = None
    takes_prompt: bool = field(init=False, repr=False, compare=False)
    takes_reference: bool = field(init=False, repr=False, compare=False)
    takes_files: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise ConfigError(f"Predicate needs a callable, got {self.fn!r}")
        low, high = self.range
        if not low < high:
            raise ConfigError(f"Predicate(range={self.range}): the first number must be less than the second")
        scale_of(self)
        calls_of(self)
        needed, takes_reference = _required(self.fn)
        object.__setattr__(self, "takes_prompt", needed == 2)
        object.__setattr__(self, "takes_reference", takes_reference)
        object.__setattr__(self, "takes_files", _takes_files(self.fn, needed - 1))

    @property
    def oracle(self) -> bool:
        """True of a function that takes a reference; what else it may know is not seen from here."""
        return self.takes_reference

    @property
    def key(self) -> str:
        known = f":{blake2b(repr(self.reference).encode(), digest_size=16).hexdigest()}" if self.takes_reference else ""
        return f"predicate:{self.name or identity(self.fn)}:{self.version}:{self.range}{known}"

    def bind(self, problem: Problem) -> Predicate:
        """The same judgement against `problem.reference`, for a function that takes one."""
        if self.takes_reference and problem.reference is not None:
            return replace(self, reference=problem.reference)
        if self.takes_reference and self.reference is None:
            raise ConfigError(f"the predicate {self._label} takes a reference: pass Problem(id, prompt, reference=...)")
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [
            await (self._in_files(prompt, sample.value, run) if self.takes_files else self._judge(prompt, sample.value))
            for sample in samples
        ]

    async def _in_files(self, prompt: Prompt, value: Any, run: Run) -> Verdict:
        """On a workspace with its files."""
        if not isinstance(value, Workspace):
            raise VerifierError(f"the predicate {self._label} judges a Workspace: give the search a world=...")
        async with value.opened(run) as there:
            return await self._judge(prompt, there, None if is_async(self.fn) else run)

    async def _judge(self, prompt: Prompt, value: Any, apart: Run | None = None) -> Verdict:
        """apart: `fn` is called in a thread of this run."""
        try:
            if apart is None:
                judgement = self._asked(prompt, value)
            else:
                hold = value.world.holding(apart)
                judgement = await in_thread(
                    lambda: hold(lambda: self._asked(prompt, value)), apart, "predicate", THREADS
                )
            if type(judgement) is not float and inspect.isawaitable(judgement):
                judgement = await judgement
        except SearchkitError:
            raise
        except Exception as error:
            raise VerifierError(f"the predicate {self._label} raised {type(error).__name__}: {error}") from error
        return self._verdict(judgement)

    def _asked(self, prompt: Prompt, value: Any) -> Any:
        known = {"reference": self.reference} if self.takes_reference else {}
        return self.fn(prompt, value, **known) if self.takes_prompt else self.fn(value, **known)

    def _verdict(self, judgement: Any) -> Verdict:
        low, high = self.range
        if type(judgement) is float and low <= judgement <= high:  # by far the most
            return Verdict(judgement)
        if type(judgement).__module__ == "numpy" and getattr(judgement, "ndim", None) == 0:
            judgement = judgement.item()
        if isinstance(judgement, bool):
            return Verdict(passed=judgement)
        verdict = Verdict(float(judgement)) if isinstance(judgement, Real) else judgement
        if not isinstance(verdict, Verdict):
            raise VerifierError(
                f"the predicate {self._label} returned {judgement!r:.80}: return True, False, a number, or a Verdict "
                "(Verdict() abstains)"
            )
        for score in (*([] if verdict.score is None else [verdict.score]), *(verdict.step_scores or ())):
            if math.isnan(score):
                raise VerifierError(f"the predicate {self._label} returned NaN: return Verdict() to abstain")
            if not low <= score <= high:
                raise VerifierError(
                    f"the predicate {self._label} returned {score}, outside its range {low} to {high}: "
                    "declare the right one with Predicate(fn, range=(low, high))"
                )
        return verdict

    @property
    def _label(self) -> str:
        return self.name or label(self.fn)


def _required(fn: Callable[..., Any]) -> tuple[int, bool]:
    """How many arguments `fn` must be given, 1 for built-ins that do not say, and whether it takes a reference.

    Raises unless the number is 1 or 2, the reference aside.
    """
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except ValueError:
        return 1, False
    known = [p for p in parameters if p.name == "reference" and p.kind != p.POSITIONAL_ONLY and p.default is p.empty]
    parameters = [p for p in parameters if p not in known]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is p.empty]
    unnamed = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(needed) > 2 or keywords or not (positional or unnamed):
        raise ConfigError(
            "Predicate calls its function as fn(value) or fn(prompt, value), perhaps with reference=..., but "
            f"{label(fn)} takes other arguments: wrap it in a function of one or two"
        )
    return max(1, len(needed)), bool(known)


def _takes_files(fn: Callable[..., Any], place: int) -> bool:
    """Whether its argument at this place is annotated `Workspace`."""
    try:
        parameters = [p for p in inspect.signature(fn).parameters.values() if p.name != "reference"]
    except ValueError:
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    annotation = resolved(positional[place].annotation, namespace(fn)) if place < len(positional) else None
    return annotation is Workspace or (isinstance(annotation, str) and annotation.rpartition(".")[2] == "Workspace")
