"""inspect_ai, both ways: a solver that searches with the model under evaluation, and a search as a model to evaluate.

    Task(dataset, solver=searched(BestOfN(8, judge)), scorer=match())
    eval(task, model=get_model("searchkit/openai/gpt-5", strategy=BestOfN(8, judge)))

Either way it is inspect's own model that is asked, so that its logs, limits and caches see every call; and each of them
is a call of the search: seeded, counted with the usage that the model reports, held against the budget. The second is
found by its name, through an entry point. Importing this needs inspect_ai.

Tested with inspect_ai 0.3.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    get_model,
    messages_from_openai,
    messages_to_openai,
    modelapi,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolChoice, ToolInfo

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.kinds import described
from searchkit.model import Model
from searchkit.protocols import Generator
from searchkit.result import Result
from searchkit.searching import NO_BUDGET
from searchkit.solve import solve
from searchkit.types import Budget, Finish, Message, Params, Prompt, Sample, Usage
from searchkit.wire.chat.turns import message

_FINISH: dict[str, Finish] = {
    "stop": "stop", "max_tokens": "length", "model_length": "length", "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}  # fmt: skip
_STOP: dict[Finish, Literal["stop", "max_tokens", "tool_calls", "content_filter"]] = {
    "stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter",
}  # fmt: skip


@dataclass(frozen=True)
class InspectModel:
    """A `Backend`: a model of inspect_ai, by its name or as `get_model` gives it; None: the one under evaluation.

    Its tokens are those that the model reports. Asked without inspect's retries: a call that fails is a `CallError`.
    """

    model: Any = None

    @property
    def name(self) -> str:
        return f"inspect_ai {get_model(self.model)}"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        return list(await asyncio.gather(*map(self._answer, requests)))

    async def _answer(self, request: Request) -> Sample[str] | CallError:
        if request.prompt.prefix:
            raise ConfigError("a model of inspect_ai continues no answer: use a strategy over whole ones")
        asked = await messages_from_openai([message(turn) for turn in request.prompt.messages])  # type: ignore[misc, unused-ignore]
        tools = [ToolInfo(**json.loads(tool)["function"]) for tool in request.prompt.tools]
        try:
            output = await get_model(self.model).generate(asked, tools=tools, config=_config(request))
        except Exception as error:  # of its provider's kinds
            return CallError(f"inspect_ai: {described(error)}", kind="server", request=request)
        if output.error or not output.choices:
            return CallError(f"inspect_ai: {output.error or 'no answer'}", kind="server", request=request)
        (said,) = await messages_to_openai([output.message])
        return Sample(
            output.completion, Message.of(said), _FINISH.get(output.stop_reason, "length"), usage=_usage(output)
        )


@solver  # type: ignore[untyped-decorator, misc, unused-ignore]
def searched(strategy: Generator, *, params: Params | None = None, budget: Budget = NO_BUDGET) -> Solver:
    """A solver of inspect_ai that answers by a search, in the place of `generate()`.

    strategy: it samples from the model under evaluation, as it is told by `params`. budget: of each sample of the data
    set. What came of it stands in the sample's metadata, as "searchkit": calls, tokens, why it stopped, and the answers
    with their scores. Raises what `solve` raises. Cost: the strategy's.
    """

    async def solved(state: TaskState, generate: Generate) -> TaskState:
        prompt = await _prompt(state.messages, [])
        model = Model(InspectModel(), params or Params())
        result = await solve(prompt, strategy, generator=model, budget=budget, seed=state.epoch)
        state.output = await _output(result, str(state.model))
        state.messages.append(state.output.message)
        state.metadata["searchkit"] = {
            "model_calls": result.usage.model_calls, "prompt_tokens": result.usage.prompt_tokens,
            "generated_tokens": result.usage.generated_tokens, "stopped": result.stopped,
            "candidates": [[c.sample.text, c.score] for c in result.candidates],
        }  # fmt: skip
        return state

    return solved


@modelapi(name="searchkit")  # type: ignore[untyped-decorator, misc, unused-ignore]
class SearchedModel(ModelAPI):  # type: ignore[misc, unused-ignore]
    """A search as a model of inspect_ai: ``get_model("searchkit/openai/gpt-5", strategy=..., budget=...)``.

    The rest of the name is the model that the strategy samples from. Its tokens stand under that model's own name in
    inspect's logs; this one's calls have none, so that nothing is counted twice.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        *,
        strategy: Generator,
        budget: Budget = NO_BUDGET,
        base: Any = None,
    ) -> None:
        """base: in the place of the one that `model_name` names, as `get_model` gives it."""
        super().__init__(model_name, base_url, api_key, [], config)
        self._strategy, self._budget, self._model = strategy, budget, base or model_name

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        given = {"temperature": config.temperature, "top_p": config.top_p, "top_k": config.top_k}
        limits = {"max_tokens": config.max_tokens, "stop": tuple(config.stop_seqs or ())}
        params = Params(**{name: value for name, value in given.items() if value is not None}, **limits)
        model, prompt = Model(InspectModel(self._model), params), await _prompt(input, tools)
        seed = 0 if config.seed is None else config.seed
        result = await solve(prompt, self._strategy, generator=model, budget=self._budget, seed=seed)
        return await _output(result, self.model_name)


# -------------------------------------------------------------------- to and fro


async def _prompt(messages: list[ChatMessage], tools: Sequence[ToolInfo]) -> Prompt:
    schemas = ({"type": "function", "function": tool.model_dump(exclude_none=True)} for tool in tools)
    turns = await messages_to_openai(messages)
    return Prompt(tuple(Message.of(turn, i) for i, turn in enumerate(turns)), tuple(map(json.dumps, schemas)))


async def _output(result: Result[Any], model: str) -> ModelOutput:
    """The answer as inspect's model output: with its tool calls, where the sample that won has any."""
    won = next((c.sample for c in result.candidates if c.sample.value == result.answer and c.sample.message), None)
    if won is None or won.message is None:
        return ModelOutput.from_content(model, str(result.answer))
    (turn,) = await messages_from_openai([message(won.message)], model)  # type: ignore[misc, unused-ignore]
    return ModelOutput.from_message(turn, _STOP[won.finish])


def _config(request: Request) -> GenerateConfig:
    params = request.params
    return GenerateConfig(
        temperature=params.temperature, top_p=params.top_p, top_k=params.top_k or None, max_tokens=params.max_tokens,
        stop_seqs=list(params.stop) or None, seed=request.seed, max_retries=0,
    )  # fmt: skip


def _usage(output: ModelOutput) -> Usage:
    used = output.usage
    if used is None:
        return Usage(model_calls=1)
    read = used.input_tokens + (used.input_tokens_cache_write or 0) + (used.input_tokens_cache_read or 0)
    return Usage(
        model_calls=1, prompt_tokens=read, generated_tokens=used.output_tokens,
        cached_tokens=used.input_tokens_cache_read or 0, longest_context=read + used.output_tokens,
    )  # fmt: skip
