"""ToolEnvironment: a chat model and its tools, as a world to search in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, ClassVar

from searchkit.calls import CallError
from searchkit.environments.guarded import Planned
from searchkit.environments.live import LiveEnvironment
from searchkit.environments.tools.calling import Call, Offer, Provider, Table
from searchkit.environments.tools.dialogue import Dialogue, Pending, Turn, cut, placed
from searchkit.environments.tools.signature import WORLD
from searchkit.environments.tools.tool import Failed, Tool
from searchkit.environments.tools.worlds import World, as_call, furnished, is_files
from searchkit.errors import ConfigError, StaleBranch
from searchkit.kinds import is_number, is_whole, told
from searchkit.mistakes import listed
from searchkit.protocols import Run
from searchkit.tool_calls import calls_of
from searchkit.types import Finish, Message, Params, Prompt, Sample, Text, ToolCall, Transition

MOST_CALLS = 64  # calls in one answer that are done
TOO_MANY = f"Error: not called: of one answer the first {MOST_CALLS} calls are done."
DONE, FAILED = "done", "failed"  # what became of a reversible call, the first line of what is recorded of it
PUT_OFF = (
    "Put off, not refused: {name} cannot be undone. It is done once, when the outcome of this conversation is "
    "accepted, and its result is not known before. Do not call it again for the same purpose."
)


@dataclass(frozen=True)
class ToolEnvironment:
    """A model that calls tools: an action is one answer of it, with all calls in it; without calls it is the end.

    - tools: functions declared by `pure`, `reversible` or `irreversible`. Pure and reversible calls are done in the
      search. An irreversible one is put off, and the model told so; `commit` does it.
    - world: what tools with a parameter `world` work in: each branch has one of its own, and is brought back to where
      it was. A function that makes one (with ``close()``, if it needs to be closed): branches are restored by doing
      their reversible calls again, see `ReplayEnvironment`, which may be given instead; a `SnapshotEnvironment`, which
      saves and restores; a `FolderEnvironment` or `GitEnvironment` without `act`: tools are given the `Path` of a
      folder.
    - render: a `Dialogue` to its value as an answer. By default, with a world of files the patch, or what its own
      `render` says, and any state is an answer; else the model's last words, and until then all that was said and
      observed, as a text with a step for each turn.
    - params: for each answer of the model, None takes the caller's.
    - characters: of a longer observation the model is shown the first and the last, so many together, and told how
      many are left out.
    - seconds: a call may take so long once it has begun.
    - turns: a conversation with so many answers of the model ends, cut off.

    Calls of one answer are done in their order. What is wrong with a call goes back to the model as its observation:
    no such tool, arguments that are no JSON or do not fit, what the tool raised, that it took too long. A call that
    raised or took too long has changed nothing: the world is as it was before it. Model text is never evaluated, and
    read in linear time. In the history ids of calls are by their place, so that equal actions are one state.

    An answer with something put off is `Planned(answer, pending)`, the calls in a tuple. `commit` brings the real world
    into the state of the branch, does what was put off, in order, each once (`Run.once`: with a journal a resumed
    search returns what was recorded, and raises `UncertainEffect` where that is not known), and puts the results in
    place of the notes. Where it did something so, the episode is over.

    With a journal observations are written down: resumed, pure calls are not made again, and reversible ones are made
    again but seen as the first time, so that no answer of the model is paid twice.

    Cost of a step: its calls, and for those with a `world` what the world needs to come back there. Sources: tree
    search for language-model agents (Koh et al. 2024, arXiv 2407.01476) and LATS (Zhou et al. 2024, arXiv 2310.04406)
    are settings of `BestFirst` and `MCTS`, see the guide.
    """

    defers: ClassVar[bool] = True  # so that no guard puts off what would only be put off again

    tools: Sequence[Tool | Provider]
    world: Any = None
    render: Callable[[Dialogue], Any] | None = None
    params: Params | None = None
    characters: int = 8000
    seconds: float = 30.0
    turns: int = 50

    def __post_init__(self) -> None:
        object.__setattr__(self, "tools", listed("tools", self.tools, "[pure(f)]"))
        if not self.tools:
            raise ConfigError("ToolEnvironment needs one tool or more: functions declared by pure, reversible, ...")
        for tool in self.tools:
            if not isinstance(tool, Tool | Provider):
                raise ConfigError(
                    f"tools are functions with their effect declared: pure(f), reversible(f) or irreversible(f), got "
                    f"{told(tool)}"
                )
        for name in ("characters", "turns"):
            if not is_whole(getattr(self, name)) or getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, a whole number, got {told(getattr(self, name))}")
        if not is_number(self.seconds) or not self.seconds > 0:
            raise ConfigError(f"seconds must be > 0 for a call, got {told(self.seconds)}")
        Table.of(self._own)
        worldly = next((tool.name for tool in self._functions if tool.form.takes_world), None)
        if worldly is not None and self.world is None:
            raise ConfigError(f"{worldly} has a parameter `{WORLD}`: say which, ToolEnvironment(tools, world=...)")
        if is_files(self._world):
            object.__setattr__(self, "complete", self._complete)  # only there: `Anytime` is found by the method

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    # ---------------------------------------------------------------- the environment

    async def start(self, prompt: Prompt, run: Run) -> Dialogue:
        if prompt.tools or prompt.prefix:
            what = "tools" if prompt.tools else "the beginning of an answer"
            raise ConfigError(f"the prompt has {what} of its own: leave that to ToolEnvironment")
        worlds = tuple([await world.start(prompt, run) for world in self._worlds])
        table = await self._table(worlds, run)
        specs = tuple(offer.spec for offer in table.offers.values() if offer.spec)
        return self._rendered(Dialogue(replace(prompt, tools=specs), worlds=worlds))

    def prompt(self, state: Dialogue) -> Prompt:
        return replace(state.prompt, messages=state.messages())

    def step_params(self, run: Run) -> Params | None:
        return self.params if self.params is not None else run.params

    async def step(self, state: Dialogue, action: Sample[Any], run: Run) -> Transition[Dialogue]:
        if state.ended:
            raise ConfigError("the conversation is over: there is no next step")
        message, calls, written = self._said(state, action), calls_of(action), tuple[ToolCall, ...]()
        if not calls and not action.truncated:
            calls = written = tuple(call for provider in self._providers for call in provider.written(message.text))
        if not calls:
            finish: Finish = "length" if action.truncated else "stop"
            after = replace(state, turns=(*state.turns, Turn(message)), ended=True, finish=finish)
            return Transition(self._rendered(after), message.text, terminal=True)
        table, seen = await self._table(state.worlds, run), list[str]()
        worlds, pending = list(state.worlds), list(state.pending)
        for place, asked in enumerate(calls):
            call = table.read(asked.name, asked.arguments) if place < MOST_CALLS else TOO_MANY
            if isinstance(call, str):
                seen.append(cut(call, self.characters))
            elif call.offer.effect == "irreversible":
                pending.append(Pending(len(state.turns), place, call.asked))
                seen.append(PUT_OFF.format(name=call.offer.name))
            else:
                seen.append(await self._done(call, worlds, run))
        turns = (*state.turns, Turn(message, tuple(seen), written))
        last = len(turns) >= self.turns
        after = replace(state, turns=turns, worlds=tuple(worlds), pending=tuple(pending), ended=last)
        after = self._rendered(replace(after, finish="length" if last else "stop"))
        return Transition(after, "\n".join(seen), terminal=last)

    def candidate(self, state: Dialogue) -> Sample[Any]:
        """The answer of the state, see `render`; until the end, with all that was said and observed as its text."""
        text, steps = state.story()
        finish = "stop" if is_files(self._world) else state.finish
        if isinstance(state.answer, str):
            steps = steps if state.answer == text else ()
            return Sample(state.answer, Message("assistant", (Text(state.answer),)), finish, step_spans=steps)
        return Sample(state.answer, Message("assistant", (Text(text),)), finish, step_spans=steps)

    async def commit(self, state: Dialogue, run: Run) -> Transition[Dialogue]:
        """Bring the real world into `state`, then do what was put off, once.

        Raises `StaleBranch`, before anything irreversible is done, where the world is not as it was.
        """
        with run.child("commit", role="plan") as committing:
            return await self._committed(state, committing)

    async def _committed(self, state: Dialogue, run: Run) -> Transition[Dialogue]:
        told = [(await world.commit(at, run)).observation for world, at in zip(self._worlds, state.worlds, strict=True)]
        table = await self._table(state.worlds, run)
        after = replace(state, pending=(), ended=state.ended or bool(state.pending))
        for at in state.pending:
            call = table.call(at.asked)
            with run.child("do") as doing:
                seen = await run.once(f"do {call.offer.name}", partial(self._looked, call, state.worlds, doing))
            after = after.observed(at, seen)
            told.append(seen)
        for world in self._worlds:
            if state.pending and isinstance(world, LiveEnvironment):
                world.lose_track(run)
        return Transition(self._rendered(after), "\n".join(told), None, after.ended)

    def _complete(self, state: Dialogue) -> bool:
        return True

    # ---------------------------------------------------------------- calls

    async def _done(self, call: Call, worlds: list[Any], run: Run) -> str:
        """What a pure or reversible call brought, as recorded if it is; a reversible one moves its world."""
        if call.offer.effect == "pure":
            return await run.once(call.offer.name, partial(self._looked, call, worlds, run), harmless=True)
        i, after = call.offer.world, None
        try:
            step = await self._worlds[i].step(worlds[i], Sample(call.action), run)
        except CallError as error:
            seen = self._failed(call, error)
        else:
            after, seen = step.state, step.observation

        async def noted() -> str:
            return f"{FAILED if after is None else DONE}\n{cut(seen, self.characters)}"

        became, _, recorded = (await run.once(call.offer.name, noted, harmless=True)).partition("\n")
        if became == DONE and after is None:
            raise StaleBranch(f"{call.offer.name} did what it was asked when this branch was explored, and now: {seen}")
        if became == DONE:
            worlds[i] = after
        return recorded

    async def _looked(self, call: Call, worlds: Sequence[Any], run: Run) -> str:
        """What a call brings that leaves the worlds of the branch as they are."""
        try:
            if call.offer.perform is None:
                i = call.offer.world
                return cut(await self._worlds[i].look(worlds[i], call.action, run), self.characters)
            async with run.until_deadline():
                return cut(await call.offer.perform(call.arguments, run, self.seconds), self.characters)
        except (CallError, Failed, TimeoutError) as error:
            return cut(self._failed(call, error), self.characters)

    def _failed(self, call: Call, error: Exception) -> str:
        """What the model is told of a call that failed. Raises what is no failure of the tool."""
        cause = error.__cause__ if isinstance(error, CallError) else error
        if isinstance(cause, TimeoutError):
            unsure = " Whether it was done is not known." if call.offer.effect == "irreversible" else ""
            return f"Error: {call.offer.name} took more than {self.seconds:g} seconds, and was given up.{unsure}"
        if isinstance(cause, Failed):
            return cause.of(call.offer.name)
        raise error

    # ---------------------------------------------------------------- plumbing

    async def _table(self, worlds: Sequence[Any], run: Run) -> Table:
        """The tools, of providers too: they are asked once a search."""
        table = run.resource(self, Table)
        if not table.offers:
            offers, first = list(self._own), len(worlds) - len(self._providers)
            for i, provider in enumerate(self._providers, first):
                offers += await provider.offers(i, partial(self._worlds[i].look, worlds[i], run=run))
            table.fill(offers)
        return table

    @cached_property
    def _world(self) -> World | None:
        if self.world is None:
            return None
        worldly = {tool.name: tool for tool in self._functions if tool.form.takes_world}
        return furnished(self.world, worldly, self.seconds)

    @cached_property
    def _worlds(self) -> tuple[World, ...]:
        """The environment's own, then one of each provider. Objects that stay the same: a search keeps what it opened
        for each."""
        own = () if self._world is None else (self._world,)
        return (*own, *(provider.world(self.seconds) for provider in self._providers))

    @cached_property
    def _functions(self) -> list[Tool]:
        return [tool for tool in self.tools if isinstance(tool, Tool)]

    @cached_property
    def _providers(self) -> list[Provider]:
        return [tool for tool in self.tools if not isinstance(tool, Tool)]

    @cached_property
    def _own(self) -> list[Offer]:
        return [Offer.of(tool) for tool in self._functions]

    def _said(self, state: Dialogue, action: Sample[Any]) -> Message:
        """The model's turn as it stands in the history."""
        said = action.message if action.message is not None else action.value
        parts = said.parts if isinstance(said, Message) else (Text(action.value if isinstance(said, str) else ""),)
        calls = tuple(placed(call, len(state.turns), place) for place, call in enumerate(calls_of(action)))
        reasoning = said.reasoning if isinstance(said, Message) else ""
        return Message("assistant", parts, calls, reasoning=reasoning)

    def _rendered(self, state: Dialogue) -> Dialogue:
        if self.render is not None:
            answer = self.render(state)
        elif is_files(self._world):
            answer = state.worlds[0].answer
        else:
            answer = state.said if state.ended and state.finish == "stop" else state.story()[0]
        calls = tuple(as_call(at.asked) for at in state.pending)
        return replace(state, answer=Planned(answer, calls) if calls else answer)
