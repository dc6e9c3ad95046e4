"""What is sent to a server besides, from the command line and from a sweep's TOML file."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pytest

from searchkit import ConfigError
from searchkit.cli import main, serve_config, server
from searchkit.cli.sweep_config import load
from searchkit.generators import OpenAI
from searchkit.testing.server import Server
from tests.attacks.hostile import Asked, Hostile, completion, http

SWEEP = """
out = "rows.jsonl"
[problems]
task = "countdown"
count = 1
[model]
backend = ["http://localhost:1/v1", "http://localhost:2/v1"]
model = "m"
{lines}
[strategies.vote]
strategy = "self-consistency"
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AZURE_KEY", "az-0123456789")
    for name in ("OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


URLS = ["http://localhost:1/v1", "http://localhost:2/v1"]


def solved(*options: str) -> Asked:
    """The one request of a solve with these options."""
    with Hostile(http(completion())) as server:
        command = ["solve", "hello", "--backend", server.url, "--model", "m", "--strategy", "self-consistency"]
        assert main([*command, "-p", "n=1", *options]) == 0
        [asked] = server.asked
    return asked


def read(lines: str, tmp_path: Path) -> list[OpenAI]:
    """The backends that a sweep with these lines below [model] asks."""
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.format(lines=lines))
    [endpoint] = load(path).sweep.endpoints
    return [each.backend for each in endpoint.backend.backend.endpoints]


def test_every_option_is_an_argument() -> None:
    """Left out, renamed and added; headers and parameters of the URL, keys from the environment."""
    asked = solved(
        *("--preset", "mistral", "--leave-out", "temperature", "--leave-out", "top_p", "--rename", "stop=stops"),
        *("--extra-body", "reasoning_effort=low", "--extra-body", 'chat_template_kwargs={"enable_thinking": false}'),
        *("--extra-header", "api-key=$AZURE_KEY", "--extra-query", "api-version=2024-10-21"),
    )
    fields = set(asked.body)
    assert fields == {"model", "messages", "random_seed", "reasoning_effort", "chat_template_kwargs"}
    assert asked.body["reasoning_effort"] == "low"
    assert asked.body["chat_template_kwargs"] == {"enable_thinking": False}
    assert asked.headers["api-key"] == "az-0123456789"
    assert asked.target.endswith("/chat/completions?api-version=2024-10-21")


@pytest.mark.parametrize(("option", "sends"), [("--extras", True), ("--no-extras", False)])
def test_extras_are_switched(option: str, sends: bool) -> None:
    """On and off."""
    assert ("top_k" in solved(option).body) is sends
    assert "top_k" in solved().body


def test_every_option_is_a_key_below_model(tmp_path: Path) -> None:
    """For every endpoint alike, as tables."""
    lines = """
preset = "claude"
extras = true
leave_out = ["stop"]
rename = {max_tokens = "max_completion_tokens"}
extra_body = {thinking = {type = "enabled", budget_tokens = 2000}}
extra_headers = {api-key = "$AZURE_KEY"}
extra_query = {api-version = "2024-10-21"}
"""
    for url, backend in zip((1, 2), read(lines, tmp_path), strict=True):
        expected = OpenAI(
            f"http://localhost:{url}/v1",
            "m",
            preset="claude",
            extras=True,
            leave_out=("stop",),
            rename={"max_tokens": "max_completion_tokens"},
            extra_body={"thinking": {"type": "enabled", "budget_tokens": 2000}},
        )
        assert backend == expected
        assert backend.extra_headers == {"api-key": "az-0123456789"}
        assert backend.extra_query == {"api-version": "2024-10-21"}
    assert read("", tmp_path)[0] == OpenAI("http://localhost:1/v1", "m")


