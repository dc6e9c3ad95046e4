"""Chat completions by the official client: what can be chosen, what comes back, and what it says it cost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from searchkit import Budget, CallError, Model, Params
from searchkit.serving.server import SearchServer, Served
from searchkit.types import Sample, Token, Usage
from tests.helpers.serving import SUM, Slow, calling, client, listening, served, thinking

BUDGETED = {"x-search-strategy": "best-of-4", "x-search-budget": "generations=2, seconds=60"}


def test_a_model_without_a_strategy_answers_with_one_sample() -> None:
    """As any other server does."""
    backend = Slow()
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        said = openai_client.chat.completions.create(model="qwen", messages=SUM)
    assert said.choices[0].message.content == "40"
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens, len(backend.asked)) == (7, 3, 1)
    assert said.model == "qwen"


def test_a_strategy_in_the_name_is_searched_with_and_all_of_it_is_counted() -> None:
    """Best of four: the best answer, and the usage of four."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        said = openai_client.chat.completions.create(model="qwen@best-of-4", messages=SUM)
    assert [choice.message.content for choice in said.choices] == ["42"]
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens, said.usage.total_tokens) == (28, 12, 40)
    told: Any = said.model_extra
    assert told["search"]["verifications"] == told["search"]["generations"] == told["search"]["candidates"] == 4
    assert (told["search"]["stopped"], told["search"]["scores"]) == ("done", [0.0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"extra_body": {"search": {"strategy": "best-of-4"}}}, (4, "42")),
        ({"extra_headers": {"x-search-strategy": "best-of-4"}}, (4, "42")),
        ({"extra_body": {"search": {"strategy": "best-of-4", "budget": {"generations": 2}}}}, (2, "41")),
        ({"extra_headers": BUDGETED}, (2, "41")),
        ({"extra_body": {"search": {"strategy": "best-of-4", "verifier": "exact"}}}, (4, "42")),
        ({"extra_body": {"search": {"strategy": "plain"}}}, (1, "40")),
    ],
)  # fmt: skip
def test_strategy_budget_and_verifier_are_chosen_by_request(options: Any, expected: tuple[int, str]) -> None:
    """In the body, or in headers."""
    backend = Slow()
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        said = openai_client.chat.completions.create(model="qwen", messages=SUM, **options)
    assert (len(backend.asked), said.choices[0].message.content) == expected


def test_the_default_strategy_of_a_model_is_the_operators() -> None:
    """Whoever names none gets it; `plain` is still there."""
    server = SearchServer({"qwen": served(Slow(), strategy="best-of-4")})
    with client(server) as openai_client:
        default = openai_client.chat.completions.create(model="qwen", messages=SUM)
        plain = openai_client.chat.completions.create(model="qwen@plain", messages=SUM)
    assert [said.choices[0].message.content for said in (default, plain)] == ["42", "40"]


