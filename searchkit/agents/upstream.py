"""Where an agent's model calls go in the end, and the HTTP client that carries them."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from searchkit.agents.direct import Direct
from searchkit.agents.exchange import Answer, Ask, again, host_of, redirected
from searchkit.agents.secrets import hidden, without_keys
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.http import check_proxy, through
from searchkit.http.connecting import CONNECTING
from searchkit.types import Usage
from searchkit.wire.streams import ANSWER_LIMIT
from searchkit.wire.usage import Price

OPENAI, ANTHROPIC = "https://api.openai.com/v1", "https://api.anthropic.com"
MOST_AT_ONCE = 256
"""Connections of one search that httpx holds."""


@dataclass(frozen=True)
class Upstream:
    """The servers behind an `Endpoint`: what an agent would have called by itself.

    - openai_url: with its ``/v1``; None takes the variable ``OPENAI_BASE_URL``, else OpenAI's own.
    - openai_key: None takes ``OPENAI_API_KEY``.
    - anthropic_url: without ``/v1``; None takes ``ANTHROPIC_BASE_URL``, else Anthropic's own.
    - anthropic_key: None takes ``ANTHROPIC_API_KEY``.
    - keep_seeds: an agent's own seeds are sent as they are. By default a call's seed comes from its place in the
      attempt, and the agent's own is hashed with it, because else all attempts would be one.
    - price: of the model, for budgets in dollars; None counts no money.

    Keys are read when a search begins, and shown nowhere.
    """

    openai_url: str | None = None
    openai_key: str | None = field(default=None, repr=False)
    anthropic_url: str | None = None
    anthropic_key: str | None = field(default=None, repr=False)
    keep_seeds: bool = False
    price: Price | None = None

    def __post_init__(self) -> None:
        for name in ("openai_url", "anthropic_url"):
            url = getattr(self, name)
            if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
                raise ConfigError(f"Upstream({name}=...) begins with http:// or https://, got {url!r:.80}")

    def keys(self) -> tuple[str, ...]:
        """The keys of the real servers, as far as they are known: what no child process may see."""
        names = (self.openai_key, self.anthropic_key, *map(os.environ.get, ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")))
        return tuple(key for key in names if key)

    def ask(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Ask:
        """The request for the real server. path: as an agent wrote it behind its endpoint, ``v1/chat/completions``."""
        anthropic = path.removeprefix("v1/").startswith("messages") or "anthropic-version" in headers
        kept = {name: value for name, value in headers.items() if name not in ("authorization", "x-api-key")}
        if anthropic:
            base, key = self._of(self.anthropic_url, "ANTHROPIC_BASE_URL", ANTHROPIC), self.anthropic_key
            key = key or os.environ.get("ANTHROPIC_API_KEY", "")
            url, kept["x-api-key"] = f"{base.rstrip('/').removesuffix('/v1')}/{path}", key
        else:
            base, key = self._of(self.openai_url, "OPENAI_BASE_URL", OPENAI), self.openai_key
            key = key or os.environ.get("OPENAI_API_KEY", "")
            url, kept["authorization"] = f"{base.rstrip('/')}/{path.removeprefix('v1/')}", f"Bearer {key}"
        return Ask(method, url + (f"?{query}" if query else ""), kept, body, path=path)

    @staticmethod
    def _of(given: str | None, variable: str, otherwise: str) -> str:
        return given or os.environ.get(variable) or otherwise


class Client:
    """HTTP for one search, on its loop: a cancelled call closes its connection.

    options: of an httpx client. With any, or where a proxy is configured, it is httpx that asks; else our own
    connections, in a fraction of the time.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options: dict[str, Any] = dict(options or {})
        self._direct = Direct()
        self._httpx: Any = None

    async def send(self, ask: Ask) -> Answer:
        """Raises `CallError` where no whole answer came. What the server says of the keys that it got is left out."""
        pool = None if self._options else self._direct.pool(ask.url)
        try:
            answer = await (self._by_httpx(ask) if pool is None else self._direct.send(pool, ask))
        except CallError as error:
            error.args = (hidden(str(error), ask),)
            raise
        return replace(answer, body=without_keys(answer, ask))

    async def _by_httpx(self, ask: Ask) -> Answer:
        module, host = http_module(), host_of(ask.url)
        if self._httpx is None:
            if not {"proxy", "trust_env"} & set(self._options):
                check_proxy(ask.url)
            limits = module.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
            self._httpx = module.AsyncClient(timeout=None, **{"limits": limits, **self._options})
        try:
            request = self._httpx.build_request(
                ask.method,
                ask.url,
                headers=_raw(ask),
                content=ask.body,
                timeout=module.Timeout(ask.timeout, connect=_least(CONNECTING, ask.timeout)),
            )
            reply = await self._httpx.send(request, stream=True)
            try:
                body = await _read(reply)
            finally:
                await reply.aclose()
        except (module.ConnectError, module.ConnectTimeout, module.PoolTimeout) as error:
            way = "" if "proxy" in self._options else through(ask.url)
            message = f"nothing answers at {host}: {way}{type(error).__name__}"
            raise CallError(message, kind="connection", usage=Usage()) from error  # nothing was sent
        except module.TimeoutException as error:
            raise CallError(f"{host} did not answer in time: {type(error).__name__}", kind="timeout") from error
        except (module.LocalProtocolError, module.InvalidURL, UnicodeError) as error:  # these quote what was to be sent
            raise CallError(
                f"{host} cannot be sent that: {type(error).__name__}", kind="bad_request", usage=Usage()
            ) from None
        except module.HTTPError as error:
            raise CallError(f"{host} gave no whole answer: {error}", kind="connection") from error
        if (elsewhere := redirected(ask.url, reply.status_code, reply.headers.get("location", ""))) is not None:
            raise elsewhere
        return Answer(reply.status_code, body, reply.headers.get("content-type", ""), again(reply.headers))

    async def close(self) -> None:
        await self._direct.close()
        if self._httpx is not None:
            await self._httpx.aclose()


def _least(seconds: float, other: float | None) -> float:
    return seconds if other is None else min(seconds, other)


async def _read(reply: Any) -> bytes:
    """The body of an answer, to its end. Raises `CallError` where there is too much of it."""
    body = bytearray()
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise CallError(
                f"an answer of {reply.request.url.host} has more than {ANSWER_LIMIT} bytes", kind="malformed"
            )
    return bytes(body)


def _raw(ask: Ask) -> list[tuple[bytes, bytes]]:
    """The headers as our own connections send them, too."""
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in ask.headers.items()]


def http_module() -> ModuleType:
    """httpx, under whichever name the installed client of OpenAI takes clients of it: since its version 3, httpx2."""
    names = ("httpx2", "httpx") if _version_of_client() >= 3 else ("httpx", "httpx2")
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ConfigError("an agent's calls need an HTTP client: pip install httpx")


@functools.cache
def _version_of_client() -> int:
    return int(importlib.metadata.version("openai").partition(".")[0])


BY_ENVIRONMENT = Upstream()
"""What an agent would call by itself."""
