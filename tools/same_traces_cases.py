"""The searches that `same_traces.py` runs in two checkouts: worlds to search in, and a table of strategies.

A case is a row of `ROWS` in one of its worlds, in one mode (`MODES`), from one root seed. Only the first section knows
that the two checkouts spell some names differently.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import math
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

import searchkit
import searchkit.strategies as strategies
import searchkit.verifiers as verifiers
from searchkit import (
    Budget,
    CallError,
    Function,
    Message,
    Model,
    Params,
    Problem,
    Prompt,
    Request,
    Sample,
    SearchkitError,
    Strategy,
    Usage,
    Verdict,
    solve,
)
from searchkit.environments import Guarded, ReplayEnvironment, Rewrite, SnapshotEnvironment, TextSteps, WorldModel
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MASTER,
    MCTS,
    PUCT,
    RAP,
    UCT,
    AgentQ,
    APRProtocol,
    Argmax,
    AStar,
    Bandit,
    BeamSearch,
    BestFirst,
    BestOfN,
    BordaVote,
    ComplexityVote,
    ConfidentVote,
    DeepConfOnline,
    Dirichlet,
    EarlyStopping,
    FieldVote,
    FilteredBestOfN,
    Hierarchical,
    Imagined,
    Judged,
    OfMessages,
    ParticleFilter,
    ParticleGibbs,
    RecedingHorizon,
    SelfConsistency,
    Soft,
    SpawnJoin,
    StepFilter,
    SWESearch,
    TagProtocol,
    ToolCallProtocol,
    Tournament,
    TreeOfThoughts,
    TreeSearch,
    Vote,
    Widening,
)
from searchkit.tree import Tree
from searchkit.types import Text, Token, ToolCall
from searchkit.verifiers import (
    Agreement,
    AllOf,
    Cascade,
    Debate,
    Deduplicated,
    DeepConf,
    Exact,
    Judge,
    Jury,
    LogProb,
    OutcomeReward,
    PairwiseJudge,
    Predicate,
    ProcessReward,
    PYes,
    UniversalConsistency,
    Weighted,
)

# ---------------------------------------------------------------- what the checkouts spell differently


def find(*names: str, at: str) -> Any:
    """The first of `names` that one of the modules `at` (separated by blanks) has: the new spelling comes first."""
    for name in names:
        for module in at.split():
            try:
                return getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError):
                continue
    raise ImportError(f"none of {at} has {' or '.join(names)}")


# Backends were modules of their own, and are now handed on by their folder.
FACES = "searchkit.generators searchkit.generators.embedded.backend searchkit.generators.wrappers"
Simulated = find("Simulated", at=f"{FACES} searchkit.generators.simulated")
Recorded = find("Recorded", at=f"{FACES} searchkit.generators.recorded")
Embedded = find("Embedded", at=f"{FACES} searchkit.generators.embedded")
Retrying = find("Retrying", at=f"{FACES} searchkit.generators.wrappers.retrying searchkit.generators.retrying")
Limited = find("Limited", at=f"{FACES} searchkit.generators.wrappers.limited searchkit.generators.limited")
# The lab's verifiers and environments may come to be handed on by their folder, too.
CHECKER, ARITHMETIC, process_reward, outcome_reward, operations = (
    find(name, at="searchkit.lab searchkit.lab.checker")
    for name in ("CHECKER", "ARITHMETIC", "process_reward", "outcome_reward", "operations")
)
CountdownSteps = find("CountdownSteps", at="searchkit.lab searchkit.lab.environment")
ArithmeticSteps = find("ArithmeticSteps", at="searchkit.lab searchkit.lab.environment")
# `Step` is `Transition`; the floor of `Params` is a `ConfidenceFloor`; the stopping rule `Beta` is `BetaStopping`.
Transition = find("Transition", "Step", at="searchkit.types")
FELL = find("ConfidenceFloor", "Floor", at="searchkit.types").FELL
BetaStopping = find("BetaStopping", "Beta", at="searchkit.strategies")
# The steps of a verdict are `step_scores`, those of a sample `step_spans`.
STEP_SCORES = "step_scores" if "step_scores" in Verdict.__dataclass_fields__ else "steps"
STEP_SPANS = "step_spans" if "step_spans" in Sample.__dataclass_fields__ else "steps"


def evaluation(kind: str, rollouts: int = 1, horizon: int = 40) -> dict[str, Any]:
    """How a tree search evaluates: an object where there is one for it, before that three fields."""
    if not hasattr(strategies, "Rollout"):
        return {"evaluate": kind, "rollouts": rollouts, "horizon": horizon}
    made = {"value": "Value", "children": "Children"}.get(kind)
    return {"evaluation": getattr(strategies, made)() if made else strategies.Rollout(rollouts, horizon)}


def alphamath(b1: int, b2: int, verifier: Any, **options: Any) -> Strategy:
    """AlphaMath's beam search, a class of its own by now; under its old name, from which its seeds are derived."""
    if not hasattr(strategies, "AlphaMathBeam"):
        return BeamSearch.alphamath(b1, b2, verifier, **options)
    return dataclass(frozen=True)(type("BeamSearch", (strategies.AlphaMathBeam,), {}))(b1, b2, verifier, **options)


def toolchain(environment: Any, **options: Any) -> Strategy:
    """A* with the costs of ToolChain*; a class method so far."""
    return AStar.toolchain(environment, **options)


def show_tree(run: Any, tree: Any) -> None:
    """`run.plant` is `run.show_tree`."""
    (run.show_tree if hasattr(run, "show_tree") else run.plant)(tree)


def note_failure(run: Any, outcome: Any) -> None:
    """`run.survive(outcome)` is `run.note_failure(outcome.error)`."""
    run.note_failure(outcome.error) if hasattr(run, "note_failure") else run.survive(outcome)


# ---------------------------------------------------------------- models


def written(text: str, request: Request) -> Sample[str]:
    """`text` as a model would write it: up to a stop string, a limit, or a floor; with tokens and log-probabilities."""
    params, finish = request.params, "stop"
    at, stop = min(((text.find(s), s) for s in params.stop if s in text), default=(len(text), None))
    tokens, shown = _tokens(text[:at] + (stop or "")), text[:at]
    most = min(len(tokens), params.max_tokens or len(tokens))
    rivals = [_rivals(token, place) for place, token in enumerate(tokens)]
    fall = _fall(rivals, params.floor)
    if fall is not None and fall <= most:
        tokens, stop, finish, shown = tokens[:fall], FELL, "length", "".join(tokens[:fall])
    elif most < len(tokens):
        tokens, stop, finish, shown = tokens[:most], None, "length", "".join(tokens[:most])
    given = len(request.prompt.text.split()) + len(request.prompt.prefix)
    usage = Usage(model_calls=1, prompt_tokens=given, generated_tokens=len(tokens), longest_context=given + len(tokens))
    logprobs = tuple(Token(t, r[0][1], r[: params.logprobs]) for t, r in zip(tokens, rivals, strict=False))
    ids, message = tuple(crc32(t.encode()) % 999 for t in tokens), Message("assistant", (Text(shown),))
    return Sample(shown, message, finish, stop, usage, ids, None if params.logprobs is None else logprobs)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+\W?|\W", text)


