"""The lines of a live view: what runs, the best so far, what was spent, the rate, the expected end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from searchkit.events import Opened, Place
from searchkit.markup.words import columns_of, counted, number, one_line
from searchkit.types import Sample
from searchkit.views.progress import Progress

Part = tuple[str, str]  # a text and its style: "", "dim", "bold", "green", "red", "yellow"
Line = list[Part]
LABEL = 9  # columns of the word before each line
SHOWN = 4  # lines of what runs
LONGEST = 4000  # characters of an answer that are looked at
UNITS = {
    "generations": "generation", "verifications": "verification", "model_calls": "model call",
    "generated_tokens": "token", "total_tokens": "total token", "usd": "",
}  # fmt: skip
FULL, EMPTY = "━", "─"


def lines(progress: Progress, now: float, width: int) -> list[Line]:
    """At most 8 + `SHOWN` lines of at most `width` columns each. Texts of models are escaped and cut.

    now: seconds on `time.perf_counter`. Cost: linear in what runs at once.
    """
    if progress.first is None:
        return []
    found = [_head(progress, now, width), *_bar(progress, now, width), *_running(progress, now, width)]
    found += [_labelled(label, text, width, style) for label, text, style in _facts(progress, now)]
    return found


def _head(progress: Progress, now: float, width: int) -> Line:
    """Which search, and how long it has taken."""
    assert progress.first is not None
    passed, limit = clock(progress.seconds(now)), progress.budget.seconds
    if limit is not None:
        passed = f"{passed} of {clock(limit)}"
    if progress.opened:
        end, style = f"running {passed}", "yellow"
    elif progress.many:
        end, style = f"done in {passed}", "green"
    elif progress.stopped is None:
        end, style = f"failed after {passed}", "red"
    else:
        end, style = f"{progress.stopped} after {passed}", "green" if progress.stopped == "done" else "yellow"
    name = one_line(type(progress.first.strategy).__name__, width // 2)
    title = one_line(_title(progress.first), max(0, width - columns_of(name) - columns_of(end) - 4))
    gap = width - columns_of(name) - columns_of(title) - columns_of(end) - 2
    return [(name, "bold"), (f"  {title}", "dim"), (" " * gap, ""), (end, style)]


def _title(first: Opened) -> str:
    """What is asked: the end of the prompt, where the question mostly stands."""
    if first.at:
        return ""
    told = first.problem.prompt.messages[-1].text.split("\n")
    said = next((line for line in told if line.strip()), "")
    return said if first.problem.id == "0" else f"{first.problem.id}: {said}"


def _bar(progress: Progress, now: float, width: int) -> Iterator[Line]:
    if progress.many:
        running = f", {len(progress.opened):,} running" if progress.opened else ""
        failed = f", {progress.failed_searches:,} failed" if progress.failed_searches else ""
        yield _labelled("searches", f"{progress.over:,} done{running}{failed}", width, "")
        return
    share = progress.share(now)
    if share is None or not progress.opened:
        return
    left = progress.left(now)
    said = f" {share[0]:4.0%}" + (f"  at most {clock(left)} left" if left is not None else "")
    room = max(4, width - LABEL - columns_of(said))
    full = round(room * share[0])
    yield [(f"{'progress':<{LABEL}}", "dim"), (FULL * full, "green"), (EMPTY * (room - full), "dim"), (said, "")]


def _running(progress: Progress, now: float, width: int) -> Iterator[Line]:
    """The calls that go on, each with the spans around it."""
    inner = list(progress.innermost())
    for i, (at, one) in enumerate(inner[:SHOWN]):
        label = "running" if i == 0 else ""
        passed = clock(max(0.0, now - one.began.time))
        more = f"  and {len(inner) - SHOWN:,} more" if i == SHOWN - 1 and len(inner) > SHOWN else ""
        path = one_line(_path(progress, at), width - LABEL - columns_of(passed) - columns_of(more) - 2)
        yield [(f"{label:<{LABEL}}", "dim"), (path, ""), (f"  {passed}", "dim"), (more, "dim")]


def _path(progress: Progress, at: Place) -> str:
    """The names of the items around a call, and its own."""
    names = []
    for depth in range(1, len(at) + 1):
        one = progress.running.get(at[:depth])
        if one is not None and (one.began.kind in ("item", "search") or depth == len(at)):
            index = f"[{one.began.index}]" if one.began.kind == "item" else ""
            names.append(f"{one.began.name}{index}")
    return " > ".join(names)


def _facts(progress: Progress, now: float) -> Iterator[tuple[str, str, str]]:
    best = progress.best()
    if best is not None:
        yield "best", f"{'' if best.score is None else f'{number(best.score)}: '}{_said(best.sample)}", ""
    elif progress.answer is not None and not progress.many:
        yield "answer", _said(progress.answer), "green"
    yield "spent", _spent(progress), ""
    calls, tokens = progress.rates(now)
    if not math.isnan(calls) and progress.opened:
        yield "rate", f"{_rate(calls)} calls/s, {_rate(tokens)} tokens/s", ""
    if progress.failed:
        yield "failed", f"{counted(progress.failed, 'call')}, the last: {progress.error}", "red"
    if progress.reason is not None and progress.opened:
        yield "stopping", progress.reason, "yellow"


def _said(sample: Sample[Any]) -> str:
    """The end of an answer, where it mostly says what it comes to."""
    try:
        said = sample.text
    except Exception:  # an agent's value may not even be printable
        said = f"<{type(sample.value).__name__}>"
    told = [line for line in said[-LONGEST:].split("\n") if line.strip()]
    return told[-1].strip() if told else "(empty)"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else number(rate)


def _spent(progress: Progress) -> str:
    """What was spent, against the ceilings where there are some."""
    spent, ceilings, said = progress.spent, dict(progress.budget.ceilings()), []
    for name, unit in UNITS.items():
        amount = getattr(spent, name)
        if name in ceilings:
            said.append(f"{_amount(name, amount)} of {_counted(name, ceilings[name], unit)}")
        elif name in ("generations", "generated_tokens") or (name in ("verifications", "usd") and amount):
            said.append(_counted(name, amount, unit))
    return ", ".join(said)


def _counted(name: str, amount: float, unit: str) -> str:
    return f"{_amount(name, amount)} {unit}{'' if amount == 1 or not unit else 's'}".rstrip()


def _amount(name: str, amount: float) -> str:
    if name == "usd":
        return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"
    return f"{amount:,.0f}"


def _labelled(label: str, text: str, width: int, style: str) -> Line:
    return [(f"{label:<{LABEL}}", "dim"), (one_line(text, width - LABEL), style)]


def clock(seconds: float) -> str:
    """ "3.2 s", "4 min 10 s", "2 h 5 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"
