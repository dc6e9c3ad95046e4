"""The embedded language model: a real Llama that ships with searchkit and runs on the CPU, without server or key."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.embedded.checkpoint import SHIPPED, Checkpoint, load, read_config
from searchkit.types import ConfidenceFloor, Image, Message, Prompt, Sample, Text, Token, Usage

if TYPE_CHECKING:
    from searchkit.generators.embedded.engine import Engine, Generated, Job

# Engines of this process, by weights and configuration: backends that are equal share one, weights and thread included.
_ENGINES: dict[tuple[str, int, int, int], Engine] = {}
_OPENING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Embedded:
    """A `Backend`: a small Llama on ONNX Runtime, with continuous batching of up to `batch` requests.

    - folder: a Hugging Face folder with ``model.onnx`` (see `searchkit.lab.export`); None is the shipped Countdown
      model.
    - batch: rows computed together; further requests wait.
    - threads: that share the rows of a large batch (16 rows or more each); None is the number of CPUs, at most 4.
    - cache: tokens of earlier requests whose keys and values are kept, for requests that begin alike; 0 is none. At 4
      KiB a token for the shipped model, 32,768 are at most 128 MiB.

    None of the last three changes a text.

    A request is the begin token, the text of all messages and the prefix (`prefix_ids` if given). Its text is a
    function of prompt, parameters and seed: noise is keyed by (seed, position in the text, token), positions count from
    the begin token, and logits depend neither on the batch nor on what is cached: messages are read in one piece, and
    each token after them, given or sampled, is computed in a step of its own. So a text that is cut anywhere and
    continued with the same seed is the text in one go, bit for bit.

    Cost of a prefix: a step a token, as if it were generated; where the cache has the messages and the beginning of the
    prefix, a step for each token of the rest, at least for the last. `Usage.prompt_tokens` counts all that were sent,
    `cached_tokens` those that were copied instead of computed, be it from the cache or from a request with the same
    messages that joined at the same step. It is the only field of a sample that depends on other requests.

    `token_ids` and `logprobs` cover every sampled token, the end token and a stop string's included, as
    `Usage.generated_tokens` does; the text stops before the stop string. `logprobs=k` lists the k most likely tokens.
    A `ConfidenceFloor` is looked at after every token, and changes none.
    Requests that the model cannot read (unknown words or characters, images, tools, too long) come back as `CallError`s
    of kind "bad_request". Safe from several event loops at once; a cancelled call frees its row at the next token.

    Pickles as its configuration. `ConfigError` if the folder is missing or damaged.
    """

    folder: str | Path | None = None
    batch: int = 64
    threads: int | None = None
    cache: int = 32_768
    ends_at_floor: ClassVar[bool] = True
    _checkpoint: Checkpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(f"batch must be >= 1 row, got {self.batch}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads must be >= 1, or None for the number of CPUs, got {self.threads}")
        if self.cache < 0:
            raise ConfigError(f"cache must be >= 0 tokens (0 is none), got {self.cache}")
        object.__setattr__(self, "_checkpoint", load(SHIPPED if self.folder is None else Path(self.folder)))
        if "reward" in read_config(self._checkpoint.folder):
            raise ConfigError(f"{self.folder} is a reward model: use EmbeddedReward({str(self.folder)!r})")

    def __reduce__(self) -> tuple[type[Embedded], tuple[str | Path | None, int, int | None, int]]:
        return type(self), (self.folder, self.batch, self.threads, self.cache)

    @property
    def name(self) -> str:
        """Folder name and a digest of its files: other weights give another name."""
        return f"embedded/{self._checkpoint.folder.name}@{self._checkpoint.digest[:12]}"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One sample or `CallError` a request, in order. All of them join the batch at the next token step."""
        checkpoint = self._checkpoint
        jobs = [_job(checkpoint, request) for request in requests]
        queue = [job for job in jobs if not isinstance(job, CallError)]
        if queue:
            key = (checkpoint.digest, self.batch, self.threads or min(4, os.cpu_count() or 1), self.cache)
            engine = _ENGINES.get(key)
            if engine is None:
                engine = await asyncio.to_thread(_open, checkpoint, key)
            engine.submit(queue)
        answers = await asyncio.gather(*(asyncio.wrap_future(job.future) for job in queue), return_exceptions=True)
        found = iter(answers)
        return [
            job if isinstance(job, CallError) else _sample(checkpoint, request, job, next(found))
            for request, job in zip(requests, jobs, strict=True)
        ]


