"""Which arm a chooser asked for the answer of a search, and what it cost to decide, read from the trace."""

from __future__ import annotations

from searchkit.trace import Span
from searchkit.types import NO_USAGE, Usage

CHOOSERS = ("Escalate", "Router")


def choice_in(trace: Span) -> tuple[str, Usage] | None:
    """The arm that was asked last by the outermost `Escalate` or `Router`, and what deciding cost; None without any.

    Of `Escalate` it is the number of the step.
    """
    chooser = next((span for span in trace.walk() if span.kind == "search" and span.name in CHOOSERS), None)
    if chooser is None:
        return None
    if chooser.name == "Router":
        asked = [child.name.removeprefix("arm ") for child in chooser.children if child.name.startswith("arm ")]
        deciding = [child for child in chooser.children if child.name == "choose"]
    else:
        steps = [item for group in chooser.children for item in group.children if item.name == "step"]
        asked = [str(step.index) for step in steps]
        deciding = [child for step in steps for child in step.children if child.name == "score"]
    return (asked or ["none"])[-1], sum((span.total() for span in deciding), NO_USAGE)
