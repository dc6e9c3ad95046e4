"""The values that flow through a search. All frozen, all comparable, none with behaviour beyond convenience."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

from searchkit import forms, message_dicts
from searchkit.errors import ConfigError
from searchkit.kinds import is_count, is_number, is_whole, told
from searchkit.quick import quick

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")
NUMBERS, COUNTS = frozenset({int, float}), frozenset({int, type(None)})

Finish = Literal["stop", "length", "tool_calls", "content_filter"]
TRUNCATED = ("length", "content_filter")  # ends of a text that is not whole
Role = Literal["generate", "verify", "plan"]
Stopped = Literal["done", "threshold", "budget", "deadline", "cancelled", "error"]


@quick
@dataclass(frozen=True, slots=True)
class Text:
    """Text inside a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image inside a message: an ``https:`` or ``data:`` URL, passed through to the server as it is."""

    url: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to run a tool. `arguments` is the model's JSON text, not parsed and not trusted."""

    id: str
    name: str
    arguments: str


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `reasoning` is what a server returned beside the visible text."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Text | Image, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.parts, str):
            raise ConfigError(f"a message's parts are a tuple: (Text({told(self.parts)}),), or use Prompt.of(text)")

    @classmethod
    def of(cls, message: Message | Mapping[str, Any], index: int = 0) -> Message:
        """A message as it is, or from a dictionary of the OpenAI API. index: its number, for the error's sentence."""
        if isinstance(message, Message):
            return message
        if not isinstance(message, Mapping):
            raise ConfigError(
                f'message {index} is {told(message)}: a message is {{"role": "user", "content": text}} or a Message'
            )
        read = message_dicts.read(message, index)
        parts = tuple(Text(said) if kind == "text" else Image(said) for kind, said in read.parts)
        return cls(read.role, parts, tuple(ToolCall(*c) for c in read.tool_calls), read.tool_call_id, read.reasoning)

    @property
    def text(self) -> str:
        if len(self.parts) == 1 and isinstance(self.parts[0], Text):  # by far the most
            return self.parts[0].text
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def _says(message: Message) -> bool:
    for part in message.parts:
        if type(part) is not Text or (part.text and not part.text.isspace()):
            return True
    return bool(message.tool_calls)


@quick
@dataclass(frozen=True, slots=True)
class Prompt:
    """What a generator sees: a conversation, and optionally the beginning of the assistant turn that it continues.

    `prefix` is that beginning as text; `prefix_ids` the same as token ids, for backends that take them. `tools` are
    OpenAI tool schemas as JSON texts.
    """

    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    prefix: str = ""
    prefix_ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        messages, says = self.messages, False
        for message in messages if isinstance(messages, (tuple, list)) else (None,):
            if not isinstance(message, Message):
                raise ConfigError(f"a Prompt is a tuple of Messages; Prompt.of(...) makes one, got {told(messages)}")
            says = says or _says(message)
        if not says:
            raise ConfigError("the prompt is empty: pass a text, a Prompt with a message, or a Problem")

    @classmethod
    def of(cls, prompt: Promptable | Message) -> Prompt:
        """A `Prompt` from whatever a user has: a text becomes one user message.

        A conversation is a list of `Message` objects, or of dictionaries as OpenAI's API takes them.
        """
        if isinstance(prompt, Prompt):
            return prompt
        if isinstance(prompt, Problem):
            return prompt.prompt
        if isinstance(prompt, str):
            return cls((Message("user", (Text(prompt),)),))
        if isinstance(prompt, Message):
            return cls((prompt,))
        if isinstance(prompt, (bytes, bytearray)):
            raise ConfigError(f"a prompt is a text, not bytes: pass it as .decode(), got {told(prompt)}")
        if isinstance(prompt, Mapping):
            raise ConfigError(f"a conversation is a list of messages: pass [message], got {told(prompt)}")
        if not isinstance(prompt, Iterable) or isinstance(prompt, type):
            raise ConfigError(f"a prompt is a text, a list of messages, a Prompt or a Problem, got {told(prompt)}")
        return cls(tuple(Message.of(message, i) for i, message in enumerate(prompt)))

    @property
    def text(self) -> str:
        """All visible text of the messages, one message a line group; for people and for simple verifiers."""
        return "\n".join([m.text for m in self.messages])

    def continued(self, text: str) -> Prompt:
        """The same prompt with `text` added to the assistant turn that is to be continued."""
        return replace(self, prefix=self.prefix + text, prefix_ids=None)


