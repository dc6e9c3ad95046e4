"""What a sweep's TOML file says, made into a `Sweep`. Every mistake names its key, and the nearest one that exists."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.cli import models, names, setup, tables
from searchkit.cli.sweep_problems import PROBLEMS, Asked, problems
from searchkit.cli.tables import Table
from searchkit.errors import ConfigError
from searchkit.types import Budget

if TYPE_CHECKING:
    from searchkit.experiments.sweep.sweep import Sweep

TOP = {
    "out": str, "seeds": list[int], "concurrency": int, "truth": str, "problems": dict[str, Any],
    "model": dict[str, Any], "strategies": dict[str, dict[str, Any]], "budgets": list[dict[str, Any]],
    "common": bool, "totals": list[dict[str, Any]], "allocation": dict[str, Any],
}  # fmt: skip
ALLOCATION = {"pool": str, "score": str}
OPTIONS = ("executor", "jobs", "retry_failed", "wait", "json")
NEEDED = ("out", "problems", "strategies")
TRUTH = 'it takes a verifier that passes or fails: "Exact", "MathEqual(number)", a task, or your own "module:function"'
_EXAMPLES = ', such as n = 8 or verifier = "module:function"'


@dataclass(frozen=True)
class Config:
    """A sweep, where its results go, and how many searches run at once."""

    sweep: Sweep
    out: Path
    concurrency: int


def load(path: Path) -> Config:
    """The sweep that the file at `path` describes. Paths in it are relative to its folder. Raises `ConfigError`."""
    try:
        return _read(tables.toml(path), path.parent)
    except ConfigError as error:
        raise tables.within(path, error) from error


def _read(given: Table, folder: Path) -> Config:
    from searchkit.experiments.sweep.sweep import Sweep

    if wrong := next((name for name in OPTIONS if name in given), ""):
        raise ConfigError(f"{wrong!r} is no key of the file but an option of the command: --{wrong.replace('_', '-')}")
    tables.read(given, TOP, "", NEEDED)
    table = given.get("model", {})
    endpoint, asked = models.generator(table), problems(given["problems"], folder)
    options = argparse.Namespace(backend=table.get("backend", "embedded"), model=table.get("model"))
    found = list(asked.problems)
    if options.backend == "embedded":
        found = [replace(p, prompt=setup.lined(p.prompt)) for p in found]
    sweep = Sweep(
        found,
        {name: _strategy(name, table, options, asked) for name, table in given["strategies"].items()},
        [budget(table, f"budgets[{i}].") for i, table in enumerate(given.get("budgets", [{}]))],
        given.get("seeds", [0]),
        truth=_truth(given.get("truth"), asked.truth),
        endpoints=[endpoint],
        common=given.get("common", False),
        totals=[budget(table, f"totals[{i}].") for i, table in enumerate(given.get("totals", []))],
        allocation=_allocation(given["allocation"], folder) if "allocation" in given else None,
    )
    return Config(sweep, _out(folder / given["out"]), given.get("concurrency", 32))


def _out(path: Path) -> Path:
    """Where results go: a folder that may not be there yet. Raises `ConfigError` for what no folder can be called."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"out: {path!s:.80} cannot be a sweep's folder: {getattr(error, 'strerror', error)}"
        ) from error
    return path


def schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors that complete and check TOML."""
    found = tables.schema(TOP, NEEDED)
    strategy = {"type": "object", "properties": {"strategy": {"type": "string"}}, "required": ["strategy"]}
    found["properties"] |= {
        "problems": tables.schema(PROBLEMS),
        "model": models.schema(),
        "strategies": {"type": "object", "additionalProperties": strategy},
        "budgets": {"type": "array", "items": tables.schema(tables.hints(Budget))},
        "totals": {"type": "array", "items": tables.schema(tables.hints(Budget))},
        "allocation": tables.schema(ALLOCATION, ("pool",)),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A sweep of searchkit", **found}


def _strategy(name: str, table: Any, model: argparse.Namespace, asked: Asked) -> Any:
    """A strategy as `searchkit solve --strategy S --verifier V -p FIELD=VALUE` makes it."""
    where = f"strategies.{name}"
    fields = setup.strategy_table(where, table)
    verifier = fields.get("verifier")
    if isinstance(verifier, str) and verifier.lower().startswith("exact"):
        raise ConfigError(f"{where}.verifier: a search of a sweep does not see the references; {verifier} is for truth")
    named = fields.pop("verifier") if isinstance(verifier, str) and "(" not in verifier else None
    return setup.strategy_of(where, fields, model, named, asked.key, _EXAMPLES)


def budget(table: Any, where: str) -> Budget:
    """Of a table, whose keys stand behind `where` in errors. Raises `ConfigError`."""
    return Budget(**tables.read(table, tables.hints(Budget), where))


def _allocation(table: Any, folder: Path) -> Any:
    """Learned from a pool of other problems, by the score of that name."""
    from searchkit.experiments import Allocation, Pool, ScoreModel

    tables.read(table, ALLOCATION, "allocation.", ("pool",))
    pool = Pool.load(folder / table["pool"])
    return Allocation(ScoreModel.fit(pool.scored_by(table["score"]) if "score" in table else pool))


def _truth(text: str | None, otherwise: Any) -> Any:
    """A verifier by name, call or module:function; by default that of the data set or the task, or `Exact()`."""
    if text is None and otherwise is not None and not isinstance(otherwise, str):
        return otherwise
    from searchkit.verifiers import Predicate

    text = text or otherwise or "Exact"
    own = ":" in text and "(" not in text
    known = names.known()
    named = text if text in known else next((name for name in known if names.plain(name) == names.plain(text)), text)
    try:
        found = names.imported(text, known) if own else names.value(named)
        found = names.build(found, (), {}) if isinstance(found, type) else found
        if own and not hasattr(found, "verify"):
            return Predicate(found)
        if not hasattr(found, "verify"):
            raise ConfigError(f"{text!r:.80} does not say what is right")
    except ConfigError as error:
        raise ConfigError(f"truth: {error}; {TRUTH}") from error
    return found
