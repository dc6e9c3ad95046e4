"""200 requests at once on one key over HTTP, by one and by four workers: no ceiling of the key is ever exceeded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from searchkit.serving import Accounts, Shared
from searchkit.serving.server import digest_of
from searchkit.testing.server import Server
from tests.cli.test_serve import serving

MOST = {"generations": 300, "model_calls": 200, "generated_tokens": 1600}
EACH = {"generations": 4, "model_calls": 4, "generated_tokens": 32}
BODY = {"model": "qwen@vote", "messages": [{"role": "user", "content": "What is 19 + 23?"}]}
PATIENCE = 300.0


def table(amounts: dict[str, int]) -> str:
    return "{ " + ", ".join(f"{name} = {most}" for name, most in amounts.items()) + " }"


def posted(url: str) -> tuple[int, bytes, str | None]:
    """Status, body and Retry-After."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(BODY), {"x-api-key": "k"})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["retry-after"]


def answered(url: str) -> dict[str, Any]:
    """The answer to one client, who comes back when he is told to; nothing where the budget is spent."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        status, said, again = posted(url)
        if status == 200:
            found: dict[str, Any] = json.loads(said)
            return found
        assert status == 429, said
        if again is None:
            return {}
        time.sleep(float(again))
    raise AssertionError("never answered")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_200_requests_at_once_never_exceed_what_their_key_may_spend(workers: int, tmp_path: Path) -> None:
    """Generations, calls and tokens as the model's server counts them are those of the answers, and of the account."""
    path, accounts = tmp_path / "serve.toml", tmp_path / "accounts.db"
    with Server(reply=lambda prompt, seed, body: "the sum is " * (seed % 2 + 1) + "\\boxed{42}", latency=0.05) as model:
        path.write_text(
            f"""
            [server]
            accounts = "{accounts}"
            workers = {workers}
            [backends.local]
            backend = "{model.url}"
            model = "test-model"
            max_tokens = 8
            [strategies.vote]
            strategy = "self-consistency"
            n = 4
            key = "boxed"
            [models.qwen]
            backend = "local"
            [keys.alice]
            digest = "{digest_of("k")}"
            ceilings = {table(EACH)}
            budget = {table(MOST)}
            """,
            encoding="utf-8",
        )
        with serving(str(path)) as (program, url), ThreadPoolExecutor(200) as pool:
            answers = [one for one in pool.map(lambda _: answered(url.removesuffix("/v1")), range(200)) if one]
            program.send_signal(signal.SIGTERM)
            assert program.wait(60) == 0
        counted = {"model_calls": len(model.requests), "generated_tokens": model.generated_tokens}
    with Shared(accounts) as shared:
        account = asyncio.run(Accounts(shared).spent(digest_of("k")))
    told = {name: sum(one["search"][name] for one in answers) for name in ("generations", "model_calls")}
    told["generated_tokens"] = sum(one["usage"]["completion_tokens"] for one in answers)
    assert {name: account.spent[name] for name in MOST} == told
    assert {name: told[name] for name in counted} == counted
    assert all(told[name] <= most for name, most in MOST.items())
    assert any(told[name] > most - EACH[name] for name, most in MOST.items())  # and it was used up
    assert not any(account.held.values())
