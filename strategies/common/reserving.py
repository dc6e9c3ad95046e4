"""What a strategy keeps of a budget for what it does itself once others have had their part."""

from __future__ import annotations

from searchkit.protocols import Generator, Run
from searchkit.strategy import worst_case
from searchkit.types import Budget, Prompt


def shared(run: Run, n: int, generator: Generator | None, calls: int, prompt: Prompt) -> Budget | None:
    """What `n` items may spend, if `calls` of `generator` are to be paid afterwards; None: all that there is.

    It is all where there is no budget, where nothing comes afterwards, and where too little would be left for a single
    item: something that nobody has put together is more than nothing to put together.
    """
    if not calls:
        return None
    once = run.worst_case(prompt, run.base_params(generator))
    share = run.children_budget(n, (worst_case(generator, once) or once).times(calls))
    if share is None or all(getattr(once, name) <= most for name, most in share.ceilings()):
        return share
    return None
