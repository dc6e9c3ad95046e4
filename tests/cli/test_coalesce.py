"""`--coalesce` and `coalesce = true`: several samples in one call of a server that honours `n`, and only when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from searchkit.cli import main
from searchkit.cli.sweep_config import load
from searchkit.generators import Coalescing
from searchkit.testing.server import Server

SWEEP = """
out = "rows.jsonl"
[problems]
task = "countdown"
count = 1
[model]
backend = "http://localhost:1/v1"
model = "m"
{line}
[strategies.vote]
strategy = "self-consistency"
"""


def drawn(*options: str) -> list[int]:
    """How many samples each request that was not a probe asked for."""
    with Server(reply=lambda prompt, seed, params: f"{seed}"[:8]) as server:
        command = ["solve", "hello", "--backend", server.url, "--model", "test-model", "--max-tokens", "8"]
        assert main([*command, "--strategy", "self-consistency", "-p", "n=6", "-p", "stop=None", *options]) == 0
        return [r.body.get("n", 1) for r in server.requests if "hello" in str(r.body.get("messages"))]


def test_one_call_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six samples are one request with the option, six without."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert drawn() == [1] * 6
    assert drawn("--coalesce") == [6]


@pytest.mark.parametrize(("line", "merges"), [("", False), ("coalesce = false", False), ("coalesce = true", True)])
def test_a_sweep_takes_it_below_model(tmp_path: Path, line: str, merges: bool) -> None:
    """The backend that a sweep's model is made around."""
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.format(line=line))
    [endpoint] = load(path).sweep.endpoints
    assert isinstance(endpoint.backend.backend, Coalescing) is merges
