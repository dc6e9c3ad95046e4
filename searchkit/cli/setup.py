"""From options to objects: the generator, the parameters, the strategy, and a journal that outlives an interruption."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from searchkit.cli import models, names, server
from searchkit.errors import ConfigError
from searchkit.strategy import Strategy
from searchkit.types import Budget, Params, Prompt

TASKS = ("countdown", "arithmetic")  # that embedded models have learnt
REWARDS = ("process_reward", "outcome_reward")  # verifiers that ship for each


def params(options: argparse.Namespace) -> Params:
    return Params(temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens)


def generator(options: argparse.Namespace) -> Any:
    """What the options name: the embedded model, the server at `options.backend` with retries and an adaptive limit,
    or any other backend that a table ``[model]`` could name."""
    if options.backend == "embedded":
        if options.coalesce:
            raise ConfigError("only a server can draw several samples in one call: leave out --coalesce")
        if unused := sorted(server.given(options)):
            raise ConfigError(f"{', '.join(unused)}: that is for a server; leave it out for an embedded model")
        if _task(options) not in TASKS:
            raise ConfigError(f"the embedded models are {' and '.join(TASKS)}, got --model {options.model}")
    elif not options.model and models.is_url(options.backend):
        raise ConfigError("a server serves models by name: add --model NAME")
    elif not options.model and options.backend in ("vllm", "transformers"):
        raise ConfigError(f"{options.backend} loads a model by its name on the hub, or a folder: add --model NAME")
    return models.generator(table(options), "")


def table(options: argparse.Namespace) -> dict[str, Any]:
    """The table ``[model]`` that says what the options say."""
    backend = options.backend
    if models.is_url(backend) and "," in backend:
        backend = [url.strip() for url in backend.split(",")]
    found = {"backend": backend, "model": options.model, "temperature": options.temperature}
    found |= {"top_p": options.top_p, "max_tokens": options.max_tokens}
    if models.is_url(options.backend):
        found |= {"route": options.route, "coalesce": options.coalesce, **server.given(options)}
    return {name: value for name, value in found.items() if value is not None} | models.options(options.set)


def lined(prompt: Prompt) -> Prompt:
    """What embedded models have learnt to read ends with a line."""
    return Prompt.of(prompt.text.rstrip("\n") + "\n")


def _task(options: argparse.Namespace) -> str:
    """What the embedded model has learnt."""
    return options.model or "countdown"


def strategy(options: argparse.Namespace, key: Any = None, **wording: str) -> Strategy:
    """The strategy with what the options preset: n = 8, and for the embedded model its checker and answer key.

    key: what votes count, by the data set. wording: how `names.strategy` says what is missing, where it is no option of
    the command line.
    """
    preset: dict[str, Any] = {"n": 8} if key is None else {"n": 8, "key": key}
    if options.backend == "embedded":
        preset["key"] = names.value("answer" if _task(options) == "arithmetic" else "operations")
    if options.verifier or options.backend == "embedded":
        preset["verifier"] = verifier(options)
    if names.plain(options.strategy) == names.plain("SelfConsistency") and not options.verifier:
        preset.pop("verifier", None)  # a plain vote unless a weighted one is asked for
    return names.strategy(options.strategy, options.parameter, preset, **wording)


def strategy_table(where: str, table: Any) -> dict[str, Any]:
    """The keys of a table ``[strategies.NAME]``. where: that name. Raises `ConfigError` if it names no strategy."""
    if not isinstance(table, Mapping) or not isinstance(table.get("strategy"), str):
        raise ConfigError(f'{where} must be a table with a key strategy, such as strategy = "best-of-n"')
    return dict(table)


def strategy_of(
    where: str, fields: Mapping[str, Any], options: argparse.Namespace, verifier: str | None, key: Any = None,
    examples: str = "",
) -> Strategy:  # fmt: skip
    """The strategy of such a table, as ``--strategy S --verifier V -p FIELD=VALUE`` would make it.

    fields: its keys, without those that `verifier` stands for. options: of the model. examples: of a key that lacks.
    """
    given = [
        f"{name}={value if isinstance(value, str) else repr(value)}"
        for name, value in fields.items()
        if name != "strategy"
    ]
    asked = argparse.Namespace(
        **vars(options), strategy=fields["strategy"], verifier=verifier, reference=None, parameter=given
    )
    try:
        return strategy(asked, key, fix=f"add a key {{0}} to the table [{where}]{examples}")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def verifier(options: argparse.Namespace) -> Any:
    """The verifier that is named; that of the embedded model's task where none is."""
    from searchkit.verifiers import Exact

    name = options.verifier or _task(options)
    if name == "exact":
        if options.reference is None:
            raise ConfigError("--verifier exact compares with the known answer: add --reference ANSWER")
        return Exact(reference=options.reference)
    reward = next((known for known in REWARDS if names.plain(known) == names.plain(name)), None)
    if reward is not None:
        if options.backend != "embedded":
            raise ConfigError(f"the verifier {name} reads what the embedded models write: name one of your own")
        return names.known()[reward](_task(options))
    return named(name)


def named(name: str) -> Any:
    """A verifier by its name, as a call such as ``Judge(scores=Expected())``, or as the user's own module:function."""
    from searchkit.verifiers import Predicate

    verifiers = {known: value for known, value in names.known().items() if hasattr(value, "verify")}
    listed = next((value for known, value in verifiers.items() if names.plain(known) == names.plain(name)), None)
    if listed is not None:
        return names.build(listed, (), {}) if isinstance(listed, type) else listed
    if "(" in name:
        found = names.value(name)
        if not hasattr(found, "verify"):
            raise ConfigError(f"{name!r} is no verifier: write a call such as Judge(scores=Expected())")
        return found
    special = ("exact", *(known.replace("_", "-") for known in REWARDS))
    found = names.imported(name, (*special, *(v for v in verifiers if names.plain(v) not in map(names.plain, special))))
    found = names.build(found, (), {}) if isinstance(found, type) else found
    return found if hasattr(found, "verify") else Predicate(found)


def budget(given: list[str]) -> Budget:
    """`Budget` from ``ceiling=number`` texts."""
    ceilings: dict[str, Any] = {}
    for one in given:
        name, found, text = one.partition("=")
        if not found or name not in Budget.__dataclass_fields__:
            raise ConfigError(
                f"a budget is CEILING=N with one of {', '.join(Budget.__dataclass_fields__)}, got {one!r}"
            )
        try:
            ceilings[name] = float(text) if name in ("usd", "seconds") else int(text)
        except ValueError:
            raise ConfigError(f"--budget {name} needs a number, got {text!r}") from None
    return Budget(**ceilings)


def cached_journal(command: str) -> Path:
    """A journal for this very command: the same command finds it again after an interruption."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "searchkit"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(command.encode()).hexdigest()[:16]}.db"


def forget(journal: Path) -> None:
    """Remove a journal that has served."""
    for suffix in ("", "-wal", "-shm", "-lock"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)
