"""Bodies, headers and query parameters that are made to fit a server: what is sent, what is refused, what is kept."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from searchkit import ConfigError, Params, Prompt, Sample
from searchkit.calls import Request
from searchkit.generators import Capabilities, OpenAI
from searchkit.generators.openai.fitting import Fit
from tests.attacks.hostile import PROMPT, Hostile, case, completion, http

PARAMS = Params(temperature=0.7, top_p=0.9, max_tokens=16, stop=("END",), logprobs=2)
SECRET = "azure-0123456789"


def sent(params: Params = PARAMS, prompt: Prompt = PROMPT, **options: Any) -> dict[str, Any]:
    """The body of one request of a backend with these options."""
    with Hostile(http(completion())) as server:
        backend = OpenAI(server.url, "m", **options)
        asyncio.run(backend.complete([Request(prompt, params, 7)]))
        return server.asked[-1].body


@pytest.fixture(params=["direct", "official"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---------------------------------------------------------------- bodies

ALL = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "stop",
    "logprobs",
    "top_logprobs",
    "top_k",
    "min_p",
    "include_stop_str_in_output",
    "no_stop_trim",
]


@pytest.mark.parametrize("field", [field for field in ALL[2:] if field != "logprobs"])
def test_any_field_is_left_out(field: str) -> None:
    """It alone, by name; a single name may stand for itself."""
    assert set(sent()) == set(ALL)
    assert set(sent(leave_out=(field,))) == set(sent(leave_out=field)) == set(ALL) - {field}


@pytest.mark.parametrize("field", ALL[2:])
def test_any_field_is_renamed(field: str) -> None:
    """It keeps its value."""
    before, after = sent(), sent(rename={field: "x_" + field})
    assert after["x_" + field] == before[field]
    assert set(after) == set(ALL) - {field} | {"x_" + field}


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_effort": "low"},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"top_k": 40},
        {"temperature": 1},
        {"options": {"num_ctx": 8192}, "keep_alive": "5m"},
        {"safe_prompt": None},
        {"provider": {"order": ["a", "b"], "allow_fallbacks": False}},
        {"max_thinking_tokens": 1024},
        {"\N{SNOWMAN}": "\N{SNOWMAN}"},
    ],
)
def test_any_field_is_added(fields: dict[str, Any]) -> None:
    """Beside ours, or instead of ours where it has the same name."""
    assert sent(extra_body=fields) == {**sent(), **fields}


def test_options_work_together_in_streams_and_groups_and_on_the_other_route() -> None:
    """Left out, renamed and added in every body, whatever else is in it."""
    options: dict[str, Any] = {"leave_out": ("n", "top_p"), "rename": {"seed": "random_seed"}, "extra_body": {"x": 1}}
    with Hostile(http(completion())) as server:
        asyncio.run(OpenAI(server.url, "m", **options).complete_group([Request(PROMPT, PARAMS, i) for i in range(2)]))
        asyncio.run(OpenAI(server.url, "m", route="completions", **options).complete([Request(PROMPT, PARAMS, 7)]))
        grouped, plain = [asked.body for asked in server.asked]
    for body in (grouped, plain):
        assert not {"n", "top_p", "seed"} & set(body)
        assert (body["x"], "random_seed" in body) == (1, True)
    assert plain["prompt"] == PROMPT.text


def test_a_limit_has_its_newer_name_for_the_hosted_api_alone() -> None:
    """The older one is what all other servers take; either can be asked for, by either name."""
    assert Fit(("max_completion_tokens",)) == Fit(("max_tokens",))
    hosted = OpenAI("https://api.openai.com/v1", "m")
    assert hosted._fit({"max_tokens": 5}) == {"max_completion_tokens": 5}
    assert hosted.name == "openai/m"
    older = OpenAI("https://api.openai.com/v1", "m", rename={"max_tokens": "max_tokens"})
    assert older._fit({"max_tokens": 5}) == {"max_tokens": 5}
    assert "max_tokens" in sent(extras=False)
    assert "max_completion_tokens" in sent(rename={"max_tokens": "max_completion_tokens"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        case("model", {"leave_out": ("model",)}, "cannot be spared"),
        case("messages", {"leave_out": ("messages",)}, "cannot be spared"),
        case("stream", {"leave_out": ("stream",)}, "cannot be spared"),
        case("misspelt", {"leave_out": ("top-p",)}, "is never sent"),
        case("no-text", {"leave_out": (1,)}, "is never sent"),
        case("rename-model", {"rename": {"model": "engine"}}, "cannot be spared"),
        case("rename-to-a-field", {"rename": {"seed": "temperature"}}, "a field of its own"),
        case("rename-two-to-one", {"rename": {"seed": "x", "max_tokens": "x"}}, "two fields"),
        case("rename-two-by-a-preset", {"preset": "mistral", "rename": {"top_p": "random_seed"}}, "two fields"),
        case("rename-and-add", {"rename": {"seed": "x"}, "extra_body": {"x": 1}}, "extra_body="),
        case("preset-and-add", {"preset": "mistral", "extra_body": {"random_seed": 1}}, "extra_body="),
        case("rename-to-nothing", {"rename": {"seed": ""}}, "server's name"),
        case("rename-list", {"rename": ["seed"]}, "random_seed"),
        case("add-max-tokens", {"extra_body": {"max_tokens": 5}}, r"Params\(max_tokens=\)"),
        case("add-newer-max", {"extra_body": {"max_completion_tokens": 5}}, r"Params\(max_tokens=\)"),
        case("add-seed", {"extra_body": {"seed": 5}}, "seed"),
        case("add-stop", {"extra_body": {"stop": "x"}}, r"Params\(stop=\)"),
        case("add-n", {"extra_body": {"n": 2}}, "Coalescing"),
        case("add-stream", {"extra_body": {"stream": True}}, "floor"),
        case("add-nan", {"extra_body": {"x": float("nan")}}, "JSON"),
        case("add-object", {"extra_body": {"x": object()}}, "JSON"),
        case("add-list", {"extra_body": [1]}, "extra_body"),
        case("header-value", {"extra_headers": {"x": "a\r\nHost: evil"}}, "line break"),
        case("header-name", {"extra_headers": {"x y": "a"}}, "no name"),
        case("header-host", {"extra_headers": {"Host": "evil"}}, "sent already"),
        case("header-length", {"extra_headers": {"content-length": "0"}}, "sent already"),
        case("header-twice", {"extra_headers": {"X-A": "1", "x-a": "2"}}, "sent already"),
        case("header-number", {"extra_headers": {"x": 1}}, "x"),
        case("header-and-key", {"extra_headers": {"api-key": "k"}, "api_key": "k"}, "one of them"),
        case("query-number", {"extra_query": {"api-version": 2024}}, "texts"),
        case("preset", {"preset": "mistal"}, "mistral"),
    ],
)
def test_mistakes_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    """With a sentence that names the fix, and shows no value of a header."""
    with pytest.raises(ConfigError, match=said) as raised:
        OpenAI("http://localhost:1/v1", "m", **options)
    assert "evil" not in str(raised.value)


def test_two_names_are_one_where_only_one_is_sent() -> None:
    """Nothing is lost of a field that is left out."""
    assert sent(extras=False, rename={"seed": "x", "top_p": "x"}, leave_out=("top_p",))["x"] == 7


@pytest.mark.parametrize("end", ["/chat/completions", "/completions", "/chat/completions/", "/completions//"])
@pytest.mark.parametrize("base", ["http://localhost:1/v1", "https://host/a/b", "http://host"])
def test_a_url_that_goes_too_far_says_where_it_ends(base: str, end: str) -> None:
    """As it stands in the documentation of servers."""
    with pytest.raises(ConfigError, match="base_url ends before") as raised:
        OpenAI(base + end, "m")
    assert repr(base) in str(raised.value)


def test_a_url_with_a_query_says_where_it_belongs() -> None:
    """Azure's URLs are copied with ?api-version=; a key in a query is not shown."""
    with pytest.raises(ConfigError, match="extra_query") as raised:
        OpenAI(f"http://host/v1?key={SECRET}", "m")
    assert SECRET not in str(raised.value)


