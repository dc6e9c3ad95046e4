"""A running sum of usages: the totals of a search change with every call."""

from __future__ import annotations

from searchkit.types import Usage


class Tally:
    """What `Usage.__add__` would make of all that was added, without an object for every sum."""

    __slots__ = (
        "_cached", "_cpu", "_estimated", "_generated", "_generations", "_longest", "_model_calls", "_prompt", "_usd",
        "_verifications",
    )  # fmt: skip

    def __init__(self) -> None:
        self._generations = self._verifications = self._model_calls = 0
        self._prompt = self._cached = self._generated = self._estimated = self._longest = 0
        self._usd = self._cpu = 0.0

    def add(self, usage: Usage) -> None:
        self._generations += usage.generations
        self._verifications += usage.verifications
        self._model_calls += usage.model_calls
        self._prompt += usage.prompt_tokens
        self._cached += usage.cached_tokens
        self._generated += usage.generated_tokens
        self._estimated += usage.estimated_tokens
        self._usd += usage.usd
        self._cpu += usage.cpu_seconds
        if usage.longest_context > self._longest:
            self._longest = usage.longest_context

    @property
    def usage(self) -> Usage:
        return Usage(
            self._generations, self._verifications, self._model_calls, self._prompt, self._cached, self._generated,
            self._estimated, self._usd, self._cpu, self._longest,
        )  # fmt: skip
