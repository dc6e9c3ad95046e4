"""The embedded reward models: real, trained verifiers that ship with searchkit and run on the CPU."""

from __future__ import annotations

import asyncio
import atexit
import json
import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.embedded.checkpoint import Checkpoint, load, read_config, shipped
from searchkit.types import Image, Sample, Text, Usage

REMEMBERED = 16_384  # texts, at most 2 KB each
# Scorers of this process, by the digest of their weights: equal ones share the weights and the thread.
_WORKERS: dict[str, _Worker] = {}
_OPENING = threading.Lock()


@dataclass(frozen=True, slots=True)
class EmbeddedReward:
    """A `Backend` whose text is scores: a small Llama on ONNX Runtime that estimates the policy's chance of success.

    For `ProcessReward(EmbeddedReward(), separator="\\n")` and `OutcomeReward`: a request ends with the answer as an
    assistant message, and the text that comes back is a JSON list with one score in [0, 1] for each of its parts, the
    chance that the policy succeeds from the end of that part. `Prompt.prefix` is not looked at.

    folder: written by `searchkit.lab.train_reward` and `searchkit.lab.export_reward`; None is the shipped process model
    of Countdown. A process model (`kind`) has learnt the ends of steps, each of them a line. An outcome model has
    learnt the ends of whole solutions, and refuses answers of several parts.

    All scores of an answer come from one forward pass over prompt and answer. A request is always computed alone, so
    its scores do not depend on what else is asked (and padding texts to a batch would take longer: 1.5 ms a text of 60
    tokens instead of 1.2). One thread serves all callers in turn; safe from several event loops at once, and what is
    cancelled before its turn costs nothing. Requests that the model cannot read (unknown characters, images, too long)
    come back as `CallError`s of kind "bad_request".

    The scores of the last 16,384 texts are remembered, because searches for one problem come to the same states:
    `Usage.cached_tokens` counts what was not read again.

    Pickles as its configuration. `ConfigError` if the folder is missing, damaged, or not a reward model's.
    """

    folder: str | Path | None = None
    kind: Literal["process", "outcome"] = field(init=False, repr=False, compare=False)
    _checkpoint: Checkpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folder = shipped("countdown-process") if self.folder is None else Path(self.folder)
        checkpoint, kind = load(folder), read_config(folder).get("reward")
        if kind not in ("process", "outcome"):
            raise ConfigError(f"{folder} is no reward model: name a folder written by searchkit.lab.train_reward")
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "_checkpoint", checkpoint)

    def __reduce__(self) -> tuple[type[EmbeddedReward], tuple[str | Path | None]]:
        return type(self), (self.folder,)

    @property
    def name(self) -> str:
        """Folder name and a digest of its files: other weights give another name."""
        return f"embedded/{self._checkpoint.folder.name}@{self._checkpoint.digest[:12]}"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """The scores of each answer or a `CallError`, in order. Usage: one call, and the tokens that were read."""
        worker = _WORKERS.get(self._checkpoint.digest)
        if worker is None:
            worker = await asyncio.to_thread(_open, self._checkpoint)
        jobs = [self._job(request) for request in requests]
        queue = [job for job in jobs if isinstance(job, _Job)]
        for job in queue:
            worker.submit(job)
        answers = await asyncio.gather(*(asyncio.wrap_future(job.future) for job in queue), return_exceptions=True)
        found = iter(answers)
        return [
            job if isinstance(job, CallError) else _sample(request, job, next(found))
            for request, job in zip(requests, jobs, strict=True)
        ]

    def _job(self, request: Request) -> _Job | CallError:
        """The text as tokens, and the places of its scores: a character is a token, the begin token comes first."""
        *conversation, answer = request.prompt.messages
        asked, places = "".join(message.text for message in conversation), list[int]()
        at = len(asked)
        for part in answer.parts:
            at += len(part.text) if isinstance(part, Text) else 0
            places.append(at)
        reason, ids = "", list[int]()
        try:
            ids = [self._checkpoint.begin, *self._checkpoint.tokenizer.encode(asked + answer.text)]
        except ValueError as error:
            reason = str(error)
        if any(isinstance(part, Image) for message in request.prompt.messages for part in message.parts):
            reason = "the embedded reward model reads text only"
        elif answer.role != "assistant":
            reason = f"the last message must be the answer, of the assistant, not of the {answer.role}"
        elif self.kind == "outcome" and len(places) > 1:
            reason = f"{self.name} judges whole answers: use it in OutcomeReward, or a process model"
        elif len(ids) > self._checkpoint.layout.context:
            reason = f"the text has {len(ids)} tokens and {self.name} reads {self._checkpoint.layout.context}"
        if reason:
            return CallError(reason, kind="bad_request", request=request)
        return _Job(tuple(ids), tuple(places))


def _sample(request: Request, job: _Job, answer: list[float] | BaseException) -> Sample[str] | CallError:
    if isinstance(answer, BaseException):
        return CallError(f"the embedded reward model failed: {answer}", kind="failed", request=request)
    read = len(job.ids)
    usage = Usage(model_calls=1, prompt_tokens=read, cached_tokens=read if job.known else 0, longest_context=read)
    return Sample(json.dumps(answer), usage=usage)


def lines(text: str) -> list[int]:
    """Where the lines of `text` end, in characters, line breaks included; an empty text is one empty line."""
    ends = [i + 1 for i, c in enumerate(text) if c == "\n"]
    return ends if ends and ends[-1] == len(text) else [*ends, len(text)]


@dataclass(eq=False, slots=True)
class _Job:
    ids: tuple[int, ...]
    places: tuple[int, ...]
    known: bool = False
    future: Future[list[float]] = field(default_factory=Future)


class _Worker:
    """A thread with an ONNX Runtime session: one job after another, for as long as the process lives."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        import onnxruntime as ort

        path = checkpoint.folder / "model.onnx"
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
        options.log_severity_level = 4  # errors are raised, and need not be printed too
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common root of their own
            message = (
                f"ONNX Runtime cannot open {path} ({error}): write it with `python -m searchkit.lab.export_reward`"
            )
            raise ConfigError(message) from error
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]] = {}  # written by the thread alone
        self._thread = threading.Thread(target=self._loop, name="searchkit-reward", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, job: _Job) -> None:
        """Answer the job, at once if its text is known."""
        scores = self._known.get((job.ids, job.places))
        if scores is None:
            self._queue.put(job)
        else:
            job.known = True
            job.future.set_result(scores)

    def close(self) -> None:
        """End the thread after the jobs that wait now."""
        self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while (job := self._queue.get()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                scores = self._scores(job)
            except Exception as error:  # the caller's, who waits for an answer
                job.future.set_exception(error)
                continue
            self._known[job.ids, job.places] = scores
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]  # the oldest
            job.future.set_result(scores)

    def _scores(self, job: _Job) -> list[float]:
        import numpy as np

        length = len(job.ids)
        feed = {
            "ids": np.array([job.ids], np.int64),
            "last": np.array([length - 1], np.int32),
            "total": np.array(length, np.int32),
        }
        [logits] = self._session.run(["logits"], feed)
        return [_sigmoid(float(logits[0, place, 0])) for place in job.places]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _open(checkpoint: Checkpoint) -> _Worker:
    with _OPENING:
        if checkpoint.digest not in _WORKERS:
            if load(checkpoint.folder).digest != checkpoint.digest:
                raise ConfigError(f"{checkpoint.folder} has changed on disk: construct EmbeddedReward again")
            _WORKERS[checkpoint.digest] = _Worker(checkpoint)
        return _WORKERS[checkpoint.digest]