def _rivals(token: str, place: int) -> tuple[tuple[str, float], ...]:
    """The token and two others with their log-probabilities."""
    sure = -(crc32(f"{token}{place}".encode()) % 50 + 1) / 25
    return (token, sure), ("x", sure - 1.5), ("y", sure - 3)


def _fall(rivals: Sequence[Any], floor: Any) -> int | None:
    """After how many tokens a whole window is less confident than the floor; None if never."""
    sure = [-sum(log for _, log in row) / len(row) for row in rivals]
    for end in range(floor.window if floor is not None else len(sure) + 1, len(sure) + 1):
        if sum(sure[end - floor.window : end]) / floor.window < floor.bar:
            return end
    return None


def dice(request: Request) -> random.Random:
    """The randomness of an answer: of all that was asked, and of the seed unless it is greedy."""
    seed = request.seed if request.params.temperature else 0
    return random.Random(f"{seed}/{request.prompt.text}/{request.prompt.prefix}")


def failure(request: Request) -> CallError:
    usage = Usage(model_calls=1, prompt_tokens=3, generated_tokens=1)
    return CallError("a failure that was arranged", kind="server", request=request, usage=usage)


class Scripted:
    """A backend that answers each request by itself, with `_one`."""

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str] | CallError:
        raise NotImplementedError


@dataclass(frozen=True)
class Letters(Scripted):
    """Writes letters with "/" between them, at most `depth`; each may be the last. Some calls fail."""

    depth: int = 4
    failures: float = 0.0
    name: str = "letters"
    ends_at_floor: ClassVar[bool] = True

    def _one(self, request: Request) -> Sample[str] | CallError:
        rng, done, text = dice(request), request.prompt.prefix.count("/"), ""
        if rng.random() < self.failures:
            return failure(request)
        while True:
            text, done = text + rng.choice("abc"), done + 1
            if done >= self.depth or rng.random() < 0.15:
                return written(text, request)
            text += "/"


@dataclass(frozen=True)
class Opinions(Scripted):
    """A model that is asked for judgements, in the forms of all judges; some of what it says cannot be read."""

    name: str = "opinions"

    def _one(self, request: Request) -> Sample[str] | CallError:
        rng, asked = dice(request), request.prompt.text
        if rng.random() < 0.1:
            return failure(request)
        forms = {
            "Which answer is better": {"better": rng.choice(("A", "B", "tie"))},
            "most consistent": {"response": rng.randint(1, 3)},
            "Score the answer": {"score": rng.randint(0, 10)},
        }
        said = [json.dumps({"reasoning": "so", **form}) for question, form in forms.items() if question in asked]
        if "Verdict: Yes" in asked:
            said.append(f"I see.\nVerdict: {rng.choice(('Yes', 'No'))}")
        return written(
            said[0] if said and rng.random() < 0.9 else rng.choice(("It is right.", "It is wrong.")), request
        )


@dataclass(frozen=True)
class Callers(Scripted):
    """A model that calls a tool: its text says nothing of it."""

    name: str = "callers"

    def _one(self, request: Request) -> Sample[str]:
        chosen = dice(request).choice(("1", "2", "2.0", "3"))
        calls = (ToolCall("id", "look", f'{{"at": {chosen}}}'),)
        sample = written("let me look", request)
        return replace(sample, message=Message("assistant", (Text(sample.value),), calls))


TREE_OF_APR = """Current State: 51:[4, 13, 16], Operations: []
Generated Node #0,0: 51:[17, 16] Operation: 4+13=17
Generated Node #0,1: 51:[3, 4] Operation: 16-13=3
<Calling Sub Searches>
<Start Sub Search 0 at level 1> Moving to Node #0,1
<Start Sub Search 1 at level 1> Moving to Node #0,0
<Start Sub Search 2 at level 1> Moving to Node #0,9
<End Calling Sub Searches>
"""
CHILD_OF_APR = """Generated Node #0,1,0: 51:[7] Operation: 3+4=7
<Calling Sub Searches>
<Start Sub Search 0 at level 2> Moving to Node #0,1,0
<End Calling Sub Searches>
"""
GOALS_OF_APR = "17*3,51 equal: Goal Reached\nso 17*3=51,51 equal: Goal Reached\n"


@dataclass(frozen=True)
class Threads(Scripted):
    """A model that spawns: `style` is that of a protocol. It fails, is cut off, breaks rules and nests by chance."""

    style: str
    name: str = "threads"

    def _one(self, request: Request) -> Sample[str] | CallError:
        rng, child = dice(request), "letters" not in request.prompt.messages[0].text
        if child and rng.random() < 0.2:
            return failure(request)
        return getattr(self, f"_{self.style}")(request, rng, child)

    def _tag(self, request: Request, rng: random.Random, child: bool) -> Sample[str]:
        if "</join>" in request.prompt.prefix or (child and rng.random() < 0.6):
            return written(rng.choice(("the end", "a longer end of it all " * 9, "<join>")), request)
        tasks = "".join(f"<task>{rng.choice(('one', 'two', ''))}</task>\n" for _ in range(rng.randint(1, 4)))
        return written(f"Let me see. <spawn>\n{tasks}</spawn> and more", request)

    def _apr(self, request: Request, rng: random.Random, child: bool) -> Sample[str]:
        if "<End Sub Searches>" in request.prompt.prefix or (child and rng.random() < 0.5):
            return written(rng.choice((GOALS_OF_APR, "No solution\n")), request)
        return written(CHILD_OF_APR if child else TREE_OF_APR, request)

    def _tool(self, request: Request, rng: random.Random, child: bool) -> Sample[str]:
        done, sample = any(m.role == "tool" for m in request.prompt.messages), written("working", request)
        if done or (child and rng.random() < 0.4):
            sample = written(rng.choice(("here it is", "a longer answer " * 30)), request)
            calls = (ToolCall("j", "join", '{"message": "joined"}'),) if child and rng.random() < 0.5 else ()
        else:
            tasks = [rng.choice(("one", "two", "")) for _ in range(rng.randint(1, 4))]
            calls = (ToolCall("s", rng.choice(("spawn", "spawn", "run")), json.dumps({"tasks": tasks})),)
        finish = "tool_calls" if calls else sample.finish
        return replace(sample, message=Message("assistant", (Text(sample.value),), calls), finish=finish)


