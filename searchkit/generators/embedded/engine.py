"""Continuous batching: one thread that owns a `Decoder` and moves every request in flight on by one token a step.

Requests join at the next step and leave when they end; there is no timer and, without requests, no work. Any thread may
submit; answers arrive in a `concurrent.futures.Future`, and cancelling it frees the row at the next step.

A request's keys, values and logits are computed in one way only, whatever is remembered and whoever else is there: the
prompt is read in one piece, and every token after it, given or sampled, is fed in a step of its own. What a
`PrefixCache` remembers was computed in that way too, so it saves the work and changes no bit.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from searchkit.confidence import Fall
from searchkit.generators.embedded import sampler
from searchkit.generators.embedded.checkpoint import Checkpoint
from searchkit.generators.embedded.decoder import Decoder
from searchkit.generators.embedded.prefixes import PrefixCache
from searchkit.types import Params


@dataclass(frozen=True, slots=True)
class Generated:
    """What a job produced: every sampled token (end token and stop string included), and why it ended.

    `stop` is the stop string that fired, "" if none did; `fell`: it was given up at its floor; `logits` [tokens, V] are
    kept where asked for. `cached` counts the tokens of prompt and prefix that were copied, not computed.
    """

    tokens: list[int]
    finish: Literal["stop", "length"]
    stop: str
    fell: bool
    logits: np.ndarray[Any, np.dtype[np.float32]] | None
    cached: int


@dataclass(eq=False, slots=True)
class Job:
    """One request, as tokens: `prompt`, and `prefix`, the beginning of the answer to be continued.

    `stops` are the stop strings, each with the ids of the tokens that may complete it; `limit` >= 1 counts new tokens.
    """

    prompt: tuple[int, ...]
    seed: int
    params: Params
    limit: int
    stops: tuple[tuple[str, tuple[int, ...]], ...] = ()
    prefix: tuple[int, ...] = ()
    future: Future[Generated] = field(default_factory=Future)
    cached: int = 0
    tokens: list[int] = field(default_factory=list)
    logits: list[np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=list)
    fall: Fall | None = field(init=False)
    fell: bool = False

    def __post_init__(self) -> None:
        self.fall = None if self.params.floor is None else Fall(self.params.floor)


class Engine:
    """The thread and its rows. Rows [0, n) are in use; a row that ends is replaced by the last one.

    cache: how many tokens of ended requests and of prompts are remembered, for those that begin alike.
    The thread is a daemon that finishes its step when the interpreter exits.
    """

    def __init__(self, checkpoint: Checkpoint, rows: int, threads: int, cache: int) -> None:
        self._decoder = Decoder(checkpoint, rows, threads)
        self._prefixes = PrefixCache(self._decoder, cache)
        self._ends, self._decode = checkpoint.ends, checkpoint.tokenizer.decode
        self._jobs: list[Job] = []
        self._waiting: deque[Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._columns = _Columns(rows, checkpoint.layout.vocabulary)
        self._thread = threading.Thread(target=self._loop, name="searchkit-embedded", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue `jobs`; they join in this order as rows come free. After `close` they are cancelled."""
        with self._wake:
            if self._closing:
                for job in jobs:
                    job.future.cancel()
                return
            self._waiting.extend(jobs)
            self._wake.notify()

    @property
    def active(self) -> int:
        """Requests in a row or in the queue; cancelled ones count until the next step."""
        return len(self._jobs) + len(self._waiting)

    def close(self) -> None:
        """End the thread after its current step. Requests in flight are cancelled."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not (self._jobs or self._waiting or self._closing):
                    self._wake.wait()
                if self._closing:
                    break
            try:
                self._step()
            except Exception as error:  # the callers', who wait for an answer; the next requests start afresh
                for job in self._jobs:
                    if job.future.set_running_or_notify_cancel():
                        job.future.set_exception(error)
                self._jobs.clear()
        for job in (*self._jobs, *self._waiting):
            job.future.cancel()

    def _step(self) -> None:
        """One token for everybody: those in flight by decoding, those who join by reading their prompt."""
        for row in reversed([r for r, job in enumerate(self._jobs) if job.future.cancelled()]):
            self._leave(row)
        n = len(self._jobs)
        if n:
            self._decoder.step(self._columns.token[:n])
        self._join()
        n = len(self._jobs)
        if not n:
            return
        lengths = self._decoder.lengths[:n]
        writing = lengths >= self._columns.given[:n]  # the others have to be fed more of what they were given
        tokens = self._columns.sample(self._decoder.logits[:n], lengths, writing)
        for row in (~writing).nonzero()[0].tolist():
            job = self._jobs[row]
            tokens[row] = job.prefix[lengths[row] - len(job.prompt)]
        for row in writing.nonzero()[0].tolist():
            self._jobs[row].tokens.append(int(tokens[row]))
        for row in (self._columns.keeps[:n] & writing).nonzero()[0].tolist():
            self._jobs[row].logits.append(self._decoder.logits[row].copy())
        ending = self._columns.may_end(tokens)
        if (falling := (self._columns.falls[:n] & writing).nonzero()[0]).size:
            ending[falling] |= self._fallen(falling)
        for row in reversed((ending & writing).nonzero()[0].tolist()):
            self._end(row)

    def _fallen(self, rows: np.ndarray[Any, np.dtype[np.intp]]) -> list[bool]:
        """Which of these rows, all of which have a floor, fall below it with their newest token."""
        best = -np.sort(-sampler.log_softmax(self._decoder.logits[rows].astype(np.float64)), axis=1)
        for row, logs in zip(rows.tolist(), best.tolist(), strict=True):
            job = self._jobs[row]
            job.fell = job.fall is not None and job.fall.at(logs[: job.params.logprobs])
        return [self._jobs[row].fell for row in rows.tolist()]

    def _join(self) -> None:
        """Give free rows to waiting jobs. What is remembered is copied; of the rest, equal prompts are read once."""
        read: dict[tuple[int, ...], int] = {}
        copies: list[tuple[int, int]] = []
        while self._waiting and len(self._jobs) < self._columns.rows:
            job, row = self._waiting.popleft(), len(self._jobs)
            if job.future.cancelled():
                continue
            self._jobs.append(job)
            self._columns.fill(row, job, self._ends)
            job.cached = self._prefixes.fork(row, job.prompt, job.prefix)
            if job.cached:
                continue
            if job.prompt in read:
                copies.append((read[job.prompt], row))
                job.cached = len(job.prompt)
            else:
                read[job.prompt] = row
        self._decoder.prefill([(row, prompt) for prompt, row in read.items()])
        for prompt, row in read.items():
            self._prefixes.keep(row, prompt, ())
        for source, target in copies:
            self._decoder.copy(source, target)

    def _end(self, row: int) -> None:
        """Answer the job in `row` if it has ended: at its floor or end token, out of tokens, with a stop string."""
        job = self._jobs[row]
        longest = max((len(text) for text, _ in job.stops), default=0)
        tail = self._decode(job.tokens[-longest:]) if longest else ""  # a token has at least one character
        fired = [(tail.index(text), -len(text), text) for text, _ in job.stops if text in tail]
        stop = min(fired)[-1] if fired else ""
        ended = not job.fell and bool(stop or job.tokens[-1] in self._ends)
        if not (ended or job.fell) and len(job.tokens) < job.limit:
            return
        logits = np.array(job.logits) if job.logits else None
        self._prefixes.keep(row, job.prompt, (*job.prefix, *job.tokens[:-1]))  # the last one was never fed
        self._leave(row)
        if job.future.set_running_or_notify_cancel():
            finish: Literal["stop", "length"] = "stop" if ended else "length"
            job.future.set_result(Generated(job.tokens, finish, stop, job.fell, logits, job.cached))

    def _leave(self, row: int) -> None:
        last = len(self._jobs) - 1
        if row < last:
            self._jobs[row] = self._jobs[last]
            self._columns.copy(last, row)
            self._decoder.copy(last, row)
        self._jobs.pop()


class _Columns:
    """The jobs' parameters, one array a parameter, so that a step is a few operations on all rows together."""

    def __init__(self, rows: int, vocabulary: int) -> None:
        self.rows, self.vocabulary = rows, vocabulary
        self.token = np.zeros(rows, np.int64)
        self.seed = np.zeros(rows, np.uint64)
        self.given = np.zeros(rows, np.int64)  # tokens of prompt and prefix
        self.left = np.zeros(rows, np.int64)  # tokens that may still be sampled
        self.temperature = np.zeros(rows)
        self.top_k = np.zeros(rows, np.int64)
        self.top_p, self.min_p = np.ones(rows), np.zeros(rows)
        self.filters = np.zeros(rows, np.bool_)
        self.keeps = np.zeros(rows, np.bool_)  # logits are wanted
        self.falls = np.zeros(rows, np.bool_)  # the row has a floor
        self.finals = np.zeros((rows, vocabulary), np.bool_)  # tokens with which this row may end
        self._all = [value for value in vars(self).values() if isinstance(value, np.ndarray)]

    def fill(self, row: int, job: Job, ends: Sequence[int]) -> None:
        params = job.params
        self.seed[row], self.left[row] = job.seed % 2**64, job.limit
        self.given[row] = len(job.prompt) + len(job.prefix)
        self.temperature[row], self.top_k[row] = params.temperature, params.top_k
        self.top_p[row], self.min_p[row] = params.top_p, params.min_p
        self.filters[row] = params.temperature > 0 and (params.top_k > 0 or params.top_p < 1 or params.min_p > 0)
        self.keeps[row], self.falls[row] = params.logprobs is not None, params.floor is not None
        self.finals[row] = False
        self.finals[row, [*ends, *(i for _, ids in job.stops for i in ids)]] = True

    def copy(self, source: int, target: int) -> None:
        for column in self._all:
            column[target] = column[source]

    def sample(self, logits: Any, positions: Any, writing: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The next token of rows [0, len(logits)), whose texts are `positions` tokens long; it counts if `writing`.

        The result is the memory that holds the next step's tokens.
        """
        n = len(logits)
        scores = logits.astype(np.float64)
        temperature = self.temperature[:n]
        if (rows := self.filters[:n].nonzero()[0]).size:
            kept = sampler.allowed(
                scores[rows], temperature[rows], self.top_k[rows], self.top_p[rows], self.min_p[rows]
            )
            scores[rows] = np.where(kept, scores[rows], -np.inf)
        noise = sampler.gumbel(self.seed[:n], positions, self.vocabulary)
        tokens = self.token[:n]
        tokens[:] = sampler.choose(scores, noise, temperature)
        self.left[:n] -= writing
        return tokens

    def may_end(self, tokens: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows [N] have no token left, or a newest token that ends some texts."""
        n = len(tokens)
        ends: np.ndarray[Any, np.dtype[np.bool_]] = self.finals[np.arange(n), tokens] | (self.left[:n] <= 0)
        return ends
