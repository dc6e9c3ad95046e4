"""What a single metered call needs: its worst case, its key, its deadline, its CPU time, the check of its verdicts."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Generator, Sequence
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from searchkit.codec import dump_sample
from searchkit.engine.ledger import Ledger
from searchkit.errors import BudgetExhausted, ConfigError, SearchkitError, VerifierError
from searchkit.types import Prompt, Request, Role, Sample, Usage, Verdict

if TYPE_CHECKING:
    from searchkit.engine.run import Run
    from searchkit.protocols import Verifier

T = TypeVar("T")


def key_of(*parts: object) -> bytes:
    """A journal key: 16 bytes that name a call by its content and position."""
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def shown(sample: Sample[Any]) -> str:
    """The beginning of a sample's text, for the trace. An agent's value may not even be printable."""
    try:
        return sample.text[:400]
    except Exception as error:
        return f"<{type(sample.value).__name__} that cannot be shown: {type(error).__name__}>"


def content_of(sample: Sample[Any]) -> bytes:
    """What a verdict depends on: the whole sample as it would be stored, else its text."""
    try:
        return dump_sample(sample).encode()
    except ConfigError:
        return f"{sample.finish}\0{shown(sample)}\0{sample.text}".encode("utf-8", "surrogatepass")


def worst_case(request: Request, role: Role, ledger: Ledger) -> Usage:
    """What a request may cost at most. The prompt's length is a guess (4 characters a token): see `Budget`."""
    most = request.params.max_tokens
    if most is None:
        for name in ("generated_tokens", "total_tokens"):
            if ledger.has_ceiling(name):
                raise ConfigError(
                    f"Budget({name}=...) needs Params(max_tokens=...): without it no call has a worst case"
                )
    prompt = (len(request.prompt.text) + len(request.prompt.prefix)) // 4
    return Usage(
        generations=1 if role == "generate" else 0, model_calls=1, prompt_tokens=prompt, generated_tokens=most or 0
    )


class Deadline:
    """Ends what runs inside at `when` (event-loop time) by raising `BudgetExhausted("seconds")`."""

    def __init__(self, when: float) -> None:
        self._timeout = asyncio.timeout_at(when)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, at)
        except TimeoutError as late:
            raise BudgetExhausted("seconds") from late


class Timed:
    """Awaits a coroutine and counts the CPU seconds of its own steps, not of what runs while it is suspended."""

    def __init__(self) -> None:
        self.seconds: float = 0.0

    def __call__(self, coroutine: Coroutine[Any, Any, T]) -> _Steps[T]:
        return _Steps(self, coroutine)


class _Steps(Generator[Any, Any, T]):
    def __init__(self, clock: Timed, coroutine: Coroutine[Any, Any, T]) -> None:
        self._clock, self._coroutine = clock, coroutine

    def __await__(self) -> _Steps[T]:
        return self

    def send(self, value: Any) -> Any:
        began = time.thread_time()
        try:
            return self._coroutine.send(value)
        finally:
            self._clock.seconds += time.thread_time() - began

    def throw(self, *error: Any) -> Any:
        began = time.thread_time()
        try:
            return self._coroutine.throw(*error)
        finally:
            self._clock.seconds += time.thread_time() - began

    def close(self) -> None:
        self._coroutine.close()


async def verify(judge: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
    """The judge's verdicts, checked; whatever goes wrong is a `VerifierError` that names the judge and the fix."""
    try:
        verdicts = list(await judge.verify(prompt, samples, run))
    except SearchkitError:
        raise
    except (Exception, SystemExit) as error:
        raise VerifierError(f"{judge!r} raised {type(error).__name__}: {error}") from error
    if len(verdicts) != len(samples):
        raise VerifierError(
            f"{judge!r} returned {len(verdicts)} verdicts for {len(samples)} samples; return one for each"
        )
    low, high = judge.range
    for verdict in verdicts:
        if not isinstance(verdict, Verdict) or not all(map(_is_number, (verdict.score, *(verdict.steps or ())))):
            raise VerifierError(f"{judge!r} returned {verdict!r:.80}: give scores as numbers; Verdict() abstains")
        if verdict.value is not None and not low <= verdict.value <= high:
            raise VerifierError(f"{judge!r} returned the score {verdict.value}, but its range is [{low}, {high}]")
    return verdicts


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not math.isnan(value))


def describe(verdicts: list[Verdict]) -> str:
    """Verdicts in a few characters, for the trace."""
    values = [v.value for v in verdicts]
    return " ".join("abstains" if v is None else f"{v:g}" for v in values[:8]) + (" ..." if len(values) > 8 else "")
