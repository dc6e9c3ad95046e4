"""A parameter of a wide class is found in a list, in the order of the signature, not by searching through prose."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re

import pytest

FACES = [
    "searchkit", "searchkit.datasets", "searchkit.environments", "searchkit.experiments", "searchkit.export",
    "searchkit.generators", "searchkit.logs", "searchkit.strategies", "searchkit.testing", "searchkit.verifiers",
    "searchkit.views",
]  # fmt: skip
WIDE = 6  # so many fields may be explained in prose
LISTED = re.compile(r"^- ([\w, ]+):", re.MULTILINE)


def public():
    """All public dataclasses, and what they inherit their fields from."""
    for face in map(importlib.import_module, FACES):
        for thing in (getattr(face, name) for name in face.__all__):
            if inspect.isclass(thing):
                yield from (cls for cls in thing.__mro__ if dataclasses.is_dataclass(cls))


def own(cls):
    """The fields in the signature of `cls` that it declares itself, but for those that its base has, too."""
    inherited = {field.name for base in cls.__mro__[1:] if dataclasses.is_dataclass(base) for field in fields(base)}
    return [field.name for field in fields(cls) if field.name not in inherited]


def fields(cls):
    return [field for field in dataclasses.fields(cls) if field.init]


def listed(cls):
    """The names that the list in its docstring explains, those that share a line included."""
    lines = LISTED.findall(inspect.cleandoc(cls.__doc__ or ""))
    return [name.strip() for line in lines for name in line.split(",")]


CLASSES = sorted({cls for cls in public() if len(own(cls)) > WIDE}, key=lambda cls: cls.__qualname__)


def test_wide_classes_are_found() -> None:
    """Those that have most parameters are among them."""
    assert {"TreeSearch", "AStar", "ABMCTS", "ParticleFilter", "TreeOfThoughts", "OpenAI"} <= {
        cls.__name__ for cls in CLASSES
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_a_wide_class_lists_its_parameters_in_order(cls) -> None:
    """Each has a line, those that go together may share one."""
    assert listed(cls) == own(cls)


@pytest.mark.parametrize("name", ["Embedded", "AlphaMathBeam", "FunctionEnvironment"])
def test_some_narrow_ones_do_too(name) -> None:
    """Where there is a list it is complete."""
    [cls] = {cls for cls in public() if cls.__name__ == name}
    assert listed(cls) == own(cls)