@dataclass(frozen=True)
class Wired:
    """`backend`, with a note of what it is asked; where `late`, answers take turns of the loop by the seed.

    Turns instead of seconds, so that the order of answers is shuffled, but the same every time.
    """

    backend: Any
    asked: list[tuple[int, int, int]]
    late: bool

    @property
    def name(self) -> str:
        return str(self.backend.name)

    async def complete(self, requests: Sequence[Request]) -> Any:
        self.asked.extend((request.seed, request.index, content(request)) for request in requests)
        for _ in range(random.Random(requests[0].seed).randrange(9) if self.late else 0):
            await asyncio.sleep(0)
        return await self.backend.complete(requests)


def content(request: Request) -> int:
    """A checksum of what is asked, and how."""
    prompt, params = request.prompt, request.params
    turns = [(message.role, message.text, len(message.tool_calls)) for message in prompt.messages]
    limits = [params.max_tokens, params.stop, params.logprobs, params.floor and (params.floor.window, params.floor.bar)]
    settings = [params.temperature, params.top_p, params.top_k, params.min_p]
    return crc32(repr([turns, prompt.tools, prompt.prefix, prompt.prefix_ids, *settings, *limits]).encode())


# ---------------------------------------------------------------- verifiers and keys


def worth(text: str) -> float:
    """The value of any text in [0, 1], in eighths, so that there are ties."""
    return crc32(text.encode()) % 9 / 8


def passes(value: Any) -> bool:
    return worth(str(value)) > 0.6


def step_scores(prompt: Prompt, steps: Sequence[str]) -> list[float]:
    return [worth("".join(steps[: i + 1])) for i in range(len(steps))]


def whole_score(prompt: Prompt, text: str) -> float:
    return worth(text + "!")


def initial(value: Any) -> Hashable | None:
    """The answer that a text votes for: its first letter; some have none."""
    text = value if isinstance(value, str) else repr(value)
    return None if text[:3] in ("c/a", "6") else text[:1]


def spoken(message: Message) -> Hashable | None:
    """What a message calls, else what it says."""
    return verifiers.tool_key(message) or initial(message.text)


@dataclass(frozen=True)
class Choosy:
    """`initial`, which raises for some."""

    def __call__(self, value: Any) -> Hashable | None:
        if str(value).startswith("b/b"):
            raise ValueError("not this one")
        return initial(value)


@dataclass(frozen=True)
class Worth:
    """Knows `worth`. flaws: it abstains on some texts and fails on others. joint: it scores against the others."""

    flaws: bool = False
    joint: bool = False
    key: str = "worth"
    range: tuple[float, float] = (0.0, 1.0)

    def bind(self, problem: Problem) -> Worth:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Any) -> list[Verdict]:
        worths = [worth(sample.text) for sample in samples]
        if self.flaws and any(crc32(sample.text.encode()) % 11 == 3 for sample in samples):
            raise RuntimeError("a verifier that fails")
        most = max(worths, default=1.0) if self.joint else 1.0
        return [
            Verdict() if self.flaws and crc32(sample.text.encode()) % 7 == 2 else Verdict(value / (most or 1.0))
            for value, sample in zip(worths, samples, strict=True)
        ]


# ---------------------------------------------------------------- environments


@dataclass(frozen=True)
class Ladder:
    """States are letters, at most `depth`; some ends have a reward, and some that is the least: a dead end."""

    depth: int = 4

    async def start(self, prompt: Prompt, run: Any) -> str:
        return ""

    def prompt(self, state: str) -> Prompt:
        return Prompt.of(f"climb from {state}.")

    def step_params(self, run: Any) -> Params:
        return Params(max_tokens=8, logprobs=2)

    async def step(self, state: str, action: Sample[Any], run: Any) -> Any:
        after = state + action.text[:1]
        if crc32(after.encode()) % 8 == 1:
            return Transition(after, "a hole", 0.0, True)
        if len(after) < self.depth:
            return Transition(after, f"at {after}")
        return Transition(after, "the top", worth(after) if after[0] == "a" else None, True)

    def candidate(self, state: str) -> Sample[str]:
        return Sample(state, Message("assistant", (Text(state),)))


@dataclass(frozen=True)
class ListedLadder(Ladder):
    """The same with the legal actions listed, but on one rung; in some states there is none."""

    def actions(self, state: str) -> Sequence[str] | None:
        if len(state) == 2:
            return None
        return [] if crc32(state.encode()) % 10 == 4 else list("abc"[: 2 + len(state) % 2])


class Walk:
    """A live world: a path of letters, three long; its reward is its worth."""

    def __init__(self) -> None:
        self.path = ""

    def reset(self) -> str:
        self.path = ""
        return "at the gate"

    def step(self, action: str) -> tuple[str, float, bool]:
        if self.path + action == "bc":
            raise ValueError("no such way")
        self.path += action
        return f"at {self.path}", worth(self.path), len(self.path) >= 3


def first_letter(sample: Sample[Any]) -> str:
    return sample.text[:1]


def effect(state: Any, action: Sample[Any]) -> str:
    return "irreversible" if first_letter(action) == "c" and len(state.actions) == 1 else "reversible"


def done(text: str) -> bool | float | None:
    value = worth(text)
    return True if value > 0.8 else value if value < 0.2 else None


# ---------------------------------------------------------------- worlds


WORTH, FLAWED, RANKING, PASSES = Worth(), Worth(flaws=True), Worth(joint=True), Predicate(passes)
STEPWISE = ProcessReward(step_scores, separator="/", name="steps")
WHOLE = OutcomeReward(whole_score, range=(0.0, 1.0), name="whole")
TEXT_STEPS = TextSteps("/")


@dataclass(frozen=True)
class World:
    """What a row is built from: a problem and a model; verifiers; an environment and a key for votes.

    judge: scores any text, unfinished ones too; process: scores steps; exact: says passed or failed.
    """

    problem: Problem
    backend: Any
    params: Params
    steps: Any
    wire: Callable[[Any], Any]
    judge: Any = WORTH
    process: Any = STEPWISE
    outcome: Any = WHOLE
    exact: Any = PASSES
    key: Callable[[Any], Any] = initial
    protocol: Any = None

    def model(self, **params: Any) -> Model:
        return Model(self.backend, replace(self.params, **params))

    def referee(self) -> Model:
        """Who judges, where a judge is asked."""
        return Model(self.wire(Opinions()), Params(max_tokens=60))


PROBLEM = Problem("letters", Prompt.of("write some letters"), "a/b/c/a")
ANSWERS = {"5": 0.3, "6": 0.2, "7": 0.25, "no answer": 0.15, "55": 0.1}
FORMS = {
    '{"city": "Rome", "year": 1}': 0.3, '{"city": "rome", "year": 2}': 0.3,
    '{"city": "Oslo"}': 0.2, '{"year": 2.0}': 0.1, "none": 0.1,
}  # fmt: skip
PARALLEL = "[Sub Call Budget: 3 ]Moving to Node #0\nCurrent State: 24:[3, 7, 20], Operations: []\n"
SNAPSHOT = SnapshotEnvironment(Walk, parse=first_letter, render=lambda state: "".join(state.actions))
REPLAYED = ReplayEnvironment(Walk, copies=2, parse=first_letter)


