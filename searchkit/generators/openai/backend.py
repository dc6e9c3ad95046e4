"""Any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, Ollama, hosted ones.

    backend = OpenAI("http://localhost:8000/v1", "Qwen/Qwen3-4B")

One request is one HTTP call with its own seed; every sampling parameter is sent, because servers differ in their
defaults. Nothing is retried, limited or cached here: wrap it, `Cached(Retrying(Limited(backend)), path)`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError, ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai import answers, bodies, continuing, errors, fitting, refused, stream
from searchkit.generators.openai import probe as probes
from searchkit.generators.openai.bodies import Route
from searchkit.generators.openai.fitting import Fit
from searchkit.generators.openai.learnt import Learnt
from searchkit.generators.openai.noticed import cut_prompt, ended_at, unnamed_stop
from searchkit.generators.openai.presets import PRESETS, Preset
from searchkit.generators.openai.probe import Capabilities
from searchkit.generators.openai.refused import Answer
from searchkit.generators.openai.transport import Here
from searchkit.http import Broken, Enough, Held, HTTPReply, Unreachable, Unreadable
from searchkit.kinds import is_whole, printable
from searchkit.redact import redact
from searchkit.types import NO_USAGE, Params, Prompt, Sample, Usage
from searchkit.wire.chat.requests import beyond
from searchkit.wire.fields import read_answer
from searchkit.wire.usage import Price

__all__ = ["Capabilities", "OpenAI", "Price"]

_TRANSPORTS = ("auto", "direct", "official")


@dataclass(frozen=True)
class OpenAI:
    """A `Backend` for one model behind one server.

    - base_url: up to and including the version, as in ``http://localhost:8000/v1``.
    - model: the server's name of it.
    - route: "chat", or "completions" for a prompt that is plain text or made so by `render`.
    - api_key: else OPENAI_API_KEY at the time of the call; it is pickled with the backend, and in no `repr`, error or
      log.
    - timeout: seconds for a whole call, waiting in the server's queue included.
    - revision: distinguishes what servers call by the same name, in journals and caches.
    - render: a function from `Prompt` to text that ends where the assistant begins; take the model's chat template.
    - prices: model name -> `Price`.
    - extras: whether to send the fields outside the OpenAI API (top_k, min_p, continuation, keeping stops); None sends
      them to every server but api.openai.com, which refuses them, and those whose preset says so.
    - preset: what to leave out and rename for a known server, by its name in `presets.PRESETS`; the next three come on
      top of it.
    - leave_out: fields that are not sent, such as "top_p". The text is still cut at a stop string that is not sent.
    - rename: a field's name in the OpenAI API -> the server's, such as {"seed": "random_seed"}.
    - extra_body: fields to send besides, or instead of ours, such as {"reasoning_effort": "low"}.
    - extra_headers: sent with every request. One that says who asks (Authorization, api-key) takes the place of the
      environment's key. As api_key, they are in no `repr`, error or log.
    - extra_query: parameters of every URL, such as {"api-version": "2024-10-21"}; likewise.
    - capabilities: what the server honours, if you know it; None asks the server when it matters.
    - transport: "direct" is ours, "official" the openai package; "auto" takes the latter only where a proxy is
      configured.

    The text of a sample ends before the stop string that fired, whatever the server does with it. A request with a
    `ConfidenceFloor` is streamed, and its connection closed where the text falls, so that the server stops generating.
    """

    base_url: str
    model: str
    _: KW_ONLY
    route: Route = "chat"
    api_key: str | None = field(default=None, repr=False, compare=False)
    timeout: float = 600.0
    revision: str = ""
    render: Callable[[Prompt], str] | None = None
    prices: Mapping[str, Price] = field(default_factory=dict, hash=False)
    extras: bool | None = None
    preset: str | None = None
    leave_out: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    extra_query: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    capabilities: Capabilities | None = None
    transport: Literal["auto", "direct", "official"] = "auto"
    ends_at_floor: ClassVar[bool] = True
    _fit: Fit = field(init=False, repr=False, compare=False)
    _shape: str = field(init=False, repr=False, compare=False)
    _query: str = field(init=False, repr=False, compare=False)
    _extras: bool = field(init=False, repr=False, compare=False)
    _keyed: bool = field(init=False, repr=False, compare=False)
    _state: Learnt = field(default_factory=Learnt, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.base_url)
            url.port  # noqa: B018 (raises ValueError for one that cannot be)
        except ValueError as error:
            raise ConfigError(
                f"base_url must look like http://localhost:8000/v1, got {redact(repr(self.base_url))}: {error}"
            ) from None
        if url.username or url.password:
            raise ConfigError("base_url must not contain credentials: pass api_key= instead")
        if url.port == 0:
            raise ConfigError(f"base_url names port 0, on which nobody can listen: {self.base_url!r:.200}")
        plain = self.base_url.isascii() and self.base_url.isprintable() and " " not in self.base_url
        if url.query:
            raise ConfigError("base_url ends before its query parameters: pass them as extra_query={...}")
        if url.scheme not in ("http", "https") or not url.hostname or url.fragment or not plain:
            raise ConfigError(f"base_url must look like http://localhost:8000/v1, got {self.base_url!r}")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        for end in bodies.PATHS.values():
            if self.base_url.endswith(end):
                raise ConfigError(f"base_url ends before {end}: pass {self.base_url.removesuffix(end)!r:.200}")
        if not self.model:
            raise ConfigError("model must be the name that the server uses; GET /v1/models lists them")
        if self.route not in bodies.PATHS:
            raise ConfigError(f'route must be "chat" or "completions", got {self.route!r}')
        if self.transport not in _TRANSPORTS:
            raise ConfigError(f'transport must be "auto", "direct" or "official", got {self.transport!r}')
        if not self.timeout > 0:
            raise ConfigError(f"timeout must be a number of seconds > 0, got {self.timeout}")
        object.__setattr__(self, "extra_headers", fitting.headers(self.extra_headers))
        object.__setattr__(self, "_query", fitting.query(self.extra_query))
        if self.api_key and fitting.has_key(self.extra_headers):
            raise ConfigError("extra_headers say who asks, and so does api_key: pass one of them")
        self._key()
        self._set_fit()

    def _set_fit(self) -> None:
        known, left = self._preset(), (self.leave_out,) if isinstance(self.leave_out, str) else tuple(self.leave_out)
        if not isinstance(self.rename, Mapping):
            raise ConfigError(f'rename maps names to names, such as {{"seed": "random_seed"}}, got {self.rename!r:.80}')
        fit = Fit((*known.leave_out, *left), {**known.rename, **self.rename}, self.extra_body)
        newer = {"max_tokens": "max_completion_tokens"} if self._hosted() and self.route == "chat" else {}
        own: dict[str, Any] = {"leave_out": left, "rename": dict(self.rename), "extra_body": fit.add}
        own["_shape"] = fit.digest
        own |= {"_fit": replace(fit, rename={**newer, **fit.rename}), "_keyed": fitting.has_key(self.extra_headers)}
        own["_extras"] = self.extras if self.extras is not None else known.extras and not self._hosted()
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def _preset(self) -> Preset:
        if self.preset is not None and self.preset not in PRESETS:
            raise ConfigError(f"unknown preset {self.preset!r:.80}: choose from {', '.join(PRESETS)}")
        return Preset(extras=True) if self.preset is None else PRESETS[self.preset]

    @property
    def name(self) -> str:
        route = "" if self.route == "chat" else f"{self.route}/"
        revision, shape = f"@{self.revision}" if self.revision else "", f"+{self._shape}" if self._shape else ""
        return f"openai/{route}{self.model}{revision}{shape}"

    @property
    def takes_form(self) -> bool:
        return self.route == "chat"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One HTTP call a request, concurrently. A feature that the server drops is an entry that is also a
        `CapabilityError` (`NeedsPrefix` for the continuation of an assistant turn, which is probed for once)."""
        return await each(self._one, requests)

    async def complete_group(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One HTTP call for all: `n=` samples of the first request's prompt, parameters and seed.

        The caller sees to it that prompts and parameters are equal. The first entry carries the cost of the call.
        """
        first = requests[0]
        found = await self._draw(first, n=len(requests))
        if isinstance(found, CallError):
            rest = [errors.about(found, request, Usage()) for request in requests[1:]]
            return [found, *rest]
        entries: list[Sample[str] | CallError] = [*found[: len(requests)]]
        short = f"the server at {self.base_url} returned {len(found)} choices of {len(requests)}: do not merge requests"
        entries += [errors.Dropped(short, kind="bad_request", request=r, usage=Usage()) for r in requests[len(found) :]]
        return entries

    async def probe(self) -> Capabilities:
        """Ask the server what it honours: up to 10 short calls (6 on the completions route), once. Raises `CallError`.

        Its cost is in `Capabilities.usage` and in no budget.
        """
        if self.capabilities is not None:
            return self.capabilities
        async with (await self._here()).lock:
            if self._state.capabilities is None:
                ask = probes.Asker(self.base_url, self._asked)
                seen = await probes.sampling(ask)
                seen["logprobs"] = await probes.logprobs(ask, chat=self.route == "chat")
                way = "bare" if self.route == "completions" else (await self._continuing(ask)).way
                seen |= {"prefix": way is not None, "prefix_flag": way == "prefix"}
                self._state.capabilities = Capabilities(**seen, usage=ask.usage)
        return self._state.capabilities

    async def close(self) -> None:
        """Close the connections of this event loop; asyncio.run does it too. The backend stays usable."""
        await self._state.close()

    # ---------------------------------------------------------------- one call

    async def _one(self, request: Request) -> Sample[str] | CallError:
        found = await self._draw(request)
        return found if isinstance(found, CallError) else found[0]

    async def _draw(self, request: Request, n: int | None = None) -> list[Sample[str]] | CallError:
        try:
            body = self._body(request.prompt, request.params, request.seed)
            if request.prompt.prefix and self.route == "chat":
                way = await self._way(request)
                if isinstance(way, CallError):
                    return way
                body = continuing.asked(body, way)
            events = self._events(request, n)
        except CapabilityError as error:
            return errors.Dropped(str(error), kind="bad_request", request=request, usage=Usage())
        if events is not None:
            body |= stream.fields(extras=self._sends_extras())
        reader = answers.Reader(self.base_url, self.route, self.prices.get(self.model), self._redact, self._warn)
        with (await self._here()).transport.room.call(answers.most(request.params, n or 1)) as held:
            answer = await self._call(body if n is None else {**body, "n": n}, request, held, events)
            if isinstance(answer, CallError):
                answer.request = request
                return answer
            reply = answer.reply
            many = self._generated(n or 1)
            drawn: Any = await held.read(reply.body, lambda: reader.read(reply, request, events, many))
        if isinstance(drawn, CallError):
            drawn.request = request
            return errors.with_cost(drawn, answer.refused)
        return answer.recorded(self._noticed(drawn, request, None if events is not None else reply.body))

    def _warn(self, what: str, said: str) -> None:
        self._state.warn(self.base_url, said, what=what)

    def _generated(self, n: int) -> int:
        """How many texts the server writes for an answer with n: more where extra_body asks for the best of several."""
        asked = [self._fit.add.get(name) for name in ("n", "best_of")]
        return max([n, *(int(many) for many in asked if many and is_whole(many))])

    def _noticed(self, drawn: list[Sample[str]], request: Request, body: bytes | None) -> list[Sample[str]]:
        """The samples, with a warning of what shows in them that was not asked. body: of an answer that came whole."""
        if "stop" in self._fit.leave_out:
            drawn = [ended_at(sample, request.params.stop) for sample in drawn]
        if self.render is None:
            self._state.warn(self.base_url, cut_prompt(request, drawn), what="cut")
        if body is not None:
            self._state.warn(self.base_url, unnamed_stop(request, body, drawn), what="stop")
        return drawn

    def _events(self, request: Request, n: int | None) -> stream.Events | None:
        """What reads the answer while it is written, if the request has a floor."""
        if request.params.floor is None:
            return None
        if n is not None or request.prompt.tools:
            raise CapabilityError("a floor ends one text: send its requests one by one, and without tools")
        return stream.Events(request, request.params.floor)

    def _body(self, prompt: Prompt, params: Params, seed: int) -> dict[str, Any]:
        if params.logprobs is not None and "logprobs" in self._fit.leave_out:
            raise CapabilityError(
                "leave_out takes logprobs out of requests that ask for log-probabilities: use one that lists them, "
                "or Params(logprobs=None)"
            )
        body = bodies.body(self.model, self.route, prompt, params, seed, self.render)
        if self._sends_extras():
            return body | beyond(params)
        if params.top_k or params.min_p:
            raise CapabilityError(f"{self.base_url} takes no top_k and min_p: leave them at 0, or pass extras=True")
        return body

    async def _call(
        self,
        body: dict[str, Any],
        request: Request,
        held: Held,
        enough: Enough | None = None,
        asked: Collection[str] = (),
    ) -> Answer | CallError:
        """A successful answer to `body`, which is sent again without fields of ours that the server refuses by name.

        asked: those that it is about, and goes with.
        """
        gone, spent, follows = frozenset[str](), NO_USAGE, dict[str, str]()
        if self._state.refused:
            gone = (refused.off(body) & self._state.refused) - set(asked)
        while True:
            sent = self._fit(body, gone)
            reply = await self._exchange(bodies.PATHS[self.route], sent, errors.worst(request), held, enough)
            if isinstance(reply, CallError):
                return errors.with_cost(reply, spent)
            if reply.success:
                if follows:
                    self._state.refuses(self.base_url, follows)
                return Answer(reply, spent, tuple(sorted(gone)))
            whose = {*asked, *self._fit.leave_out, *self._fit.add, *gone}
            kept = {name: value for name, value in body.items() if name not in whose}
            error, more = await self._failed(reply, kept), refused.spared(reply, kept)
            if not more or not request.retry(error):
                return errors.with_cost(error, spent)
            gone, follows = gone | set(more), follows | more
            spent += error.usage if request.unmetered and error.usage else NO_USAGE

    async def _failed(self, reply: HTTPReply, body: Mapping[str, Any]) -> CallError:
        """The error for an answer to `body` that is no success."""
        if reply.status == 404:
            return errors.no_route(self.base_url, await self._models(), self.model, reply, self._redact)
        known, advice = fitting.has_key(self._headers()), refused.advice(reply, body, self._fit)
        return errors.of_status(self.base_url, reply, has_key=known, redact=self._redact, advice=advice)

    async def _exchange(
        self, path: str, body: dict[str, Any] | None, lost: Usage, held: Held, enough: Enough | None = None
    ) -> HTTPReply | CallError:
        here, lasting = await self._here(), False
        try:
            async with asyncio.timeout(self.timeout):
                return await here.transport.request(path + self._query, self._headers(), held, body, enough)
        except TimeoutError:
            message, kind = f"the server at {self.base_url} did not answer within {self.timeout:g} s", "timeout"
        except Unreachable as error:
            message, kind = f"nothing answers at {self.base_url}: is the server running? ({error})", "connection"
            lost, lasting = Usage(), error.lasting
        except Unreadable as error:
            message, kind = f"the server at {self.base_url} sent what cannot be read: {error}", "malformed"
        except Broken as error:
            message, kind = f"the connection to {self.base_url} broke: {error}", "connection"
        return CallError(printable(self._redact(message)), kind=kind, usage=lost, lasting=lasting)

    async def _here(self) -> Here:
        return await self._state.here(self.transport, self.base_url)

    async def _models(self) -> list[str] | None:
        """What the server offers; None if it does not say."""
        with (await self._here()).transport.room.call(answers.LEAST) as held:
            reply = await self._exchange("/models", None, Usage(), held)
            if isinstance(reply, CallError):
                return None
            try:
                listed = read_answer(reply.body, answers.brackets(Params()))["data"]
                return [printable(self._redact(str(entry["id"]))[:80]) for entry in listed[:1000]]
            except (ValueError, KeyError, TypeError):
                return None

    # ---------------------------------------------------------------- capabilities

    async def _way(self, request: Request) -> continuing.Way | CallError:
        """How the server continues an assistant turn, or why it cannot. Asks it once, whoever else is waiting."""
        found, given = self._state.continuing, self.capabilities
        if given is not None and given.prefix:
            return "prefix" if given.prefix_flag else "flags" if self._sends_extras() else "bare"
        if given is not None or self._hosted():
            found = continuing.Found(None)
        if found is None:
            began = time.monotonic()
            async with (await self._here()).lock:
                if self._state.failed is not None and self._state.failed[0] >= began:
                    return errors.about(self._state.failed[1], request, Usage())  # do not wait for it again, one by one
                try:
                    found = await self._continuing(probes.Asker(self.base_url, self._asked))
                except CallError as error:
                    self._state.failed = time.monotonic(), error
                    return errors.about(error, request, error.usage)
        if found.way is not None:
            return found.way
        message = f"the server at {self.base_url} does not continue an assistant turn on the chat route{found.sentence}"
        return errors.PrefixDropped(message, kind="bad_request", request=request, usage=Usage())

    async def _continuing(self, ask: probes.Asker) -> continuing.Found:
        """What the probe found; call it under the lock."""
        if self._state.continuing is None:
            hosted = self._hosted()
            found = continuing.Found(None) if hosted else await continuing.find(ask, extras=self._sends_extras())
            self._state.continuing = found
        return self._state.continuing

    async def _asked(self, request: Request, fields: Mapping[str, Any]) -> Answer | CallError:
        body = self._body(request.prompt, request.params, request.seed)
        with (await self._here()).transport.room.call(answers.most(request.params, 2)) as held:
            return await self._call({**body, **fields}, request, held, asked=fields)

    def _sends_extras(self) -> bool:
        return self._extras

    def _hosted(self) -> bool:
        """OpenAI's own API, which refuses fields that it does not know and calls one of them by a newer name."""
        return urlsplit(self.base_url).hostname == "api.openai.com"

    # ---------------------------------------------------------------- the key

    def _key(self) -> str:
        key = self.api_key if self.api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("the API key has a line break or another character that no key has: copy it again")
        return key

    def _headers(self) -> dict[str, str]:
        """What is sent with every request."""
        key = "" if self._keyed else self._key()
        return {**self.extra_headers, **({"Authorization": f"Bearer {key}"} if key else {})}

    def _redact(self, text: str) -> str:
        return redact(text, self.api_key, *fitting.secrets(self.extra_headers, self.extra_query))
