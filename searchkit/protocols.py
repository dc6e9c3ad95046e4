"""The seams: `Run`, which strategies, generators and verifiers are handed, and what others implement.

One to a few methods each, checked structurally. What an environment is stands in `searchkit/environments/protocols.py`.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from searchkit.errors import ConfigError
from searchkit.kinds import is_whole
from searchkit.types import (
    Budget,
    Choice,
    Outcome,
    Params,
    Problem,
    Prompt,
    Role,
    Sample,
    Scored,
    Stopped,
    Usage,
    Verdict,
)

if TYPE_CHECKING:
    from searchkit.calls import CallError, Request
    from searchkit.codec import Codec
    from searchkit.trace import Span
    from searchkit.tree import Tree

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
LATER: Any = object()  # yielded by a generator of items for `Run.stream`: start nothing until one more was taken
ONE_GENERATION, UNJUDGED = Usage(generations=1, model_calls=1), Verdict()


class Handle(Protocol[O]):
    """What was spawned: give it to `Run.join` for its outcome, or to `Run.spawn(after=...)` to wait for it.

    index: its number among all that its run has spawned, from 0.
    """

    index: int

    @property
    def outcome(self) -> Outcome[O]:
        """What became of it. Only once it has ended."""
        ...


class Run(ABC):
    """One position in a running search: the only door to I/O.

    A strategy, generator or verifier is handed a `Run` and does everything that costs something through it. In return
    the call is seeded by its place in the program, held against the budget and charged, journaled and replayed, traced,
    and cancelled with its parent. Every concurrent item gets a run of its own, a child of the one that started it.

    As a context manager a run ends its span in the trace.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def seed(self) -> int:
        """A request seed of this position, 0 <= seed < 2**53."""

    @property
    @abstractmethod
    def rng(self) -> random.Random:
        """A random generator of this position's own."""

    @property
    @abstractmethod
    def index(self) -> int:
        """Which sample of its prompt this position draws, from 0."""

    @property
    @abstractmethod
    def params(self) -> Params | None:
        """Sampling parameters for all that is generated here; None: each generator's own."""

    @params.setter
    @abstractmethod
    def params(self, params: Params | None) -> None: ...

    @property
    @abstractmethod
    def generator(self) -> Generator | None:
        """The generator that the search was given: what `sample(None, ...)` asks."""

    # ---------------------------------------------------------------- concurrency

    @abstractmethod
    def child(self, name: str, budget: Budget | None = None, *, role: Role | None = None) -> Run:
        """A run for one part of the work, in sequence with the others, with its own ceilings within this run's.

        Write ``with run.child(...) as part:``, which says in the trace when the part has ended, and how.
        role: "plan" for calls that neither generate nor verify: they count as model calls, not as generations, and what
        they return is no candidate for the answer.
        """

    @abstractmethod
    async def map(
        self, fn: Callable[[I, Run], Awaitable[O]], items: Iterable[I], *, name: str = ""
    ) -> list[Outcome[O]]:
        """`fn(item, child_run)` for all items, concurrently; outcomes in the order of `items`.

        A failing item is an outcome with an error; the others go on. Only a `ConfigError` is raised at once. Under a
        budget every item has an equal share, and what some leave over is split among those that need more. Cancelling
        this call cancels all items.
        """

    @abstractmethod
    def stream(
        self,
        fn: Callable[[I, Run], Awaitable[O]],
        items: Iterable[I],
        *,
        window: int,
        most: int | None = None,
        name: str = "",
    ) -> AbstractAsyncContextManager[AsyncIterator[Outcome[O]]]:
        """Like `map`, but outcomes arrive one by one, in the order of `items`, with at most `window` items in flight.

        Use as ``async with run.stream(...) as stream: async for outcome in stream``. Leaving the block cancels what is
        still in flight. Item j starts once outcome j - window was taken, so results do not depend on latencies. `items`
        may be a generator of at most `most` items: it is asked for item j just then, and so can depend on all outcomes
        taken so far, or yield `LATER` where it needs one more of them. Under a budget all that is left is shared out to
        the items: draw and score inside `fn`, not beside the stream.
        """

    @abstractmethod
    async def spawn(
        self, fn: Callable[..., Awaitable[O]], item: I, *, after: Iterable[Handle[Any]] = (), name: str = ""
    ) -> Handle[O]:
        """Start `fn(item, child_run, *outcomes)` beside whatever this run does next; `join` waits for its outcome.

        after: handles of this run that must have ended before; `fn` is given their outcomes, failed ones too, in this
        order. So a graph of dependent items can grow while it runs. Under a budget items start with the next `join`,
        each with an equal share of what is left then; one more share stays with this run. What has not been joined when
        the function ends that was given this run is cancelled. Only that function may spawn and join, one at a time.
        """

    @abstractmethod
    async def join(self, *handles: Handle[Any]) -> list[Outcome[Any]]:
        """The outcomes of `handles` in the order given, whichever ended first; others go on meanwhile.

        A failed item is an outcome with an error. Only a `ConfigError` is raised.
        """

    @abstractmethod
    def survivors(self, outcomes: Iterable[Outcome[O]]) -> list[O]:
        """What the items came to, in order, but for those that failed or came to None; failures are noted.

        Raises the first failure if nothing is left.
        """

    @abstractmethod
    def note_failure(self, error: Exception | None) -> None:
        """Go on after a failure, of an item say (None: there was none): a spent budget is noted as why we stopped."""

    # ---------------------------------------------------------------- generating

    @abstractmethod
    def base_params(self, generator: Generator | None) -> Params:
        """What `sample(generator, ...)` would send: the caller's parameters, else those of the model inside."""

    @abstractmethod
    async def sample(
        self,
        generator: Generator | None,
        prompt: Prompt,
        n: int = 1,
        *,
        params: Params | None = None,
        start: int = 0,
        partial: bool = False,
    ) -> list[Sample[Any]]:
        """`n` samples of `prompt`, drawn concurrently; failed ones are left out, at least one is returned.

        generator: None is the one that `solve` was given. start: the index of the first sample, for callers who draw
        the samples of one prompt in several calls. partial: these are steps of an answer, not candidates for it. Raises
        the first error if no sample could be drawn. Cost: n generations.
        """

    @abstractmethod
    async def complete(self, backend: Backend, request: Request) -> Sample[str]:
        """One request to a model: held, looked up in the journal, performed, charged.

        Raises `CallError` if it failed, and `CapabilityError` for a confidence floor that `backend` cannot end a text
        at. Cost: one model call, a generation too unless a verifier asks, at most `params.max_tokens` generated tokens.
        """

    @abstractmethod
    async def call(
        self,
        name: str,
        prompt: Prompt,
        perform: Callable[[], Awaitable[Sample[Any]]],
        *,
        params: Params | None = None,
        version: str = "",
        value_codec: Codec | None = None,
        worst: Usage = ONE_GENERATION,
    ) -> Sample[Any]:
        """One call of an opaque callable (an agent), held at `worst`.

        Journaled by `name`, `version`, what it is asked (`prompt`, `params`) and position.
        """

    @abstractmethod
    async def relay(
        self,
        name: str,
        content: str,
        perform: Callable[[int, int | None], Awaitable[Sample[str]]],
        *,
        limit: int | None,
        choices: int = 1,
        describe: Callable[[str], str] = str,
        price: Callable[[int, int], float] | None = None,
        again: bool = False,
    ) -> Sample[str]:
        """One model call that the agent which is called here makes by itself: held, counted, seeded and journaled.

        - name: of the model, for the trace.
        - content: what is asked. With how often the attempt asked that before it is the call's place: its seed and its
          key in the journal come from there, so that calls made at once may come in any order.
        - perform: makes the call, given a seed and how many tokens it may generate; None sends what the agent said.
        - limit: the tokens that the agent allows itself, for each of `choices`; None if it does not say. Then, under a
          ceiling on tokens, it is the attempt's `max_tokens`, else what is left once its other calls have ended.
        - describe: what of the answer stands in the trace.
        - price: dollars of so many tokens read and written, for calls of which nobody knows what they cost.
        - again: the client says that it gave up a call like this. It takes that one's place, once that has ended.

        The attempt is then no model call itself. Raises `BudgetExhausted`, after which the attempt ends as out of
        budget if its agent fails, and `AttemptEnded`.
        """

    @abstractmethod
    async def once(self, name: str, perform: Callable[[], Awaitable[str]], *, harmless: bool = False) -> str:
        """Do what cannot be undone; returns what was seen. With a journal, its beginning and its end are written down.

        Resumed, what was done is not done again: the recorded observation is returned. Raises `UncertainEffect` if an
        earlier process began it and did not record its end. harmless: it may be done twice, so that only its end is
        written down, and what an earlier process began is begun again.
        """

    # ---------------------------------------------------------------- budget

    @property
    @abstractmethod
    def used(self) -> Usage:
        """What this position and all below it have cost so far."""

    @abstractmethod
    def worst_case(self, prompt: Prompt, params: Params) -> Usage:
        """The most that one sample of `prompt` may cost here. The prompt's length is a guess: 4 characters a token."""

    @abstractmethod
    async def afford(self, needed: Usage) -> None:
        """Wait until `needed` can be paid, for callers to whom a part of it is of no use.

        Raises `BudgetExhausted` where that cannot be, or the deadline is over. Nothing is set aside.
        """

    @abstractmethod
    def remaining(self) -> Budget:
        """What may still be spent here, ceiling by ceiling; all None where there is no budget."""

    @abstractmethod
    def children_budget(self, n: int, least: Usage) -> Budget | None:
        """What `n` children may spend together if this run keeps an equal part of what is left, and at least `least`.

        None where there is no budget.
        """

    # ---------------------------------------------------------------- verifying

    @abstractmethod
    async def score(
        self, verifier: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], *, partial: bool = False
    ) -> list[Scored]:
        """Every sample with its verdict, in order. A sample whose verification failed has an abstaining verdict.

        The failure itself is recorded in the trace and in `Result.errors`. partial: these are not yet candidates for
        the answer. Cost: one verification a sample, and whatever model calls the verifier makes. Raises `VerifierError`
        if no sample could be verified at all.
        """

    # ---------------------------------------------------------------- results so far

    @abstractmethod
    def offer(self, sample: Sample[Any], verdict: Verdict = UNJUDGED) -> None:
        """Make `sample` a candidate for the answer, should something stop the search. What `score` judged is one."""

    @abstractmethod
    def so_far(self, rule: Rule) -> None:
        """From now on `rule` says which of the candidates found by then is the best so far; see `Strategy.selector`.

        For a strategy whose own rule needs what the search knows, or puts its answer together. It is not asked for more
        than a look, and may be asked at any time.
        """

    @abstractmethod
    def show_tree(self, tree: Tree) -> None:
        """Show `tree` while it grows, to those who listen, and as `Result.tree` afterwards."""

    @abstractmethod
    def stop(self, reason: Stopped) -> None:
        """Say why the strategy ends early, for `Result.stopped`."""

    @abstractmethod
    async def search(
        self,
        name: str,
        body: Callable[[Run], Awaitable[Sample[Any]]],
        *,
        params: Params | None = None,
        rule: Rule | None = None,
    ) -> Sample[Any]:
        """Run a strategy's body with candidates of its own; out of budget, return its best so far.

        rule: which of the candidates that is; by default the one with the highest score.
        """

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """Record an error that the search survives. Raises it again if it is a `JournalError`, which none survives."""

    # ---------------------------------------------------------------- trace, journal, resources

    @abstractmethod
    def traced(self, name: str, *, kind: str = "call", index: int | None = None, role: Role | None = None) -> Span:
        """A span of the trace, for what is done inside ``with run.traced("act") as span``; give it a `text` to show.

        index: by default this run's; role: by default this run's.
        """

    @abstractmethod
    def until_deadline(self) -> AbstractAsyncContextManager[Any]:
        """Ends what runs inside ``async with`` when the budget's seconds are over, by raising `BudgetExhausted`."""

    @abstractmethod
    def __enter__(self) -> Run: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    @property
    @abstractmethod
    def journaled(self) -> bool:
        """True if finished calls are being stored: identities and codecs are needed then."""

    @abstractmethod
    def resource(self, owner: object, make: Callable[[], O]) -> O:
        """What `make` makes, once a search for each `owner`; its `close` is called (and awaited) when the search ends.

        For what a search needs and must not outlive it: live environments, scratch folders.
        """

    @abstractmethod
    def slots(self, name: str, n: int) -> Slots:
        """The semaphore `name` of this search, with `n` slots: for callables that must not all run at once."""

    @abstractmethod
    def abandon(self) -> None:
        """Count a thread that could not be stopped and still runs, in `Result.abandoned`."""