def simulated(backend: Any, steps: Any = TEXT_STEPS, most: int = 6, **options: Any) -> Callable[..., World]:
    params = Params(max_tokens=most, logprobs=2)
    return lambda wire: World(PROBLEM, wire(backend), params, steps, wire, **options)


def embedded(folder: str, prompt: str, steps: Any, most: int = 48, **options: Any) -> Callable[..., World]:
    """A world of the embedded model; its weights are looked up by the name of their folder."""
    problem, params = Problem(prompt.strip(), Prompt.of(prompt), "51"), Params(max_tokens=most, logprobs=2)

    def make(wire: Callable[[Any], Any]) -> World:
        [place] = Path(searchkit.__file__).parent.rglob(f"weights/{folder}")
        task = folder.partition("-")[0]
        rewards = {"judge": process_reward(task), "process": process_reward(task), "outcome": outcome_reward(task)}
        return World(problem, wire(Embedded(place)), params, steps, wire, **rewards, **options)

    return make


WORLDS: Mapping[str, Callable[[Callable[[Any], Any]], World]] = {
    "letters": simulated(Letters()),
    "short": simulated(Letters(), TextSteps("/", max_steps=2)),
    "flaky": simulated(Letters(failures=0.2), most=3, judge=FLAWED, key=Choosy()),
    "answers": simulated(Simulated(ANSWERS, failures=0.1), None, 12),
    "forms": simulated(Simulated(FORMS, failures=0.1), None, 12),
    "tools": simulated(Callers(), None, 12),
    "ladder": simulated(Letters(failures=0.1), Ladder(), judge=FLAWED),
    "listed": simulated(Letters(), ListedLadder()),
    "rewrite": simulated(Letters(failures=0.1), Rewrite(keep=2, max_drafts=3)),
    "drafted": simulated(Letters(), Rewrite(draft="a/b"), judge=FLAWED),
    "replay": simulated(Letters(), REPLAYED),
    "snapshot": simulated(Letters(), SNAPSHOT),
    "refused": simulated(Letters(), Guarded(REPLAYED, effect)),
    "deferred": simulated(Letters(), Guarded(REPLAYED, effect, "defer")),
    "imagined": simulated(Letters(failures=0.05), WorldModel(done, depth=4)),
    "tags": simulated(Threads("tag"), None, 60, protocol=TagProtocol()),
    "calls": simulated(Threads("tool"), None, 60, protocol=ToolCallProtocol()),
    "apr": simulated(Threads("apr"), None, 200, protocol=APRProtocol()),
    "parallel": embedded("countdown-parallel", PARALLEL, None, 200, protocol=APRProtocol()),
    "countdown": embedded("countdown", "4 13 16 19>51\n", CountdownSteps(), exact=CHECKER, key=operations),
    "arithmetic": embedded("arithmetic", "3*(12+7)-5\n", ArithmeticSteps(), exact=ARITHMETIC),
}
EMBEDDED = ("countdown", "arithmetic", "parallel")

# ---------------------------------------------------------------- strategies written by hand


@dataclass(frozen=True)
class Errands(Strategy):
    """Spawns a graph of errands, some of which fail, maps, streams, plans and spends a budget of its own.

    idle: how many errands it never joins.
    """

    verifier: Any
    idle: int = 0
    generator: Any = None

    async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
        async def draw(index: int, child: Any, *before: Any) -> Sample[Any]:
            if index == 3:
                raise CallError(f"an errand that fails after {sum(outcome.ok for outcome in before)}", kind="server")
            [sample] = await child.sample(self.generator, prompt, start=index)
            await child.score(self.verifier, prompt, [sample])
            return sample

        first = [await run.spawn(draw, index, name="errand") for index in range(3)]
        failing = await run.spawn(draw, 3, after=first[:2], name="late errand")
        last = await run.spawn(draw, 4, after=[failing], name="late errand")
        for index in range(self.idle):
            await run.spawn(draw, 5 + index, name="idle errand")
        outcomes = await run.join(last, *first)
        aside = run.child("aside", Budget(generations=2))
        mapped = await aside.map(draw, range(4), name="mapped")
        for outcome in (*outcomes, *mapped):
            note_failure(run, outcome)
        plan = run.child("plan", role="plan")
        await plan.sample(self.generator, prompt, 2)
        found = [outcome.value for outcome in (*outcomes, *mapped) if outcome.value is not None]
        async with run.stream(draw, iter(range(20, 26)), window=2, most=6, name="streamed") as stream:
            async for outcome in stream:
                found += [] if outcome.value is None else [outcome.value]
                if outcome.value is not None and worth(outcome.value.text) == 1:
                    break
        again = [await run.spawn(draw, index, name="errand") for index in range(30, 32)]
        found += [outcome.value for outcome in await run.join(*again) if outcome.value is not None]
        scored = await run.score(self.verifier, prompt, found)
        run.offer(Sample("offered"), Verdict(0.1))
        choice = await Soft(0.2).select(prompt, scored, run)
        return found[choice.index or 0]


@dataclass(frozen=True)
class Shown(Strategy):
    """Draws twice from each of two positions and shows a tree of what it drew."""

    generator: Any = None

    async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
        tree = Tree("root")
        show_tree(run, tree)
        for index in range(2):
            for sample in await run.sample(self.generator, prompt, 2, start=2 * index):
                tree.backup(tree.add(index, sample.text), run.rng.random())
        return Sample(tree.text[-1])


def say(prompt: str, seed: int, index: int) -> str:
    """An agent: a plain function."""
    if seed % 5 == 0:
        raise ValueError("the agent is tired")
    return f"{'abc'[seed % 3]}/{index}"


async def say_later(prompt: Prompt, seed: int) -> Sample[str]:
    await asyncio.sleep(0)
    return Sample(f"{'abc'[seed % 3]}/late", usage=Usage(model_calls=1, generated_tokens=seed % 4))


def own_cost(path: Any) -> float | None:
    """What a step costs: unknown for some, infinite for others."""
    value = crc32(repr(path.actions[-1]).encode() + bytes([len(path.actions)])) % 7
    return None if value == 3 else math.inf if value == 5 else value / 4


def lengths(state: Any) -> Hashable:
    """What a state is known by: its length and its last letter."""
    text = state if isinstance(state, str) else "".join(map(str, state.actions))
    return len(text), text[-1:]


def named(action: Any) -> str:
    if str(action).startswith("c/c"):
        raise ValueError("no name for this")
    return str(action)[:1]


GRAPH = {"<start>": "ab", "a": "bc", "b": "ac", "c": "abc"}
MEMORY = (("a", "b", "c"), ("b", "a"), ())


# ---------------------------------------------------------------- the table


