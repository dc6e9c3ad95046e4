"""Expected scores on the real vLLM: a judge whose next letter has a known distribution.

It needs an environment of its own: see tools/vllm_cpu_env.sh.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from searchkit import Model, Params
from searchkit.engine.run import Run, Search
from searchkit.generators import OpenAI
from searchkit.types import Budget, Problem, Prompt, Sample, Usage, Verdict
from searchkit.verifiers import Expected, Judge
from tests.generators.vllm.server import over_http, served

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # of vLLM and what it imports
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vLLM: tools/vllm_cpu_env.sh DIR"),
]

# What is written behind a character, whatever stood before: criteria that end in "?" are answered by a bare letter,
# those that end in "!" by "Score: " and one. A letter ends the reply; "z" is none of the scale.
BARE = {"A": 0.5, "C": 0.25, "T": 0.125, "z": 0.125}
LABELLED = {"B": 0.25, "D": 0.75}
BEHIND = {"?": BARE, "!": {"S": 1.0}, " ": LABELLED} | {
    first: {then: 1.0} for first, then in zip("Score:", "core: ", strict=True)
}
CRITERIA = ("Is it right?", "Say how clear it is!")
BLOCK = 32  # tokens that the server caches together


def expected(given: Mapping[str, float]) -> float:
    """On 20 letters, by hand: A is 1, T is 0."""
    letters = {letter: share for letter, share in given.items() if letter.isupper()}
    return sum((1 - (ord(letter) - ord("A")) / 19) * share for letter, share in letters.items()) / sum(letters.values())


def write(folder: Path) -> None:
    """A Llama without attention, whose embeddings are one-hot: the head's columns are the log-probabilities."""
    import torch

    from searchkit.generators.embedded.tokenizer import EOS, Tokenizer
    from searchkit.lab.train import EPS, WIDTH, Llama, export

    tokenizer = Tokenizer.of("".join(sorted({*map(chr, range(32, 127)), "\n"})))
    model = Llama(tokenizer.size, 4096)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.0 if parameter.dim() == 2 else 1.0).requires_grad_(False)
    torch.nn.init.eye_(model.embed_tokens.weight)
    scale = 1 / math.sqrt(1 / WIDTH + EPS)  # what the norm makes of a one
    model.lm_head.weight.fill_(-30.0 / scale)
    for token in range(tokenizer.size):
        then = BEHIND.get(tokenizer.decode([token]), {})
        rows = {tokenizer.encode(text)[0]: math.log(share) for text, share in then.items()} or {EOS: 0.0}
        for row, logprob in rows.items():
            model.lm_head.weight[row, token] = logprob / scale
    export(model, tokenizer, folder)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("judge")
    write(folder)
    template = folder / "template.jinja"
    template.write_text("{{- bos_token -}}{%- for m in messages -%}{{ m.content }}{%- endfor -%}")
    flags = {
        "dtype": "float32", "max-num-seqs": "4", "block-size": str(BLOCK), "kv-cache-memory-bytes": str(2**28),
        "chat-template": str(template), "chat-template-content-format": "string",
    }  # fmt: skip
    options = [part for name, value in flags.items() for part in (f"--{name}", value)]
    with served(str(folder), folder / "log", *options, "--enforce-eager", "--enable-prompt-tokens-details") as base_url:
        yield base_url


def verdict(
    url: str, route: Any, scores: Expected, temperature: float = 1.0, task: str = "How much is 6 * 7?", **options: Any
) -> tuple[Verdict, Usage]:
    async def go() -> Verdict:
        [scored] = await Run.root(search, 0, Budget()).score(judge, prompt, [Sample("42")])
        return scored.verdict

    prompt = Prompt.of(task)
    backend = OpenAI(url, "countdown", route=route, **options)
    model = Model(backend, Params(max_tokens=20, temperature=temperature))
    judge, search = Judge(model, range=(0.0, 1.0), retries=9, scores=scores), Search(Problem("p", prompt))
    return asyncio.run(go()), search.usage


def rendered(route: str) -> dict[str, Any]:
    return {} if route == "chat" else {"render": lambda prompt: prompt.text}


@pytest.mark.parametrize("route", ["chat", "completions"])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_the_expectation_is_that_of_the_models_own_distribution(url: str, route: str, temperature: float) -> None:
    """The closed form, before temperature, whatever letters came."""
    found, _ = verdict(url, route, Expected(criteria=CRITERIA), temperature, **rendered(route))
    assert found.score == pytest.approx((expected(BARE) + expected(LABELLED)) / 2, abs=1e-4)
    assert found.standard_error == pytest.approx(0.0, abs=1e-4)
    assert "sampled" not in found.feedback


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_tokens_are_those_reported_and_criteria_and_repeats_share_their_prefix(url: str, route: str) -> None:
    """Prompt, generated and cached tokens are the server's own counts. The cached share is printed."""
    metric, scores = over_http(url), Expected(criteria=("Is it right!", "Say how clear it is!"))  # nothing is redrawn
    names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:prefix_cache_hits_total")
    before = [metric(name) for name in names]
    _, usage = verdict(url, route, scores, task=f"{route}: a task that nobody asked before.", **rendered(route))
    after = [metric(name) - start for name, start in zip(names, before, strict=True)]
    assert after == [usage.prompt_tokens, usage.generated_tokens, usage.cached_tokens]
    assert usage.model_calls == scores.calls == 8
    share = usage.cached_tokens / usage.prompt_tokens
    print(f"\n{route}: {usage.prompt_tokens} tokens read, {usage.cached_tokens} cached: {share:.3f}")
    common = usage.prompt_tokens / 8 - len(CRITERIA[1])  # all prompts have at least these in common
    assert usage.cached_tokens >= 7 * (common // BLOCK) * BLOCK


def test_without_log_probabilities_the_letters_are_sampled(url: str) -> None:
    """As often as they are likely: the mean of 60 draws, within 4 standard errors."""
    found, _ = verdict(url, "chat", Expected(repeats=60, criteria=("Clear!",)), leave_out=("logprobs",))
    assert "60 of 60 scores are sampled" in found.feedback
    spread = math.sqrt(0.25 * 0.75) * 2 / 19  # of B and D, two steps apart
    assert found.score == pytest.approx(expected(LABELLED), abs=4 * spread / math.sqrt(60))
