"""Clients that CI does not install, against a running server: litellm and langchain-openai, what of them is there.

    python tools/serve_clients.py

Each line is checked; a client that is not installed is named and left out. The official clients are in the tests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from searchkit.serving.server import SearchServer
from tests.helpers.serving import SUM, Slow, listening, served

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


def litellm(url: str) -> Mapping[str, tuple[Any, Any]]:
    """What it said, and what it should have."""
    import litellm as client

    to: dict[str, Any] = {"api_base": f"{url}/v1", "api_key": "none"}
    best = "openai/qwen@best-of-4"
    few = client.completion(best, messages=SUM, extra_body={"search": {"budget": {"generations": 2}}}, **to)
    stream = client.completion(best, messages=SUM, stream=True, **to)
    tools = client.completion("openai/qwen", messages=SUM, tools=[TOOL], tool_choice="auto", **to)
    response = client.responses("19 + 23?", best, **to)
    message = asyncio.run(
        client.anthropic.messages.acreate(
            model="anthropic/qwen@best-of-4", messages=SUM, max_tokens=9, api_base=url, api_key="none"
        )
    )
    return {
        "budget": ((few.choices[0].message.content, few.usage.completion_tokens), ("41", 6)),
        "stream": ("".join(chunk.choices[0].delta.content or "" for chunk in stream), "42"),
        "tools": (tools.choices[0].message.content, "40"),
        "responses": (response.output[0].content[0].text, "42"),
        "messages": (message["content"][0]["text"], "42"),
    }


def langchain(url: str) -> Mapping[str, tuple[Any, Any]]:
    """Likewise."""
    from langchain_core.messages import HumanMessage
    from langchain_openai import ChatOpenAI
    from pydantic import BaseModel

    class Answer(BaseModel):
        value: int

    def chat(model: str, **options: Any) -> Any:
        return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="none", **options)

    best, said = chat("qwen@best-of-4"), "19 + 23?"
    whole = best.invoke(said)
    chosen = chat("qwen", extra_body={"search": {"strategy": "best-of-4"}}, n=2).generate([[HumanMessage(said)]])
    return {
        "whole": ((whole.content, whole.usage_metadata["output_tokens"]), ("42", 12)),
        "stream": ("".join(chunk.content for chunk in best.stream(said)), "42"),
        "async": (asyncio.run(best.ainvoke(said)).content, "42"),
        "n best by body": ([one.text for one in chosen.generations[0]], ["42", "41"]),
        "tools": (best.bind_tools([Answer]).invoke(said).tool_calls, []),
        "schema": (chat("json").with_structured_output(Answer, method="json_schema").invoke(said), Answer(value=42)),
        "responses": (chat("qwen@best-of-4", use_responses_api=True).invoke(said).content[0]["text"], "42"),
    }


CLIENTS: list[Callable[[str], Mapping[str, tuple[Any, Any]]]] = [litellm, langchain]


def main() -> int:
    server = SearchServer({"qwen": served(Slow()), "json": served(Slow(lambda request: '{"value": 42}'))})
    wrong = 0
    with listening(server) as url:
        for client in CLIENTS:
            try:
                found = client(url)
            except ImportError as error:
                print(f"{client.__name__}: left out ({error})")
                continue
            for what, (said, expected) in found.items():
                wrong += said != expected
                print(f"{client.__name__} {what}: {said!r}{'' if said == expected else f', not {expected!r}'}")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
