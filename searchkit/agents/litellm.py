"""litellm's calls as calls of the attempt that makes them, whoever calls litellm: the agent or a framework beneath it.

    with litellm_calls():
        answer = agent("What is 6 * 7?")          # under @search; inside, litellm.completion, acompletion, ...

litellm takes clients from two places: sessions for OpenAI's SDK, and a store of HTTP handlers for the other providers.
Both are replaced while the block is open, and put back after it. Providers whose API is none of ours (Gemini's and
Bedrock's own, say) are not counted: reach them by an OpenAI-compatible URL, or through a litellm proxy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from searchkit.agents.relayed import Manner
from searchkit.agents.transports import async_client, async_transport, client
from searchkit.errors import ConfigError
from searchkit.wire.usage import Price

_REPLACED = (
    "client_session", "aclient_session", "in_memory_llm_clients_cache", "module_level_client", "module_level_aclient",
)  # fmt: skip
_CHANGING = threading.Lock()


@contextmanager
def litellm_calls(*, keep_seeds: bool = False, price: Price | None = None, **options: Any) -> Iterator[None]:
    """While open, in all threads: litellm's calls belong to the attempts that make them.

    keep_seeds, price, options: as for `async_client`. Blocks may nest and overlap; the options of the first hold. Calls
    outside of attempts go straight to their servers, and are warned about once. Raises `ConfigError` without litellm.

    Tested with litellm 1.110.
    """
    try:
        import litellm
    except ImportError:
        raise ConfigError("litellm_calls() is for agents that use litellm: pip install litellm") from None
    with _CHANGING:
        clients: Any = vars(litellm).get("in_memory_llm_clients_cache")
        if not hasattr(clients, "replaced"):
            replaced = {name: vars(litellm)[name] for name in _REPLACED if name in vars(litellm)}
            clients = _clients(replaced, Manner(keep_seeds, price), options)
            litellm.client_session = client(keep_seeds=keep_seeds, price=price, **options)
            litellm.aclient_session = async_client(keep_seeds=keep_seeds, price=price, **options)
            litellm.in_memory_llm_clients_cache = clients
            litellm.module_level_client = clients.get_cache("httpx_client")
            litellm.module_level_aclient = clients.get_cache("async_httpx_client")
        clients.users += 1
    try:
        yield
    finally:
        with _CHANGING:
            clients.users -= 1
            if not clients.users:
                for name in _REPLACED:
                    vars(litellm).pop(name, None)
                for name, value in clients.replaced.items():
                    setattr(litellm, name, value)


def _clients(replaced: dict[str, Any], manner: Manner, options: dict[str, Any]) -> Any:
    """litellm's store of clients, whose HTTP handlers are ours. replaced: what was in the places of these before."""
    import httpx
    from litellm.caching.llm_caching_handler import LLMClientCache
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

    class Clients(LLMClientCache):  # type: ignore[misc, unused-ignore]
        """users: how many blocks are open."""

        def __init__(self) -> None:
            super().__init__()
            self.replaced: dict[str, Any] = replaced
            self.users: int = 0

        def get_cache(self, key: str, *args: Any, **kwargs: Any) -> Any:
            found = super().get_cache(key, *args, **kwargs)
            if found is None and key.startswith(("httpx_client", "async_httpx_client")):
                found = made(asynchronous=key.startswith("async"))
                self.set_cache(key, found)
            return found

    def made(*, asynchronous: bool) -> Any:
        if asynchronous:
            return AsyncHTTPHandler(transport=async_transport(httpx, manner, options))
        return HTTPHandler(client=client(module=httpx, keep_seeds=manner.keep_seeds, price=manner.price, **options))

    return Clients()
