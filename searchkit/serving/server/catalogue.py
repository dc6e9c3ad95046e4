"""What the operator offers: models, and for each of them strategies and verifiers by name. Nothing else can be had."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from searchkit.errors import ConfigError
from searchkit.model import Model
from searchkit.protocols import Generator, Verifier
from searchkit.serving.server.keys import Key
from searchkit.serving.server.refusing import Refusal
from searchkit.types import Budget, Prompt

PLAIN = "plain"
"""The strategy that is none: as many samples as the request asks for."""


@dataclass(frozen=True)
class Served:
    """One model, as clients know it.

    - model: what generates. Its parameters are those of requests that say nothing; its max_tokens is the most that a
      request may ask for.
    - strategies: by the name behind the ``@`` of a model's name, or in ``search.strategy``; `PLAIN` is always there.
    - verifiers: by the name in ``search.verifier``, which takes the place of the strategy's own.
    - strategy: of requests that name none.
    - ceilings: on one request.
    - shape: makes the prompt of a conversation; None leaves it as it is.
    """

    model: Model
    strategies: Mapping[str, Generator] = field(default_factory=dict)
    verifiers: Mapping[str, Verifier] = field(default_factory=dict)
    strategy: str = PLAIN
    ceilings: Budget = Budget()
    shape: Callable[[Prompt], Prompt] | None = None

    def __post_init__(self) -> None:
        if self.strategy != PLAIN and self.strategy not in self.strategies:
            raise ConfigError(f"the strategy {self.strategy!r:.80} is not listed{_nearest(self.strategy, self.names)}")

    @property
    def names(self) -> list[str]:
        """The strategies."""
        return [PLAIN, *(name for name in self.strategies if name != PLAIN)]


class Catalogue:
    """The models, by name. Raises `ConfigError` without one, and where two could be meant by a name with an ``@``."""

    def __init__(self, models: Mapping[str, Served]) -> None:
        if not models:
            raise ConfigError("a server needs a model: add a table [models.NAME]")
        self._models = dict(models)
        for name in models:
            before, at, strategy = name.rpartition("@")
            if at and before in models and strategy in models[before].names:
                raise ConfigError(f"the model {name!r:.80} is called as {before!r:.80} with a strategy: rename one")

    def listed(self, key: Key) -> Iterator[str]:
        """The names that a client can ask for: the models, and each of them with each strategy."""
        for name, served in self._models.items():
            if key.models is None or name in key.models:
                yield name
                yield from (f"{name}@{strategy}" for strategy in served.names)

    def find(self, asked: str, key: Key) -> tuple[str, Served, str | None]:
        """The model that is asked for, by its name, and the strategy behind it. Raises `Refusal` if there is none."""
        before, at, strategy = asked.rpartition("@")
        name = before if at and asked not in self._models else asked
        served = self._models.get(name)
        if served is None or (key.models is not None and name not in key.models):
            raise Refusal(404, f"there is no model {asked!r:.80}{_nearest(asked, self.listed(key))}", param="model")
        return name, served, strategy if name != asked else None


def unlisted(kind: str, name: str, among: Iterable[str], param: str) -> Refusal:
    """The refusal of a strategy or verifier that the operator did not list for that model."""
    listed = list(among)
    if not listed:
        return Refusal(400, f"no {kind} can be chosen for this model: leave out {param}", param=param)
    return Refusal(400, f"the {kind} {name!r:.80} is not listed{_nearest(name, listed)}", param=param)


def _nearest(name: str, among: Iterable[str]) -> str:
    listed = list(among)
    if close := difflib.get_close_matches(name[:80], listed, 1, 0.6):
        return f": did you mean {close[0]!r}?"
    shown = ", ".join(listed[:12]) + (", ..." if len(listed) > 12 else "")
    return f": there is {shown}" if listed else ""
