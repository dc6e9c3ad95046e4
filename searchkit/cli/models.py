"""The table ``[model]`` of a sweep's file, and what the options of the command line come to: generators.

Its keys are those of what is made: `OpenAI` and its wrappers for a URL, `Embedded`, `Simulated`, `VLLM`,
`Transformers`, or a class of your own; and those of `Params`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from searchkit.cli import names, tables
from searchkit.cli.tables import Table
from searchkit.errors import ConfigError
from searchkit.model import Model
from searchkit.types import Params

NAMED = ("embedded", "simulated", "vllm", "transformers")
Task = Literal["countdown", "arithmetic"]
SERVERS = {
    "ollama": "http://localhost:11434/v1",
    "sglang": "http://localhost:30000/v1",
    "llama.cpp": "http://localhost:8080/v1",
    "llamacpp": "http://localhost:8080/v1",
    "openai": "https://api.openai.com/v1",
}  # where those listen that people name
_HOST = re.compile(r"[\w.-]+(?::\d+(?:/|$)|/)|\d+\.\d+\.\d+\.\d+|localhost$")  # of a URL that lacks its beginning
_NO_LIMITS = {"requests": None, "tokens": None}
_ENVIRONMENT = ("api_key", "extra_headers", "extra_query")


def generator(table: Table, where: str = "model.") -> Any:
    """What the table names; a list of URLs is one model behind several servers, a `Balanced`.

    Raises `ConfigError`, which names the key.
    """
    backend = table.get("backend", "embedded") if isinstance(table, Mapping) else "embedded"
    urls = _urls(backend, where)
    own = _own(backend, where) if backend not in NAMED and not urls else None
    if own is not None and not isinstance(own, type):
        return _as_it_is(own, table, where)
    make: Callable[..., Any] = own or _maker(urls[0] if urls else backend)
    allowed, must = keys(make, bool(urls))
    given = tables.read(table, allowed, where, must, more=tables.takes_any(make))
    given = {name: _looked_up(where + name, value) if name in _ENVIRONMENT else value for name, value in given.items()}
    try:
        return _made(make, urls, given)
    except ConfigError as error:
        raise ConfigError(f"{where.rstrip('.')}: {error}") from error


def _urls(backend: Any, where: str) -> list[str]:
    """The servers that are named; none where it is a name."""
    if isinstance(backend, str) and not is_url(backend):
        return []
    urls = backend if isinstance(backend, list) else [backend]
    if not urls or not all(map(is_url, urls)):
        raise ConfigError(f"{where}backend is a name, a URL, or a list of URLs of one model, got {backend!r:.80}")
    if several := next((url for url in urls if re.search(r"[\s,;]+https?://", url)), None):
        parts = json.dumps([part.strip() for part in re.split(r"[\s,;]+(?=https?://)", several)])
        raise ConfigError(f"{where}backend: several servers of one model are a list: backend = {parts:.300}")
    if len(set(urls)) < len(urls):
        raise ConfigError(f"{where}backend has one URL twice, got {urls!r:.200}")
    return urls


def keys(make: Callable[..., Any], served: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the table may have for this backend with the types, and what it must have. served: whether at a URL."""
    allowed = {"backend": str | list[str], **_wrapping(served), **params(), **tables.hints(make, ["base_url"])}
    return allowed, tuple(name for name in tables.needed(make) if name != "base_url")


def params() -> dict[str, Any]:
    """The fields of `Params`; a single stop string may be given as it is."""
    return {**tables.hints(Params), "stop": tuple[str, ...] | str}


def schema() -> dict[str, Any]:
    """The JSON schema of the table: of all backends, since which it is stands in a value."""
    makers = [_maker(name) for name in ("embedded", "simulated", "transformers", "http://")]
    allowed: dict[str, Any] = {"backend": str | list[str], **_wrapping(True), **params()}
    for make in makers:
        allowed = {**tables.hints(make, ["base_url"]), **allowed}
    return tables.schema({**allowed, "model": str}, more=True)


def _wrapping(served: bool) -> dict[str, Any]:
    from searchkit.generators.wrappers.limited import Limited
    from searchkit.generators.wrappers.retrying import Retrying

    if not served:
        return {}
    minute = {"requests_a_minute": int | None, "tokens_a_minute": int | None}
    return {"coalesce": bool, **minute, **tables.hints(Retrying, ["backend"]), **tables.hints(Limited, ["backend"])}


def _made(make: Callable[..., Any], urls: Sequence[str], given: dict[str, Any]) -> Any:
    own = tables.hints(make)
    sampling = {name: given.pop(name) for name in params() if name in given and name not in own}
    around = {name: given.pop(name) for name in _wrapping(bool(urls)) if name in given}
    given.pop("backend", None)
    if urls:
        return Model(_wrapped([make(url, **given) for url in urls], around), Params(**sampling))
    made = names.build(make, (), given)
    if hasattr(made, "generate") and sampling:
        raise ConfigError(f"{', '.join(sampling)}: {make.__name__} is a generator, which has parameters of its own")
    return made if hasattr(made, "generate") else Model(made, Params(**sampling))