@dataclass(frozen=True)
class Row:
    """A strategy, and the worlds in which it searches, separated by blanks."""

    name: str
    worlds: str
    make: Callable[[World], Any]


DRAWN = "letters answers flaky countdown"  # whole answers
TEXTS = "letters flaky countdown"
PAIR = "letters ladder"
INNER = "letters flaky ladder countdown"
STEPS = "letters short flaky ladder listed rewrite drafted replay imagined countdown arithmetic"
SOME = "letters ladder rewrite countdown"
TREES = f"{STEPS} snapshot refused"
SPAWN = "tags calls apr"


def best(w: World, generator: Any, n: int = 2) -> Strategy:
    return BestOfN(n, w.judge, generator=generator)


def chosen(w: World, rule: Any, n: int = 8) -> Strategy:
    """Best-of-N whose choice is made by a rule."""
    return BestOfN(n, w.judge, rule)


def voted(w: World, n: int = 8, **options: Any) -> Strategy:
    return SelfConsistency(n, w.key, **options)


def beam(w: World, n: int = 4, m: int = 2, **options: Any) -> Strategy:
    return BeamSearch(n, m, w.judge, **{"environment": w.steps, "rounds": 5, **options})


def dvts(w: World, n: int = 4, **options: Any) -> Strategy:
    return DVTS(n, 2, w.judge, environment=w.steps, rounds=5, **options)


def filtered(w: World, n: int, verifier: Any, tau: float, skip: int = 0) -> Strategy:
    return FilteredBestOfN(n, verifier, tau, skip, environment=w.steps, rounds=5)


def thoughts(w: World, branch: int = 3, **options: Any) -> Strategy:
    return TreeOfThoughts(2, branch, w.judge, environment=w.steps, depth=4, **options)


def particles(w: World, weights: str, final: str = "score", resampling: str = "systematic", **options: Any) -> Strategy:
    more = {"weights": weights, "final": final, "resampling": resampling, **options}
    return ParticleFilter(4, w.judge, environment=w.steps, rounds=5, **more)


def gibbs(w: World, n: int = 3, **options: Any) -> Strategy:
    return ParticleGibbs(n, w.judge, environment=w.steps, rounds=4, **options)


def mcts(w: World, policy: Any = None, kind: str = "value", **options: Any) -> Any:
    """A Monte Carlo tree search of ten iterations."""
    how = evaluation(kind, 2, 4) | ({} if policy is None else {"policy": policy})
    return MCTS(w.judge, environment=w.steps, **{"iterations": 10, "width": 3, **how, **options})


def first(w: World, iterations: int = 8, **options: Any) -> Any:
    return BestFirst(w.judge, environment=w.steps, iterations=iterations, width=3, **options)


def drafts(w: World, iterations: int = 8, **options: Any) -> Strategy:
    return ABMCTS(w.judge, **{"environment": w.steps, "iterations": iterations, **options})


def astar(w: World, expansions: int = 6, width: int = 3, **options: Any) -> Strategy:
    return AStar(w.steps, expansions=expansions, width=width, **options)


