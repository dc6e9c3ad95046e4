"""The manifest of a sweep: what was run, with which versions, on which machine. Without secrets.

`configuration` says all that the results depend on. A sweep is resumed with the same, or with more of it: more
problems, strategies, budgets and seeds. `problems` has a digest of each, by its id. `environments` lists every kind of
machine that has worked on it.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from searchkit import codec
from searchkit.errors import ConfigError
from searchkit.experiments.sweep.rows import HEADER, VERSION, untouched, whole
from searchkit.function import label
from searchkit.redact import redact
from searchkit.types import Params, Problem

MANIFEST = "manifest.json"
PACKAGES = ("searchkit", "numpy", "openai", "onnxruntime", "sympy", "joblib", "dask", "ray", "vllm", "transformers")
NO_PARAMS = Params()
MOST_DIFFERENCES = 5
_SECRET = re.compile(r"(^|[_-])(authorization|api[_-]?key|cookie|secret|password|token)$", re.IGNORECASE)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def describe(value: Any) -> Any:
    """`value` as JSON that is the same in every process: a backend is its name, a function its qualified name.

    Fields that are not compared (API keys, caches) are left out, what is called like a secret is hidden, and a field
    that its `repr` leaves out is a digest.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return redact(value)
    if hasattr(value, "complete") and isinstance(getattr(value, "name", None), str):
        return redact(value.name)
    if is_dataclass(value) and not isinstance(value, type):
        told = [(f, getattr(value, f.name)) for f in fields(value) if f.init and f.compare]
        return {"type": label(type(value)), **describe({f.name: v if f.repr else digest(v) for f, v in told})}
    if isinstance(value, functools.partial):
        return {"partial": describe(value.func), "args": describe(value.args), "keywords": describe(value.keywords)}
    if isinstance(value, Mapping):
        return {str(k): "[redacted]" if _SECRET.search(str(k)) else describe(v) for k, v in value.items()}
    if isinstance(value, Set):
        return sorted(map(repr, value))
    if isinstance(value, Sequence):
        return [describe(item) for item in value]
    return label(value) if callable(value) and hasattr(value, "__qualname__") else redact(_ADDRESS.sub("", repr(value)))


def digest(value: Any) -> str:
    """32 hexadecimal digits that name a value, by its description."""
    return blake2b(json.dumps(describe(value)).encode(), digest_size=16).hexdigest()


def problem_set(problems: Sequence[Problem]) -> dict[str, Any]:
    """How many problems there are, and a digest of their ids, prompts and references, whatever their order."""
    each = sorted(digests(problems).values())
    return {"count": len(each), "digest": digest(each)}


def digests(problems: Sequence[Problem]) -> dict[str, str]:
    """By the id of each problem, a digest of its id, prompt and reference."""
    return {p.id: digest([p.id, codec.digest(p.prompt, NO_PARAMS).hex(), p.reference]) for p in problems}


def environment() -> dict[str, Any]:
    """Versions and hardware. memory_gb: of the whole machine, None where the system does not say."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        memory = None
    hardware = {"cpus": os.cpu_count(), "memory_gb": memory, "platform": platform.platform()}
    return {"python": platform.python_version(), "packages": packages, "hardware": hardware}


def load(folder: Path) -> dict[str, Any]:
    """The manifest in `folder`; `ConfigError` if there is none, or it is not one of this version."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no sweep's folder: {'it is a file' if folder.exists() else 'it is not there'}")
    if not (folder / MANIFEST).exists():
        raise ConfigError(f"{folder} is no sweep's folder, it holds other files: choose another one")
    try:
        stored = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} is no sweep's folder ({MANIFEST}: {error}): choose another one") from error
    if not isinstance(stored, dict) or stored.get(HEADER) != VERSION:
        raise ConfigError(f"{folder / MANIFEST} is not a manifest of version {VERSION}: choose another folder")
    return stored


def holds(folder: Path, configuration: dict[str, Any]) -> bool:
    """Whether `folder` holds the sweep of this configuration: another process may have made it grow meanwhile."""
    return bool(load(folder)["configuration"] == json.loads(json.dumps(configuration)))


def shards_of(folder: Path) -> int:
    """How many shards a sweep that has begun has; 1 of none."""
    found: int = load(folder)["shards"] if (folder / MANIFEST).exists() else 1
    return found


def begin(
    folder: Path,
    configuration: dict[str, Any],
    shards: int,
    problems: Mapping[str, str] | None = None,
    *,
    anew: bool = True,
) -> dict[str, Any]:
    """Write the manifest of a new sweep, or check that `folder` holds this very one, or a part of it, begun before.

    problems: their `digests`. The number of shards of a sweep that has begun stays as it is. anew: whether one of which
    no search has ended may become another: a mistake that its first search found is mended in the same folder.

    Raises `ConfigError`, naming what differs.
    """
    configuration, here, each = json.loads(json.dumps(configuration)), environment(), dict(problems or {})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        has_begun = any(not path.name.startswith(".") for path in folder.iterdir())
    except (OSError, ValueError) as error:
        why = "it is a file" if isinstance(error, FileExistsError) else getattr(error, "strerror", error)
        raise ConfigError(f"{folder} cannot be a sweep's folder: {why}") from error
    if has_begun:
        manifest = load(folder)
        there = manifest["configuration"]
        found = [*changed(manifest["problems"], each), *differences(_part(there, configuration), configuration)]
        if found and not (anew and untouched(folder)):
            shown = "; ".join(found[:MOST_DIFFERENCES])
            raise ConfigError(
                f"{folder} holds another sweep: {shown}. Choose another folder, or the same settings; a sweep may grow "
                "by problems, strategies, budgets and seeds, and keeps those that it has"
            )
        if here in manifest["environments"] and there == configuration:
            return manifest
        known = manifest["environments"] if here in manifest["environments"] else [*manifest["environments"], here]
    else:
        manifest, known = {HEADER: VERSION, "shards": shards}, [here]
    manifest |= {"configuration": configuration, "problems": each, "environments": known}
    whole(folder / MANIFEST, [json.dumps(manifest, indent=1)])
    return manifest


def changed(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """What was done to the problems that were there, each as one sentence; new ones are no difference."""
    for name in there:
        if name not in here:
            yield f"the problem {name!r:.80} is missing"
        elif there[name] != here[name]:
            yield f"the problem {name!r:.80} has another prompt or reference"


def _part(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """`there`, with what is `here` where that is the same and more."""
    grown = dict(there)
    if "problems" in there:  # each was compared by itself
        grown["problems"] = here.get("problems")
    for name in ("budgets", "seeds", "paired", "totals", "spending"):
        if name in there and all(one in here.get(name, ()) for one in there[name]):
            grown[name] = here[name]
    if not there.get("totals") and "allocation" in there:
        grown["allocation"] = here["allocation"]
    if "strategies" in there:
        grown["strategies"] = {**here.get("strategies", {}), **there["strategies"]}
    return grown


def differences(there: Any, here: Any, path: str = "") -> Iterator[str]:
    """Where two descriptions differ, each as one sentence that begins with the place."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in dict.fromkeys((*there, *here)):
            yield from differences(there.get(name), here.get(name), f"{path}.{name}" if path else name)
    elif there != here:
        yield f"{path} was {json.dumps(there):.80}, now it is {json.dumps(here):.80}"