class Slots(asyncio.Semaphore):
    """A semaphore that knows its size, and how many of its slots are lost: held by calls that were given up."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size: int = size
        self.lost: int = 0


@runtime_checkable
class Generator(Protocol):
    """Proposes: a model, an agent, recorded samples, or any strategy."""

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        """One sample. `params` None means the generator's own. Randomness comes from `run.seed` alone."""
        ...


class Backend(Protocol):
    """Pure transport to a model: no retries, no budget, no cache, no state that a result depends on."""

    @property
    def name(self) -> str:
        """Model and revision: part of every journal and cache key."""
        ...

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One entry a request, in order; a failure is an entry, not an exception. `Sample.usage` counts one call."""
        ...


Scale = Literal["chance", "progress", "quality"]


class Verifier(Protocol):
    """Judges samples. Higher scores are better.

    Four attributes may be declared besides. Two steer what a tree search does by default. `scale`, what a score means:
    "chance" that what is judged comes to a right answer, within [0, 1]; "progress" towards one; "quality" of what there
    is, also where nothing is declared. `calls`: model calls that a verdict on one sample takes, 0 for what is reckoned
    here; where nothing, or None, is declared the search counts them. The third, `oracle`, is True of a verifier that
    sees what is right, a reference or its tests: then `Result.oracle` names it. Where nothing is declared it is taken
    for one if `bind` returns another object for a problem that has a reference. The last, `members`, is the tuple of
    verifiers that it is made of: where it declares no `oracle`, it is one if one of them is.
    """

    @property
    def key(self) -> str:
        """Identity for caches and journals: equal keys give equal verdicts."""
        ...

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest possible score; a score outside is an error."""
        ...

    @property
    def joint(self) -> bool:
        """True if samples must be judged together (a vote, a ranking)."""
        ...

    def bind(self, problem: Problem) -> Verifier:
        """The verifier for this problem: the only door through which a reference answer comes in."""
        ...

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        """One verdict a sample, in order. Model calls go through `run`."""
        ...