ROWS: Sequence[Row] = (
    # ---- whole answers
    Row("the model alone", DRAWN, lambda w: w.model(temperature=0.7)),
    Row("best of n", DRAWN, lambda w: chosen(w, Argmax())),
    Row("best of n, to a threshold", DRAWN, lambda w: BestOfN(8, w.judge, threshold=0.75, window=3)),
    Row("best of n, to a pass", DRAWN, lambda w: BestOfN(8, w.exact, first_pass=True)),
    Row("best of n, greedy", DRAWN, lambda w: best(w, w.model(temperature=0), 4)),
    Row("soft", DRAWN, lambda w: chosen(w, Soft(0.1))),
    Row("vote", DRAWN, lambda w: chosen(w, Vote(w.key))),
    Row("vote, weighted", DRAWN, lambda w: chosen(w, Vote(w.key, weighted=True))),
    Row("borda vote", DRAWN, lambda w: chosen(w, BordaVote(0.5, w.key))),
    Row("complexity vote", DRAWN, lambda w: chosen(w, ComplexityVote(3, w.key))),
    Row("confident vote", DRAWN, lambda w: chosen(w, ConfidentVote(50, w.key))),
    Row("hierarchical", DRAWN, lambda w: chosen(w, Hierarchical(w.key, Argmax(), Vote(w.key, weighted=True)))),
    Row("hierarchical tournaments", DRAWN, lambda w: chosen(w, Hierarchical(w.key, Tournament(RANKING)))),
    Row("step filter", TEXTS, lambda w: BestOfN(8, w.process, StepFilter(0.3, 1, Vote(w.key)))),
    Row("tournament", DRAWN, lambda w: chosen(w, Tournament(RANKING), 7)),
    Row("tournament, all pairs", DRAWN, lambda w: chosen(w, Tournament(PairwiseJudge(w.referee()), "round-robin"), 4)),
    Row("tournament, by a judge", DRAWN, lambda w: chosen(w, Tournament(PairwiseJudge(w.referee())), 5)),
    Row("vote on messages", "tools letters countdown", lambda w: chosen(w, OfMessages(Vote(spoken)))),
    Row("field vote", "forms countdown", lambda w: FieldVote(7, ("city", "year"))),
    Row("self-consistency", DRAWN, lambda w: voted(w)),
    Row("self-consistency, weighted", DRAWN, lambda w: voted(w, verifier=w.judge)),
    Row("beta", DRAWN, lambda w: voted(w, 10, stop=BetaStopping(0.8))),
    Row("dirichlet", DRAWN, lambda w: voted(w, 10, stop=Dirichlet(0.95))),
    Row("early stopping", DRAWN, lambda w: voted(w, 10, stop=EarlyStopping(2), verifier=w.judge)),
    Row("deepconf online", TEXTS, lambda w: DeepConfOnline(10, 50, 2, 4, w.key)),
    Row("deepconf online, decided", TEXTS, lambda w: DeepConfOnline(12, 80, 2, 4, w.key, BetaStopping(0.8))),
    Row("bandit", DRAWN, lambda w: Bandit((None, w.model(temperature=0)), w.judge, 8)),
    Row("bandit, gaussian", DRAWN, lambda w: Bandit((None, w.model(top_p=0.5)), w.judge, 8, prior="gaussian")),
    Row("bandit, ucb1", DRAWN, lambda w: Bandit((w.model(top_k=1), None), w.judge, 8, "ucb1", threshold=0.99)),
    Row("bandit, epsilon", DRAWN, lambda w: Bandit((w.model(), None, w.model()), w.judge, 8, "epsilon", epsilon=0.4)),
    # ---- verifiers
    Row("process reward", TEXTS, lambda w: BestOfN(6, w.process)),
    Row("outcome reward", DRAWN, lambda w: BestOfN(6, w.outcome)),
    Row("judge", "letters answers", lambda w: BestOfN(5, Judge(w.referee(), samples=2))),
    Row("judge, yes or no", "letters answers", lambda w: BestOfN(5, PYes(w.referee(), chains=3))),
    Row("jury", TEXTS, lambda w: BestOfN(5, Jury((Judge(w.referee()), PYes(w.referee(), chains=1)), "majority"))),
    Row("jury of three", TEXTS, lambda w: BestOfN(5, Jury((w.judge, w.process, w.outcome), "median"))),
    Row("cascade", TEXTS, lambda w: BestOfN(5, Cascade(w.judge, Judge(w.referee()), 0.25, 0.75))),
    Row("all of", TEXTS, lambda w: BestOfN(5, AllOf((w.judge, w.exact, w.process)))),
    Row("weighted", TEXTS, lambda w: BestOfN(5, Weighted((w.judge, w.outcome), (1.0, 2.0)))),
    Row("deduplicated", "letters answers", lambda w: BestOfN(5, Deduplicated(Judge(w.referee())))),
    Row("debate", "letters", lambda w: BestOfN(4, Debate(w.referee(), Judge(w.referee()), rounds=2))),
    Row("pairwise", "letters answers", lambda w: BestOfN(4, PairwiseJudge(w.referee()))),
    Row("universal", "letters answers", lambda w: BestOfN(4, UniversalConsistency(w.referee()))),
    Row("agreement", DRAWN, lambda w: BestOfN(5, Agreement(w.key))),
    Row("exact", "answers letters", lambda w: BestOfN(5, Exact())),
    Row("log-probability", TEXTS, lambda w: BestOfN(5, LogProb())),
    Row("confidence", TEXTS, lambda w: BestOfN(6, DeepConf(2), ConfidentVote(80, w.key))),
    # ---- step by step
    Row("beam", STEPS, lambda w: beam(w)),
    Row("beam, wide", SOME, lambda w: beam(w, 6, 3, select=Vote(w.key, weighted=True))),
    Row("beam, by steps", TEXTS, lambda w: BeamSearch(4, 2, w.process, environment=w.steps, rounds=4)),
    Row("beam, by a judge", "letters", lambda w: BeamSearch(4, 2, Judge(w.referee()), environment=w.steps, rounds=3)),
    Row("beam, looking ahead", INNER, lambda w: beam(w, lookahead=2)),
    Row("alphamath", STEPS, lambda w: alphamath(2, 3, w.judge, environment=w.steps, rounds=5)),
    Row("alphamath, greedy", SOME, lambda w: alphamath(1, 1, w.judge, environment=w.steps)),
    Row("dvts", STEPS, lambda w: dvts(w, 6)),
    Row("dvts, looking ahead", PAIR, lambda w: dvts(w, lookahead=1, select=Soft(0.3))),
    Row("filtered best of n", STEPS, lambda w: filtered(w, 4, w.judge, 0.4, 1)),
    Row("filtered best of n, all", TEXTS, lambda w: filtered(w, 3, w.process, 0.95)),
    Row("thoughts, breadth first", STEPS, lambda w: thoughts(w, expansions=6)),
    Row("thoughts, pruned", SOME, lambda w: thoughts(w, prune=0.3, threshold=0.8)),
    Row("thoughts, depth first", STEPS, lambda w: thoughts(w, order="dfs", expansions=8)),
    Row("thoughts, one at once", SOME, lambda w: thoughts(w, order="dfs", expansions=10, at_once=1, prune=0.2)),
    Row("particles", STEPS, lambda w: particles(w, "softmax")),
    Row("particles, odds", f"{SOME} flaky", lambda w: particles(w, "odds", "weight", "multinomial")),
    Row("particles, prod", SOME, lambda w: particles(w, "prod", "draw", "stratified")),
    Row("particles, diff", f"{SOME} flaky", lambda w: particles(w, "diff", "draw", "residual", strength=2.0)),
    Row("particles, max", SOME, lambda w: particles(w, "max", "weight", "residual", select=Soft(0.5))),
    Row("particles, add", f"{SOME} flaky", lambda w: particles(w, "add", "score", "stratified", ess=0.5)),
    Row("particles, rt", SOME, lambda w: particles(w, "rt", "weight", ess=0.7)),
    Row("gibbs", STEPS, lambda w: gibbs(w, sweeps=3)),
    Row("gibbs, drawn", SOME, lambda w: gibbs(w, final="draw", weights="softmax")),
    Row("gibbs, weighed", SOME, lambda w: gibbs(w, 2, final="weight", sweeps=2)),
    # ---- trees
    Row("mcts", TREES, lambda w: mcts(w)),
    Row("mcts, rollouts", TREES, lambda w: mcts(w, kind="rollout")),
    Row("mcts, children", TREES, lambda w: mcts(w, kind="children")),
    Row("mcts, by a jury", "letters", lambda w: MCTS(Jury((w.judge, w.process)), environment=w.steps, iterations=6)),
    Row("mcts, long", PAIR, lambda w: mcts(w, UCT(0.4), iterations=40, in_flight=3)),
    Row("mcts, several trees", TREES, lambda w: mcts(w, kind="children", trees=3)),
    Row("mcts, widening", TREES, lambda w: mcts(w, UCT(widening=Widening(1, 0.5)), expansions=3, width=2)),
    Row("mcts, virtual loss", SOME, lambda w: mcts(w, UCT(0.5, virtual_loss=0.5), pick="visits")),
    Row("mcts, to a threshold", SOME, lambda w: mcts(w, UCT(2.0, "max"), "rollout", threshold=0.9, pick="value")),
    Row("mcts, trees to a threshold", SOME, lambda w: mcts(w, None, "children", trees=3, threshold=0.9)),
    Row("mcts, branches", SOME, lambda w: mcts(w, None, "children", width=5, branch=2, pick="value", select=Soft(0.2))),
    Row("mcts, twice", INNER, lambda w: mcts(w, None, "rollout", expansions=2, pick="visits")),
    Row("puct, uniform", SOME, lambda w: mcts(w, PUCT(1.0, "max"), prior="uniform")),
    Row("puct, log-probabilities", INNER, lambda w: mcts(w, PUCT(1.25), prior="logprob")),
    Row("puct, long", PAIR, lambda w: mcts(w, PUCT(0.6), "rollout", iterations=30, in_flight=2, expansions=2)),
    Row("puct, critic", SOME, lambda w: mcts(w, PUCT(1.0, unvisited=0.5), "children", prior=FLAWED)),
    Row("puct, ranking critic", SOME, lambda w: mcts(w, PUCT(2.0), prior=RANKING)),
    Row("rap", SOME, lambda w: mcts(w, RAP(), prior=w.judge)),
    Row("rap, sums", SOME, lambda w: mcts(w, RAP(0.5, "sum", "mean"), prior=w.judge)),
    Row("agent q", SOME, lambda w: mcts(w, AgentQ(), "rollout", prior=RANKING)),
    Row("master", SOME, lambda w: mcts(w, MASTER(), prior=w.judge)),
    Row("master, distrusted", SOME, lambda w: mcts(w, MASTER(0.0, 2.0), prior=w.judge)),
    Row("swe-search", TREES, lambda w: mcts(w, SWESearch(), "children", width=1, expansions=3, pick="value")),
    Row("swe-search, deep", SOME, lambda w: mcts(w, SWESearch(depth_bonus=0.3), "children", width=1, expansions=4)),
    Row("swe-search, long", PAIR, lambda w: mcts(w, SWESearch(c=0.3), "children", expansions=3, iterations=25)),
    Row("tree search", TREES, lambda w: TreeSearch(w.judge, environment=w.steps, iterations=8, width=2)),
    Row("best first", TREES, lambda w: first(w, branch=2)),
    Row("best first, again", SOME, lambda w: first(w, 9, expansions=2)),
    Row("best first, long", PAIR, lambda w: first(w, 30, in_flight=2)),
    Row("horizon", f"{TREES} deferred", lambda w: RecedingHorizon(first(w, 4), 3)),
    Row("horizon, by actions", f"{TREES} deferred", lambda w: RecedingHorizon(mcts(w, iterations=4), 3, "action")),
    Row("horizon, rollouts", SOME, lambda w: RecedingHorizon(mcts(w, None, "rollout", threshold=0.9), 3, "action")),
    Row("horizon, long", PAIR, lambda w: RecedingHorizon(mcts(w, None, "rollout", iterations=3), 6, "action")),
    Row("ab-mcts", DRAWN, lambda w: ABMCTS(w.judge, iterations=8)),
    Row("ab-mcts, by steps", TREES, lambda w: drafts(w)),
    Row("ab-mcts, long", "letters drafted", lambda w: drafts(w, 30, in_flight=2)),
    Row("ab-mcts, beta", SOME, lambda w: drafts(w, prior="beta", threshold=0.99)),
    Row("ab-mcts, predictive", SOME, lambda w: drafts(w, draw="predictive")),
    Row("ab-mcts, models", f"{SOME} drafted flaky", lambda w: drafts(w, 9, generators=(None, w.model(temperature=0)))),
    # ---- a*
    Row("a*", TREES, lambda w: astar(w, 8)),
    Row("a*, judged", TREES, lambda w: astar(w, 8, h=Judged(w.judge, 3.0))),
    Row("a*, judged twice", SOME, lambda w: astar(w, width=2, g=Judged(w.judge), h=Judged(w.judge, 2.0))),
    Row("a*, long", PAIR, lambda w: astar(w, 30, h=Judged(w.judge, 2.0), in_flight=2, retries=0)),
    Row("a*, imagining", f"{PAIR} listed imagined", lambda w: astar(w, 5, 2, h=Imagined())),
    Row("a*, another imagining", PAIR, lambda w: astar(w, 5, 2, h=Imagined(w.model(temperature=0), parse=list))),
    Row("a*, keyed", "ladder listed snapshot", lambda w: astar(w, 9, g=own_cost, key=lengths)),
    Row("a*, in a graph", "ladder listed replay", lambda w: astar(w, 9, graph=GRAPH, name=named)),
    Row("toolchain", "letters ladder listed", lambda w: toolchain(w.steps, memory=MEMORY, width=2, expansions=5)),
    # ---- threads
    Row("spawn and join", SPAWN, lambda w: SpawnJoin(w.protocol, depth=2, children=3, spawns=2, threads=9)),
    Row("spawn, once", f"{SPAWN} parallel", lambda w: SpawnJoin(w.protocol, children=2, spawns=1)),
    Row("spawn, forbidden", SPAWN, lambda w: SpawnJoin(w.protocol, depth=0)),
    Row("spawn, of strategies", SPAWN, lambda w: SpawnJoin(w.protocol, child=BestOfN(2, w.judge))),
    Row("best of n over threads", f"{SPAWN} parallel", lambda w: best(w, SpawnJoin(w.protocol, depth=2, children=3))),
    # ---- nested
    Row("best of n over beam", INNER, lambda w: best(w, beam(w), 3)),
    Row("best of n over dvts", INNER, lambda w: best(w, dvts(w))),
    Row("best of n over horizon", "letters replay", lambda w: best(w, RecedingHorizon(mcts(w, iterations=3), 2))),
    Row("vote over mcts", INNER, lambda w: voted(w, 3, generator=mcts(w, iterations=4))),
    Row("beta over mcts", PAIR, lambda w: voted(w, 4, stop=BetaStopping(), generator=mcts(w, iterations=5))),
    Row("bandit over mcts", INNER, lambda w: Bandit((mcts(w, iterations=3, in_flight=2), beam(w), None), w.judge, 4)),
    Row("beam over best of n", "letters flaky", lambda w: beam(w, generator=BestOfN(2, w.judge))),
    Row("mcts over best of n", "letters rewrite", lambda w: mcts(w, iterations=4, generator=BestOfN(2, w.judge))),
    Row("mcts over gibbs", "letters", lambda w: mcts(w, iterations=3, generator=gibbs(w, 2, sweeps=2))),
    Row("dvts over votes", PAIR, lambda w: dvts(w, generator=voted(w, 3))),
    Row("ab-mcts over thoughts", "letters", lambda w: ABMCTS(w.judge, iterations=4, generator=thoughts(w, 2))),
    # ---- by hand, and from other sources
    Row("errands", TEXTS, lambda w: Errands(w.judge)),
    Row("errands, some idle", "letters flaky", lambda w: Errands(w.judge, 3)),
    Row("best of n over errands", "letters flaky", lambda w: best(w, Errands(w.judge, 1))),
    Row("shown", TEXTS, lambda w: Shown()),
    Row("agents", "letters", lambda w: best(w, Function(say), 6)),
    Row("agents, async", "letters", lambda w: voted(w, 5, generator=Function(say_later))),
    Row("recorded", "letters", lambda w: best(w, Recorded({w.problem.prompt.text: ["a", "b", "c"]}), 5)),
    Row("retrying", "flaky answers", lambda w: best(w, Model(Retrying(w.backend, 3, 1e-4), w.params), 6)),
    Row("limited", "letters flaky", lambda w: mcts(w, in_flight=3, generator=Model(Limited(w.backend, 2), w.params))),
)


