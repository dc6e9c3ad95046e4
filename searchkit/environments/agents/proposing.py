"""Who answers an agent's model call in a search: the search's generator, else the server that the agent asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from searchkit import wire
from searchkit.agents.exchange import Ask, failure_of
from searchkit.agents.upstream import Client
from searchkit.calls import CallError, Request
from searchkit.environments.agents.binding import offered
from searchkit.environments.agents.stable import Stable
from searchkit.environments.agents.state import AgentState, Pending
from searchkit.forms import takes_form
from searchkit.model import Model
from searchkit.protocols import Generator, Run
from searchkit.types import Params, Prompt, Sample

SAMPLING = ("temperature", "top_p", "top_k", "min_p")


@dataclass(frozen=True)
class Answering:
    """The generator of answers in `state`.

    params: instead of what the agent asked for. generator: who is asked, None is that of the search. stable: the live
    agents of a run's search.
    """

    state: AgentState
    params: Params | None
    generator: Generator | None
    stable: Callable[[Run], Stable] = field(repr=False)

    @property
    def pending(self) -> Pending:
        """What is asked. Raises `CallError` once the agent has ended."""
        if self.state.pending is None:
            raise CallError("the agent has returned: there is nothing to answer")
        return self.state.pending

    @property
    def deterministic(self) -> bool:
        """Whether all answers are equal: at temperature 0."""
        said = self.pending.request.body.get("temperature")
        return (said if self.params is None else self.params.temperature) == 0

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        generator, stable, pending = self.generator or run.generator, self.stable(run), self.pending
        stable.prepare(self.state, run)
        told = chosen(pending.request, self.params, params or run.base_params(generator))
        if generator is None:
            http: Client = run.resource(OwnServer, Client)
            generator = Model(OwnServer(pending, stable.headers.get(pending.url, {}), http))
        else:
            prompt, told, untold = offered(prompt, told, pending.request, forms=takes_form(generator))
            stable.warn_of(untold)
        return await generator.generate(prompt, run, params=told)


@dataclass(frozen=True)
class OwnServer:
    """The backend that an agent asks by itself: its request is sent on as it came, but for the sampling."""

    pending: Pending
    headers: Mapping[str, str] = field(repr=False)
    http: Client = field(repr=False)

    @property
    def name(self) -> str:
        request = self.pending.request
        return f"{urlsplit(self.pending.url).netloc} {request.model}"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return [await self._one(request) for request in requests]

    async def _one(self, request: Request) -> Sample[str] | CallError:
        asked, params = self.pending.request, request.params
        body = {**wire.amended(asked, seed=request.seed, max_tokens=params.max_tokens), **sampling(asked, params)}
        body.pop("stream_options", None)
        if "stream" in body:
            body["stream"] = False
        try:
            answer = await self.http.send(Ask("POST", self.pending.url, self.headers, json.dumps(body).encode()))
            if answer.status >= 400:
                said = f"the server answered {answer.status}: {answer.body[:200]!r}"
                raise CallError(said, kind=failure_of(answer.status))
            [sample] = wire.samples(asked.route, json.loads(answer.body), params)
            return sample
        except CallError as error:
            return error
        except (ValueError, RecursionError) as error:
            return CallError(f"what the server said is no answer: {error}", kind="malformed")


def sampling(asked: wire.WireRequest, params: Params) -> dict[str, Any]:
    """The fields of a request's body that differ from what the agent asked for."""
    return {name: getattr(params, name) for name in SAMPLING if getattr(params, name) != getattr(asked.params, name)}


def chosen(asked: wire.WireRequest, instead: Params | None, caller: Params) -> Params:
    """How to sample an answer: as the agent asked, and where it said nothing as the caller does; or by `instead`.

    The agent's own limit and stop strings stay.
    """
    said = {name: getattr(asked.params, name) for name in SAMPLING if asked.body.get(name) is not None}
    base = replace(caller, **said) if instead is None else instead
    most = asked.params.max_tokens or base.max_tokens or caller.max_tokens
    return replace(base, max_tokens=most, stop=asked.params.stop or base.stop)
