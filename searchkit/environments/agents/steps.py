"""AgentSteps: an unmodified agent as an environment, so that a search decides what its model answers."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchkit.calls import CallError
from searchkit.environments.agents.committing import carried_out, ended_with
from searchkit.environments.agents.live import LiveAgent
from searchkit.environments.agents.proposing import Answering
from searchkit.environments.agents.stable import Stable
from searchkit.environments.agents.state import AgentState, Crashed, Turn, marked, seen_between, told, words
from searchkit.environments.agents.tally import AgentTally
from searchkit.errors import ConfigError, SearchWarning
from searchkit.function import Function
from searchkit.kinds import told as told_of
from searchkit.protocols import Generator, Run
from searchkit.tool_calls import meant
from searchkit.types import Params, Prompt, Sample, Transition

DOORS = "let it call its model through searchkit.agents.async_client(), client(), litellm_calls() or an Endpoint"
UNSEEN = f"the agent ended without a model call that was seen, so there is nothing to search: {DOORS}"


@dataclass(frozen=True)
class AgentSteps:
    """The decisions of `agent`: its next model call is what a search sees, the answer an action, its return the end.

    The agent runs as it is, sync or async; it calls its model through `searchkit.agents.async_client()`, `client()`,
    `litellm_calls()` or an `Endpoint`. A call is answered by a sample of the strategy's or the search's generator,
    asked with the call's messages and tools, the sampling that it names, and the form that it wants (response_format, a
    tool that must be called), if the generator takes `Params.form`; a `SearchWarning` says what it is not told. Where
    there is none, by the server that the agent would have asked, with all that its request says. What agents are given
    again on the way to a state comes from the state, and is never paid. Of calls that wait at the same time, the first
    by content comes first.

    - agent: a callable, or a `Function` of one, for factories, arguments and `Upstream`. It has no parameter for a run;
      `seed` is the same for all agents of a search.
    - world: makes what a live agent has to itself, a scratch folder say: a context manager, or an object, whose
      ``close`` is called if it has one. It is handed to the parameter with its type, else to the one called ``world``.
    - real: makes the world of an agent that is committed; None: `world` does.
    - live: at most so many agents live at once in a search. The one that was left longest ago makes room.
    - params: samples answers instead of what calls name, but for their max_tokens and stop strings. Without any, an
      agent that asks at temperature 0 has one answer in each state.
    - render: a state to its value as an answer; by default what the agent returned, and before, the answers so far.
    - least: the reward of an agent that raised, or did not go on in time; give the verifier's least score.
    - timeout: seconds in which an agent asks again or returns; None: no limit.
    - tally: counts what was done to live agents, see `AgentTally`.

    `complete`: it returned; one that crashed is a dead end, whose value is `Crashed`. A branch on which an agent asks
    otherwise than before is given up: `StaleBranch`. `commit` runs an agent in its real world to the state that won.

    Cost of an expansion: what the generator's answer costs. Of a step: what the agent does between two calls; where no
    agent stands in the state, also all that it did on the way there. That is done while the model is thinking.
    """

    agent: Function | Callable[..., Any]
    world: Callable[[], Any] | None = None
    real: Callable[[], Any] | None = None
    live: int = 16
    params: Params | None = None
    render: Callable[[AgentState], Any] | None = None
    least: float = 0.0
    timeout: float | None = None
    tally: AgentTally = field(default_factory=AgentTally, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.agent) and not isinstance(self.agent, Function):
            raise ConfigError(f"AgentSteps needs a callable, or a Function of one, got {self.agent!r}")
        if not isinstance(self.agent, Function):
            object.__setattr__(self, "agent", Function(self.agent))
        for name in ("world", "real"):
            made = getattr(self, name)
            if made is not None and not callable(made):
                raise ConfigError(
                    f"{name}= is a function that makes a world, such as lambda: World(), got {told_of(made)}"
                )
        if self.live < 1:
            raise ConfigError(f"live must be >= 1 agents, got {self.live}")
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(f"timeout must be > 0 seconds, or None, got {self.timeout!r}")
        if self._function.signature.asks("run"):
            raise ConfigError(f"an agent under AgentSteps is given no run: {DOORS}")

    @property
    def _function(self) -> Function:
        assert isinstance(self.agent, Function)
        return self.agent

    # ---------------------------------------------------------------- the environment

    async def start(self, prompt: Prompt, run: Run) -> AgentState:
        first = AgentState(prompt, run.seed)

        async def work(agent: LiveAgent) -> AgentState:
            return await self._settled(agent, first, None, run)

        state = await self._shown("start", self._stable(run).use(None, prompt, run.seed, work, run), run)
        if isinstance(state.value, Crashed):
            raise CallError(f"the agent did not get to its first model call: {state.value.message}")
        if state.ended:
            warnings.warn(UNSEEN, SearchWarning, stacklevel=2)
        return state

    def prompt(self, state: AgentState) -> Prompt:
        """What the agent asks; once it has ended, its task."""
        return state.prompt if state.pending is None else state.pending.request.prompt

    def step_params(self, run: Run) -> Params | None:
        return None

    def instructed(self, state: AgentState, generator: Generator | None) -> Answering:
        """`generator`, asked with the sampling that the agent wants; without any, the server that the agent asks."""
        return Answering(state, self.params, generator, self._stable)

    async def step(self, state: AgentState, action: Sample[Any], run: Run) -> Transition[AgentState]:
        work = self._answering(state, action, run)
        self.tally.steps += 1
        stepping = self._stable(run).use(state, state.prompt, state.seed, work, run)
        after = await self._shown("step", stepping, run)
        if isinstance(after.value, Crashed):
            run.fail(CallError(f"the agent crashed on a branch: {after.value.message}"))
        return self._transition(after)

    async def commit(self, state: AgentState, run: Run) -> Transition[AgentState]:
        """Run the agent in its real world, answered as on the way to `state`: to its end, if that is where it leads.

        One that stands on the way there goes on. Raises `StaleBranch` if it asks otherwise than in the search, or does
        not end as it did. With a world, which the value may tell of, what it returns in the real one is the value.

        With a journal what was done in a world made by `real` is done once: a resumed search is told what it came to,
        and raises `UncertainEffect` where it was begun and has no recorded end, or where a part of it was done by an
        agent that is gone with its process.
        """

        worldly = self.world is not None or self.real is not None

        async def work(agent: LiveAgent) -> AgentState:
            return state if agent.over is None else ended_with(_returned(agent.over), state, worldly=worldly)

        stable = self._stable(run)
        if self.real is None:
            after = await self._shown("commit", stable.commit(state, False, work, run), run)
        else:
            async with run.until_deadline():
                after = await carried_out(state, stable, work, self._function, run)
        return self._transition(replace(after, answer=self._answer(after)))

    async def act(self, state: AgentState, action: Sample[Any], run: Run) -> Transition[AgentState]:
        """A step in the real world, from the state that was committed last."""
        work = self._answering(state, action, run)
        return self._transition(await self._shown("act", self._stable(run).commit(state, True, work, run), run))

    def actions(self, state: AgentState) -> Sequence[Any] | None:
        """None: they are proposed; none at all once the agent has ended."""
        return () if state.ended else None

    def complete(self, state: AgentState) -> bool:
        """Whether the agent has returned, which it may do before it asked anything."""
        return state.ended and not state.crashed

    def candidate(self, state: AgentState) -> Sample[Any]:
        """What the agent returned; before, the answers that it was given, with a step for each."""
        return told(state)

    # ---------------------------------------------------------------- plumbing

    def _answering(
        self, state: AgentState, action: Sample[Any], run: Run
    ) -> Callable[[LiveAgent], Awaitable[AgentState]]:
        """What leads an agent that stands in `state` on, by `action`. Raises `ConfigError` if it has returned."""
        pending = state.pending
        if pending is None:
            raise ConfigError("the agent has returned: there is no next step")

        async def work(agent: LiveAgent) -> AgentState:
            agent.answer(pending.place, action)
            return await self._settled(agent, state, action, run)

        return work

    async def _settled(self, agent: LiveAgent, before: AgentState, action: Sample[Any] | None, run: Run) -> AgentState:
        """Where the agent stands once it waits for us again, or has ended."""
        pending, value = None, None
        try:
            await agent.settled(run, self.timeout)
        except TimeoutError:
            value = Crashed(f"for {self.timeout:g} s it neither asked its model nor returned")
            await agent.close()
        else:
            over = agent.over
            pending = agent.next if over is None else None
            value = None if over is None else _returned(over)
        seen = words(value) if pending is None else seen_between(before.pending, pending)
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

    def _transition(self, state: AgentState) -> Transition[AgentState]:
        seen = state.turns[-1].seen if state.turns else ""
        return Transition(state, seen, self.least if state.crashed else None, state.ended)

    async def _shown(self, name: str, work: Awaitable[AgentState], run: Run) -> AgentState:
        """What `work` comes to, as a call in the trace."""
        with run.traced(name) as span:
            async with run.until_deadline():
                after = await work
            span.text = after.turns[-1].seen[:400] if after.turns else ""
        return after

    def _stable(self, run: Run) -> Stable:
        if self._function.signature.asks("endpoint"):
            from searchkit.serving.gateway import Gateway

            run.resource(Gateway, Gateway)  # made before the agents, and so closed after them
        return run.resource(
            self, lambda: Stable(self._function, self.world, self.real, self.live, self.timeout, self.tally)
        )


def _returned(over: Any) -> Any:
    """What an agent came to. Raises mistakes of its author's or its caller's; what else it raised is its value."""
    if over.cancelled():
        return Crashed("it was cancelled")
    error = over.exception()
    if error is None:
        return over.result().value
    if isinstance(error, CallError | GeneratorExit):
        return Crashed(str(error) or type(error).__name__)
    raise error