# ---------------------------------------------------------------- headers and query


def test_headers_and_query_come_with_every_request(transport: str) -> None:
    """Escaped where that is needed; a header that says who asks takes the place of the environment's key."""
    with Hostile(http(completion())) as server:
        backend = OpenAI(
            server.url,
            "m",
            transport=transport,
            extra_headers={"api-key": SECRET, "X-Tenant": "a b"},
            extra_query={"api-version": "2024-10-21", "odd name": "a&b=c d/é"},
        )
        asyncio.run(backend.complete([Request(PROMPT, PARAMS, 7)]))
        [asked] = server.asked
    assert asked.target == "/v1/chat/completions?api-version=2024-10-21&odd%20name=a%26b%3Dc%20d%2F%C3%A9"
    assert (asked.headers["api-key"], asked.headers["x-tenant"]) == (SECRET, "a b")
    assert "authorization" not in asked.headers


def test_the_environments_key_does_not_go_where_another_is_given(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI's key is nobody else's business; without such a header it is sent as ever."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    with Hostile(http(completion())) as server:
        for extra in ({"api-key": "k"}, {"authorization": "Bearer other"}, {"X-Tenant": "t"}):
            backend = OpenAI(server.url, "m", transport=transport, extra_headers=extra)
            asyncio.run(backend.complete([Request(PROMPT, PARAMS, 7)]))
        found = [asked.headers.get("authorization") for asked in server.asked]
    assert found == [None, "Bearer other", "Bearer sk-of-openai"]


def test_a_user_agent_may_be_ones_own(transport: str) -> None:
    """It is the only header of ours that may."""
    with Hostile(http(completion())) as server:
        backend = OpenAI(server.url, "m", transport=transport, extra_headers={"User-Agent": "me/1"})
        asyncio.run(backend.complete([Request(PROMPT, PARAMS, 7)]))
    assert server.asked[0].headers["user-agent"] == "me/1"


def test_secrets_in_headers_and_query_appear_nowhere(transport: str) -> None:
    """In no repr, and in no error, though the server quotes them; what is no secret stays readable."""
    words = f"Access denied for {SECRET} and {SECRET}2, tok-{SECRET}, api-version 2024-10-21, tenant t-1"
    with Hostile(http({"error": {"message": words}}, "401 Unauthorized")) as server:
        backend = OpenAI(
            server.url,
            "m",
            transport=transport,
            extra_headers={"Authorization": f"Bearer {SECRET}2", "x-tenant": "t-1"},
            extra_query={"api-version": "2024-10-21", "subscription-key": SECRET},
        )
        [entry] = asyncio.run(backend.complete([Request(PROMPT, PARAMS, 7)]))
    assert SECRET not in str(entry) + repr(entry) + repr(backend) + backend.name
    assert "api-version 2024-10-21, tenant t-1" in str(entry)
    assert "check api_key=" in str(entry)


# ---------------------------------------------------------------- names and values


def test_names_hold_what_is_asked_and_stay_where_nothing_is_changed() -> None:
    """Other fields, another name, and so other keys; headers, queries and order change none."""

    def name(**options: Any) -> str:
        return OpenAI("http://localhost:1/v1", "m", revision="r", **options).name

    plain = "openai/m@r"
    same: list[dict[str, Any]] = [
        {}, {"extras": False}, {"leave_out": ()}, {"extra_headers": {"a": "b"}}, {"extra_query": {"a": "b"}},
        {"capabilities": Capabilities()},
    ]  # fmt: skip
    assert {name(**options) for options in same} == {plain}
    others: list[dict[str, Any]] = [
        {"leave_out": ("seed",)}, {"leave_out": ("top_p",)}, {"rename": {"seed": "random_seed"}},
        {"extra_body": {"reasoning_effort": "low"}}, {"extra_body": {"reasoning_effort": "high"}}, {"preset": "claude"},
    ]  # fmt: skip
    found = [name(**options) for options in others]
    assert len({plain, *found}) == 1 + len(others)
    assert all(one.startswith(plain + "+") for one in found)
    assert name(leave_out=("seed", "top_p")) == name(leave_out=("top_p", "seed", "seed")) == name(preset="claude")
    assert name(extra_body={"a": 1, "b": 2}) == name(extra_body={"b": 2, "a": 1})


def test_options_are_values() -> None:
    """Copied, compared, hashed, pickled and written again by `repr`; headers and query as the key is."""
    body: dict[str, Any] = {"a": [1]}
    backend = OpenAI("http://localhost:1/v1", "m", leave_out=["seed"], rename={"stop": "s"}, extra_body=body)
    before = backend.name
    body["a"].append(2)
    assert backend.extra_body == {"a": [1]}
    assert backend.name == before
    assert eval(repr(backend)) == backend == pickle.loads(pickle.dumps(backend))
    assert hash(backend) == hash(eval(repr(backend)))
    keyed = OpenAI("http://localhost:1/v1", "m", extra_headers={"api-key": SECRET}, extra_query={"v": "1"})
    again = pickle.loads(pickle.dumps(keyed))
    assert again._headers() == {"api-key": SECRET}
    assert again._query == "?v=1"


def test_the_same_samples_come_back() -> None:
    """What is changed changes nothing of how an answer is read."""
    with Hostile(http(completion())) as server:
        [entry] = asyncio.run(
            OpenAI(server.url, "m", preset="mistral", extra_body={"safe_prompt": True}).complete(
                [Request(PROMPT, Params(max_tokens=16), 7)]
            )
        )
    assert isinstance(entry, Sample)
    assert entry.left_out == ()