@dataclass(frozen=True, slots=True)
class Problem:
    """A prompt with an identity and, where known, a reference answer.

    The reference reaches only `Verifier.bind`; strategies and generators are given the prompt alone. withheld: the
    reference, where a search must not know what is right (`Sweep`): of it a verifier takes at most what says nothing
    of that, as `DualAgreement` takes the names of a program.
    """

    id: str
    prompt: Prompt
    reference: Any = None
    withheld: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, Prompt):
            raise ConfigError(f"a Problem needs a Prompt: Problem(id, Prompt.of(text)), got {told(self.prompt)}")

    @classmethod
    def of(cls, problem: Promptable, id: str = "0") -> Problem:
        """A `Problem` from a text, a conversation or a prompt, which gets this `id`; a problem keeps its own."""
        return problem if isinstance(problem, Problem) else cls(id, Prompt.of(problem))


Promptable = str | Prompt | Problem | Iterable[Message | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ConfidenceFloor:
    """Where a text is given up: once the mean confidence of its last `window` tokens is below `bar`.

    A token's confidence is the mean of -log p over its listed rivals, as in the verifier `DeepConf`. The token that
    makes the window fall is the last one, even if it would have ended the text. The sample then has finish "length", so
    that it never votes, and `ConfidenceFloor.FELL` as its stop_reason; it costs the tokens up to there. A text of fewer
    tokens than `window` never falls, and with a bar of -inf none does.
    """

    window: int
    bar: float

    FELL: ClassVar[str] = "confidence below the floor"

    def __post_init__(self) -> None:
        if not is_whole(self.window) or self.window < 1:
            raise ConfigError(f"a floor's window must be >= 1 tokens, a whole number, got {told(self.window)}")
        if not is_number(self.bar) or math.isnan(self.bar):
            raise ConfigError("a floor's bar must be a number; -inf never ends a text")


@dataclass(frozen=True, slots=True)
class Params:
    """Sampling parameters. All are always sent, because servers differ in their defaults.

    - temperature: >= 0; 0 is greedy.
    - top_p: (0, 1].
    - top_k: 0 is off.
    - min_p: [0, 1).
    - max_tokens: generated tokens, None is the server's limit.
    - stop: strings that end a text; a single one may be given as it is.
    - logprobs: None is off; k asks for each sampled token's log-probability and its k best rivals.
    - floor: ends a text once the model is unsure; needs logprobs >= 1, and a backend that can (`CapabilityError`).
    - form: what an answer must be like: response_format, tool_choice, parallel_tool_calls of OpenAI's chat API, as
      ``json.dumps({"response_format": ...})``; needs a backend that can tell its model of it (`CapabilityError`).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    floor: ConfidenceFloor | None = None
    form: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        numbers = {type(self.temperature), type(self.top_p), type(self.min_p)}
        counts = {type(self.top_k), type(self.max_tokens), type(self.logprobs)}
        usual = numbers <= NUMBERS and counts <= COUNTS and type(self.stop) is tuple
        if not (usual and self.floor is None and self.form == ""):
            self._check_kinds()  # the usual kinds are told at a glance: parameters are made for every step of a search
        checks = {
            "temperature must be a finite number >= 0": 0 <= self.temperature < math.inf,
            "top_p must be in (0, 1]": 0 < self.top_p <= 1,
            "top_k must be >= 0 (0 is off)": self.top_k is not None and self.top_k >= 0,
            "min_p must be in [0, 1)": 0 <= self.min_p < 1,
            "max_tokens must be >= 1, or None": self.max_tokens is None or self.max_tokens >= 1,
            "logprobs must be >= 0, or None": self.logprobs is None or self.logprobs >= 0,
            "stop strings must not be empty": all(self.stop),
            "stop strings must be texts": not self.stop or all(isinstance(text, str) for text in self.stop),
            "a floor needs each token's rivals: logprobs=20, say": self.floor is None or bool(self.logprobs),
        }
        for rule, holds in checks.items():
            if not holds:
                raise ConfigError(f"{rule}, got {self}")

    def _check_kinds(self) -> None:
        """Raises `ConfigError` for what is no number where one is needed, and so has no bounds."""
        for name, value in (("temperature", self.temperature), ("top_p", self.top_p), ("min_p", self.min_p)):
            if not is_number(value):
                raise ConfigError(f"{name} must be a number, got {told(value)}")
        for name, count in (("top_k", self.top_k), ("max_tokens", self.max_tokens), ("logprobs", self.logprobs)):
            if count is not None and not is_whole(count):
                raise ConfigError(f"{name} must be a whole number, got {told(count)}")
        if not isinstance(self.stop, (tuple, list)):
            raise ConfigError(f'stop is a text or a tuple of texts such as ("\\n",), got {told(self.stop)}')
        if self.floor is not None and not isinstance(self.floor, ConfidenceFloor):
            raise ConfigError(f"floor must be a ConfidenceFloor(window, bar), got {told(self.floor)}")
        forms.read(self.form)


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """What was consumed. Sums add every field but `longest_context`, of which the greater counts.

    - generations: samples drawn in order to find the answer.
    - verifications: samples that a verifier judged.
    - model_calls: requests to any model in any role, retries included.
    - prompt_tokens: tokens read.
    - cached_tokens: the part of them that the server still knew.
    - generated_tokens: tokens written.
    - estimated_tokens: the part of prompt_tokens and generated_tokens that nobody reported. Of calls that were cut off,
      and of servers that do not count: what was written is charged at the call's limit, or, of an answer without one,
      estimated from its text; what was read is guessed.
    - usd: money, by the backend's prices.
    - cpu_seconds: of verifiers, in this process.
    - longest_context: the most prompt and generated tokens of a single call.
    """

    generations: int = 0
    verifications: int = 0
    model_calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    estimated_tokens: int = 0
    usd: float = 0.0
    cpu_seconds: float = 0.0
    longest_context: int = 0

    def __repr__(self) -> str:
        """What is not 0."""
        return f"Usage({', '.join(f'{f.name}={v!r}' for f in fields(self) if (v := getattr(self, f.name)))})"

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.generated_tokens

    def times(self, n: int) -> Usage:
        """What `n` such usages add up to."""
        amounts = {f.name: getattr(self, f.name) * n for f in fields(self)}
        return Usage(**amounts | {"longest_context": self.longest_context})

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.generations + other.generations,
            self.verifications + other.verifications,
            self.model_calls + other.model_calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.generated_tokens + other.generated_tokens,
            self.estimated_tokens + other.estimated_tokens,
            self.usd + other.usd,
            self.cpu_seconds + other.cpu_seconds,
            max(self.longest_context, other.longest_context),
        )


NO_USAGE = Usage()


@quick
@dataclass(frozen=True, slots=True)
class StepSpan:
    """A step of a sample's text: characters [start, end)."""

    start: int
    end: int


@quick
@dataclass(frozen=True, slots=True)
class Token:
    """A sampled token with its log-probability (natural log, of the distribution before temperature) and rivals."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Sample(Generic[T_co]):
    """What a generator produced: a text, or whatever an agent returned.

    - value: the text, or what the agent returned.
    - message: the assistant's turn as the server gave it, with tool calls and reasoning; None where there is none.
    - finish: why it ended. "length" and "content_filter" mark a truncated sample: it never votes.
    - stop_reason: the stop string that fired, None if the model ended by itself. Of a truncated text,
      `ConfidenceFloor.FELL`, or the server's own reason where nobody knows what it stands for.
    - usage: what it cost.
    - token_ids: spell the text and that stop string (and the end token), so that they can be sent to continue it; None
      where the backend does not say, or the last token runs past the stop string.
    - logprobs: the sampled tokens with their log-probabilities; None where they were not asked for.
    - step_spans: where each step of a step-wise search stands in the text.
    - candidates: all answers of a nested search.
    - origin: whether this process paid for it ("model") or found it ("journal", "cache"); it is not part of the
      sample's identity.
    - left_out: fields of the request that the server refused, and that it was sent without; likewise no part of it.
    """

    value: T_co
    message: Message | None = None
    finish: Finish = "stop"
    stop_reason: str | None = None
    usage: Usage = Usage()
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[Token, ...] | None = None
    step_spans: tuple[StepSpan, ...] = ()
    candidates: tuple[Scored, ...] = field(default=(), repr=False)
    origin: Literal["model", "journal", "cache"] = field(default="model", compare=False, repr=False)
    left_out: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def text(self) -> str:
        """The value if it is a text, else the message's text, else the value's `repr`."""
        if isinstance(self.value, str):
            return self.value
        return self.message.text if self.message is not None else repr(self.value)

    @property
    def truncated(self) -> bool:
        """Whether the text is not whole: it was cut, or a filter left something out."""
        return self.finish in TRUNCATED


@quick
@dataclass(frozen=True, slots=True)
class Verdict:
    """A verifier's opinion of one sample. A verdict with no score, not passed or failed, and without steps abstains.

    score: higher is better, within the verifier's declared range. step_scores: one a step, for process reward models.
    unread: no answer was found in the sample. A search takes it as failed; an experiment counts it apart from wrong
    ones, since it may be the reading that failed. standard_error: of the score, in its units, where a verifier knows
    it (`Expected`).
    """

    score: float | None = None
    passed: bool | None = None
    step_scores: tuple[float, ...] | None = None
    feedback: str = ""
    unread: bool = False
    standard_error: float | None = None

    @property
    def value(self) -> float | None:
        """The score; else 1 and 0 for passed and failed; else the last step's score; None if the verifier abstained."""
        if self.score is not None:
            return self.score
        if self.passed is not None:
            return float(self.passed)
        return self.step_scores[-1] if self.step_scores else None


@quick
@dataclass(frozen=True, slots=True)
class Scored:
    """A sample with its verdict; an abstaining one if it was never verified.

    weight: how many samples it stands for. A vote counts it so: what a search over steps finds is not drawn as samples
    are, and unlikely steps would have too many votes.
    """

    sample: Sample[Any]
    verdict: Verdict = Verdict()
    weight: float = 1.0

    @property
    def score(self) -> float | None:
        return self.verdict.value


@quick
@dataclass(frozen=True, slots=True)
class Transition(Generic[S]):
    """What an action led to: the next state, what was seen, and whether the episode is over.

    reward: the environment's own judgement of a terminal state, None if it leaves that to the verifier. A state that
    can come to nothing (an illegal move) is terminal with the least reward.
    """

    state: S
    observation: str = ""
    reward: float | None = None
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What a selector chose: an index into its candidates (None: nothing can be chosen), and how sure it is."""

    index: int | None
    score: float | None = None


@quick
@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The result of one item of `Run.map`: a value, or the error that ended it. Failures are data, not exceptions."""

    index: int
    value: T | None = None
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    def unwrap(self) -> T:
        """The value; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def first_failure(outcomes: Iterable[Outcome[Any]]) -> Exception | None:
    """The error of the first item that failed; None if none did."""
    return next((outcome.error for outcome in outcomes if outcome.error is not None), None)


@dataclass(frozen=True, slots=True)
class Budget:
    """Ceilings on what a search may consume. None is no ceiling; 0 forbids.

    - generations: samples drawn in order to find the answer.
    - verifications: samples that a verifier judges.
    - model_calls: requests to any model in any role, retries included.
    - generated_tokens: needs `Params(max_tokens=...)`, else no call has a worst case.
    - total_tokens: prompt and generated tokens; needs it, too.
    - usd: by the backend's prices.
    - seconds: of wall time.

    Generations, verifications, model calls and generated tokens are never exceeded where requests carry `max_tokens`.
    Prompt tokens, money, seconds and opaque agents may be exceeded by the calls in flight; `Result.overshoot` says by
    how much.
    """

    generations: int | None = None
    verifications: int | None = None
    model_calls: int | None = None
    generated_tokens: int | None = None
    total_tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, ceiling in self.ceilings():
            whole = name not in ("usd", "seconds")
            if not is_number(ceiling) or (whole and ceiling >= 0 and not is_count(ceiling)):
                kind = "a whole number" if whole else "a number"
                raise ConfigError(f"Budget({name}={told(ceiling)}): a ceiling must be {kind}, or None for no ceiling")
            if not ceiling >= 0:
                raise ConfigError(f"Budget({name}={ceiling}): a ceiling must be >= 0, or None for no ceiling")

    def ceilings(self) -> Iterator[tuple[str, float]]:
        """The ceilings that are set, as (name, value)."""
        for f in fields(self):
            if (ceiling := getattr(self, f.name)) is not None:
                yield f.name, ceiling
