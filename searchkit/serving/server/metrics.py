"""What a server counts, in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from searchkit.types import Usage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_COUNTED = ("generations", "verifications", "model_calls", "prompt_tokens", "cached_tokens", "generated_tokens", "usd")
_HELP = {
    "requests_total": ("counter", "Requests by their end; status 0: the client left."),
    "consumed_total": ("counter", "What searches consumed, by kind."),
    "seconds": ("histogram", "Seconds from a request to its answer."),
    "searches": ("gauge", "Searches that go on."),
    "queue": ("gauge", "Requests that wait for their turn."),
}


class Metrics:
    """The counts of one process. All labels are the operator's names, or few: nothing grows with clients."""

    def __init__(self) -> None:
        self._requests = Counter[tuple[str, str, str, str]]()
        self._consumed = Counter[tuple[str, str, str]]()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def note(self, route: str, key: str, model: str, status: int, seconds: float, usage: Usage) -> None:
        """One request has ended."""
        self._requests[route, key, model, str(status)] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds
        for kind in _COUNTED:
            if amount := getattr(usage, kind):
                self._consumed[key, model, kind] += amount

    def text(self, searches: int, queue: int) -> str:
        """All counts. searches, queue: as they are now."""
        return "".join(f"{line}\n" for line in self._lines(searches, queue))

    def _lines(self, searches: int, queue: int) -> Iterator[str]:
        yield from _head("requests_total")
        for (route, key, model, status), n in sorted(self._requests.items()):
            yield _line("requests_total", {"route": route, "key": key, "model": model, "status": status}, n)
        yield from _head("consumed_total")
        for (key, model, kind), amount in sorted(self._consumed.items()):
            yield _line("consumed_total", {"key": key, "model": model, "kind": kind}, amount)
        yield from _head("seconds")
        for i, bound in enumerate([*map(str, BOUNDS), "+Inf"]):
            yield _line("seconds_bucket", {"le": bound}, sum(self._buckets[: i + 1]))
        yield from (_line("seconds_sum", {}, self._seconds), _line("seconds_count", {}, sum(self._buckets)))
        for name, value in (("searches", searches), ("queue", queue)):
            yield from (*_head(name), _line(name, {}, value))


def _head(name: str) -> tuple[str, str]:
    kind, text = _HELP[name]
    return f"# HELP searchkit_{name} {text}", f"# TYPE searchkit_{name} {kind}"


def _line(name: str, labels: Mapping[str, str], value: Any) -> str:
    told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"searchkit_{name}{{{told}}} {value}" if told else f"searchkit_{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
