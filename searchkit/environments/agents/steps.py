"""AgentSteps: an unmodified agent as an environment, so that a search decides what its model answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.agents.live import LiveAgent
from searchkit.environments.agents.proposing import Answering
from searchkit.environments.agents.stable import Stable
from searchkit.environments.agents.state import AgentState, Crashed, Turn, marked, seen_between, told
from searchkit.environments.agents.tally import AgentTally
from searchkit.errors import ConfigError
from searchkit.function import Function
from searchkit.protocols import Run
from searchkit.tool_calls import meant
from searchkit.types import Params, Prompt, Sample, Transition


@dataclass(frozen=True)
class AgentSteps:
    agent: Function | Callable[..., Any]
    world: Callable[[], Any] | None = None
    live: int = 16
    params: Params | None = None
    render: Callable[[AgentState], Any] | None = None
    least: float = 0.0
    timeout: float | None = None
    tally: AgentTally = field(default_factory=AgentTally, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.agent, Function):
            object.__setattr__(self, "agent", Function(self.agent))
        if self.live < 1:
            raise ConfigError(f"live must be >= 1 agents, got {self.live}")
        if self._function.signature.asks("run"):
            raise ConfigError(
                "an agent under AgentSteps is given no run: let it call its model through "
                "searchkit.agents.async_client(), client(), litellm_calls() or an Endpoint"
            )

    @property
    def _function(self) -> Function:
        assert isinstance(self.agent, Function)
        return self.agent

    # ---------------------------------------------------------------- the environment

    async def start(self, prompt: Prompt, run: Run) -> AgentState:
        async def work(agent: LiveAgent) -> AgentState:
            return await self._settled(agent, AgentState(prompt, run.seed), None, run)

        return await self._used("start", None, prompt, run.seed, work, run)

    def prompt(self, state: AgentState) -> Prompt:
        """What the agent asks; once it has ended, its task."""
        return state.prompt if state.pending is None else state.pending.request.prompt

    def step_params(self, run: Run) -> Params | None:
        return None

    def proposer(self, state: AgentState) -> Answering:
        """Who answers in `state`."""
        if state.pending is None:
            raise ConfigError("the agent has returned: there is no next step")
        return Answering(state.pending, self.params, lambda run: self._stable(run).headers)

    async def step(self, state: AgentState, action: Sample[Any], run: Run) -> Transition[AgentState]:
        pending = state.pending
        if pending is None:
            raise ConfigError("the agent has returned: there is no next step")

        async def work(agent: LiveAgent) -> AgentState:
            agent.answer(pending.place, action)
            return await self._settled(agent, state, action, run)

        self.tally.steps += 1
        after = await self._used("step", state, state.prompt, state.seed, work, run)
        return Transition(after, after.turns[-1].seen, self.least if after.crashed else None, after.ended)

    def complete(self, state: AgentState) -> bool:
        """Whether the agent has returned, which it may do before it asked anything."""
        return state.ended and not state.crashed

    def candidate(self, state: AgentState) -> Sample[Any]:
        """What the agent returned; before, the answers that it was given, with a step for each."""
        return told(state)

    # ---------------------------------------------------------------- plumbing

    async def _settled(
        self, agent: LiveAgent, before: AgentState, action: Sample[Any] | None, run: Run
    ) -> AgentState:
        """Where the agent stands once it waits for us again, or has ended."""
        await agent.settled(run)
        over, pending, value = agent.over, None, None
        if over is None:
            pending = agent.next
        else:
            value = _returned(over)
        seen = _shown(value) if pending is None else seen_between(before.pending, pending)
        turns = before.turns
        if action is not None and before.pending is not None:
            turns = (*turns, Turn(before.pending, action, seen))
        marks = marked(before if action is not None else None, action, pending)
        agent.at = marks[-1]
        state = replace(before, turns=turns, pending=pending, value=value, asides=dict(agent.asides), marks=marks)
        return replace(state, answer=self._answer(state))

    def _answer(self, state: AgentState) -> Any:
        if self.render is not None:
            return self.render(state)
        return state.value if state.ended else tuple(meant(turn.action) for turn in state.turns)

    async def _used(
        self, name: str, state: AgentState | None, prompt: Prompt, seed: int, work: Any, run: Run
    ) -> AgentState:
        with run.traced(name) as span:
            async with run.until_deadline():
                after: AgentState = await self._stable(run).use(state, prompt, seed, work, run)
            seen = after.turns[-1].seen if after.turns else ""
            span.text = seen[:400]
        return after

    def _stable(self, run: Run) -> Stable:
        if self._function.signature.asks("endpoint"):
            from searchkit.serving.gateway import Gateway

            run.resource(Gateway, Gateway)  # made before the agents, and so closed after them
        return run.resource(self, lambda: Stable(self._function, self.world, self.live, self.tally))


def _returned(over: Any) -> Any:
    """What an agent came to. Raises mistakes of its author's or its caller's; what else it raised is its value."""
    if over.cancelled():
        return Crashed("it was cancelled")
    error = over.exception()
    if error is None:
        return over.result().value
    if isinstance(error, CallError):
        return Crashed(str(error))
    raise error


def _shown(value: Any) -> str:
    return value.message if isinstance(value, Crashed) else str(value)
