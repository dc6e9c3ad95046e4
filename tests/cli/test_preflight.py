"""What a user of `searchkit sweep` sees of a starting, a dead, a wrong and a strict server."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from searchkit.cli import main
from searchkit.testing.server import Server
from tests.attacks.hostile import Asked, Hostile, completion, http


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """Writes a sweep of three problems against a server."""
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"prompt": f"{i}?", "reference": "4"}) + "\n" for i in "123"))

    def write(url: str, model: str = "test-model", more: str = "") -> str:
        (tmp_path / "sweep.toml").write_text(
            f'out = "out"\n[problems]\nfile = "p.jsonl"\n[model]\nbackend = "{url}"\nmodel = "{model}"\n{more}\n'
            '[strategies.vote]\nstrategy = "self-consistency"\nn = 2\n'
        )
        return str(tmp_path / "sweep.toml")

    return write


def dead() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_a_server_that_is_up_is_told_in_a_line(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Once: a sweep that is complete asks nobody."""
    with Server(reply=lambda prompt, seed, body: "4" if seed % 3 else "5") as server:
        path = config(server.url, more="logprobs = 1")
        assert main(["sweep", path]) == 0
        said = capsys.readouterr()
        assert f"{server.url} answers after" in said.err
        assert "with test-model" in said.err
        assert "log-probabilities come" in said.err
        assert len(server.requests) == 3 + 6
    assert main(["sweep", path]) == 0
    again = capsys.readouterr()
    assert again.out == said.out
    assert "answers" not in again.err


def test_a_dead_server_gives_no_table(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason, exit code 1, and that it was waited for."""
    assert main(["sweep", config(dead()), "--wait", "0.7"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "waiting for a server: nothing answers" in said.err
    assert said.err.strip().splitlines()[-1].startswith("searchkit: nothing answers at http://127.0.0.1:")


def test_a_wrong_model_is_told_at_once(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Server() as server:
        assert main(["sweep", config(server.url, "other")]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "has no model 'other'; it offers: test-model" in said.err


def test_a_strict_server_is_told_and_goes_on(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What it refuses beside the API is left out without a warning of Python."""
    with Server("openai") as server:
        assert main(["sweep", config(server.url)]) == 0
    assert "refuses min_p, top_k, left out from now on (extras = false says so beforehand)" in capsys.readouterr().err


def test_what_a_strict_server_wants_is_said_in_toml(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And taken as it is said."""

    def strict(asked: Asked) -> bytes:
        no = {"error": {"message": "parameter 'seed' is not supported"}}
        return http(no, "400 Bad Request") if "seed" in asked.body else http(completion())

    with Hostile(strict) as server:
        assert main(["sweep", config(server.url)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert 'leave_out = ["seed"]' in said.err
        assert main(["sweep", config(server.url, more='leave_out = ["seed"]')]) in (0, 1)
        assert "is not supported" not in capsys.readouterr().err


def test_each_of_several_servers_is_asked(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is down is told, and the sweep goes on with the others; one that lacks the model ends it."""
    with (
        Server() as one,
        Server() as two,
        Hostile(http({"error": {"message": "The model `test-model` does not exist"}}, "404 Not Found")) as other,
    ):
        path = Path(config("URL", more="temperature = 0"))
        written, down = path.read_text(), dead()

        def asked(*urls: str) -> int:
            path.write_text(written.replace('"URL"', json.dumps(urls)))
            return main(["sweep", str(path), "--wait", "0.2"])

        assert asked(one.url, other.url) == 1
        assert "does not exist" in capsys.readouterr().err
        assert asked(down, dead()) == 1
        assert asked(down, one.url, two.url) == 0
        said = capsys.readouterr().err
    assert f"nothing answers at {down}" in said
    assert ": the others are asked for now" in said
    assert [f"{server.url} answers after" in said for server in (one, two)] == [True, True]


def test_seconds_have_no_rate(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A bar of seconds says how many of how many."""
    assert main(["sweep", config(dead()), "--wait", "1.2"]) == 1
    said = capsys.readouterr().err
    assert "/1 s" in said
    assert "s/s" not in said


def test_searches_that_all_failed_are_no_accuracy(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that dies behind the preflight: three failures are too few for the breaker, and no table is made."""
    count: list[int] = []

    def dying(asked: Asked) -> bytes:
        count.append(1)
        wrong = http({"error": {"message": "out of memory"}}, "400 Bad Request")
        return http(completion()) if len(count) <= 3 else wrong

    with Hostile(dying) as server:
        assert main(["sweep", config(server.url)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "all 3 searches failed, so there is no accuracy" in said.err
    assert "out of memory" in said.err
    assert "--retry-failed" in said.err


def test_a_server_that_gives_one_text_for_two_seeds(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be greedy: that is said, and no claim is made about seeds."""
    with Server(reply=lambda prompt, seed, body: "4") as server:
        assert main(["sweep", config(server.url)]) == 0
    said = capsys.readouterr().err
    assert "3 samples are one text: the model is sure, or it does not sample" in said
    assert "seeds" not in said