def _open(checkpoint: Checkpoint, key: tuple[str, int, int, int]) -> Engine:
    from searchkit.generators.embedded.engine import Engine

    with _OPENING:
        if key not in _ENGINES:
            if load(checkpoint.folder).digest != checkpoint.digest:
                raise ConfigError(f"{checkpoint.folder} has changed on disk: construct Embedded again")
            _ENGINES[key] = Engine(checkpoint, *key[1:])
        return _ENGINES[key]


def _job(checkpoint: Checkpoint, request: Request) -> Job | CallError:
    """The request as tokens; a `CallError` that says what the model cannot do."""
    from searchkit.generators.embedded.engine import Job

    context, params = checkpoint.layout.context, request.params
    try:
        prompt, prefix = _encode(checkpoint, request.prompt)
    except ValueError as error:
        return CallError(str(error), kind="bad_request", request=request)
    given = len(prompt) + len(prefix)
    if given >= context:
        message = f"the prompt has {given} tokens and the embedded model holds {context}: shorten the prompt"
        return CallError(message, kind="bad_request", request=request)
    stops = tuple((stop, _completing(checkpoint, stop)) for stop in params.stop)
    limit = min(params.max_tokens or context, context - given)
    return Job(prompt, request.seed, params, limit, stops, prefix)


def _completing(checkpoint: Checkpoint, stop: str) -> tuple[int, ...]:
    """Ids of the tokens with which a text may come to contain `stop`."""
    if stop not in checkpoint.completing:
        known = checkpoint.tokenizer.vocabulary
        checkpoint.completing[stop] = tuple(i for piece, i in known.items() if _may_complete(stop, piece))
    return checkpoint.completing[stop]


def _may_complete(stop: str, piece: str) -> bool:
    """Whether a text whose last token is `piece` can contain `stop` for the first time."""
    return any(stop.endswith(piece[:end]) or piece[:end].endswith(stop) for end in range(1, len(piece) + 1))


def _encode(checkpoint: Checkpoint, prompt: Prompt) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Begin token and messages; and the prefix."""
    if prompt.tools:
        raise ValueError("the embedded model calls no tools: pass a prompt without tools, or another backend")
    if any(isinstance(part, Image) for message in prompt.messages for part in message.parts):
        raise ValueError("the embedded model reads text only: pass a prompt without images, or another backend")
    ids = (checkpoint.begin, *checkpoint.tokenizer.encode("".join(message.text for message in prompt.messages)))
    if prompt.prefix_ids is None:
        return ids, tuple(checkpoint.tokenizer.encode(prompt.prefix))
    size = checkpoint.layout.vocabulary
    if not all(0 <= i < size for i in prompt.prefix_ids):
        raise ValueError(f"prefix_ids must be token ids in 0..{size - 1} of the embedded model")
    return ids, prompt.prefix_ids


def _sample(
    checkpoint: Checkpoint, request: Request, job: Job, answer: Generated | BaseException
) -> Sample[str] | CallError:
    if isinstance(answer, BaseException):
        return CallError(f"the embedded engine failed: {answer}", kind="failed", request=request)
    whole = checkpoint.tokenizer.decode(answer.tokens)
    text = whole[: whole.index(answer.stop)] if answer.stop else whole
    given, used = len(job.prompt) + len(job.prefix), len(answer.tokens)
    return Sample(
        text,
        message=Message("assistant", (Text(text),)),
        finish=answer.finish,
        stop_reason=ConfidenceFloor.FELL if answer.fell else answer.stop or None,
        usage=Usage(
            model_calls=1,
            prompt_tokens=given,
            cached_tokens=answer.cached,
            generated_tokens=used,
            longest_context=given + used,
        ),
        token_ids=tuple(answer.tokens) if whole == text + answer.stop else None,
        logprobs=_logprobs(checkpoint, answer, request.params.logprobs),
    )


def _logprobs(checkpoint: Checkpoint, answer: Generated, top: int | None) -> tuple[Token, ...] | None:
    if answer.logits is None or top is None:
        return None
    import numpy as np

    from searchkit.generators.embedded.sampler import log_softmax

    names = {i: c for c, i in checkpoint.tokenizer.vocabulary.items()}  # special tokens have no text
    table = log_softmax(answer.logits.astype(np.float64))
    best = np.argsort(-table, axis=1, kind="stable")[:, :top].tolist()
    rows = zip(answer.tokens, best, table.tolist(), strict=True)
    return tuple(
        Token(names.get(chosen, ""), row[chosen], tuple((names.get(i, ""), row[i]) for i in ranked))
        for chosen, ranked, row in rows
    )
