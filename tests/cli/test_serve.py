"""`searchkit serve` and its file: what it makes, what it refuses, and the program itself, asked with curl."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from searchkit.cli import main
from searchkit.cli.serve_config import load, read
from searchkit.errors import ConfigError
from searchkit.kinds import innermost
from searchkit.serving import Accounts, Shared
from searchkit.serving.server import SearchServer, digest_of
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.types import Budget
from searchkit.verifiers import Judge

FILE = """
[server]
concurrency = 8
hosts = ["search.example"]

[backends.local]
backend = "http://127.0.0.1:9/v1"
model = "Qwen/Qwen3-4B"
temperature = 0.7
max_tokens = 512

[verifiers]
judge = "Judge(samples=2)"

[strategies.best-of-8]
strategy = "best-of-n"
n = 8
verifier = "judge"

[strategies.vote]
strategy = "self-consistency"
n = 5
key = "boxed"

[models.qwen]
backend = "local"
strategy = "vote"
ceilings = { generations = 16 }

[models.small]
backend = "local"
strategies = ["vote"]
verifiers = []

[ceilings]
generations = 64
seconds = 60

[keys.alice]
digest = "sha256:DIGEST"
models = ["qwen"]
ceilings = { usd = 1.5 }
budget = { usd = 100 }
concurrency = 4
""".replace("DIGEST", digest_of("k"))


def test_a_file_names_backends_verifiers_strategies_models_keys_and_ceilings(tmp_path: Path) -> None:
    """Each of them as it says; of two ceilings the lesser."""
    path = tmp_path / "serve.toml"
    path.write_text(FILE, encoding="utf-8")
    config = load(path)
    qwen, small, key = config.models["qwen"], config.models["small"], config.keys[0]
    assert (qwen.ceilings.generations, qwen.ceilings.seconds, small.ceilings.generations) == (16, 60, 64)
    assert (qwen.model.params.temperature, qwen.model.params.max_tokens) == (0.7, 512)
    assert innermost(qwen.model).model == "Qwen/Qwen3-4B"
    best, vote = qwen.strategies["best-of-8"], qwen.strategies["vote"]
    assert isinstance(best, BestOfN)
    assert isinstance(vote, SelfConsistency)
    assert (best.n, best.verifier, vote.n) == (8, Judge(samples=2), 5)
    assert (list(small.strategies), dict(small.verifiers), qwen.strategy) == (["vote"], {}, "vote")
    assert (key.name, key.models, key.ceilings.usd, key.concurrency) == ("alice", frozenset({"qwen"}), 1.5, 4)
    assert key.budget == Budget(usd=100)
    assert config.options == {"concurrency": 8, "hosts": ["search.example"]}
    assert SearchServer(config.models).models == [
        "qwen", "qwen@plain", "qwen@best-of-8", "qwen@vote", "small", "small@plain", "small@vote",
    ]  # fmt: skip


def test_without_a_file_the_embedded_models_are_served() -> None:
    """With strategies that suit them."""
    server = SearchServer(read({}).models)
    assert {"countdown", "countdown@best-of-64", "arithmetic@vote-of-16"} <= set(server.models)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("[server]", "[sever]", "server"),
        ("concurrency = 8", "concurency = 8", "concurrency"),
        ('backend = "local"', 'backend = "locl"', "local"),
        ('strategies = ["vote"]', 'strategies = ["votes"]', "vote"),
        ("verifiers = []", 'verifiers = ["juge"]', "judge"),
        ('strategy = "vote"', 'strategy = "votes"', "vote"),
        ("n = 8", "n = 0", "best-of-8"),
        ("n = 8", "m = 8", "best-of-8"),
        ('"Judge(samples=2)"', '"Juge(samples=2)"', "verifier|Judge"),
        ('"Judge(samples=2)"', "2", "judge"),
        ("generations = 64", "generations = -1", "generations"),
        ('digest = "sha256:', 'digest = "sha256:z', "digest"),
        ('models = ["qwen"]', 'models = ["qwem"]', "qwen"),
        ('model = "Qwen/Qwen3-4B"', "", "model"),
        ("[models.qwen]", "[models.qwen", "TOML"),
        ("[models.small]", '[models."qwen@vote"]', "rename"),
    ],
)
def test_a_mistake_in_the_file_names_its_place(tmp_path: Path, before: str, after: str, why: str) -> None:
    """Before anything listens."""
    path = tmp_path / "serve.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        SearchServer(load(path).models, **load(path).options)


def test_a_new_key_comes_with_the_lines_for_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They open for that key."""
    assert main(["serve-key", "alice"]) == 0
    key, _, lines = capsys.readouterr().out.partition("\n\n")
    path = tmp_path / "serve.toml"
    path.write_text(lines, encoding="utf-8")
    assert load(path).keys[0].digest == digest_of(key)
    assert key not in lines