def _wrapped(servers: Sequence[Any], around: dict[str, Any]) -> Any:
    """`servers` of one model with retries and an adaptive limit for each, merging calls if asked to."""
    from searchkit.generators.wrappers.balanced import Balanced
    from searchkit.generators.wrappers.coalescing import Coalescing
    from searchkit.generators.wrappers.limited import Limited
    from searchkit.generators.wrappers.retrying import Retrying

    limits = {name: around.pop(name) for name in tables.hints(Limited, ["backend"]) if name in around}
    minute = {name: around.pop(f"{name}_a_minute", None) for name in ("requests", "tokens")}
    merges, limited = around.pop("coalesce", False), [Limited(server, **limits) for server in servers]
    each = [Coalescing(one) if merges else one for one in limited]
    is_plain = len(each) == 1 and minute == _NO_LIMITS
    return Retrying(each[0] if is_plain else Balanced(each, **minute), **around)


def _maker(backend: str) -> Callable[..., Any]:
    if backend == "embedded":
        return _embedded
    if backend == "simulated":
        from searchkit.generators.simulated import Simulated

        return Simulated
    if backend == "vllm":
        from searchkit.generators.vllm import VLLM

        return VLLM
    if backend == "transformers":
        from searchkit.generators.transformers import Transformers

        return Transformers
    from searchkit.generators.openai.backend import OpenAI

    return OpenAI


def _embedded(
    model: Task = "countdown", folder: str | None = None, batch: int = 64, threads: int | None = None,
    cache: int = 32_768,
) -> Any:  # fmt: skip
    """A model that ships, or one from a folder."""
    from searchkit.generators.embedded.backend import Embedded
    from searchkit.generators.embedded.checkpoint import shipped

    return Embedded(folder or shipped(model), batch, threads, cache)


def _own(backend: str, where: str) -> Any:
    """A class or an object of the user's own, or of an installed package."""
    if backend.startswith(("/", "./", "../", "~")) or "\\" in backend:
        raise ConfigError(
            f'{where}backend names what runs a model: for a folder write backend = "transformers" (or "vllm") '
            f"and model = {backend!r:.80}"
        )
    if address := SERVERS.get(backend.lower()):
        raise ConfigError(
            f"{where}backend: a server is given by its URL, {backend} by {address!r} unless told otherwise"
        )
    if _HOST.match(backend):
        url = backend if backend.rstrip("/").endswith("/v1") else f"{backend.rstrip('/')}/v1"
        raise ConfigError(f"{where}backend: a URL begins with http:// or https://, such as 'http://{url:.200}'")
    if ":" in backend:
        return tables.named(f"{where}backend", backend)
    plugged = {name: found for name, found in names.plugged().items() if hasattr(found, "complete")}
    if backend not in plugged:
        meant = names.meant(backend, (*NAMED, *plugged))
        raise ConfigError(
            f"{where}backend: unknown backend {backend!r}{meant} (or give a URL, or your own as module:name)"
        )
    return plugged[backend]


def _as_it_is(own: Any, table: Table, where: str) -> Any:
    """A backend, a generator or a function that is there already."""
    if hasattr(own, "complete"):
        given = tables.read(table, {"backend": str, **params()}, where)
        return Model(own, Params(**{name: value for name, value in given.items() if name != "backend"}))
    if not hasattr(own, "generate") and not callable(own):
        raise ConfigError(f"{where}backend: {table['backend']} is no backend, no generator and no function")
    tables.read(table, {"backend": str}, where)
    return own


def is_url(backend: Any) -> bool:
    """Whether it is a server's URL, and no name."""
    return isinstance(backend, str) and backend.startswith(("http://", "https://"))


def _looked_up(where: str, value: Any) -> Any:
    """What the environment has under ``$NAME``, so that no key stands in a command or a file; also within a table."""
    if isinstance(value, Mapping):
        return {name: _looked_up(f"{where}.{name}", one) for name, one in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value == "$":
        raise ConfigError(f"{where}: behind $ stands the name of a variable of the environment, as in $OPENAI_API_KEY")
    if value[1:] not in os.environ:
        meant = names.close(value[1:], os.environ, 0.8)
        raise ConfigError(f"{where}: the environment has no {value[1:]!r:.80}" + (f": is it {meant}?" if meant else ""))
    return os.environ[value[1:]]


def options(given: Sequence[str]) -> dict[str, Any]:
    """A table from texts ``KEY=VALUE``, whose values are written as in TOML; what is no such value is a text."""
    import tomllib

    found: dict[str, Any] = {}
    for one in given:
        key, sign, text = one.partition("=")
        if not (sign and key):
            raise ConfigError(f"--set needs KEY=VALUE, got {one!r:.80}")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            found[key] = text
    return found