class Selector(Protocol):
    """Chooses among scored candidates: argmax, vote, tournament."""

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice: ...


Rule = Callable[[Sequence[Scored], Run], Awaitable[Choice | Sample[Any]]]
"""How a selector chooses, for the prompt of one search; what puts an answer together returns that."""


def scale_of(verifier: Verifier) -> Scale:
    """What the scores of `verifier` mean, see `Verifier`. Raises `ConfigError` for a word that is none of the three."""
    scale: Scale = getattr(verifier, "scale", "quality")
    if scale not in ("chance", "progress", "quality"):
        raise ConfigError(f'the scale of a verifier is "chance", "progress" or "quality", got {scale!r}')
    if scale == "chance" and not 0 <= verifier.range[0] < verifier.range[1] <= 1:
        name = type(verifier).__name__
        raise ConfigError(f"a chance lies within [0, 1], but the range of {name} is {verifier.range}")
    return scale


def knows_reference(bound: Verifier, verifier: Verifier, problem: Problem) -> bool:
    """Whether `bound`, which is `verifier` for this problem, sees what is right; see `Verifier`."""
    declared: bool | None = getattr(bound, "oracle", None)
    if declared is not None:
        return bool(declared)
    pairs = list(zip(getattr(bound, "members", ()), getattr(verifier, "members", ()), strict=False))
    if pairs:
        return any(knows_reference(one, other, problem) for one, other in pairs)
    return bound is not verifier and problem.reference is not None


def calls_of(verifier: Verifier) -> int | None:
    """How many model calls a verdict of `verifier` takes; None: nobody knows before they were counted."""
    calls: int | None = getattr(verifier, "calls", None)
    if calls is not None and (not is_whole(calls) or calls < 0):
        raise ConfigError(f"calls of a verifier is a whole number of model calls, or None, got {calls!r}")
    return calls