def test_a_budget_without_a_file_for_it_does_not_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It would begin anew with each start."""
    path = tmp_path / "serve.toml"
    path.write_text(FILE, encoding="utf-8")
    assert main(["serve", str(path), "--port", "0"]) == 2
    assert "accounts" in capsys.readouterr().err


def test_a_port_that_is_taken_or_a_host_without_keys_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """And code 2."""
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "serve-key" in capsys.readouterr().err


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and its URL up to /v1."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "searchkit", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "OPENAI_API_KEY": ""},
    ) as program:  # fmt: skip
        assert program.stderr is not None
        try:
            line = program.stderr.readline()
            assert "listens on http://127.0.0.1:" in line, line
            yield program, line.split()[3]
        finally:
            program.kill()


@pytest.mark.slow
def test_the_program_serves_offline_and_curl_asks_it() -> None:
    """Without arguments; told to stop, it ends with code 0."""
    body = {"model": "countdown@best-of-8", "messages": [{"role": "user", "content": "4 13 16 19>51"}], "seed": 1}
    with serving() as (program, url):
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            said = client.chat.completions.create(**body)  # type: ignore[call-overload]
        if curl := shutil.which("curl"):
            command = [curl, "-sS", "--fail", f"{url}/chat/completions", "-d", json.dumps(body)]
            plain = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
            assert plain["choices"][0]["message"]["content"] == said.choices[0].message.content
            streamed = [*command[:-1], json.dumps({**body, "stream": True}), "-N"]
            events = subprocess.run(streamed, capture_output=True, check=True, timeout=60, text=True).stdout
            assert events.endswith("data: [DONE]\n\n")
        told: Any = said.model_extra
        assert told["search"]["generations"] == 8
        root = url.removesuffix("/v1")
        for path in ("/health", "/ready"):
            with urllib.request.urlopen(root + path, timeout=30) as answer:
                assert answer.status == 200
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0


@pytest.mark.slow
def test_workers_share_what_a_key_may_spend_and_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """No generation too many by 30 requests at two workers; after a kill -9 the other goes on."""
    path = tmp_path / "serve.toml"
    path.write_text(
        f"""
        [backends.small]
        model = "countdown"
        [strategies.best]
        strategy = "best-of-n"
        n = 8
        [models.small]
        backend = "small"
        [keys.alice]
        digest = "{digest_of("k")}"
        budget = {{ generations = 100 }}
        """,
        encoding="utf-8",
    )
    accounts = tmp_path / "accounts.db"
    body: Any = {"model": "small@best", "messages": [{"role": "user", "content": "4 13 16 19>51"}]}

    def ask(client: openai.OpenAI) -> int:
        try:
            return client.chat.completions.create(**body).model_extra["search"]["generations"]
        except openai.RateLimitError:
            return 0

    with serving(str(path), "--workers", "2", "--accounts", str(accounts)) as (program, url):
        with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client, ThreadPoolExecutor(8) as pool:
            spent = list(pool.map(lambda _: ask(client), range(8)))
            children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
            if children.exists():
                os.kill(max(map(int, children.read_text().split())), signal.SIGKILL)
            client.with_options(max_retries=5).models.list()
            spent += pool.map(lambda _: ask(client.with_options(max_retries=2)), range(22))
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0
    assert 0 < sum(spent) <= 100
    with Shared(accounts) as shared:
        account = asyncio.run(Accounts(shared).spent(digest_of("k")))
    assert sum(spent) <= account.spent["generations"] <= 100
