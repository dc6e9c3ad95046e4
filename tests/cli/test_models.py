"""The table [model]: every option that Python has, from a file and from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit import ConfigError, Model, Params
from searchkit.cli import main, models, names
from searchkit.generators import Embedded, OpenAI, Price, Simulated
from searchkit.generators.openai.backend import Capabilities
from searchkit.generators.wrappers.coalescing import Coalescing
from searchkit.generators.wrappers.limited import Limited
from searchkit.generators.wrappers.retrying import Retrying
from searchkit.testing.server import Server
from searchkit.types import ConfidenceFloor

URL = "http://localhost:1/v1"
SERVED = {"backend": URL, "model": "m"}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's own; its name."""
    (tmp_path / "mine_of_models.py").write_text(
        "from dataclasses import dataclass\n"
        "from searchkit import Model\n"
        "from searchkit.generators import Simulated\n"
        "def render(prompt):\n    return prompt.text\n"
        "@dataclass(frozen=True)\n"
        "class Backend:\n"
        "    texts: list[str]\n"
        "    retries: int = 3\n"
        "    name: str = 'mine'\n"
        "    async def complete(self, requests):\n        return []\n"
        "ready = Simulated({'4': 1.0})\n"
        "model = Model(ready)\n"
        "def agent(text):\n    return '4'\n"
        "nothing = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "mine_of_models"
    sys.modules.pop("mine_of_models", None)


def test_every_option_of_openai_params_and_the_wrappers(mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys at once make what Python makes of the same arguments."""
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    given: dict[str, Any] = {
        "backend": URL, "model": "m", "route": "completions", "api_key": "$MY_KEY", "timeout": 30, "revision": "r",
        "render": f"{mine}:render", "prices": {"m": {"prompt": 1, "generated": 2.5}}, "extras": False,
        "leave_out": ["top_p"], "rename": {"seed": "random_seed"}, "extra_body": {"effort": "low"},
        "extra_headers": {"X-Tenant": "$MY_KEY"}, "extra_query": {"v": "1"}, "preset": "mistral",
        "capabilities": {"seed": True, "logprobs": True}, "transport": "direct", "coalesce": True, "attempts": 2,
        "base": 0.1, "cap": 1, "patience": 5, "concurrency": 7, "temperature": 1, "top_p": 0.9, "top_k": 20,
        "min_p": 0.1, "max_tokens": 99, "stop": ["a", "b"], "logprobs": 5, "floor": {"window": 4, "bar": 0.5},
        "form": '{"response_format": {"type": "json_object"}}',
    }  # fmt: skip
    made = models.generator(given)
    assert made.params == Params(
        1.0, 0.9, 20, 0.1, 99, ("a", "b"), 5, ConfidenceFloor(4, 0.5), '{"response_format": {"type": "json_object"}}'
    )
    retrying = made.backend
    assert isinstance(retrying, Retrying)
    assert (retrying.attempts, retrying.base, retrying.cap, retrying.patience) == (2, 0.1, 1, 5)
    coalescing = retrying.backend
    assert isinstance(coalescing, Coalescing)
    limited = coalescing.backend
    assert isinstance(limited, Limited)
    assert limited.concurrency == 7
    openai = limited.backend
    assert isinstance(openai, OpenAI)
    assert openai.render is sys.modules[mine].render
    assert openai == OpenAI(
        URL, "m", route="completions", timeout=30, revision="r", render=openai.render, prices={"m": Price(1, 2.5)},
        extras=False, leave_out=["top_p"], rename={"seed": "random_seed"}, extra_body={"effort": "low"},
        preset="mistral", capabilities=Capabilities(seed=True, logprobs=True), transport="direct",
    )  # fmt: skip
    assert openai.api_key == "sk-0123456789"
    assert openai.extra_headers == {"X-Tenant": "sk-0123456789"}
    left = (
        set(models.keys(OpenAI, True)[0]) - set(given) - {"requests_a_minute", "tokens_a_minute"}
    )  # in test_server.py
    assert not left, f"keys that this test does not know: {left}"


def test_a_single_stop_string_and_defaults() -> None:
    """As in Python: one may be given as it is, and what is not given is the class's own."""
    made = models.generator({**SERVED, "stop": "END"})
    assert made.params == Params(stop=("END",))
    assert made.backend == Retrying(Limited(OpenAI(URL, "m")))


def test_backends_without_a_server(mine: str) -> None:
    """Embedded, simulated, a class with its arguments, an object, a generator and a function of one's own."""
    embedded = models.generator({"model": "arithmetic", "batch": 8, "cache": 0, "top_k": 3})
    assert embedded.backend == Embedded(embedded.backend.folder, batch=8, cache=0)
    assert embedded.params.top_k == 3
    simulated = models.generator({"backend": "simulated", "answers": {"4": 1.0}, "tokens": 2})
    assert simulated.backend == Simulated({"4": 1.0}, tokens=2)
    own = models.generator({"backend": f"{mine}:Backend", "texts": ["a"], "retries": 5, "max_tokens": 3})
    assert (own.backend.texts, own.backend.retries, own.params.max_tokens) == (["a"], 5, 3)
    ready = models.generator({"backend": f"{mine}:ready", "temperature": 0.5})
    assert (ready.backend.name, ready.params.temperature) == ("simulated", 0.5)
    model = models.generator({"backend": f"{mine}:model"})
    assert isinstance(model, Model)
    agent = models.generator({"backend": f"{mine}:agent"})
    assert agent("2+2?") == "4"


def test_what_a_package_adds_is_known_by_its_name(tmp_path: Path, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points of the group searchkit: a backend and a verifier; one that cannot be imported harms nobody."""
    (tmp_path / "added-1.0.dist-info").mkdir()
    (tmp_path / "added-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    (tmp_path / "added-1.0.dist-info/entry_points.txt").write_text(
        f"[searchkit]\nour-backend = {mine}:Backend\nour_agent = {mine}:agent\nbroken = no_such_module:x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert set(names.plugged()) >= {"our-backend", "our_agent"}
    assert "broken" not in names.plugged()
    assert names.value("our_agent") is sys.modules[mine].agent
    own = models.generator({"backend": "our-backend", "texts": []})
    assert own.backend.name == "mine"
    with pytest.raises(ConfigError, match="did you mean 'our-backend'"):
        models.generator({"backend": "our-backed"})
    with pytest.raises(ConfigError, match="cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"):
        models.generator({"backend": "broken"})


@pytest.mark.parametrize("name", ["gone:x", "leaves:x", "odd:x", "leaves2:x", "wrong:x"])
@pytest.mark.parametrize("key", ["truth", "strategy", "verifier", "backend"])
def test_code_of_others_that_fails_is_a_sentence(
    name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its import raises, or its attributes: exit code 2 and one line, which no terminal obeys."""
    codes = {
        "leaves": "import sys\nsys.exit(3)", "leaves2": "def __getattr__(name):\n    raise SystemExit(0)",
        "odd": "def __getattr__(name):\n    raise ValueError(chr(27) + '[31m')",
        "wrong": "class x:\n    def __init__(self, *a, **k):\n        raise OSError('no disk')\n"
                 "    name = 'x'\n    complete = verify = None",
    }  # fmt: skip
    module = f"{name.partition(':')[0]}_{key}"
    if code := codes.get(name.partition(":")[0]):
        (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "p.jsonl").write_text('{"prompt": "1?", "reference": "4"}\n')
    said = {"truth": '"Exact"', "strategy": '"best-of-n"', "verifier": '"MathEqual"', "backend": '"embedded"'}
    said[key] = f'"{module}:x"'
    (tmp_path / "s.toml").write_text(
        f'out = "out"\ntruth = {said["truth"]}\n[problems]\nfile = "p.jsonl"\n[model]\nbackend = {said["backend"]}\n'
        f"[strategies.a]\nstrategy = {said['strategy']}\nverifier = {said['verifier']}\n"
    )
    assert main(["sweep", str(tmp_path / "s.toml")]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n"), "\x1b" in told.err) == ("", 1, False)


def test_a_strategy_need_be_no_dataclass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parameters are those of its constructor, checked as those of any other."""
    (tmp_path / "plain_one.py").write_text(
        "from searchkit import Strategy\nclass Once(Strategy):\n"
        "    def __init__(self, most, unit: str = 'a:b'):\n        self.most, self.unit = most, unit\n"
        "    async def search(self, problem, run):\n        return await run.sample(problem.prompt)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = names.strategy("plain_one:Once", ["most=3", "unit=x:y"], {"n": 8})
    assert (made.most, made.unit) == (3, "x:y")
    for given, said in ((["mots=3"], "did you mean 'most'"), ([], "needs a most")):
        with pytest.raises(ConfigError, match=said):
            names.strategy("plain_one:Once", given, {})


@pytest.mark.parametrize("out", ["p.jsonl", "p.jsonl/x", "/proc/x", "x" * 300, "a\\u0000b"], ids=range(5))
def test_a_folder_that_cannot_be_one_is_a_sentence(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "1?", "reference": "4"}\n')
    (tmp_path / "s.toml").write_text(
        f'out = "{out}"\n[problems]\nfile = "p.jsonl"\n[model]\nbackend = "simulated"\nanswers = {{4 = 1.0}}\n'
        '[strategies.a]\nstrategy = "self-consistency"\n'
    )
    assert main(["sweep", str(tmp_path / "s.toml"), "--json"]) == 2
    said = capsys.readouterr().err
    assert "cannot be a sweep's folder" in said
    assert said.count("\n") == 1


def test_no_error_shows_a_password(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Not even where it quotes the file."""
    (tmp_path / "p.jsonl").write_text('{"prompt": "1?", "reference": "4"}\n')
    for backend in ('["http://me:hunter2@h/v1", 3]', '["http://me:hunter2@h/v1", "http://me:hunter2@h/v1"]'):
        (tmp_path / "s.toml").write_text(
            f'out = "o"\n[problems]\nfile = "p.jsonl"\n[model]\nbackend = {backend}\nmodel = "m"\n'
            '[strategies.a]\nstrategy = "self-consistency"\n'
        )
        assert main(["sweep", str(tmp_path / "s.toml")]) == 2
        assert "hunter2" not in capsys.readouterr().err


def test_a_strict_server_is_reached_from_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses what the OpenAI API does not have: with --no-extras and any other key by --set."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Server("openai") as server:
        command = ["solve", "hi", "--backend", server.url, "--model", "test-model", "--strategy", "self-consistency"]
        more = ["--no-extras", "--set", "timeout=20", "--set", 'stop=["END"]', "--set", "attempts=1", "-p", "n=2"]
        assert main([*command, *more]) == 0
        [first, second] = server.requests
    assert first.body["stop"] == second.body["stop"] == ["END"]
    assert "top_k" not in first.body
    capsys.readouterr()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({**SERVED, "temprature": 1}, "unknown key 'model.temprature': did you mean 'temperature'?"),
        ({**SERVED, "temperature": "1"}, "model.temperature must be a number, got '1'"),
        ({**SERVED, "temperature": -1}, "model: temperature must be a finite number >= 0"),
        ({**SERVED, "top_k": 2.5}, "model.top_k must be a whole number, got 2.5"),
        ({**SERVED, "max_tokens": True}, "model.max_tokens must be a whole number, got True"),
        ({**SERVED, "route": "chatt"}, "model.route: unknown route 'chatt': did you mean 'chat'?"),
        ({**SERVED, "stop": [1]}, "model.stop[0] must be a text, got 1"),
        ({**SERVED, "stop": 1}, "model.stop must be a list or a text, got 1"),
        ({**SERVED, "prices": {"m": {"prompt": 1}}}, "the key 'model.prices.m.generated' is missing"),
        ({**SERVED, "prices": {"m": {"prompt": -1, "generated": 1}}}, "a price must be >= 0"),
        ({**SERVED, "prices": 3}, "model.prices must be a table, got 3"),
        ({**SERVED, "capabilities": {"seeds": True}}, "unknown key 'model.capabilities.seeds'"),
        ({**SERVED, "floor": {"window": 4}}, "the key 'model.floor.bar' is missing"),
        ({**SERVED, "render": "no_such_module:f"}, "model.render: 'no_such_module:f' cannot be imported"),
        ({**SERVED, "render": "json:lods"}, "did you mean 'loads'?"),
        ({**SERVED, "render": "mine"}, "model.render: unknown name 'mine'"),
        ({**SERVED, "render": 3}, 'model.render is named, as in render = "module:name"'),
        ({**SERVED, "api_key": "$NO_SUCH_VARIABLE"}, "model.api_key: the environment has no 'NO_SUCH_VARIABLE'"),
        ({**SERVED, "attempts": 0}, "model: attempts must be >= 1"),
        ({**SERVED, "model": ""}, "model must be the name that the server uses"),
        ({"backend": URL}, "the key 'model.model' is missing"),
        ({"backend": [URL, "localhost"]}, "model.backend is a name, a URL, or a list of URLs"),
        ({"backend": "vlm"}, "unknown backend 'vlm': did you mean 'vllm'?"),
        ({"backend": "json:nothing"}, "json has no 'nothing'"),
        ({"backend": "json:decoder"}, "is no backend, no generator and no function"),
        ({"backend": "json:loads", "temperature": 1}, "unknown key 'model.temperature'"),
        ({"backend": "embedded", "coalesce": True}, "unknown key 'model.coalesce'"),
        ({"backend": "embedded", "model": "geometry"}, "unknown model 'geometry'"),
        ({"backend": "simulated"}, "the key 'model.answers' is missing"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_key(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        models.generator(table)
    assert says in str(refused.value)


@pytest.mark.parametrize("key", ["api_key", "extra_headers", "extra_query"])
def test_no_secret_is_quoted(key: str) -> None:
    """Also where it stands in the wrong place."""
    with pytest.raises(ConfigError) as refused:
        models.generator({**SERVED, key: ["sk-0123456789"]})
    assert "sk-" not in str(refused.value)


def test_an_open_list_of_options_still_suggests() -> None:
    """Classes with options of any name take them, but none that looks like one of ours."""

    def free(model: str, **options: Any) -> Any: ...

    from searchkit.cli import tables

    allowed = models.keys(free, "own")[0]
    assert tables.takes_any(free)
    assert tables.read({"model": "m", "dtype": "bf16"}, allowed, "model.", more=True) == {"model": "m", "dtype": "bf16"}
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        tables.read({"model": "m", "temprature": 1}, allowed, "model.", more=True)
