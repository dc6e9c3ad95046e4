"""What a server's TOML file says, made into a `SearchServer`. Every mistake names its key."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from searchkit.cli import models, names, setup, tables
from searchkit.cli.sweep_config import budget
from searchkit.cli.tables import Table
from searchkit.errors import ConfigError
from searchkit.model import Model
from searchkit.serving.server import Key, Served
from searchkit.serving.server.choosing import within
from searchkit.types import Budget, Problem, Prompt, Text

TABLES = dict[str, dict[str, Any]]
TOP = {"server": dict[str, Any], "backends": TABLES, "verifiers": dict[str, str], "strategies": TABLES,
       "models": TABLES, "keys": TABLES, "ceilings": dict[str, Any]}  # fmt: skip
SERVER = {"host": str, "port": int, "grace": float, "concurrency": int, "queue": int, "largest": int,
          "hosts": list[str], "journal": str, "accounts": str, "workers": int}  # fmt: skip
MODEL = {"backend": str, "strategy": str, "strategies": list[str], "verifiers": list[str], "ceilings": dict[str, Any]}
KEY = {"digest": str, "models": list[str], "ceilings": dict[str, Any], "budget": dict[str, Any], "concurrency": int}


@dataclass(frozen=True)
class Config:
    """What is served, to whom, and where. options: those of `SERVER`."""

    models: Mapping[str, Served]
    keys: tuple[Key, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def load(path: Path) -> Config:
    """The server that the file at `path` describes. Raises `ConfigError`."""
    try:
        return read(tables.toml(path))
    except ConfigError as error:
        raise tables.within(path, error) from error


def read(given: Table) -> Config:
    """The server that a table describes; of an empty one, the embedded models with the strategies that suit them."""
    tables.read(given, TOP, "")
    if not given.get("models"):
        given = {**given, **_EMBEDDED}
    options = _options(given.get("server", {}))
    ceilings = _budget(given.get("ceilings", {}), "ceilings.")
    backends = {name: _backend(name, table) for name, table in given.get("backends", {}).items()}
    served = {name: _served(name, table, backends, given, ceilings) for name, table in given["models"].items()}
    keys = tuple(_key(name, table, served) for name, table in given.get("keys", {}).items())
    return Config(served, keys, options)


def _options(table: Any) -> dict[str, Any]:
    """Those of `SERVER`, such as can be listened with."""
    options = tables.read(table, SERVER, "server.")
    for host in options.get("hosts", ()):
        if urlsplit(f"//{host}").hostname != host:
            raise ConfigError(f"server.hosts has names or addresses alone, in small letters, such as "
                              f'"search.example", got {host!r:.80}')  # fmt: skip
    if options.get("hosts") == []:
        raise ConfigError("server.hosts is empty, so that nobody could ask: name a host, or leave it out")
    return options


def _budget(table: Any, where: str) -> Budget:
    try:
        return budget(table, where)
    except ConfigError as error:
        name = where.rstrip(".")
        raise error if name in str(error) else ConfigError(f"{name}: {error}") from error


_EMBEDDED: Table = {
    "backends": {task: {"backend": "embedded", "model": task} for task in setup.TASKS},
    "models": {task: {"backend": task} for task in setup.TASKS},
    "strategies": {
        "best-of-8": {"strategy": "best-of-n", "n": 8},
        "best-of-64": {"strategy": "best-of-n", "n": 64},
        "vote-of-16": {"strategy": "self-consistency", "n": 16},
    },
}


@dataclass(frozen=True)
class Backend:
    """What a table ``[backends.NAME]`` makes. options: those that `searchkit solve` would have been given."""

    model: Model
    options: argparse.Namespace


def _backend(name: str, table: Any) -> Backend:
    where = f"backends.{name}."
    found = models.generator(table, where)
    if not isinstance(found, Model):
        raise ConfigError(f"{where}backend is asked as a model is: a URL, an embedded model, or a backend of your own")
    return Backend(found, argparse.Namespace(backend=table.get("backend", "embedded"), model=table.get("model")))


def _served(name: str, table: Any, backends: Mapping[str, Backend], given: Table, ceilings: Budget) -> Served:
    where = f"models.{name}"
    tables.read(table, MODEL, f"{where}.", ("backend",))
    backend = _listed(backends, table["backend"], f"{where}.backend", "backends")
    own, checks = given.get("strategies", {}), given.get("verifiers", {})
    strategies = {
        one: _strategy(one, _listed(own, one, f"{where}.strategies", "strategies"), backend.options, given)
        for one in table.get("strategies", own)
    }
    verifiers = {
        one: _verifier(f"verifiers.{one}", _listed(checks, one, f"{where}.verifiers", "verifiers"), backend.options)
        for one in table.get("verifiers", checks)
    }
    least = within(Budget(), ceilings, _budget(table.get("ceilings", {}), f"{where}.ceilings."))
    shaped = _line if backend.options.backend == "embedded" else None
    try:
        return Served(backend.model, strategies, verifiers, table.get("strategy", "plain"), least, shaped)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _listed(among: Mapping[str, Any], name: Any, where: str, table: str) -> Any:
    if not isinstance(name, str) or name not in among:
        raise ConfigError(f"{where}: {name!r:.80} is not in [{table}]{names.meant(str(name), among)}")
    return among[name]


def _line(prompt: Prompt) -> Prompt:
    """What embedded models have learnt to read ends with a line. Raises `ConfigError` for what they cannot be told."""
    if prompt.tools or not all(isinstance(part, Text) for message in prompt.messages for part in message.parts):
        raise ConfigError("an embedded model reads text alone: leave out tools and images, or ask another model")
    return setup.lined(prompt).continued(prompt.prefix)


def _strategy(name: str, table: Any, options: argparse.Namespace, given: Table) -> Any:
    """A strategy as `searchkit solve --strategy S --verifier V -p FIELD=VALUE` makes it."""
    where = f"strategies.{name}"
    fields = setup.strategy_table(where, table)
    verifier = fields.pop("verifier", None)
    if verifier is not None and not isinstance(verifier, str):
        raise ConfigError(f"{where}.verifier is a name of [verifiers], or a verifier as there, got {verifier!r:.80}")
    checks = given.get("verifiers", {})
    if verifier is not None:  # a mistake in it is told of where it stands
        at = f"verifiers.{verifier}" if verifier in checks else f"{where}.verifier"
        verifier = checks.get(verifier, verifier)
        _verifier(at, verifier, options)
    return setup.strategy_of(where, fields, options, verifier)


def _verifier(where: str, text: str, options: argparse.Namespace) -> Any:
    """A verifier by name, as a call such as ``Judge(samples=4)``, or your own as module:function."""
    if not text:
        raise ConfigError(f'{where} is empty: name one, such as "Judge(samples=2)" or "module:function"')
    try:
        found = setup.verifier(argparse.Namespace(**vars(options), verifier=text, reference=None))
    except ConfigError as error:
        raise ConfigError(f"{where}: {_NO_ANSWERS if names.plain(text) == 'exact' else error}") from error
    if getattr(found, "oracle", None):
        try:
            found.bind(Problem("a request", Prompt.of("without a known answer")))
        except ConfigError:
            raise ConfigError(f"{where}: {_NO_ANSWERS}") from None
    return found


_NO_ANSWERS = (
    "a server has no known answers to compare with: take a verifier that reads the answer alone, such as Judge(), or "
    "your own as module:function"
)


def _key(name: str, table: Any, served: Mapping[str, Served]) -> Key:
    where = f"keys.{name}"
    tables.read(table, KEY, f"{where}.", ("digest",))
    allowed = table.get("models")
    for one in allowed or ():
        _listed(served, one, f"{where}.models", "models")
    ceilings = _budget(table.get("ceilings", {}), f"{where}.ceilings.")
    of_key = _budget(table.get("budget", {}), f"{where}.budget.")
    digest, models_of = table["digest"].removeprefix("sha256:"), None if allowed is None else frozenset(allowed)
    return Key(name, digest, models_of, ceilings, of_key, table.get("concurrency"))
