"""ReplayEnvironment: search in a world that can only be reset and stepped, by doing the same again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from searchkit.environments.episode import Episode
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.pool import Copy, Seen, digest, itself
from searchkit.errors import StaleBranch


@dataclass(frozen=True)
class ReplayEnvironment(LiveEnvironment):
    """States are the actions done since a reset; to come back to one, they are done again in a live environment.

    One that is already there, or on the way there, goes on from where it is; only otherwise it is reset. Each
    observation is compared with what was seen there before, by its `fingerprint`: by default all of it, so give one
    that leaves out the clock of a page. Where they differ the branch is given up: `StaleBranch`.

    Replaying repeats side effects: an order sent, a message posted. Search in a sandbox, or put such actions behind
    `Guarded`. For all other fields see `LiveEnvironment`. Cost of a step: one live step; if no live environment is on
    the way, also a reset and as many live steps as the state has actions.
    """

    fingerprint: Callable[[Any], Any] = itself

    def _near(self, at: Any, state: Episode) -> int:
        """How many of the actions of `state` were done, if no others were; else -1."""
        return state.world.index(at) if at in state.world else -1

    async def _bring(self, copy: Copy, state: Episode) -> None:
        done, copy.at = self._near(copy.at, state), None
        if done < 0:
            _compare((await copy.reset()).mark, state, 0)
            done = 0
        for i in range(done, len(state.actions)):
            seen = await copy.step(state.actions[i], again=True)
            _compare(digest(state.world[i], state.actions[i], seen.mark), state, i + 1)
        copy.at = state.world[-1]

    async def _place(self, copy: Copy, before: Episode | None, action: Any, seen: Seen) -> tuple[Any, Any]:
        """A digest of everything done and seen since the reset; the state keeps one for each observation."""
        if before is None:
            return seen.mark, (seen.mark,)
        mark = digest(before.world[-1], action, seen.mark)
        return mark, (*before.world, mark)

    def _fingerprint(self, observation: Any) -> Any:
        return self.fingerprint(observation)


def _compare(mark: bytes, state: Episode, i: int) -> None:
    if mark != state.world[i]:
        after = f"action {i} ({state.actions[i - 1]!r:.40})" if i else "the reset"
        raise StaleBranch(
            f"after {after} something else was observed than when this branch was explored: the world has changed, or "
            "observations differ in what does not matter, which fingerprint= can leave out"
        )