# ---------------------------------------------------------------- cases

SEEDS = (0, 1, 2)
# Plain; four in flight, answers in another order; budgets that bind; a single generation; half a budget, then resumed
# from the journal. The last three from one root seed.
MODES = ("plain", "late", "generations", "generated_tokens", "verifications", "total_tokens", "starved", "resumed")
SHARES = (1 / 2, 1 / 3, 4 / 5)  # of what the plain search spends, by root seed
ONE = Usage(generations=1, model_calls=1, prompt_tokens=7, generated_tokens=10)  # a sample, for worst cases
UNKNOWN = "depends on latencies: calls were cancelled"
SECONDS = 120  # that a case may take


@dataclass(frozen=True)
class Case:
    row: Row
    world: str
    mode: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.row.name} / {self.world} / {self.mode} / {self.seed}"


def cases() -> Iterator[Case]:
    """All of them; the embedded model is slow, so that it has one root seed."""
    for row in ROWS:
        for place, world in enumerate(row.worlds.split()):
            for mode in MODES:
                few = world in EMBEDDED or mode in MODES[-3:]
                if mode != "resumed" or (place == 0 and world not in EMBEDDED):
                    yield from (Case(row, world, mode, seed) for seed in SEEDS[: 1 if few else None])


def covered(case: Case) -> list[str]:
    """The names of `searchkit.strategies.__all__` that take part in a case."""
    public = {name: getattr(strategies, name) for name in strategies.__all__}
    try:
        found = list(_parts(_made(case, Setting())[1]))
    except Exception:  # told where it is run
        return []
    return sorted(name for name, one in public.items() if any(_is(part, one) for part in found))


