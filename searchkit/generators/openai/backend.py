"""Any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, Ollama, hosted ones.

    backend = OpenAI("http://localhost:8000/v1", "Qwen/Qwen3-4B")

One request is one HTTP call with its own seed; every sampling parameter is sent, because servers differ in their
defaults. Nothing is retried, limited or cached here: wrap it, `Cached(Retrying(Limited(backend)), path)`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from searchkit.calls import CallError, Request
from searchkit.errors import CapabilityError, ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai import answers, bodies, errors, stream
from searchkit.generators.openai import probe as probes
from searchkit.generators.openai.bodies import Route
from searchkit.generators.openai.probe import Capabilities
from searchkit.generators.openai.transport import Here, PerLoop
from searchkit.http import Broken, Enough, Held, HTTPReply, Unreachable, Unreadable
from searchkit.markup.words import printable
from searchkit.redact import redact
from searchkit.types import Params, Prompt, Sample, Usage
from searchkit.wire.fields import read_answer
from searchkit.wire.usage import Price

__all__ = ["Capabilities", "OpenAI", "Price"]

_TRANSPORTS = ("auto", "direct", "official")


class _State(PerLoop):
    """What a backend learns while it runs: its connections, and what its server was seen to honour."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities: Capabilities | None = None
        self.prefix: bool | None = None
        self.failed: tuple[float, CallError] | None = None  # when the last probe failed, on the monotonic clock


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
      them to every server but api.openai.com, which refuses them.
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
    capabilities: Capabilities | None = None
    transport: Literal["auto", "direct", "official"] = "auto"
    ends_at_floor: ClassVar[bool] = True
    _state: _State = field(default_factory=_State, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.base_url)
            url.port  # noqa: B018 (raises ValueError for one that cannot be)
        except ValueError as error:
            raise ConfigError(
                f"base_url must look like http://localhost:8000/v1, got {self.base_url!r}: {error}"
            ) from None
        if url.username or url.password:
            raise ConfigError("base_url must not contain credentials: pass api_key= instead")
        plain = self.base_url.isascii() and self.base_url.isprintable() and " " not in self.base_url
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or not plain:
            raise ConfigError(f"base_url must look like http://localhost:8000/v1, got {self.base_url!r}")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        if not self.model:
            raise ConfigError("model must be the name that the server uses; GET /v1/models lists them")
        if self.route not in bodies.PATHS:
            raise ConfigError(f'route must be "chat" or "completions", got {self.route!r}')
        if self.transport not in _TRANSPORTS:
            raise ConfigError(f'transport must be "auto", "direct" or "official", got {self.transport!r}')
        if not self.timeout > 0:
            raise ConfigError(f"timeout must be a number of seconds > 0, got {self.timeout}")
        self._key()

    @property
    def name(self) -> str:
        route = "" if self.route == "chat" else f"{self.route}/"
        return f"openai/{route}{self.model}" + (f"@{self.revision}" if self.revision else "")

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
        """Ask the server what it honours: 9 short calls (6 on the completions route), once. Raises `CallError`.

        Its cost is in `Capabilities.usage` and in no budget.
        """
        if self.capabilities is not None:
            return self.capabilities
        async with (await self._here()).lock:
            if self._state.capabilities is None:
                ask = probes.Asker(self.base_url, self._asked)
                seen = await probes.sampling(ask)
                seen["logprobs"] = await probes.logprobs(ask, chat=self.route == "chat")
                seen["prefix"] = self.route == "completions" or await self._prefix(ask)
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
            if request.prompt.prefix and self.route == "chat" and (missing := await self._lacks_prefix(request)):
                return missing
            body = self._body(request.prompt, request.params, request.seed)
            events = self._events(request, n)
        except CapabilityError as error:
            return errors.Dropped(str(error), kind="bad_request", request=request, usage=Usage())
        if events is not None:
            body |= stream.fields(extras=self._sends_extras())
        reader = answers.Reader(self.base_url, self.route, self.prices.get(self.model), self._redact)
        with (await self._here()).transport.room.call(answers.most(request.params, n or 1)) as held:
            sent = body if n is None else {**body, "n": n}
            found: Any = await self._call(sent, errors.worst(request), held, events)
            if isinstance(found, HTTPReply):
                reply = found
                found = await held.read(len(reply.body), lambda: reader.read(reply, request, events, n or 1))
        if isinstance(found, CallError):
            found.request = request
        return found  # type: ignore[no-any-return]

    def _events(self, request: Request, n: int | None) -> stream.Events | None:
        """What reads the answer while it is written, if the request has a floor."""
        if request.params.floor is None:
            return None
        if n is not None or request.prompt.tools:
            raise CapabilityError("a floor ends one text: send its requests one by one, and without tools")
        return stream.Events(request, request.params.floor)

    def _body(self, prompt: Prompt, params: Params, seed: int) -> dict[str, Any]:
        body = bodies.body(self.model, self.route, prompt, params, seed, self.render)
        if self._sends_extras():
            return body | bodies.extras(self.route, prompt, params)
        if params.top_k or params.min_p:
            raise CapabilityError(f"{self.base_url} takes no top_k and min_p: leave them at 0, or pass extras=True")
        if "max_tokens" in body and self.route == "chat":  # its newer models refuse the older name
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    async def _call(
        self, body: dict[str, Any], lost: Usage, held: Held, enough: Enough | None = None
    ) -> HTTPReply | CallError:
        """A successful answer. `lost`: what to charge for a call that was sent and not answered."""
        reply = await self._exchange(bodies.PATHS[self.route], body, lost, held, enough)
        if isinstance(reply, CallError) or reply.success:
            return reply
        if reply.status == 404:
            return errors.no_route(self.base_url, await self._models(), self.model)
        return errors.of_status(self.base_url, reply, has_key=bool(self._key()), redact=self._redact)

    async def _exchange(
        self, path: str, body: dict[str, Any] | None, lost: Usage, held: Held, enough: Enough | None = None
    ) -> HTTPReply | CallError:
        here, lasting = await self._here(), False
        try:
            async with asyncio.timeout(self.timeout):
                return await here.transport.request(path, self._key(), held, body, enough)
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
            try:
                listed = (
                    None
                    if isinstance(reply, CallError)
                    else read_answer(reply.body, answers.brackets(Params()))["data"]
                )
                return (
                    None
                    if listed is None
                    else [printable(self._redact(str(entry["id"]))[:80]) for entry in listed[:1000]]
                )
            except (ValueError, KeyError, TypeError):
                return None

    # ---------------------------------------------------------------- capabilities

    async def _lacks_prefix(self, request: Request) -> CallError | None:
        """Why the server cannot continue an assistant turn; None if it can. Asks it once, whoever else is waiting."""
        honoured = self.capabilities.prefix if self.capabilities is not None else self._state.prefix
        if honoured is None:
            began = time.monotonic()
            async with (await self._here()).lock:
                if self._state.failed is not None and self._state.failed[0] >= began:
                    return errors.about(self._state.failed[1], request, Usage())  # do not wait for it again, one by one
                try:
                    honoured = await self._prefix(probes.Asker(self.base_url, self._asked))
                except CallError as error:
                    self._state.failed = time.monotonic(), error
                    return errors.about(error, request, error.usage)
        message = (
            f"the server at {self.base_url} does not continue an assistant turn on the chat route: "
            'use route="completions" with render=, or a server that does (vLLM, SGLang, llama.cpp)'
        )
        return None if honoured else errors.PrefixDropped(message, kind="bad_request", request=request, usage=Usage())

    async def _prefix(self, ask: probes.Asker) -> bool:
        """What the probe found; call it under the lock."""
        if self._state.prefix is None:
            self._state.prefix = self._sends_extras() and await probes.prefix(ask)
        return self._state.prefix

    async def _asked(self, request: Request, fields: Mapping[str, Any]) -> bytes | CallError:
        body = self._body(request.prompt, request.params, request.seed)
        with (await self._here()).transport.room.call(answers.most(request.params, 2)) as held:
            reply = await self._call({**body, **fields}, errors.worst(request), held)
        return reply if isinstance(reply, CallError) else reply.body

    def _sends_extras(self) -> bool:
        return self.extras if self.extras is not None else urlsplit(self.base_url).hostname != "api.openai.com"

    # ---------------------------------------------------------------- the key

    def _key(self) -> str:
        key = self.api_key if self.api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("the API key has a line break or another character that no key has: copy it again")
        return key

    def _redact(self, text: str) -> str:
        return redact(text, self.api_key)
