"""How verifiers ask a reward model: as a `Backend` whose text is its scores, read at most once a search for each text.

A request ends with the answer as an assistant message of one `Text` part a step (one part in all for an outcome model);
the text of the sample that comes back is a JSON list with one number a part.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from numbers import Real
from typing import Any, Literal

from searchkit.calls import CallError, Request
from searchkit.codec import digest
from searchkit.errors import ConfigError, SearchkitError, VerifierError
from searchkit.protocols import Backend, Run
from searchkit.types import Message, Params, Prompt, Sample, Text, Usage
from searchkit.verifiers.base import identity, label

NOTHING_GENERATED = Params(temperature=0.0, max_tokens=1)  # a call needs a worst case, and 1 is the least there is
ONE_CALL = Usage(model_calls=1)
Kind = Literal["steps", "new steps", "whole"]


def reward_model(model: Any, name: str | None, kind: Kind) -> Backend:
    """`model` as a backend: itself, or the callable wrapped; `ConfigError` if it is neither."""
    if _is_backend(model):
        if name is not None:
            raise ConfigError(f"name={name!r} is for callables: a backend has its own name, {model.name!r}")
        return model  # type: ignore[no-any-return]
    if not callable(model):
        raise ConfigError(f"a reward model is a backend such as Pooling, or a callable, got {model!r}")
    try:
        if kind == "steps" and "known" in inspect.signature(model).parameters:
            kind = "new steps"
    except ValueError:  # some built-ins do not say
        pass
    return Called(model, name or _name(model), kind)


def identity_of(model: Any, name: str | None) -> str:
    """What a journal knows the model by; `ConfigError` where it has no lasting name."""
    return str(model.name) if _is_backend(model) else name or identity(model)


def _is_backend(model: Any) -> bool:
    return callable(getattr(model, "complete", None)) and hasattr(model, "name")


def _name(fn: Callable[..., Any]) -> str:
    try:
        return identity(fn)
    except ConfigError:  # whoever needs a lasting name asks for the verifier's key, which says so
        return label(fn)


@dataclass(frozen=True)
class Called:
    """A callable as a reward model. kind: what it scores, which decides how it is called.

    "steps": `fn(prompt, steps)`, a number a step. "new steps": `fn(prompt, steps, known=...)`, a number for each step
    after those whose scores are `known`. "whole": `fn(prompt, text)`, one number.
    """

    fn: Callable[..., Any]
    name: str
    kind: Kind

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [await self.ask(request, []) for request in requests]

    async def ask(self, request: Request, known: list[float]) -> Sample[str] | CallError:
        """All scores of the request's answer, the `known` ones first."""
        *conversation, answer = request.prompt.messages
        steps = [part.text for part in answer.parts if isinstance(part, Text)]
        prompt = replace(request.prompt, messages=tuple(conversation))
        try:
            match self.kind:
                case "steps":
                    rows = self.fn(prompt, steps)
                case "new steps":
                    rows = self.fn(prompt, steps, known=list(known))
                case "whole":
                    rows = self.fn(prompt, steps[0])
            if inspect.isawaitable(rows):
                rows = await rows
            scores = [*known, *map(_number, [rows] if self.kind == "whole" else rows)]
        except SearchkitError:
            raise
        except Exception as error:
            message = f"the reward model {self.name} failed with {type(error).__name__}: {error}"
            return CallError(message, request=request, usage=ONE_CALL)
        return Sample(json.dumps(scores), usage=ONE_CALL)


def _number(value: Any) -> float:
    """A Python number, or a scalar of NumPy or PyTorch."""
    if type(value).__module__.partition(".")[0] in ("numpy", "torch"):
        value = value.item()
    if not isinstance(value, Real):
        raise TypeError(f"it returned {value!r:.80} where a number is needed")
    return float(value)


class Reading:
    """A reward model within one search: the same text is read once, whoever asks, and at the same time too.

    Of a model that continues, scores are kept for every beginning of a text. Whatever is found here is charged as the
    call that it spares, so that no result depends on which of two calls was faster, and paid for by nobody.
    """

    def __init__(self, model: Backend) -> None:
        self.model: Backend = model
        self.name: str = model.name
        self._continuing = model if isinstance(model, Called) and model.kind == "new steps" else None
        self._whole: dict[bytes, Sample[str]] = {}
        self._rows: dict[bytes, float] = {}
        self._locks: dict[bytes, asyncio.Lock] = {}

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [await self._one(request) for request in requests]

    async def _one(self, request: Request) -> Sample[str] | CallError:
        *_, place = places = _places(request.prompt)
        request.waiting(True)
        async with self._locks.setdefault(place, asyncio.Lock()):
            request.waiting(False)
            if place in self._whole:
                return replace(self._whole[place], origin="cache")
            if self._continuing is not None:
                known = self._known(places)
                if len(known) == len(places):
                    return Sample(json.dumps(known), usage=ONE_CALL, origin="cache")
                entry = await self._continuing.ask(request, known)
            else:
                [entry] = await self.model.complete([request])
            if not isinstance(entry, CallError):
                self.keep(places, entry)
            return entry

    def _known(self, places: Sequence[bytes]) -> list[float]:
        """The scores of the longest beginning that was read."""
        known = [self._rows.get(place) for place in places]
        end = known.index(None) if None in known else len(known)
        return [score for score in known[:end] if score is not None]

    def keep(self, places: Sequence[bytes], sample: Sample[str]) -> None:
        """Remember what was read, here or, as a journal tells, before."""
        self._whole.setdefault(places[-1], sample)
        if self._continuing is not None:
            rows = json.loads(sample.text)
            if len(rows) == len(places):
                self._rows |= zip(places, rows, strict=True)

    def close(self) -> None:
        """The search is over."""


def _places(prompt: Prompt) -> list[bytes]:
    """A key for each beginning of the answer: the conversation with the first step, with the first two, ..."""
    *conversation, answer = prompt.messages
    place, places = digest(Prompt(tuple(conversation), prompt.tools), NOTHING_GENERATED), []
    for part in answer.parts:
        text = part.text if isinstance(part, Text) else ""
        place = blake2b(place + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        places.append(place)
    return places


async def read(owner: object, model: Backend, prompt: Prompt, parts: Sequence[str], run: Run) -> list[float]:
    """The scores of an answer given in `parts`, as many as the model gave. owner: the verifier that keeps them.

    Cost: one model call, of the role that `run` has. Raises `CallError` if it failed and `VerifierError` if what it
    gave are no numbers.
    """
    reading = run.resource(owner, lambda: Reading(model))
    answer = Message("assistant", tuple(map(Text, parts)))
    asked = Prompt((*prompt.messages, answer), prompt.tools)
    with run.child("reward") as child:
        sample = await child.complete(reading, Request(asked, NOTHING_GENERATED, child.seed))
    rows = _parsed(sample.text, model.name)
    if sample.origin == "journal":
        reading.keep(_places(asked), sample)
    return rows


def _parsed(text: str, name: str) -> list[float]:
    try:
        rows = json.loads(text)
        scores = [float(row) for row in rows] if isinstance(rows, list) else None
    except (ValueError, TypeError):
        scores = None
    if scores is None or any(map(math.isnan, scores)):
        raise VerifierError(f"the reward model {name} must give a JSON list of numbers, got {text!r:.80}")
    return scores
