"""What a server's TOML file says, made into a `SearchServer`. Every mistake names its key."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchkit.cli import names, server, setup
from searchkit.cli.sweep_config import BUDGET, SAMPLING
from searchkit.cli.sweep_problems import check
from searchkit.errors import ConfigError
from searchkit.model import Model
from searchkit.serving.server import Key, Served
from searchkit.types import Budget, Prompt

Table = Mapping[str, Any]
TOP = {"server": dict, "backends": dict, "verifiers": dict, "strategies": dict, "models": dict, "keys": dict,
       "ceilings": dict}  # fmt: skip
SERVER = {"host": str, "port": int, "grace": (int, float), "concurrency": int, "queue": int, "largest": int,
          "hosts": list, "journal": str, "accounts": str,
          "workers": int}  # fmt: skip
BACKEND = {"backend": str, "model": str, "route": str, "coalesce": bool, **server.TABLE, **SAMPLING}
MODEL = {"backend": str, "strategy": str, "strategies": list, "verifiers": list, "ceilings": dict}
KEY = {"digest": str, "models": list, "ceilings": dict, "budget": dict, "concurrency": int}


@dataclass(frozen=True)
class Config:
    """What is served, to whom, and where. options: those of `SERVER`."""

    models: Mapping[str, Served]
    keys: tuple[Key, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def load(path: Path) -> Config:
    """The server that the file at `path` describes. Raises `ConfigError`."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return read(given)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read(given: Table) -> Config:
    """The server that a table describes; of an empty one, the embedded models with the strategies that suit them."""
    check(given, TOP, "")
    if not given.get("models"):
        given = {**given, **_EMBEDDED}
    check(given.get("server", {}), SERVER, "server.")
    ceilings = _budget(given.get("ceilings", {}), "ceilings.")
    check(given.get("verifiers", {}), dict.fromkeys(given.get("verifiers", {}), str), "verifiers.")
    options = {name: _options(name, table) for name, table in given.get("backends", {}).items()}
    models = {name: _served(name, table, options, given, ceilings) for name, table in given["models"].items()}
    keys = tuple(_key(name, table, models) for name, table in given.get("keys", {}).items())
    return Config(models, keys, given.get("server", {}))


_EMBEDDED: Table = {
    "backends": {task: {"backend": "embedded", "model": task} for task in setup.TASKS},
    "models": {task: {"backend": task} for task in setup.TASKS},
    "strategies": {
        "best-of-8": {"strategy": "best-of-n", "n": 8},
        "best-of-64": {"strategy": "best-of-n", "n": 64},
        "vote-of-16": {"strategy": "self-consistency", "n": 16},
    },
}


def _options(name: str, table: Any) -> argparse.Namespace:
    """What `searchkit solve` would be given as options."""
    where = f"backends.{name}."
    backend = table.get("backend", "embedded") if isinstance(table, Mapping) else None
    check(table, BACKEND, where, needed=() if backend == "embedded" else ("model",))
    sampling: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_tokens": None}
    given = {key: value for key, value in table.items() if key in SAMPLING or key in server.TABLE}
    return argparse.Namespace(
        backend=backend, model=table.get("model"), route=table.get("route", "chat"),
        coalesce=table.get("coalesce", False), **sampling | given,
    )  # fmt: skip


def _served(
    name: str, table: Any, backends: Mapping[str, argparse.Namespace], given: Table, ceilings: Budget
) -> Served:
    where = f"models.{name}"
    check(table, MODEL, f"{where}.", needed=("backend",))
    options = _listed(backends, table["backend"], f"{where}.backend", "backends")
    own = given.get("strategies", {})
    strategies = {
        one: _strategy(one, _listed(own, one, f"{where}.strategies", "strategies"), options, given)
        for one in table.get("strategies", own)
    }
    checks = given.get("verifiers", {})
    verifiers = {
        one: _verifier(one, _listed(checks, one, f"{where}.verifiers", "verifiers"), options)
        for one in table.get("verifiers", checks)
    }
    least = _budget(table.get("ceilings", {}), f"{where}.ceilings.")
    merged = dict(ceilings.ceilings())
    merged |= {key: min(most, merged.get(key, most)) for key, most in least.ceilings()}
    try:
        model: Model = setup.generator(options)
        return Served(model, strategies, verifiers, table.get("strategy", "plain"), Budget(**merged),  # type: ignore[arg-type]
                      _line if options.backend == "embedded" else None)  # fmt: skip
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _listed(among: Mapping[str, Any], name: Any, where: str, table: str) -> Any:
    if not isinstance(name, str) or name not in among:
        raise ConfigError(f"{where}: {name!r:.80} is not in [{table}]{names.meant(str(name), among)}")
    return among[name]


def _line(prompt: Prompt) -> Prompt:
    """What embedded models have learnt to read ends with a line."""
    return Prompt.of(prompt.text.rstrip("\n") + "\n")


def _strategy(name: str, table: Any, options: argparse.Namespace, given: Table) -> Any:
    """A strategy as `searchkit solve --strategy S --verifier V -p FIELD=VALUE` makes it."""
    where = f"strategies.{name}"
    if not isinstance(table, Mapping) or not isinstance(table.get("strategy"), str):
        raise ConfigError(f'{where} must be a table with a key strategy, such as strategy = "best-of-n"')
    verifier = table.get("verifier")
    verifier = given.get("verifiers", {}).get(verifier, verifier)
    fields = {key: value for key, value in table.items() if key not in ("strategy", "verifier")}
    asked = argparse.Namespace(
        **vars(options), strategy=table["strategy"], verifier=verifier, reference=None,
        parameter=[f"{key}={value if isinstance(value, str) else repr(value)}" for key, value in fields.items()],
    )  # fmt: skip
    try:
        return setup.strategy(asked, fix=f"add a key {{0}} to the table [{where}]")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _verifier(name: str, text: str, options: argparse.Namespace) -> Any:
    """A verifier by name, as a call such as ``Judge(samples=4)``, or your own as module:function."""
    try:
        return setup.verifier(argparse.Namespace(**vars(options), verifier=text, reference=None))
    except ConfigError as error:
        raise ConfigError(f"verifiers.{name}: {error}") from error


def _key(name: str, table: Any, models: Mapping[str, Served]) -> Key:
    where = f"keys.{name}"
    check(table, KEY, f"{where}.", needed=("digest",))
    allowed = table.get("models")
    for one in allowed or ():
        _listed(models, one, f"{where}.models", "models")
    ceilings = _budget(table.get("ceilings", {}), f"{where}.ceilings.")
    budget = _budget(table.get("budget", {}), f"{where}.budget.")
    digest, models_of = table["digest"].removeprefix("sha256:"), None if allowed is None else frozenset(allowed)
    return Key(name, digest, models_of, ceilings, budget, table.get("concurrency"))


def _budget(table: Any, where: str) -> Budget:
    check(table, BUDGET, where)
    return Budget(**table)
