"""The worlds by name, with the parameters that figures are published for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from searchkit.testing.worlds.base import World
from searchkit.testing.worlds.drafts import Basins, Drift, UnitTests
from searchkit.testing.worlds.locks import Deep, Duplicates, Lock, NoisyLock, SparseLock, Wide
from searchkit.testing.worlds.roads import UnequalCosts
from searchkit.testing.worlds.steps import Deceptive, Growing, Steps, TreeOfFour

WORLDS: Mapping[str, World] = MappingProxyType({
    "lock": Lock(),
    "noisy lock": NoisyLock(),
    "sparse lock": SparseLock(),
    "wide": Wide(),
    "deep": Deep(),
    "duplicates": Duplicates(),
    "steps, strong": Steps(),
    "steps, weak": Steps(margin=0.5),
    "tree of four": TreeOfFour(),
    "deceptive": Deceptive(),
    "growing": Growing(),
    "drift": Drift(),
    "noisy drift": Drift(noise=0.1),
    "tests": UnitTests(),
    "basins": Basins(),
    "unequal costs": UnequalCosts(),
})  # fmt: skip
