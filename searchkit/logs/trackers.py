"""Runs as experiment trackers keep them: MLflow, and wandb offline. Nothing leaves the machine."""

from __future__ import annotations

import importlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.estimators import budgets
from searchkit.kinds import printable
from searchkit.logs import tables
from searchkit.logs.parts import Part

LONGEST = 500  # characters of a parameter's value, the most that MLflow takes
NAMED = 250  # of its name
Step = tuple[str, float, int]  # a metric's name, its value, and the number of samples that it is of


@dataclass(frozen=True)
class Tracked:
    """What a tracker is told of a run. params: texts by name. metrics: (name, value, step), where the step of a curve's
    point is its number of samples. files: by name, such as the manifest."""

    name: str
    params: Mapping[str, str]
    metrics: tuple[Step, ...]
    manifest: str


def tracked(part: Part) -> Tracked:
    """The run's settings, its figures, and the curves that its samples allow."""
    told = {"problems": str(len(part.pool)), "model": part.model, **part.settings}
    params = {name[:NAMED]: text[:LONGEST] for name, text in told.items() if text}
    return Tracked(part.name, params, tuple(_metrics(part)), json.dumps(part.manifest, indent=1))


def _metrics(part: Part) -> Iterator[Step]:
    entries = [entry for _, entry in part.pool.samples()]
    yield "accuracy", part.accuracy, 0
    for name in ("correct", "unknown", "failed"):
        yield name, float(part.manifest[name]), 0
    yield "samples", float(len(entries)), 0
    for name in ("generated_tokens", "prompt_tokens", "usd"):
        yield name, float(sum(getattr(entry, name) for entry in entries)), 0
    if len(budgets(part.pool.size)) < 2 or all(entry.unknown for entry in entries):
        return
    for curve in part.pool.curves():
        name = curve.name.replace("@k", "_at_k")  # trackers take no @ in a name
        for k, *bounds in zip(curve.ks, curve.mean, curve.low, curve.high, strict=True):
            for suffix, value in zip(("", "_low", "_high"), bounds, strict=True):
                if math.isfinite(value):
                    yield f"{name}{suffix}", float(value), k


def to_mlflow(parts: list[Part], target: str, experiment: str) -> None:
    """A run a part, in the experiment; with the manifest and the samples, as CSV, as its artifacts.

    target: a tracking URI such as ``sqlite:///mlflow.db``, or a folder, MLflow's file store, which it takes only where
    the variable MLFLOW_ALLOW_FILE_STORE is true. Needs mlflow; of a folder mlflow-skinny will do. Raises `ConfigError`
    for what MLflow refuses.
    """
    try:
        _to_mlflow(parts, target, experiment)
    except ConfigError:
        raise
    except Exception as error:  # theirs are of several packages
        raise ConfigError(f"MLflow refuses {target}: {printable(str(error))[:600]}") from error


def _to_mlflow(parts: list[Part], target: str, experiment: str) -> None:
    client_of: Any = _package("mlflow", "mlflow-skinny").MlflowClient
    client = client_of(tracking_uri=target if "://" in target else Path(target).absolute().as_uri())
    known = client.get_experiment_by_name(experiment)
    number = known.experiment_id if known is not None else client.create_experiment(experiment)
    for part in parts:
        told = tracked(part)
        run = client.create_run(number, run_name=told.name, tags={"searchkit": "1"}).info.run_id
        for name, text in told.params.items():
            client.log_param(run, name, text)
        for name, value, step in told.metrics:
            client.log_metric(run, name, value, step=step)
        with tempfile.TemporaryDirectory() as folder:
            for path in _files(part, told, Path(folder)):
                client.log_artifact(run, str(path))
        client.set_terminated(run)


def to_wandb(parts: list[Part], folder: str, project: str) -> None:
    """A run a part, in wandb's offline form, which ``wandb sync`` sends if somebody wants that. Needs wandb."""
    wandb = _package("wandb", "wandb")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for part in parts:
        told = tracked(part)
        run = wandb.init(
            project=project, name=told.name, dir=folder, mode="offline", config=dict(told.params), reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
        )  # fmt: skip
        by_step: dict[int, dict[str, float]] = {}
        for name, value, step in told.metrics:
            by_step.setdefault(step, {})[name] = value
        for step, values in sorted(by_step.items()):
            run.log(values, step=step)
        with tempfile.TemporaryDirectory() as made:
            artifact = wandb.Artifact("samples", type="searchkit")
            for path in _files(part, told, Path(made)):
                artifact.add_file(str(path))
            run.log_artifact(artifact)
            run.finish()


def _files(part: Part, told: Tracked, folder: Path) -> tuple[Path, Path]:
    manifest, samples = folder / "manifest.json", folder / "samples.csv"
    manifest.write_text(told.manifest, encoding="utf-8")
    tables.write_csv([part], samples)
    return manifest, samples


def _package(name: str, install: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"this needs {name}: pip install {install}") from error
