"""What a sweep's TOML file says, made into a `Sweep`. Every mistake names its key, and the nearest one that exists."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.cli import names, server, setup
from searchkit.cli.sweep_problems import check, problems
from searchkit.errors import ConfigError
from searchkit.model import Model
from searchkit.types import Budget, Prompt

if TYPE_CHECKING:
    from searchkit.experiments.sweep.sweep import Sweep

Table = Mapping[str, Any]
TOP = {
    "out": str, "seeds": list, "concurrency": int, "truth": str, "problems": dict, "model": dict, "strategies": dict,
    "budgets": list, "common": bool, "totals": list, "allocation": dict,
}  # fmt: skip
SAMPLING = {"temperature": (int, float), "top_p": (int, float), "max_tokens": int}
MODEL = {"backend": (str, list), "model": str, "route": str, "coalesce": bool, **server.TABLE, **SAMPLING}
NAMED = ("embedded", "simulated")
SIMULATED = {"answers": dict, "tokens": int, "latency": (int, float), "jitter": (int, float), "failures": (int, float)}
TRUTH = 'it takes a verifier that passes or fails: "Exact", "MathEqual(number)", a task, or your own "module:function"'
_EXAMPLES = ', such as n = 8 or verifier = "module:function"'
BUDGET = dict.fromkeys(Budget.__dataclass_fields__, (int, float))


@dataclass(frozen=True)
class Config:
    """A sweep, where its results go, and how many searches run at once at each endpoint."""

    sweep: Sweep
    out: Path
    concurrency: int


def load(path: Path) -> Config:
    """The sweep that the file at `path` describes. Paths in it are relative to its folder. Raises `ConfigError`."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return _read(given, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read(given: Table, folder: Path) -> Config:
    from searchkit.experiments.sweep.sweep import Sweep

    check(given, TOP, "", needed=("out", "problems", "strategies"))
    options, endpoints = _model(given.get("model", {}))
    asked = list(problems(given["problems"], folder))
    if options.backend == "embedded":  # its prompts end with a line
        asked = [replace(p, prompt=Prompt.of(p.prompt.text.rstrip("\n") + "\n")) for p in asked]
    sweep = Sweep(
        asked,
        {name: _strategy(name, table, options) for name, table in given["strategies"].items()},
        [_budget(table, f"budgets[{i}].") for i, table in enumerate(given.get("budgets", [{}]))],
        given.get("seeds", [0]),
        truth=_truth(given.get("truth"), given["problems"].get("task")),
        endpoints=endpoints,
        common=given.get("common", False),
        totals=[_budget(table, f"totals[{i}].") for i, table in enumerate(given.get("totals", []))],
        allocation=_allocation(given["allocation"], folder) if "allocation" in given else None,
    )
    return Config(sweep, folder / given["out"], given.get("concurrency", 32))


def _model(table: Table) -> tuple[argparse.Namespace, list[Any]]:
    """What `searchkit solve` would be given as options, and a generator for each endpoint."""
    backend = table.get("backend", "embedded")
    simulated = backend == "simulated"
    if isinstance(backend, str) and backend not in NAMED and not backend.startswith(("http://", "https://")):
        raise ConfigError(f"model.backend: unknown backend {backend!r}{names.meant(backend, NAMED)}, or give a URL")
    allowed = {"backend": str, **SAMPLING, **SIMULATED} if simulated else MODEL
    served = backend not in NAMED
    check(table, allowed, "model.", needed=("answers",) if simulated else ("model",) if served else ())
    if backend == "embedded" and table.get("model", setup.TASKS[0]) not in setup.TASKS:
        raise ConfigError(f"model.model: unknown model {table['model']!r}{names.meant(table['model'], setup.TASKS)}")
    urls: Sequence[str] = backend if isinstance(backend, list) else [backend]
    sampling = {"temperature": 1.0, "top_p": 1.0, "max_tokens": None} | {k: table[k] for k in SAMPLING if k in table}
    each = [
        argparse.Namespace(
            backend=url,
            model=table.get("model"),
            route=table.get("route", "chat"),
            coalesce=table.get("coalesce", False),
            **{key: table[key] for key in server.TABLE if key in table},
            **sampling,
        )
        for url in urls
    ]
    if not each:
        raise ConfigError("model.backend must name at least one URL")
    if simulated:
        from searchkit.generators.simulated import Simulated

        made = names.build(Simulated, (), {key: table[key] for key in SIMULATED if key in table})
        return each[0], [Model(made, setup.params(each[0]))]
    try:
        return each[0], [setup.generator(options) for options in each]
    except ConfigError as error:
        raise ConfigError(f"model: {error}") from error


def _strategy(name: str, table: Any, model: argparse.Namespace) -> Any:
    """A strategy as `searchkit solve --strategy S --verifier V -p FIELD=VALUE` makes it."""
    where = f"strategies.{name}"
    if not isinstance(table, Mapping) or not isinstance(table.get("strategy"), str):
        raise ConfigError(f'{where} must be a table with a key strategy, such as strategy = "best-of-n"')
    given = {key: value for key, value in table.items() if key != "strategy"}
    verifier = given.get("verifier")
    if isinstance(verifier, str) and verifier.lower().startswith("exact"):
        raise ConfigError(f"{where}.verifier: a search of a sweep does not see the references; {verifier} is for truth")
    named = isinstance(verifier, str) and "(" not in verifier
    if named:
        del given["verifier"]
    options = argparse.Namespace(
        **vars(model), strategy=table["strategy"], verifier=verifier if named else None, reference=None,
        parameter=[f"{key}={value if isinstance(value, str) else repr(value)}" for key, value in given.items()],
    )  # fmt: skip
    try:
        return setup.strategy(options, fix=f"add a key {{0}} to the table [{where}]{_EXAMPLES}")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _budget(table: Any, where: str) -> Budget:
    check(table, BUDGET, where)
    return Budget(**table)


def _allocation(table: Any, folder: Path) -> Any:
    """Learned from a pool of other problems, by the score of that name."""
    from searchkit.experiments import Allocation, Pool, ScoreModel

    check(table, {"pool": str, "score": str}, "allocation.", needed=("pool",))
    pool = Pool.load(folder / table["pool"])
    return Allocation(ScoreModel.fit(pool.scored_by(table["score"]) if "score" in table else pool))


def _truth(text: str | None, task: str | None) -> Any:
    """A verifier by name, call or module:function; by default the task's checker, or `Exact()`."""
    from searchkit.verifiers import Predicate

    text = text or task or "Exact"
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
