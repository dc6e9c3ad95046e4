"""Manifests say what was run, the same in every process, and no secret."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from functools import partial

import pytest

from searchkit.errors import ConfigError
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.generators import Embedded, Limited, OpenAI, Simulated
from searchkit.model import Model
from searchkit.strategies import BestOfN
from searchkit.types import Problem, Prompt
from searchkit.verifiers import Exact, Judge, Predicate

PROBLEMS = [Problem(f"p{i}", Prompt.of(f"q{i}"), str(i)) for i in range(3)]


@dataclass(frozen=True)
class Agent:
    """An agent that is full of secrets."""

    url: str
    headers: dict
    api_key: str = field(default="sk-field", repr=False, compare=False)
    token: str = "sk-token"

    async def generate(self, prompt, run, *, params=None):
        raise NotImplementedError


def test_no_secret_is_written(tmp_path, monkeypatch):
    """Keys of fields, headers, URLs and the environment are not in the file; what they unlock is."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    headers = {"Authorization": "Bearer sk-header", "X-Api-Key": "sk-header", "Accept": "json", "n": "sk-environment"}
    agent = Agent("https://me:sk-password@host/v1?api_key=sk-query&n=3", headers)
    judge = Judge(Model(OpenAI("http://localhost:1/v1", "judge-model", api_key="sk-judge", revision="abc")))
    sweep = Sweep(PROBLEMS, {"s": BestOfN(2, judge, generator=agent)}, truth=Exact())
    manifest.begin(tmp_path / "out", sweep.configuration(), 1)
    text = (tmp_path / "out/manifest.json").read_text()
    assert "sk-" not in text
    assert '"Accept": "json"' in text
    assert "https://[redacted]@host/v1?api_key=[redacted]&n=3" in text
    assert "openai/judge-model@abc" in text


def test_what_is_recorded(tmp_path):
    """Problems, seeds, model with its digest, versions and hardware."""
    endpoint = Model(Limited(Embedded()))
    best = BestOfN(2, Predicate(str.isdigit))
    sweep = Sweep(PROBLEMS, {"best": best}, seeds=[3, 1], truth=Exact(), endpoints=[endpoint])
    stored = manifest.begin(tmp_path / "out", sweep.configuration(), 2)
    assert manifest.load(tmp_path / "out") == stored
    told, [here] = stored["configuration"], stored["environments"]
    assert (told["problems"]["count"], told["seeds"], told["budgets"]) == (3, [3, 1], ["unlimited"])
    assert stored["shards"] == 2
    assert told["model"]["backend"] == Embedded().name
    assert "@" in Embedded().name  # a digest of the weights
    assert told["model"]["params"]["temperature"] == 1.0
    assert here["python"] == platform.python_version()
    assert {"searchkit", "numpy"} <= set(here["packages"])
    assert here["hardware"]["cpus"] >= 1


def test_the_digest_of_the_problems_says_what_they_are():
    """Their order does not matter; an id, a prompt and a reference do."""
    whole = manifest.problem_set(PROBLEMS)
    assert manifest.problem_set(PROBLEMS[::-1]) == whole
    asked = PROBLEMS[0].prompt
    for changed in (Problem("p9", asked, "0"), Problem("p0", Prompt.of("other"), "0"), Problem("p0", asked, 0)):
        assert manifest.problem_set([changed, *PROBLEMS[1:]])["digest"] != whole["digest"]


def test_descriptions_are_json_without_addresses():
    """Functions by their names, partials with their arguments, anything else by its repr without the address."""

    def inner(text):
        return text

    described = manifest.describe(
        {"f": inner, "p": partial(int, base=8), "o": object(), "s": {"b", "a"}, "n": (1, None)}
    )
    assert json.loads(json.dumps(described)) == {
        "f": f"{__name__}.test_descriptions_are_json_without_addresses.<locals>.inner",
        "p": {"partial": "builtins.int", "args": [], "keywords": {"base": 8}},
        "o": "<object object>", "s": ["'a'", "'b'"], "n": [1, None],
    }  # fmt: skip
    assert manifest.describe(Simulated({"a": 1.0}, name="sim")) == "sim"


def test_another_machine_is_noted_and_may_go_on(tmp_path, monkeypatch):
    """The same configuration elsewhere adds its environment once; a foreign manifest is refused."""
    begin = partial(manifest.begin, tmp_path / "out", {"seeds": [0]}, 1)
    begin()
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    begin()
    assert [one["python"] for one in begin()["environments"]][1:] == ["3.99.0"]
    (tmp_path / "out/manifest.json").write_text('{"other": 1}')
    with pytest.raises(ConfigError, match="not a manifest"):
        begin()
