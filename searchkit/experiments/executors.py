"""Executors: where the shards of a sweep are worked on. One asyncio loop here, local processes, or a cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, get_args

from searchkit.errors import ConfigError
from searchkit.experiments.sweep_shard import Shard, work

Executor = Literal["asyncio", "processes", "dask", "ray"]
NAMES: tuple[Executor, ...] = get_args(Executor)
_PACKAGES = {"dask": "distributed", "ray": "ray"}
_INSTALLED_AS = {"dask": "dask[distributed]", "ray": "ray"}


def check(executor: str) -> None:
    """Raises `ConfigError` for a name that is unknown, and for a cluster whose package is not installed."""
    if executor not in NAMES:
        raise ConfigError(f"the executor is one of {', '.join(NAMES)}, got {executor!r}")
    package = _PACKAGES.get(executor)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ConfigError(f"the {executor} executor needs a package: pip install '{_INSTALLED_AS[executor]}'")


def execute(shards: Sequence[Shard], executor: Executor, jobs: int) -> None:
    """Work on all shards; returns when they have finished, or when Ctrl-C has stopped them.

    asyncio: all in this process, the right choice as long as a server does the work. processes: `jobs` local ones, by
    joblib. dask, ray: joblib's backends for clusters; the current Dask client or Ray connection is used, else a local
    one is started with `jobs` workers. Every worker must see the out folder under the same path.
    """
    check(executor)
    if executor == "asyncio":
        return work(shards)
    import joblib

    parent = os.getpid() if executor == "processes" else None
    with _backend(executor, jobs), contextlib.suppress(KeyboardInterrupt):
        joblib.Parallel(batch_size=1)(joblib.delayed(work)([shard], parent) for shard in shards)


def _backend(executor: Executor, jobs: int) -> AbstractContextManager[Any]:
    import joblib

    stack = contextlib.ExitStack()
    if executor == "dask":
        stack.enter_context(_client(jobs))
    elif executor == "ray":
        importlib.import_module("ray.util.joblib").register_ray()
    name = "loky" if executor == "processes" else executor
    stack.enter_context(joblib.parallel_config(backend=name, n_jobs=jobs))
    return stack


def _client(jobs: int) -> AbstractContextManager[Any]:
    """The Dask client that there is, else one for the configured cluster, else a cluster on this machine."""
    dask: Any = importlib.import_module("distributed")
    try:
        dask.default_client()
        return contextlib.nullcontext()
    except ValueError:
        if importlib.import_module("dask").config.get("scheduler-address", None):
            return contextlib.closing(dask.Client())
        return contextlib.closing(dask.Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None))
