"""Tree search over agents of frameworks as they are: OpenAI Agents SDK, Pydantic AI, LangGraph, async and sync.

    pip install openai-agents pydantic-ai langgraph langchain-openai
    PYTHONPATH=. python benchmarks/agent_frameworks.py --json
    pip install fastmcp langchain-mcp-adapters
    PYTHONPATH=. python benchmarks/agent_frameworks.py --mcp --json

Each agent has a tool; its model is a server that calls it twice and then says a text which depends on the seed. Shown
for each: the calls and tokens that the search counted and those that the server did, answers given again, and how many
of the steps went on with an agent that stood there. No answer may be paid twice, and no branch may be stale.

--mcp: the tool is that of an MCP server, which each agent starts for itself, by its framework's own client, and whose
side effects are counted: searched and committed, then again over the same journal. What is done in the real world is
what the committed path did, once; the second time nothing is done, and nothing paid.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from searchkit import Budget, solve
from searchkit.agents import async_client, client
from searchkit.environments import AgentSteps
from searchkit.strategies import MCTS, BestFirst, RecedingHorizon
from searchkit.verifiers import Predicate
from tests.helpers.model_server import ModelServer

JUDGE = Predicate(lambda value: sum(map(ord, str(value))) % 97 / 97, range=(0.0, 1.0), name="sum")
Made = dict[str, Callable[..., Any]]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def openai_agents(url: str) -> Made:
    import agents
    import openai

    model = agents.OpenAIChatCompletionsModel(
        "m", openai.AsyncOpenAI(base_url=url, api_key="none", http_client=async_client())
    )
    agent = agents.Agent("adder", instructions="Be short.", model=model, tools=[agents.function_tool(add)])

    async def later(question: str) -> str:
        return str((await agents.Runner.run(agent, question)).final_output)

    def now(question: str) -> str:
        return str(agents.Runner.run_sync(agent, question).final_output)

    return {"async": later, "sync": now}


def pydantic_ai(url: str) -> Made:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none", http_client=async_client()))
    agent = Agent(model, tools=[add])

    async def later(question: str) -> str:
        return str((await agent.run(question)).output)

    def now(question: str) -> str:
        return str(agent.run_sync(question).output)

    return {"async": later, "sync": now}


def langgraph(url: str) -> Made:
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    tools = [tool(add)]
    llm = ChatOpenAI(
        model="m", base_url=url, api_key="none", http_async_client=async_client(), http_client=client()
    ).bind_tools(tools)

    async def think(state: Any) -> Any:
        return {"messages": [await llm.ainvoke(state["messages"])]}

    def think_now(state: Any) -> Any:
        return {"messages": [llm.invoke(state["messages"])]}

    def compiled(node: Any) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("model", node)
        graph.add_node("tools", ToolNode(tools))
        graph.add_edge(START, "model")
        graph.add_conditional_edges("model", tools_condition)
        graph.add_edge("tools", "model")
        return graph.compile()

    asynchronous, synchronous = compiled(think), compiled(think_now)

    async def later(question: str) -> str:
        return str((await asynchronous.ainvoke({"messages": [("user", question)]}))["messages"][-1].content)

    def now(question: str) -> str:
        return str(synchronous.invoke({"messages": [("user", question)]})["messages"][-1].content)

    return {"async": later, "sync": now}


SERVER = str(Path(__file__).parents[1] / "tests" / "helpers" / "mcp_adding_server.py")


def both(later: Callable[..., Any]) -> Made:
    def now(question: str, world: str) -> str:
        return str(asyncio.run(later(question, world)))

    return {"async": later, "sync": now}


def openai_agents_mcp(url: str) -> Made:
    import agents
    import openai
    from agents.mcp import MCPServerStdio

    async def later(question: str, world: str) -> str:
        api = openai.AsyncOpenAI(base_url=url, api_key="none", http_client=async_client())
        command: Any = {"command": sys.executable, "args": [SERVER, world]}
        async with MCPServerStdio(command, client_session_timeout_seconds=60) as server:
            model = agents.OpenAIChatCompletionsModel("m", api)
            agent = agents.Agent("adder", instructions="Be short.", model=model, mcp_servers=[server])
            return str((await agents.Runner.run(agent, question)).final_output)

    return both(later)


def pydantic_ai_mcp(url: str) -> Made:
    from pydantic_ai import Agent
    from pydantic_ai.mcp import MCPToolset, StdioTransport
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async def later(question: str, world: str) -> str:
        model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none", http_client=async_client()))
        tools = MCPToolset(StdioTransport(sys.executable, [SERVER, world]))
        async with Agent(model, toolsets=[tools]) as agent:
            return str((await agent.run(question)).output)

    return both(later)


def langgraph_mcp(url: str) -> Made:
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools
    from langchain_openai import ChatOpenAI
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    async def later(question: str, world: str) -> str:
        mcp = MultiServerMCPClient({"a": {"transport": "stdio", "command": sys.executable, "args": [SERVER, world]}})
        async with mcp.session("a") as session:
            tools = await load_mcp_tools(session)
            llm = ChatOpenAI(
                model="m", base_url=url, api_key="none", http_async_client=async_client(), http_client=client()
            ).bind_tools(tools)

            async def think(state: Any) -> Any:
                return {"messages": [await llm.ainvoke(state["messages"])]}

            graph = StateGraph(MessagesState)
            graph.add_node("model", think)
            graph.add_node("tools", ToolNode(tools))
            graph.add_edge(START, "model")
            graph.add_conditional_edges("model", tools_condition)
            graph.add_edge("tools", "model")
            said = await graph.compile().ainvoke({"messages": [("user", question)]})
            return str(said["messages"][-1].content)

    return both(later)


def committed(agent: Callable[..., Any], server: ModelServer) -> dict[str, Any]:
    """What was done in the real world by a search that commits, and by the same one over its journal."""
    told = dict[str, Any]()
    with tempfile.TemporaryDirectory() as real, tempfile.TemporaryDirectory() as folder:
        for run in ("first", "resumed"):
            world = AgentSteps(agent, world=tempfile.TemporaryDirectory, real=lambda: real, live=4)
            search, before = RecedingHorizon(BestFirst(JUDGE, environment=world, iterations=8)), server.calls
            result = asyncio.run(solve("How much is 1 + 1?", search, seed=20, journal=Path(folder) / "run.db"))
            told[run] = {
                "answer": str(result.answer)[:40], "done": (Path(real) / "log").read_text().splitlines(),
                "paid": result.paid.model_calls, "served": server.calls - before, "agents": world.tally.started,
                "given_again": world.tally.replayed, "stale": world.tally.stale, "errors": len(result.errors),
            }  # fmt: skip
    return told


MCP = {"agents": openai_agents_mcp, "pydantic_ai": pydantic_ai_mcp, "langgraph": langgraph_mcp}
FRAMEWORKS = {"agents": openai_agents, "pydantic_ai": pydantic_ai, "langgraph": langgraph}


def searched(agent: Callable[..., Any], calls: int) -> dict[str, Any]:
    world = AgentSteps(agent)
    began, cpu = time.perf_counter(), time.process_time()
    search = MCTS(JUDGE, environment=world)
    result = asyncio.run(solve("How much is 1 + 1?", search, budget=Budget(model_calls=calls), seed=20))
    tally = world.tally
    return {
        "calls": result.paid.model_calls, "prompt_tokens": result.paid.prompt_tokens,
        "generated_tokens": result.paid.generated_tokens, "answers": len(result.candidates), "stale": tally.stale,
        "errors": len(result.errors), "steps": tally.steps, "given_again": tally.replayed,
        "continued": round(tally.share_continued, 3), "started": tally.started,
        "ms_a_step": round(1000 * (time.perf_counter() - began) / tally.steps, 1),
        "cpu_ms_a_step": round(1000 * (time.process_time() - cpu) / tally.steps, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--mcp", action="store_true")
    options = parser.parse_args()
    os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    for module, make in (MCP if options.mcp else FRAMEWORKS).items():
        if importlib.util.find_spec(module) is None:
            print(f"{module} is not installed")
            continue
        for kind in ("async", "sync"):
            with ModelServer() as server:
                if options.mcp:
                    print(json.dumps({"framework": module, "kind": kind, **committed(make(server.url)[kind], server)}))
                    continue
                found = searched(make(server.url)[kind], options.calls)
                served = [server.calls, server.prompt_tokens, server.generated_tokens]
            counted = [found["calls"], found["prompt_tokens"], found["generated_tokens"]]
            found = {"framework": module, "kind": kind, "equal": counted == served, **found}
            print(json.dumps(found) if options.json else "  ".join(f"{name} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
