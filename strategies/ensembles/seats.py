"""Who takes part in which round of an ensemble, whose answers an agent is shown, and what of it makes no sense."""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set
from typing import Any

from searchkit import mistakes
from searchkit.errors import ConfigError
from searchkit.kinds import is_number, is_whole, told
from searchkit.strategies.ensembles.fuse import LEAST, Fuse
from searchkit.strategies.selection.rules import Argmax, Vote
from searchkit.templates import check


def places(owner: Any) -> tuple[int, ...]:
    """How many agents take part in each round."""
    return owner.rounds if isinstance(owner.rounds, tuple) else (len(owner.agents),) * owner.rounds


def sight(owner: Any, agent: int, number: int) -> Sequence[int] | None:
    """Whose last answers `agent` is shown in round `number`; None: it is not its turn."""
    every = range(len(owner.agents))
    if owner.sees == "all":
        return every
    if owner.sees == "others":
        return [other for other in every if other != agent]
    seen: Sequence[int] | None = owner.sees(agent, number)
    return seen


def needs_scores(combine: Any) -> bool:
    """Whether a rule, or a `Fuse`, makes use of scores; a plain vote does not."""
    if isinstance(combine, Fuse):
        return combine.keep is not None or needs_scores(combine.otherwise)
    return combine is not None and not (isinstance(combine, Vote) and not combine.weighted)


def check_rounds(owner: Any) -> None:
    """Raises `ConfigError` for a `Rounds` that cannot be meant so."""
    if not isinstance(owner.agents, tuple) or not owner.agents:
        raise ConfigError(
            f"agents is a tuple of models, strategies, or None for `generator`, such as (None,) * 3, "
            f"got {told(owner.agents)}"
        )
    for agent in owner.agents:
        if agent is not None:
            mistakes.check_generator("each of agents= of Rounds", agent)
    if owner.verifier is not None:
        mistakes.check_verifier("Rounds", owner.verifier)
    mistakes.check_counts(owner, workspace=LEAST)
    if owner.window is not None:
        mistakes.check_counts(owner, window=1)
    if not callable(owner.key):
        raise ConfigError(f"the answer key must be callable, such as keys.boxed, got {told(owner.key)}")
    _check_places(owner)
    _check_sight(owner)
    _check_end(owner)
    _check_words(owner)


def _check_places(owner: Any) -> None:
    rounds, n = owner.rounds, len(owner.agents)
    if isinstance(rounds, tuple):
        whole = bool(rounds) and all(is_whole(most) and most > 0 for most in rounds)
        if not whole or rounds[0] != n or any(a < b for a, b in itertools.pairwise(rounds)):
            raise ConfigError(
                f"rounds is how many agents take part in each, all {n} in the first and never more than before, "
                f"such as ({n}, {max(1, n - 1)}), got {told(rounds)}"
            )
        if rounds[-1] < n and owner.verifier is None:
            raise ConfigError("who goes on into a round with fewer agents is found by scores: give a verifier")
    elif not is_whole(rounds) or rounds < 1:
        raise ConfigError(f"rounds is a whole number, 1 or more, or a tuple of agents in each, got {told(rounds)}")


def _check_sight(owner: Any) -> None:
    if owner.sees not in ("all", "others") and not callable(owner.sees):
        raise ConfigError(f'sees is "all", "others" or a function (agent, round) -> agents, got {told(owner.sees)}')
    every = range(len(owner.agents))
    for number in range(len(places(owner))):
        seen = [sight(owner, agent, number) for agent in every]
        for shown in seen:
            if shown is not None and not _are_agents(shown, every):
                raise ConfigError(f"sees returns agents, numbers below {len(every)}, or None, got {told(shown)}")
        if all(shown is None for shown in seen):
            raise ConfigError(f"by sees it is nobody's turn in round {number}")


def _are_agents(shown: Any, every: Sequence[int]) -> bool:
    listed = isinstance(shown, (Sequence, Set)) and not isinstance(shown, str)
    return listed and all(is_whole(other) and other in every for other in shown)


def _check_end(owner: Any) -> None:
    stop, voters, n = owner.stop, owner.voters, len(owner.agents)
    if stop is not None and not callable(stop) and not (is_number(stop) and 0 < stop <= 1):
        raise ConfigError(
            f"stop is the share of agents that must agree, above 0 and at most 1, or a function of a round's samples, "
            f"got {told(stop)}"
        )
    known = isinstance(voters, tuple) and all(is_whole(one) and 0 <= one < n for one in voters)
    if voters is not None and (not known or not voters or len(set(voters)) < len(voters)):
        raise ConfigError(f"voters is a tuple of different agents, numbers below {n}, got {told(voters)}")
    scored = isinstance(owner.combine, Argmax) or (isinstance(owner.combine, Vote) and owner.combine.weighted)
    if owner.verifier is None and (scored or (isinstance(owner.combine, Fuse) and owner.combine.keep is not None)):
        raise ConfigError(f"{told(owner.combine)} goes by scores: give a verifier")


def _check_words(owner: Any) -> None:
    n = len(owner.agents)
    for name, least in (("roles", 0), ("template", n)):
        words = getattr(owner, name)
        if name == "template" and isinstance(words, str):
            continue
        texts = isinstance(words, tuple) and all(isinstance(one, str) for one in words)
        if not texts or len(words) not in (least, n):
            raise ConfigError(f"{name} is a tuple of {n} texts, one for each agent, got {told(words)}")
    for template in (owner.template,) if isinstance(owner.template, str) else owner.template:
        check(template, {"answers"}, {"task", "answers"})