def test_several_urls_are_one_backend(tmp_path: Path) -> None:
    """On the command line, asked until one answers; in a file, with what each may be asked in a minute."""
    with Hostile(http(completion())) as server:
        urls = f"http://127.0.0.1:9/v1, {server.url}"
        command = ["solve", "hello", "--backend", urls, "--model", "m", "--strategy", "self-consistency", "-p", "n=2"]
        assert main([*command, "--requests-a-minute", "100"]) == 0
        assert len(server.asked) == 2
    path = tmp_path / "sweep.toml"
    lines = "requests_a_minute = 60\ntokens_a_minute = 9000\ncoalesce = true"
    path.write_text(SWEEP.format(lines=lines))
    [two] = load(path).sweep.endpoints
    assert [e.backend.backend.base_url for e in two.backend.backend.endpoints] == URLS
    assert (two.backend.backend.requests, two.backend.backend.tokens) == (60, 9000)
    path.write_text(re.sub("backend = .*", f"backend = [{URLS[0]!r}]", SWEEP.format(lines=lines)))
    [one] = load(path).sweep.endpoints
    assert [e.backend.backend.base_url for e in one.backend.backend.endpoints] == URLS[:1]
    table = {"backend": URLS, "model": "m", "requests_a_minute": 60}
    served = serve_config.read({"backends": {"q": table}, "models": {"q": {"backend": "q"}}}).models["q"].model
    assert len(served.backend.backend.endpoints) == 2
    assert served.backend.backend.requests == 60


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('leave_out = "seed"', "model.leave_out must be a list"),
        ('leave_out = ["sed"]', "is never sent"),
        ("extra_body = [1]", "model.extra_body must be a table"),
        ("extra_body = {seed = 1}", "seed"),
        ('extra_headers = {api-key = "$NO_SUCH_NAME"}', "NO_SUCH_NAME"),
        ('preset = "mistal"', "mistral"),
        ('presets = "mistral"', "preset"),
        ("requests_a_minute = 0", ">= 1"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, lines: str, said: str) -> None:
    """With the key that is wrong."""
    with pytest.raises(ConfigError, match=said):
        read(lines, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rename", "seed"], "--rename needs NAME=VALUE"),
        (["--extra-header", "=x"], "--extra-header needs NAME=VALUE"),
        (["--extra-header", "api-key=$NO_SUCH_NAME"], "NO_SUCH_NAME"),
        (["--leave-out", "model"], "cannot be spared"),
        (["--preset", "x"], "choose from"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    """In one sentence, with exit code 2."""
    assert main(["solve", "hello", "--backend", "http://localhost:1/v1", "--model", "m", *options]) == 2
    assert said in capsys.readouterr().err


def test_an_embedded_model_takes_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """They would change nothing."""
    assert main(["solve", "4 13 16 19>51", "--leave-out", "seed"]) == 2
    assert "leave_out" in capsys.readouterr().err


def test_what_was_left_out_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """In the text and in the JSON, beside the warning."""

    def answer(asked: Asked) -> bytes:
        no = {"error": {"message": "property 'top_k' is unsupported"}}
        return http(no, "400 Bad Request") if "top_k" in asked.body else http(completion())

    with Hostile(answer) as server:
        for form in ([], ["--json"]):
            command = ["solve", "hello", "--backend", server.url, "--model", "m", "--strategy", "self-consistency"]
            with pytest.warns(UserWarning, match="top_k"):
                assert main([*command, "-p", "n=1", *form]) == 0
            out = capsys.readouterr().out
            assert (json.loads(out)["left_out"] == ["top_k"]) if form else "left out of requests" in out


def test_texts_of_a_body_are_json_or_themselves() -> None:
    """Numbers, truth values, tables, lists; anything else is a text."""
    texts = ["a=1", "b=true", "c=null", 'd={"x": [1]}', "e=low", "f=", 'g="1"', "h=x=y"]
    found: dict[str, Any] = server.given(argparse.Namespace(extra_body=texts))
    assert found == {
        "extra_body": {"a": 1, "b": True, "c": None, "d": {"x": [1]}, "e": "low", "f": "", "g": "1", "h": "x=y"}
    }


JUDGED = [
    "Judge(scores=Expected(levels=5, repeats=2))",
    "judge",
    "ListwiseJudge(window=4)",
    "listwise-judge",
    "PairwiseJudge",
]


@pytest.mark.parametrize("verifier", JUDGED, ids=range(len(JUDGED)))
def test_a_judge_is_named_or_called_as_a_verifier(verifier: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By --verifier as by -p verifier=, of whichever spelling."""
    said = list[str]()
    called = {"judge": "Judge()", "listwise-judge": "ListwiseJudge()", "PairwiseJudge": "PairwiseJudge()"}
    for option in (("--verifier", verifier), ("-p", f"verifier={called.get(verifier, verifier)}")):
        with Server("vllm", reply=_grades) as served:
            command = ["solve", "Write.", "--backend", served.url, "--model", "test-model", "-p", "n=4", "--seed", "3"]
            assert main([*command, *option, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert all(one["score"] is not None for one in told["candidates"])
        assert max(one["score"] for one in told["candidates"]) == next(
            one["score"] for one in told["candidates"] if one["text"] == told["answer"]
        )
        said.append(f"{told['answer']} {[one['score'] for one in told['candidates']]} {told['usage']['model_calls']}")
    assert said[0] == said[1]


def _grades(prompt: str, seed: int, params: dict[str, Any]) -> str:
    shown = [int(text) for text in prompt.split("```")[1::2]]
    if "ranking" in prompt:
        return json.dumps({"ranking": [i + 1 for i in sorted(range(len(shown)), key=lambda i: -shown[i])]})
    if "better" in prompt and shown:
        return json.dumps({"better": "A" if shown[0] > shown[1] else "B"})
    if "Score: " in prompt:
        return f"Score: {'EDCBA'[shown[0] % 5]}"
    return json.dumps({"score": shown[0] % 5}) if shown else str(seed % 5)


def test_a_revision_is_in_the_name(tmp_path: Path) -> None:
    """On the command line and in TOML; what is sent is the same."""
    [first, _] = read('revision = "2026-11"', tmp_path)
    assert first.name == "openai/m@2026-11"
    assert solved("--revision", "2026-11").body == solved().body
