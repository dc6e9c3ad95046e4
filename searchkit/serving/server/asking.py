"""From a request to the search that it asks for. What a search cannot carry is refused, never dropped in silence."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from dataclasses import fields as fields_of
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import told
from searchkit.protocols import Generator
from searchkit.serving.server.catalogue import Catalogue, Served, unlisted
from searchkit.serving.server.choosing import Choice, chosen, within
from searchkit.serving.server.forms import form_of
from searchkit.serving.server.keys import Key
from searchkit.serving.server.plain import Plain
from searchkit.serving.server.refusing import Refusal
from searchkit.types import Budget, Params, Problem
from searchkit.wire import WireRequest

PROBLEM = "request"
"""The id of all problems: equal seeds give equal requests equal answers."""
# What changes nothing of the answer, or says who asks.
_IDLE = frozenset({
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "include", "betas", "search",
})  # fmt: skip
_OFF: Mapping[str, Any] = {  # fields with the values that say nothing
    "frequency_penalty": 0, "presence_penalty": 0, "repetition_penalty": 1, "logit_bias": {}, "echo": False,
    "suffix": "", "top_k": -1, "modalities": ["text"], "top_logprobs": 0, "functions": [], "logprobs": False,
    "verbosity": "medium", "deferred": False, "background": False, "truncation": "disabled", "reasoning": {},
    "thinking": {"type": "disabled"},
}  # fmt: skip
_RANGES: Mapping[str, str] = {  # fields that are heeded, and stand among what is left because they are out of range
    "temperature": "a number >= 0", "top_p": "above 0, at most 1", "min_p": "at least 0, below 1",
    "max_tokens": "a whole number >= 1", "max_completion_tokens": "a whole number >= 1",
    "max_output_tokens": "a whole number >= 1",
}  # fmt: skip
_HINTS = (".image_url.detail", ".name", ".detail")  # places that a prompt does not carry, and that change little
SEEDS = 2**53


@dataclass(frozen=True)
class Asked:
    """A search that a request asks for: the arguments of `start`, and how to answer it.

    model: as the operator names it. name: of the strategy. unheard: what the request says, and nobody heeds. kept: it
    goes by an idempotency key, and a journal may keep what is paid for.
    """

    request: WireRequest
    model: str
    name: str
    choice: Choice
    problem: Problem
    strategy: Generator
    generator: Generator
    params: Params
    budget: Budget
    seed: int
    unheard: tuple[str, ...]
    kept: bool = False


def asked_of(request: WireRequest, catalogue: Catalogue, key: Key, headers: Mapping[str, str]) -> Asked:
    """What `request` asks for. Raises `Refusal`."""
    model, served, named = catalogue.find(request.model, key)
    choice = chosen(named, request.extras.get("search"), headers)
    name = served.strategy if choice.strategy is None else choice.strategy
    form, formed = form_of(request)
    unheard = _unheard(request, formed)
    prompt = request.prompt if served.shape is None else served.shape(request.prompt)
    return Asked(
        request,
        model,
        name,
        choice,
        Problem(PROBLEM, prompt),
        _strategy(served, name, choice.verifier, request),
        served.model,
        _params(request, served.model.params, form),
        within(choice.budget, served.ceilings, key.ceilings),
        secrets.randbelow(SEEDS) if request.seed is None else request.seed,
        unheard,
    )


def kept(asked: Asked, key: Key, name: str) -> Asked:
    """The search under an idempotency key: the same each time, so that it goes on where it was."""
    digest = hashlib.sha256(f"{key.digest} {name}".encode("utf-8", "backslashreplace")).hexdigest()
    seed = asked.seed if asked.request.seed is not None else int(digest, 16) % SEEDS
    return replace(asked, problem=Problem(f"{PROBLEM} {digest}", asked.problem.prompt), seed=seed, kept=True)


def _strategy(served: Served, name: str, verifier: str | None, request: WireRequest) -> Generator:
    if name not in served.names:
        raise unlisted("strategy", name, served.names, "search.strategy")
    found: Generator = served.strategies[name] if name in served.strategies else Plain(request.n)
    if request.generated > request.n:
        raise Refusal(400, "best_of is not chosen by the likelihood here: ask for a strategy", param="best_of")
    if verifier is None:
        return found
    if verifier not in served.verifiers:
        raise unlisted("verifier", verifier, served.verifiers, "search.verifier")
    return _verified(found, name, served, verifier)


def _verified(strategy: Any, name: str, served: Served, verifier: str) -> Generator:
    if not is_dataclass(strategy) or "verifier" not in {f.name for f in fields_of(strategy)}:
        raise Refusal(400, f"the strategy {name!r:.80} takes no verifier: leave it out", param="search.verifier")
    try:
        changed: Any = replace(strategy, verifier=served.verifiers[verifier])  # type: ignore[type-var]
    except ConfigError as error:
        raise Refusal(400, f"search.verifier: {error}", param="search.verifier") from None
    return changed  # type: ignore[no-any-return]


def _params(request: WireRequest, own: Params, form: dict[str, Any]) -> Params:
    """What the request says, and the operator's where it says nothing; of generated tokens, the lesser."""
    said, params = request.body, request.params
    limits = [limit for limit in (params.max_tokens, own.max_tokens) if limit is not None]
    unsaid = {name: getattr(own, name) for name in ("temperature", "top_p", "top_k", "min_p") if said.get(name) is None}
    whole = json.dumps(form, sort_keys=True) if form else own.form
    stop = params.stop or own.stop
    return replace(params, **unsaid, max_tokens=min(limits, default=None), stop=stop, form=whole, floor=own.floor)


def _unheard(request: WireRequest, formed: set[str]) -> tuple[str, ...]:
    """What of the request is not heeded though it says little. Raises `Refusal` for what says more."""
    for place in request.lost:
        if not place.endswith(_HINTS):
            raise Refusal(400, f"this cannot be searched with: {place:.200}", param=place.partition(" ")[0])
    rest = {key: value for key, value in request.extras.items() if key not in formed and _OFF.get(key, ...) != value}
    if beyond := sorted(rest.keys() & _RANGES.keys()):
        why = f"{beyond[0]} is {_RANGES[beyond[0]]}, got {told(rest[beyond[0]])}"
        raise Refusal(400, why, param=beyond[0])
    if meaning := sorted(rest.keys() - _IDLE):
        raise Refusal(400, f"{meaning[0]:.80} is not passed on to a search: leave it out", param=meaning[0][:80])
    return (*sorted(rest.keys() - {"search"}), *request.lost)
