"""`searchkit serve` and its file: what it makes, what it refuses, and the program itself, asked with curl."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from searchkit.cli import main, serve
from searchkit.cli.serve_config import load, read
from searchkit.errors import ConfigError
from searchkit.kinds import innermost
from searchkit.serving import Accounts, Shared
from searchkit.serving.server import SearchServer, digest_of
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.types import Budget
from searchkit.verifiers import Judge
from tests.helpers.servers import until
from tests.helpers.serving import endless_head_is_refused

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
        ("generations = 16", "seconds = nan", "models.qwen.ceilings"),
        ("usd = 1.5", "usd = -1", "keys.alice.ceilings"),
        ("usd = 100", "usd = -1", "keys.alice.budget"),
        ("seconds = 60", "seconds = -1", "ceilings: "),
        ('["search.example"]', '["https://search.example"]', "server.hosts"),
        ('["search.example"]', '["search.example:443"]', "server.hosts"),
        ('["search.example"]', '["Search.Example"]', "server.hosts"),
        ('["search.example"]', '["*.example/"]', "server.hosts"),
        ('["search.example"]', '[""]', "server.hosts"),
        ('["search.example"]', "[]", "server.hosts is empty"),
        ('verifier = "judge"', "verifier = 3", "strategies.best-of-8.verifier"),
        ('verifier = "judge"', 'verifier = ["judge"]', "strategies.best-of-8.verifier"),
        ('"Judge(samples=2)"', '"Judge(sample=2)"', "verifiers.judge: Judge"),
        ('"Judge(samples=2)"', '"Judge(samples=0)"', "verifiers.judge: Judge"),
        ('"Judge(samples=2)"', '""', "verifiers.judge is empty"),
        ('"Judge(samples=2)"', '"exact"', "verifiers.judge: a server has no known answers"),
        ('"Judge(samples=2)"', '"Exact()"', "verifiers.judge: a server has no known answers"),
        ('"Judge(samples=2)"', '"MathEqual"', "verifiers.judge: a server has no known answers"),
        ('"Judge(samples=2)"', '"AllOf((Judge(), MathEqual()))"', "verifiers.judge: a server has no known answers"),
        ("[keys.alice]", f'[keys.bob]\ndigest = "{digest_of("k")}"\n\n[keys.alice]', "keys.bob.digest and keys.alice"),
    ],
)
def test_a_mistake_in_the_file_names_its_place(tmp_path: Path, before: str, after: str, why: str) -> None:
    """Before anything listens."""
    path = tmp_path / "serve.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        started(path)


def started(path: Path) -> SearchServer:
    """The server of a file, of which no key has a budget."""
    config = load(path)
    return SearchServer(config.models, keys=[replace(key, budget=Budget()) for key in config.keys], **config.options)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (["--port", "99999"], "port"),
        (["--port", "-1"], "port"),
        (["--host", "", "--port", "0"], "host|keys"),
        (["--grace", "-1"], "grace"),
        (["--grace", "nan"], "grace"),
        (["--grace", "inf"], "grace"),
        (["--workers", "0"], "workers"),
        (["--accounts", "/nowhere/at/all.db", "--port", "0"], "/nowhere/at/all.db"),
        (["--journal", "/nowhere/at/all.db", "--port", "0"], "/nowhere/at/all.db"),
    ],
    ids=lambda value: "_".join(value).replace("/", ".") if isinstance(value, list) else "",
)
def test_a_place_that_is_none_is_one_sentence(capsys: pytest.CaptureFixture[str], option: list[str], why: str) -> None:
    """And no success."""
    assert main(["serve", *option]) != 0
    told = capsys.readouterr().err
    assert re.search(why, told)
    assert len(told.splitlines()) == 1


def innermost_balanced(path: Path) -> Sequence[Any]:
    """The endpoints of the model, under what retries."""
    retrying: Any = load(path).models["qwen"].model.backend
    return retrying.backend.endpoints  # type: ignore[no-any-return]


def test_several_endpoints_of_one_model_are_a_list(tmp_path: Path) -> None:
    """They are balanced; a text with commas is refused with the list to write."""
    path, url = tmp_path / "serve.toml", "http://127.0.0.1:9/v1"
    path.write_text(FILE.replace(f'"{url}"', f'["{url}", "{url}2"]'), encoding="utf-8")
    assert len(innermost_balanced(path)) == 2
    path.write_text(FILE.replace(f'"{url}"', f'"{url},{url}2"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="are a list"):
        load(path)


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


def test_a_line_of_the_log_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers write to one pipe: a line and its end apart would be two lines in one."""

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written = list[str]()
    monkeypatch.setattr(sys, "stderr", Pipe())
    serve._log({"status": 200, "model": "q\u202e"})
    assert written == ['{"status": 200, "model": "q\\u202e"}\n']


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
            with ThreadPoolExecutor(1) as pool:
                pool.submit(deque, program.stderr, 0)  # a pipe that nobody reads fills up, and the program waits
                try:
                    yield program, line.split()[3]
                finally:
                    program.kill()
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
        assert endless_head_is_refused(url, b"a: " + b"x" * 100_000)
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


@pytest.mark.slow
def test_workers_end_with_the_process_above_them(tmp_path: Path) -> None:
    """Killed with -9 it cannot tell them; they leave the port all the same, and what they held is free."""
    with serving("--workers", "2", "--grace", "0", "--accounts", str(tmp_path / "a.db")) as (program, url):
        with openai.OpenAI(base_url=url, api_key="none", max_retries=5) as client:
            client.models.list()
        program.kill()
        program.wait(30)
        until(lambda: not is_open(url))


def is_open(url: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0
