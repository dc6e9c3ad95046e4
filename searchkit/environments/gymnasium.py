"""GymnasiumEnvironment: search in an environment with Gymnasium's interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from searchkit.environments.replay import ReplayEnvironment


class Episodes:
    """A Gymnasium environment as a live one: always the same episode, whose reward is the return so far."""

    def __init__(self, env: Any, seed: int) -> None:
        self._env, self._seed, self._total = env, seed, 0.0
        self._legal = _discrete(env.action_space)

    def reset(self) -> Any:
        self._total = 0.0
        observation, _ = self._env.reset(seed=self._seed)
        return observation

    def step(self, action: Any) -> tuple[Any, float, bool]:
        observation, reward, terminated, truncated, _ = self._env.step(self._chosen(action))
        self._total += float(reward)
        return observation, self._total, bool(terminated or truncated)

    def _chosen(self, action: Any) -> Any:
        """Which action a model's text names."""
        return int(action) if self._legal is not None and isinstance(action, str) else action

    def actions(self) -> list[int] | None:
        return self._legal

    def close(self) -> None:
        self._env.close()


@dataclass(frozen=True)
class GymnasiumEnvironment(ReplayEnvironment):
    """`ReplayEnvironment` for `make` = ``lambda: gymnasium.make("FrozenLake-v1")`` and the like; of version 1 or later.

    The reward of an ended episode (terminated or truncated) is its return, the sum of its rewards, undiscounted. In a
    discrete action space all actions are listed, and nobody has to propose them; elsewhere give `parse`. A text names a
    discrete action by its number.

    Every reset is with `seed`, so that chance falls the same way each time and replaying is exact. So in a game of
    chance the search finds what would have been best for this seed: that is no measure of a policy for other seeds.

    Observations are shown as their `str`, which a model may make little of: wrap the environment in one that observes
    text (`gymnasium.wrappers.TransformObservation`). Rewards are the environment's own: give the search's verifier, if
    it judges unfinished paths, the same scale. For all other fields see `ReplayEnvironment`.
    """

    seed: int = 0

    def _live(self) -> Episodes:
        return Episodes(self.make(), self.seed)


def _discrete(space: Any) -> list[int] | None:
    """The actions of a discrete space; None for any other."""
    if not hasattr(space, "n") or not hasattr(space, "start"):
        return None
    first = int(space.start)
    return list(range(first, first + int(space.n)))