def _is(part: Any, public: Any) -> bool:
    try:
        return part is public or isinstance(part, public)
    except TypeError:
        return False


def _parts(value: Any) -> Iterator[Any]:
    """A strategy and all that it is configured with."""
    yield value
    if isinstance(value, tuple):
        for one in value:
            yield from _parts(one)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _parts(getattr(value, one.name, None))


@dataclass
class Setting:
    """How a case is run. asked: the seed, index and content of each request that a backend got."""

    asked: list[tuple[int, int, int]] = field(default_factory=list)
    late: bool = False


def _made(case: Case, setting: Setting) -> tuple[World, Any]:
    world = WORLDS[case.world](lambda backend: Wired(backend, setting.asked, setting.late))
    strategy = case.row.make(world)
    return world, _in_flight(strategy) if case.mode == "late" else strategy


def _in_flight(strategy: Any) -> Any:
    """The strategy, or its planner, with four in flight; as it is where it has no such field."""
    if hasattr(strategy, "planner"):
        return replace(strategy, planner=_in_flight(strategy.planner))
    return replace(strategy, in_flight=4) if hasattr(strategy, "in_flight") else strategy


def record(case: Case) -> dict[str, Any] | None:
    """What a case comes to, as JSON; None where there is nothing that a budget could be put on."""
    if case.mode == "plain":
        return plain(case)
    if case.mode == "late":
        return run(case)
    if case.mode == "starved":
        return run(case, budget=Budget(generations=1))
    if case.mode == "resumed":
        return resumed(case)
    budget = _share(case, case.mode)
    return None if budget is None else run(case, budget=budget)


def _share(case: Case, ceiling: str) -> Budget | None:
    """A part of what the plain search with this seed spends; of tokens, enough for one call besides."""
    spent = plain(replace(case, mode="plain")).get("spent", {}).get(ceiling, 0)
    call = WORLDS[case.world](lambda backend: backend).params.max_tokens if ceiling.endswith("tokens") else 0
    return Budget(**{ceiling: max(1, call + int(spent * SHARES[case.seed]))}) if spent else None


@lru_cache(maxsize=2 * len(SEEDS))
def plain(case: Case) -> dict[str, Any]:
    return run(case)


def resumed(case: Case) -> dict[str, Any]:
    """Half a search, and the rest of it from the journal: the whole must be as if it had not been interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        half = run(case, budget=_share(case, "generations") or Budget(), journal=journal)
        whole = run(case, journal=journal)
    before = plain(replace(case, mode="plain"))
    differing = [name for name in before if name not in ("paid", "requests") and before[name] != whole.get(name)]
    return {"half": half, "whole": whole, "unlike the uninterrupted search": differing}


def run(case: Case, **options: Any) -> dict[str, Any]:
    """The search itself. What it raises is part of the record; what is no error of searchkit is a broken case."""
    setting = Setting(late=case.mode == "late")
    try:
        world, strategy = _made(case, setting)
        search = solve(world.problem, strategy, generator=Model(world.backend, world.params), seed=case.seed, **options)
        found = told(asyncio.run(asyncio.wait_for(search, SECONDS))) | {"worst_case": _worst_case(strategy)}
    except Exception as error:
        found = {"raised": said(error), "broken": not isinstance(error, SearchkitError)}
    asked = UNKNOWN if found.get("usage") == UNKNOWN else sorted(setting.asked)
    return json.loads(json.dumps({**found, "requests": asked}, default=repr))


def _worst_case(strategy: Any) -> dict[str, Any] | None:
    """What the strategy says that it costs at most."""
    bound = strategy.worst_case(ONE) if isinstance(strategy, Strategy) else None
    return None if bound is None else _usage(bound)


def said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def told(result: Any) -> dict[str, Any]:
    """What is compared of a result. What calls cost that were cancelled, half-way or not, nobody can compare."""
    trace = result.trace.canonical()
    cancelled = any(span.status == "cancelled" for span in result.trace.walk())
    return {
        "trace": trace,
        "answer": [repr(result.answer), result.sample.finish, result.sample.stop_reason],
        "stopped": result.stopped,
        "candidates": [_candidate(one) for one in result.candidates],
        "errors": [said(error) for error in result.errors],
        "usage": UNKNOWN if cancelled else _usage(result.usage),
        "paid": UNKNOWN if cancelled else _usage(result.paid),
        "sequential_tokens": UNKNOWN if cancelled else result.sequential_tokens,
        "overshoot": UNKNOWN if cancelled else dict(result.overshoot),
        "spent": _spent(trace),
        "tree": None if result.tree is None else json.loads(result.tree.to_json()),
    }


def _candidate(one: Any) -> dict[str, Any]:
    sample, verdict = one.sample, one.verdict
    return {
        "text": sample.text, "score": one.score, "finish": sample.finish, "stop_reason": sample.stop_reason,
        "steps": [[span.start, span.end] for span in getattr(sample, STEP_SPANS)],
        "verdict": [verdict.score, verdict.passed, getattr(verdict, STEP_SCORES), verdict.feedback],
    }  # fmt: skip


def _usage(usage: Usage) -> dict[str, Any]:
    """All but seconds, and what a server or another request had read before."""
    amounts = {f.name: getattr(usage, f.name) for f in fields(usage)}
    return {name: amount for name, amount in amounts.items() if name not in ("cpu_seconds", "cached_tokens")}


def _spent(trace: Mapping[str, Any]) -> dict[str, int]:
    """What the calls of a trace that were not cancelled came to."""
    total = Counter[str](trace["usage"])
    total["total_tokens"] = total["prompt_tokens"] + total["generated_tokens"]
    for child in trace["children"]:
        total.update(_spent(child))
    return dict(total)


def digest(found: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(found, sort_keys=True).encode(), digest_size=16).hexdigest()
