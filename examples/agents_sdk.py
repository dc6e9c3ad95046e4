"""An agent of OpenAI's Agents SDK under a search, with every model call that it makes counted.

    pip install openai-agents && python examples/agents_sdk.py

The agent works out a product with a tool, in two model calls; best-of-4 takes an answer that passes. The model is
played by the server that ships for tests, so that this runs offline: two attempts of four forget the tool, and guess.
Give `AsyncOpenAI` your own URL and key for a real one.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

from searchkit import Budget, search
from searchkit.agents import async_client
from searchkit.strategies import BestOfN
from searchkit.testing.server import Reply, Server
from searchkit.verifiers import Predicate


@function_tool
def multiply(a: int, b: int) -> int:
    """The product of two numbers."""
    return a * b


asked = itertools.count()


def model(prompt: str, seed: int, body: dict[str, Any]) -> Reply | str:
    """What the server answers: a tool call or a guess, then the tool's result."""
    *_, last = body["messages"]
    if last["role"] == "tool":
        return f"The answer is {last['content']}."
    if next(asked) % 2:
        return "The answer is 40."
    return Reply(tool_calls=(("multiply", '{"a": 6, "b": 7}'),))


async def main(server: Server) -> None:
    llm = AsyncOpenAI(base_url=server.url, api_key="none", http_client=async_client())
    calculator = Agent(
        "calculator",
        tools=[multiply],
        model=OpenAIChatCompletionsModel("test-model", llm),
        instructions="Use the tool.",
    )

    @search(BestOfN(4, Predicate(lambda text: "42" in text, name="right")), budget=Budget(generations=4))
    async def ask(question: str) -> str:
        return str((await Runner.run(calculator, question)).final_output)

    result = await ask.detailed("What is 6 * 7?")
    print(result.answer)
    usage = result.usage
    print(f"{usage.generations} attempts, {usage.model_calls} model calls, {usage.generated_tokens} generated tokens")
    print(f"the server saw {len(server.requests)} calls, {server.generated_tokens} generated tokens")
    print(result.trace.render(), end="")


if __name__ == "__main__":
    set_tracing_disabled(True)
    with Server(reply=model) as server:
        asyncio.run(main(server))
