"""What a request chooses of a search: by its model's name, by ``search`` in its body, or by headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import told
from searchkit.serving.server.refusing import Refusal
from searchkit.types import Budget

FIELDS = ("strategy", "verifier", "budget", "progress")
PROGRESS = ("comments", "reasoning")
HEADER = "x-search-"
_CEILINGS = tuple(f.name for f in fields(Budget))


@dataclass(frozen=True)
class Choice:
    """What was chosen; None and the empty budget: nothing.

    progress: how a stream tells of a search that goes on: as comments, which clients do not see, or as reasoning.
    """

    strategy: str | None = None
    verifier: str | None = None
    budget: Budget = Budget()
    progress: str = "comments"


def chosen(named: str | None, body: Any, headers: Mapping[str, str]) -> Choice:
    """The choice of a request. Raises `Refusal` for what cannot be read, and where two places say two things.

    named: the strategy in the model's name. body: the field ``search``. headers: ``x-search-strategy``, and so on; a
    budget in one is ``generations=8, seconds=2.5``.

    >>> chosen("vote", {"budget": {"generations": 8}}, {"x-search-verifier": "judge"})
    Choice(strategy='vote', verifier='judge', budget=Budget(generations=8, verifications=None, model_calls=None, \
generated_tokens=None, total_tokens=None, usd=None, seconds=None), progress='comments')
    """
    said = _of_body(body)
    for name, value in _of_headers(headers).items():
        _agree(said, name, value, f"the header {HEADER}{name}")
    if named is not None:
        _agree(said, "strategy", named, "the model's name")
    for name in ("strategy", "verifier", "progress"):
        if name in said and not (isinstance(said[name], str) and said[name]):
            why = f"search.{name} is a text, not an empty one, got {told(said[name])}"
            raise Refusal(400, why, param=f"search.{name}")
    if said.get("progress", "comments") not in PROGRESS:
        raise Refusal(400, f"search.progress is one of {', '.join(PROGRESS)}", param="search.progress")
    return Choice(**{**said, "budget": _budget(said.get("budget", {}))})


def within(asked: Budget, *ceilings: Budget) -> Budget:
    """What a search may consume: the least of all `ceilings`, and what was asked for. Raises `Refusal` for more.

    >>> within(Budget(generations=2), Budget(generations=8, seconds=60), Budget(seconds=30)).seconds
    30
    """
    least = dict[str, float]()
    for ceiling in ceilings:
        for name, most in ceiling.ceilings():
            least[name] = min(most, least.get(name, most))
    for name, wanted in asked.ceilings():
        if wanted > least.get(name, wanted):
            where = f"search.budget.{name}"
            raise Refusal(400, f"{where} is at most {least[name]:g} here, got {wanted:g}", param=where)
        least[name] = wanted
    return replace(Budget(), **least)  # type: ignore[arg-type]


def _agree(said: dict[str, Any], name: str, value: Any, where: str) -> None:
    if said.setdefault(name, value) != value:
        why = f"{where} says {told(value)}, and the request also says {told(said[name])}: say it once"
        raise Refusal(400, why, param=f"search.{name}")


def _of_body(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise Refusal(400, f"search is an object, got {told(body)}", param="search")
    if unknown := sorted(key for key in body if key not in FIELDS):
        raise Refusal(400, f"search has no field {unknown[0]!r:.80}: there is {', '.join(FIELDS)}", param="search")
    return {key: value for key, value in body.items() if value is not None}


def _of_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        name.removeprefix(HEADER): value for name, value in headers.items() if name.startswith(HEADER)
    }
    if unknown := sorted(said.keys() - set(FIELDS)):
        raise Refusal(400, f"there is no header {HEADER}{unknown[0]:.60}: there is {HEADER}{{{', '.join(FIELDS)}}}")
    if "budget" in said:
        pairs = [_pair(part) for part in said["budget"].split(",") if part.strip()]
        said["budget"] = dict(pairs)
        if len(said["budget"]) < len(pairs):
            raise Refusal(400, f"the header {HEADER}budget says a ceiling twice: say it once", param="search.budget")
    return said


def _pair(part: str) -> tuple[str, float]:
    name, _, value = (side.strip() for side in part.partition("="))
    try:
        number = float(value)
    except ValueError:
        raise Refusal(400, f"the header {HEADER}budget is CEILING=NUMBER, ..., got {part.strip()!r:.80}") from None
    return name, int(number) if number.is_integer() else number


def _budget(given: Any) -> Budget:
    if not isinstance(given, dict):
        raise Refusal(400, f"search.budget is an object, got {told(given)}", param="search.budget")
    if unknown := sorted(set(given) - set(_CEILINGS)):
        why = f"search.budget has no ceiling {unknown[0]!r:.80}: there is {', '.join(_CEILINGS)}"
        raise Refusal(400, why, param="search.budget")
    try:
        return Budget(**given)
    except ConfigError as error:
        raise Refusal(400, f"search.budget: {error}", param="search.budget") from None
