"""The bar of long work, on stderr."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


def bar(total: int, unit: str, initial: int = 0, form: str | None = None) -> Any:
    """A tqdm bar: widgets in a notebook that has ipywidgets, text anywhere else (where tqdm.auto would warn).

    form: of its line, where a rate says nothing.
    """
    if find_spec("ipywidgets") is None:
        from tqdm import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm(total=total, unit=unit, initial=initial, bar_format=form)