@pytest.mark.parametrize(
    ("model", "n", "texts"),
    [
        ("qwen@best-of-4", 2, ["42", "41"]),
        ("qwen@best-of-4", 9, ["42", "41", "43", "40"]),
        ("qwen", 3, ["40", "41", "42"]),
    ],
)
def test_n_gives_the_n_best(model: str, n: int, texts: list[str]) -> None:
    """As many as there are; the usage stays that of the search."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        said = openai_client.chat.completions.create(model=model, messages=SUM, n=n)
    assert [choice.message.content for choice in said.choices] == texts
    assert said.usage is not None
    assert said.usage.completion_tokens == 3 * max(len(texts), 3 if model == "qwen" else 4)


def test_the_same_seed_gives_the_same_answer() -> None:
    """And requests without one differ."""
    backend = Slow()
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        for seed in (7, 7, None, None):
            openai_client.chat.completions.create(
                model="qwen", messages=SUM, seed=seed if seed is not None else openai.omit
            )
    seeds = [request.seed for request in backend.asked]
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) == 3


def test_what_the_request_says_of_sampling_counts_and_the_operator_says_the_rest() -> None:
    """Of generated tokens, the lesser of the two."""
    backend = Slow()
    model = Model(backend, Params(temperature=0.3, top_p=0.8, max_tokens=100))
    with client(SearchServer({"qwen": Served(model)})) as openai_client:
        openai_client.chat.completions.create(model="qwen", messages=SUM, top_p=0.5, max_tokens=200, stop=["x"])
        openai_client.chat.completions.create(model="qwen", messages=SUM, temperature=0, max_completion_tokens=20)
    first, second = (request.params for request in backend.asked)
    assert (first.temperature, first.top_p, first.max_tokens, first.stop) == (0.3, 0.5, 100, ("x",))
    assert (second.temperature, second.top_p, second.max_tokens) == (0.0, 0.8, 20)


def test_history_images_tools_and_a_schema_reach_the_model() -> None:
    """Nothing of the conversation is flattened, and an image is a URL, never fetched."""
    backend = Slow(calling)
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    history: list[Any] = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/never-fetched.png"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]  # fmt: skip
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    with client(SearchServer({"qwen": served(backend)})) as openai_client:
        said = openai_client.chat.completions.create(
            model="qwen", messages=history, tools=[tool], tool_choice="required",  # type: ignore[list-item]
            response_format=schema, parallel_tool_calls=False,  # type: ignore[arg-type]
        )  # fmt: skip
    prompt = backend.asked[0].prompt
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "tool"]
    assert "never-fetched" in repr(prompt.messages[1].parts[1])
    assert json.loads(prompt.tools[0])["function"]["name"] == "add"
    form = json.loads(backend.asked[0].params.form)
    assert form == {"tool_choice": "required", "parallel_tool_calls": False, "response_format": schema}
    calls = said.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.arguments == '{"a": 19, "b": 23}'  # type: ignore[union-attr]
    assert said.choices[0].finish_reason == "tool_calls"


def test_log_probabilities_of_the_answer_are_returned() -> None:
    """With rivals, where they are asked for."""

    def said(request: Any) -> Sample[str]:
        token = Token("42", -0.1, (("42", -0.1), ("43", -2.5)))
        return Sample("42", usage=Usage(model_calls=1, generated_tokens=1), logprobs=(token,))

    with client(SearchServer({"qwen": served(Slow(said))})) as openai_client:
        answer = openai_client.chat.completions.create(
            model="qwen@best-of-4", messages=SUM, logprobs=True, top_logprobs=2
        )
        plain = openai_client.chat.completions.create(model="qwen@best-of-4", messages=SUM)
        older: Any = openai_client.completions.create(model="qwen@best-of-4", prompt="19 + 23 =", logprobs=2)
    assert older.choices[0].logprobs.top_logprobs == [{"42": -0.1, "43": -2.5}]
    listed = answer.choices[0].logprobs
    assert listed is not None
    assert listed.content is not None
    assert [(row.token, row.logprob) for row in listed.content[0].top_logprobs] == [("42", -0.1), ("43", -2.5)]
    assert plain.choices[0].logprobs is None


def test_reasoning_of_the_answer_is_kept() -> None:
    """Beside the text."""
    with client(SearchServer({"qwen": served(Slow(thinking))})) as openai_client:
        said = openai_client.chat.completions.create(model="qwen", messages=SUM)
    extra: Any = said.choices[0].message.model_extra
    assert extra["reasoning_content"] == "19 + 20 + 3"


def test_the_asynchronous_client_gets_many_at_once() -> None:
    """Searches of one server go on side by side."""
    backend = Slow(seconds=0.05)

    async def main(url: str) -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
            said = await asyncio.gather(
                *(made.chat.completions.create(model="qwen@best-of-4", messages=SUM) for _ in range(8))  # type: ignore[arg-type]
            )
            return [one.choices[0].message.content for one in said]

    with listening(SearchServer({"qwen": served(backend)})) as url:
        assert asyncio.run(main(url)) == ["42"] * 8
    assert backend.most > 4


def test_completions_are_searched_too() -> None:
    """The older route, with n and log-probabilities off."""
    with client(SearchServer({"qwen": served(Slow())})) as openai_client:
        said = openai_client.completions.create(model="qwen@best-of-4", prompt="19 + 23 =", n=2)
    assert [choice.text for choice in said.choices] == ["42", "41"]
    assert said.usage is not None
    assert said.usage.completion_tokens == 12


def test_models_are_listed_with_their_strategies() -> None:
    """And one of them by its name."""
    with client(SearchServer({"qwen": served(Slow()), "org/b": Served(Model(Slow()))})) as openai_client:
        names = [model.id for model in openai_client.models.list()]
        one = openai_client.models.retrieve("qwen@vote")
    assert names == ["qwen", "qwen@plain", "qwen@best-of-4", "qwen@vote", "org/b", "org/b@plain"]
    assert one.id == "qwen@vote"


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"model": "qwem"}, 404, "did you mean 'qwen'"),
        ({"model": "qwen@best-of-5"}, 400, "did you mean 'best-of-4'"),
        ({"model": "qwen@MCTS(8)"}, 400, "not listed"),
        ({"extra_body": {"search": {"strategy": "os.system"}}}, 400, "not listed"),
        ({"extra_body": {"search": {"verifier": "os:system"}}}, 400, "takes no verifier|not listed"),
        ({"extra_body": {"search": {"strategy": "best-of-4", "verifier": "Judge()"}}}, 400, "not listed"),
        ({"extra_body": {"search": {"strategy": "best-of-4", "verifier": ["x"]}}}, 400, "is a text"),
        ({"extra_body": {"search": {"strategi": "vote"}}}, 400, "no field 'strategi'"),
        ({"extra_body": {"search": "vote"}}, 400, "is an object"),
        ({"extra_body": {"search": {"budget": {"generation": 1}}}}, 400, "no ceiling 'generation'"),
        ({"extra_body": {"search": {"budget": {"generations": -1}}}}, 400, "generations"),
        ({"extra_body": {"search": {"budget": {"generations": "4"}}}}, 400, "generations"),
        ({"extra_body": {"search": {"budget": {"generations": 65}}}}, 400, "at most 64"),
        ({"extra_body": {"search": {"progress": "loud"}}}, 400, "progress"),
        ({"model": "qwen@vote", "extra_body": {"search": {"strategy": "best-of-4"}}}, 400, "say it once"),
        ({"extra_headers": {"x-search-budget": "generations"}}, 400, "CEILING=NUMBER"),
        ({"extra_body": {"reasoning_effort": "high"}}, 400, "reasoning_effort"),
        ({"extra_body": {"frequency_penalty": 1.5}}, 400, "frequency_penalty"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, 400, "input_audio"),
        ({"messages": []}, 400, "empty"),
        ({"n": 0}, 400, "n is 1"),
    ],
)
def test_what_is_not_listed_or_not_understood_is_refused_with_a_reason(change: Any, status: int, why: str) -> None:
    """Before anything is asked of a model."""
    backend = Slow()
    server = SearchServer({"qwen": served(backend, ceilings=Budget(generations=64))})
    with client(server) as openai_client, pytest.raises(openai.APIStatusError, match=why) as refused:
        openai_client.chat.completions.create(**{"model": "qwen", "messages": SUM, **change})
    assert refused.value.status_code == status
    assert backend.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallError("busy", kind="rate_limit", retry_after=7), 503),
        (CallError("late", kind="timeout"), 504),
        (CallError("no such thing", kind="bad_request"), 400),
        (CallError("broken", kind="server"), 502),
        (CallError("wrong key", kind="auth"), 502),
    ],
)
def test_a_model_that_fails_is_told_from_a_request_that_does(error: CallError, status: int) -> None:
    """By the status, with the time to wait where the model's server says one."""

    def fail(request: Any) -> str:
        raise error

    server = SearchServer({"qwen": served(Slow(fail))})
    with client(server) as openai_client, pytest.raises(openai.APIStatusError) as refused:
        openai_client.chat.completions.create(model="qwen", messages=SUM)
    assert refused.value.status_code == status
    assert refused.value.response.headers.get("retry-after") == ("7" if error.retry_after else None)


def test_a_fault_of_the_server_quotes_nothing() -> None:
    """An exception of somebody's code may say anything; the client is told at which run to look."""

    def fail(request: Any) -> str:
        raise RuntimeError("the password is hunter2")

    server = SearchServer({"qwen": served(Slow(fail))})
    with client(server) as openai_client, pytest.raises(openai.APIStatusError) as refused:
        openai_client.chat.completions.create(model="qwen", messages=SUM)
    assert refused.value.status_code >= 500
    assert "hunter2" not in refused.value.response.text
    assert len(refused.value.response.headers["x-search-run"]) == 32


def test_a_budget_of_nothing_is_used_up() -> None:
    """402, which clients do not try again."""
    server = SearchServer({"qwen": served(Slow())})
    with client(server) as openai_client, pytest.raises(openai.APIStatusError) as refused:
        openai_client.chat.completions.create(
            model="qwen", messages=SUM, extra_body={"search": {"budget": {"generations": 0}}}
        )
    assert (refused.value.status_code, refused.value.type) == (402, "budget_exhausted")
