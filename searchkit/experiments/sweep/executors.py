"""Executors: where the shards of a sweep are worked on. One asyncio loop here, local processes, or a cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Literal, get_args

from searchkit.errors import ConfigError
from searchkit.experiments.sweep.shard import Shard, work

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
    joblib. dask: joblib's backend for the current Dask client. ray: one task a shard on the current Ray connection, at
    most `jobs` at once. Where there is no client or connection, the configured cluster is used, else a local one is
    started with `jobs` workers. Every worker must see the out folder under the same path.
    """
    check(executor)
    if executor == "asyncio":
        return work(shards)
    shards = [replace(shard, folder=shard.folder.absolute()) for shard in shards]  # workers may be in other folders
    with contextlib.suppress(KeyboardInterrupt):
        if executor == "ray":
            return _by_ray(shards, jobs)
        _by_joblib(shards, executor, jobs)


def _by_joblib(shards: Sequence[Shard], executor: Executor, jobs: int) -> None:
    import joblib

    local = executor == "processes"
    parent = os.getpid() if local else None
    with (
        contextlib.nullcontext() if local else _client(jobs),
        joblib.parallel_config(backend="loky" if local else executor, n_jobs=jobs),
    ):
        joblib.Parallel(batch_size=1)(joblib.delayed(work)([shard], parent) for shard in shards)


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


def _by_ray(shards: Sequence[Shard], jobs: int) -> None:
    """Tasks of Ray itself: joblib's backend for Ray refuses a cluster with fewer than `jobs` CPUs."""
    with _connection(jobs) as ray:
        task, waiting = ray.remote(work), list(shards)
        running: list[Any] = []
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(task.remote([waiting.pop(0)]))
                done, running = ray.wait(running)
                ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        finally:  # a worker that waits cannot be interrupted, so it is killed: what was paid for is in its journal
            for one in running:
                ray.cancel(one, force=True)
            ray.wait(running, num_returns=len(running))


@contextlib.contextmanager
def _connection(jobs: int) -> Iterator[Any]:
    """Ray with the connection that there is, else one to a running cluster, else a Ray on this machine; ended then."""
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}  # what workers print would stand in our output
    path = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}  # as other local workers have it
    try:
        try:
            ray.init(num_cpus=jobs, include_dashboard=False, runtime_env=path, **quiet)
        except (ValueError, ConnectionAbortedError):  # a cluster was found, with CPUs of its own
            ray.init(**quiet)
        yield ray
    finally:
        ray.shutdown()
