"""Importance: how much each agent contributed to an answer, by what the agents thought of one another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.strategies.ensembles.table import Spoken
from searchkit.tree import Tree
from searchkit.types import Sample

Rates = Callable[[Sample[Any]], Mapping[int, float]]


def importance(
    tree: Tree | None, answer: Any, rates: Rates, key: Callable[[Any], Hashable | None] = keys.default
) -> list[list[float]]:
    """The importance of each agent in each round of `Rounds`: ``importance(result.tree, result.answer, rates)``.

    - tree, answer: of the result.
    - rates: reads in an agent's sample what it thinks of the answers that it saw: agent -> weight, cut to [0, 1]. Where
      it raises, nothing was rated; where it does so for every sample, the first error is raised.
    - key: finds the answer in a sample's value; where it raises, or finds what cannot be hashed, there is none.

    Those of the last round who gave the answer share 1 equally; from there each passes what it has to the answers that
    it saw, in proportion to its ratings: to all alike where it rated all 0 or none. An answer that cannot be read is
    nobody's. The sum over the rounds of an agent's numbers is what it was worth in this search; averaged over problems
    it says whom to keep in a team. Each round's numbers sum to 1 where all of the next round saw answers of it, and are
    0 where nobody of the last round gave the answer. Cost: no call.

    Source: DyLAN, Liu et al. 2024. Its released code divides by zero where nobody agrees with the result, and counts
    two unreadable answers as agreeing.
    """
    replies = [] if tree is None else [(node, state) for node, state in enumerate(tree.state) if type(state) is Spoken]
    if tree is None or not replies:
        raise ConfigError("importance reads the tree of a search by Rounds: pass result.tree")
    given, last = _read(key, answer), max(reply.round for _, reply in replies)
    right = [n for n, one in replies if one.round == last and given is not None and _key(one.sample, key) == given]
    worth = dict.fromkeys(range(len(tree.state)), 0.0) | dict.fromkeys(right, 1 / max(1, len(right)))
    opinions = _opinions(rates, replies)
    for node, reply in sorted(replies, key=lambda pair: (-pair[1].round, pair[0])):
        if not reply.saw:
            continue
        rated, agents = opinions[node], [tree.state[seen].agent for seen in reply.saw]
        weights = [rated.get(agent, 0.0) for agent in agents]
        total = sum(weights)
        for seen, weight in zip(reply.saw, weights, strict=True):
            worth[seen] += worth[node] * (weight / total if total > 0 else 1 / len(weights))
    found = [[0.0] * (1 + max(reply.agent for _, reply in replies)) for _ in range(last + 1)]
    for node, reply in replies:
        found[reply.round][reply.agent] = worth[node]
    return found


def _key(sample: Sample[Any], key: Callable[[Any], Hashable | None]) -> Hashable | None:
    return None if sample.truncated else _read(key, sample.value)


def _read(key: Callable[[Any], Hashable | None], value: Any) -> Hashable | None:
    """The answer in `value`; None where it cannot be read, as in a vote."""
    try:
        answer = key(value)
        hash(answer)
    except Exception:
        return None
    return answer


def _opinions(rates: Rates, replies: Sequence[tuple[int, Spoken]]) -> dict[int, dict[int, float]]:
    """What each reply that saw others thinks of them, by its node: of each agent a weight in [0, 1]."""
    found: dict[int, dict[int, float]] = {}
    errors = list[Exception]()
    for node, reply in replies:
        if not reply.saw:
            continue
        try:
            found[node] = {agent: min(1.0, max(0.0, float(weight))) for agent, weight in rates(reply.sample).items()}
        except Exception as error:  # a model wrote what is read here
            found[node] = {}
            errors.append(error)
    if errors and len(errors) == len(found):
        raise errors[0]
    return found
