"""The guide's table of servers: each row against loopback servers that refuse everything else in their own words."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

from searchkit import Params, Sample
from searchkit.calls import Request
from searchkit.generators import OpenAI
from searchkit.generators.openai.presets import PRESETS
from tests.attacks.hostile import PROMPT, TEXT, Hostile
from tests.attacks.servers import BASE, STRICT, UNSUPPORTED, Strict

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "start" / "generators.md"
PARAMS = Params(temperature=0.7, max_tokens=16, stop=("END",))
OURS = {"top_k", "min_p", "include_stop_str_in_output", "no_stop_trim"}
BAD = "422 Unprocessable Entity"
KNOWN = {strict.name: strict for strict in STRICT}

# Further servers, in the words of public reports.
MORE = [
    # vLLM and SGLang ignore what they do not know; here they refuse it all the same.
    Strict("vllm", frozenset(BASE | OURS), "Extra inputs are not permitted: {field}"),
    Strict("llama.cpp", frozenset(BASE | OURS), "Unsupported param: {field}", shape="ollama"),
    Strict("llama.cpp-thinking", frozenset(BASE | OURS | {"chat_template_kwargs"}), "Assistant response prefill is incompatible with enable_thinking.", shape="ollama", required=("chat_template_kwargs",)),
    Strict("ollama", frozenset(BASE | OURS), 'json: unknown field "{field}"', shape="ollama"),
    Strict("gateway", frozenset(BASE), "litellm.UnsupportedParamsError: openai does not support parameters: ['{field}'], for model=m"),
    Strict("azure-v1", frozenset(BASE), "Unrecognized request argument supplied: {field}"),
    # editor-code-assistant/eca#231: the newer limit is refused
    Strict("mistral-limit", frozenset(BASE - {"seed", "max_completion_tokens"} | {"random_seed"}), "Extra inputs are not permitted", BAD, "mistral"),
    # FuzzAnything/PromptFuzz#42, SuzumiyaAkizuki/ComfyUI-NewBie-LLM-Formatter#3: any field that is not its own
    Strict("gemini-listed", frozenset({"model", "messages", "temperature", "top_p", "max_tokens", "stop", "n", "stream", "stream_options", "reasoning_effort"}), 'Invalid JSON payload received. Unknown name "{field}": Cannot find field.', shape="gemini"),
    # its own list of fields that it refuses, by version: a stop, or not
    Strict("transformers-4", frozenset(BASE), "Unsupported fields in the request: {{'{field}'}}", BAD, "detail", forbidden=("stop", "stream_options", "n")),
    Strict("transformers-5", frozenset(BASE), "Unexpected keys in the request: {{'{field}'}}", BAD, "detail", forbidden=("stream_options", "n")),
    Strict("o3-mini", frozenset({"model", "messages", "max_completion_tokens", "seed", "reasoning_effort"}), UNSUPPORTED),
]  # fmt: skip
# The row of the guide -> the servers that it is for.
SERVERS = {
    "vLLM, SGLang": ["vllm"],
    "llama.cpp": ["llama.cpp"],
    "llama.cpp, a model that thinks, to continue its turns": ["llama.cpp-thinking"],
    "Ollama": ["ollama"],
    "OpenAI behind another host, other gateways": ["gateway", "groq", "vllm-early"],
    "OpenAI's reasoning models": ["openai-o1", "openai-gpt-5", "o3-mini"],
    "OpenAI's reasoning models, thinking less": ["openai-o1-effort", "o3-mini"],
    "Azure, `.../openai/v1`": ["azure-v1"],
    "Azure, `.../openai/deployments/NAME`": ["azure"],
    "Azure, a reasoning model": ["azure-reasoning"],
    "Claude, `https://api.anthropic.com/v1`": ["claude", "claude-without-a-seed"],
    "Gemini, `https://generativelanguage.googleapis.com/v1beta/openai`": ["gemini", "gemini-listed"],
    "Text Generation Inference": ["tgi"],
    "`transformers serve` before version 5": ["transformers-4", "transformers-5"],
    "`transformers serve`": ["transformers-5"],
    "Mistral, `https://api.mistral.ai/v1`": ["mistral", "mistral-limit"],
    "DeepSeek, `https://api.deepseek.com/beta`": ["deepseek"],
    "Groq, Cerebras, with the newer limit": ["groq-new", "cerebras"],
}
KNOWN |= {strict.name: strict for strict in MORE}


def rows() -> list[Any]:
    """The table's rows: server, what to pass, what is sent."""
    table = PAGE.read_text("utf-8").split("| server | pass | sent |\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]
    return [pytest.param(*row, id=row[0].strip("`")[:40]) for row in cells]


def passed(cell: str) -> dict[str, Any]:
    """What the guide says to pass, read without evaluating it; KEY stands for a key."""
    if cell == "nothing":
        return {}
    call = ast.parse(f"f({cell.strip('`').replace('KEY', repr('az-key-0123'))})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}


@pytest.mark.parametrize(("server", "options", "fields"), rows())
def test_each_row_is_sent_and_taken(server: str, options: str, fields: str) -> None:
    """One request, with these fields and no other, which every server of the row takes."""
    for name in SERVERS[server]:
        with Hostile(KNOWN[name]) as at:
            backend = OpenAI(at.url, "m", **passed(options))
            [entry] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 1)]))
            [asked] = at.asked
        assert isinstance(entry, Sample), (name, entry)
        assert (entry.text, entry.left_out) == (TEXT, ())
        assert [field for field in asked.body if field not in ("model", "messages")] == fields.split(", ")


def test_the_table_has_every_preset_and_every_server_a_row() -> None:
    """Neither the guide nor this page forgets one."""
    table = [row.values for row in rows()]
    assert [row[0] for row in table] == list(SERVERS)
    assert {passed(row[1]).get("preset") for row in table} - {None} == set(PRESETS)


@pytest.mark.filterwarnings("ignore::searchkit.SearchWarning")
@pytest.mark.parametrize("name", sorted({name for names in SERVERS.values() for name in names}))
def test_the_servers_refuse_what_is_not_fitted(name: str) -> None:
    """They can tell: with a field more, or as it is sent without any option, a body is refused."""
    strict = KNOWN[name]
    with Hostile(strict) as at:
        for options in ({"extras": False}, {"extra_body": {"no_such_field": 1}}):
            asyncio.run(OpenAI(at.url, "m", **options).complete([Request(PROMPT, PARAMS, 1)]))
    assert any(strict.refusal(asked) for asked in at.asked)
