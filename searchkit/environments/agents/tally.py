"""What was done to live agents, counted beside the trace."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class AgentTally:
    """What was done to live agents. The same search may need more or fewer replays when calls finish in another order,
    so these counts stand beside the trace, which is the same every time, and not in it.

    - started: agents.
    - evicted: those of them that were ended to make room.
    - lost: those that gave up waiting.
    - steps: answers that led on.
    - continued: those of them that were given to an agent that stood there already.
    - prepared: agents that were led to a state while the model was thinking there.
    - replayed: answers given once more, to lead an agent where another had been.
    - stale: branches given up because an agent then asked otherwise.
    - stood: for each state, by its mark, the numbers of the agents that stood there, in the order in which they came.
    """

    started: int = 0
    evicted: int = 0
    lost: int = 0
    steps: int = 0
    continued: int = 0
    prepared: int = 0
    replayed: int = 0
    stale: int = 0
    stood: dict[bytes, list[int]] = field(default_factory=dict, repr=False)

    @property
    def share_continued(self) -> float:
        """Of the steps, those that went on with an agent that stood there; NaN without any."""
        return self.continued / self.steps if self.steps else float("nan")
