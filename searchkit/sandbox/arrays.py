"""NumPy's arrays and scalars as plain data: a type, a shape and bytes; and classes of plain data by their names.

Runs inside the sandbox; never imports NumPy before somebody else needed it there.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

NUMBERS = "biufcmMSU"  # kinds of elements that are plain: no objects, no records


class Array:
    """Stands for `numpy.ndarray`, which may not be here."""


def _numpy(value: Any) -> Any:
    """The package that made the value, None if that is not NumPy."""
    return sys.modules.get("numpy") if type(value).__module__ == "numpy" else None


def is_array(value: Any) -> bool:
    """Whether it is a plain array of plain elements."""
    numpy = _numpy(value)
    return numpy is not None and type(value) is numpy.ndarray and value.dtype.kind in NUMBERS


def is_scalar(value: Any) -> bool:
    """Whether it is a number, text or date of NumPy's."""
    numpy = _numpy(value)
    return numpy is not None and isinstance(value, numpy.generic) and value.dtype.kind in NUMBERS


def _base64() -> Any:
    """Loaded where there is an array: a library that is loaded costs each child that is forked."""
    return importlib.import_module("base64")


def parts(array: Any) -> list[Any]:
    return [array.dtype.str, array.shape, _base64().b64encode(array.tobytes()).decode()]


def made(parts: list[Any]) -> Any:
    """The array. Raises for elements that are not plain."""
    numpy = importlib.import_module("numpy")
    kind, shape, data = parts
    dtype = numpy.dtype(str(kind))
    if dtype.kind not in NUMBERS:
        raise ValueError(kind)
    return numpy.frombuffer(_base64().b64decode(data), dtype).reshape(shape).copy()


def scalar(parts: list[Any], plain: Any) -> Any:
    """The scalar where NumPy is loaded, its plain value elsewhere."""
    return made(parts)[()] if "numpy" in sys.modules else plain


# ---------------------------------------------------------------- classes

CLASSES = {
    "array": ("array",),
    "collections": ("ChainMap", "Counter", "OrderedDict", "defaultdict", "deque"),
    "datetime": ("date", "datetime", "time", "timedelta"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "ipaddress": ("IPv4Address", "IPv4Network", "IPv6Address", "IPv6Network"),
    "pathlib": ("Path", "PosixPath", "PurePath", "PurePosixPath"),
    "re": ("Match", "Pattern"),
    "types": ("SimpleNamespace",),
    "uuid": ("UUID",),
}
"""Those that are themselves on both sides, and no built-in names. Not all of their instances cross as plain data."""


def class_name(value: Any) -> list[str]:
    """The module and the name of a class of plain data; empty for all else."""
    if type(value) is not type and type(value).__name__ != "ABCMeta":
        return []
    known = [str(value.__module__), str(value.__name__)]
    return known if known_class(*known) is value else []


def known_class(module: str, name: str) -> Any:
    """The class of that name, None where there is none such here."""
    if name in CLASSES.get(module, ()):
        return getattr(importlib.import_module(module), name)
    numpy = sys.modules.get("numpy")
    found = vars(numpy).get(name) if numpy is not None and module == "numpy" else None
    return found if isinstance(found, type) and issubclass(found, numpy.generic) else None  # type: ignore[union-attr]
