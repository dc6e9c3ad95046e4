"""Data sets: the recorded public files, judged answers, your own files, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit import Problem, Prompt, solve_sync
from searchkit.datasets import Game24, aime, game24, gsm8k, humaneval, math500, problems
from searchkit.datasets.files import read, rows
from searchkit.datasets.game24 import expression
from searchkit.errors import ConfigError
from searchkit.strategies import BestOfN
from tests.helpers.math_checks import verify

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def recorded(name):
    """A recorded file; skips where the folder is not there."""
    found = sorted(DATA.glob(name))
    if not found:
        pytest.skip(f"the recorded data {name} are not in ../shared/data")
    return found[0]


# ---------------------------------------------------------------- the public files


def test_gsm8k():
    """1,319 problems with their numbers; the preset judges recorded solutions as they were judged."""
    data = gsm8k(recorded("gsm8k/test.jsonl"))
    assert (len(data.problems), data.problems[0].id, data.problems[0].reference) == (1319, "gsm8k/0", "18")
    assert data.problems[0].prompt.text.startswith("Janet")
    assert data.problems[0].prompt.text.endswith(r"within \boxed{}.")
    lines = gzip.decompress(recorded("gsm8k/example_model_solutions.jsonl.gz").read_bytes()).decode().splitlines()
    for problem, line in list(zip(data.problems, lines, strict=True))[::5]:
        row = json.loads(line)
        solution = row["175b_verification"]
        [verdict] = verify(data.verifier.bind(problem), solution["solution"])
        assert verdict.passed is solution["is_correct"]
    assert data.key("so it is 0.5, #### 1/2") == data.key(r"\boxed{\frac12}")


def test_math500():
    """500 problems under their ids; each reference is an answer that the preset takes as right."""
    data = math500(recorded("math500/test500.jsonl"))
    assert len({problem.id for problem in data.problems}) == 500
    assert data.problems[0].id == "test/precalculus/807.json"
    for problem in data.problems[::10]:
        [verdict] = verify(data.verifier.bind(problem), rf"so it is \boxed{{{problem.reference}}}")
        assert verdict.passed is True


def test_humaneval():
    """The preset passes the canonical solutions of four problems, whole or as a completion, and fails empty ones."""
    source = recorded("human_eval/HumanEval.jsonl.gz")
    try:
        data = humaneval(source)
    except ConfigError as error:
        pytest.skip(f"programs cannot be run here: {error}")
    assert (len(data.problems), data.key) == (164, None)
    for problem, row in list(zip(data.problems, rows(source), strict=True))[::50]:
        start, right = row.text("prompt"), row.text("canonical_solution")
        assert start.strip() in problem.prompt.text
        assert right.strip() not in str(problem.reference)
        answers = [f"```python\n{start}{right}\n```", right, f"```python\n{start}    return None\n```"]
        verdicts = verify(data.verifier.bind(problem), *answers)
        assert [verdict.passed for verdict in verdicts] == [True, True, False]


@pytest.mark.parametrize(("load", "name"), [(gsm8k, "gsm8k/test.jsonl"), (math500, "math500/test500.jsonl")])
def test_another_file_is_refused_by_both_digests(load, name, tmp_path):
    """One byte more is another file, unless that is what you mean; packed it is the same file."""
    content = recorded(name).read_bytes()
    packed, longer = tmp_path / "copy.jsonl.gz", tmp_path / "longer.jsonl"
    packed.write_bytes(gzip.compress(content))
    assert load(packed).problems == load(recorded(name)).problems
    longer.write_bytes(content + b"\n")
    with pytest.raises(ConfigError, match=hashlib.sha256(content).hexdigest()) as refused:
        load(longer)
    assert hashlib.sha256(content + b"\n").hexdigest() in str(refused.value)
    assert len(load(longer, checksum=None).problems) == len(load(packed).problems)


# ---------------------------------------------------------------- Game of 24


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("game24/*_naive_standard_*.json.gz", 10_000),
        ("game24/*_naive_cot_*.json.gz", 10_000),
        ("game24/*_propose1_*.json.gz", 500),
    ],
)
def test_recorded_answers_are_judged_as_recorded(name, answers):
    """Every answer of the published logs, without exception."""
    data = game24(recorded("game24/24.csv"))
    assert len(data.problems) == 1362
    compared = 0
    for record in json.loads(gzip.decompress(recorded(name).read_bytes())):
        judge = data.verifier.bind(data.problems[record["idx"]]).judge
        flags = record["accs"] if "accs" in record else [info["r"] for info in record["infos"]]
        for text, flag in zip(record["ys"], flags, strict=True):
            assert judge(text).passed is bool(flag), (record["idx"], text)
            compared += 1
    assert compared == answers


@pytest.mark.parametrize(
    ("answer", "feedback"),
    [
        ("Answer: (10 - 4) * (5 - 1) = 24", "each number exactly once"),
        ("(6 - 4) * (10 + 5)", "comes to 30"),
        ("10 * 6 / (5 - 5) + 4", "divides by zero"),
        ("10 * 6 / 5 + 4 * (3 / 2)", "each number exactly once"),
        ("4 * 5 * 6 ** 10", "not of numbers"),
        ("4 * 5 + 10 // 6", "not of numbers"),
        ("4 5 6 10", "not of numbers"),
        ("-4 + 5 + 6 + 10", "not of numbers"),
        ("4(5 + 6 + 10)", "not of numbers"),
        ("(4 + 5 + 6 + 10", "not of numbers"),
        ("(" * 100, "not of numbers"),
        ("9" * 100, "each number exactly once"),
        ("__import__('os').system('true')", "no arithmetic"),
        ("(" * 50_000, "no arithmetic"),
        ("Answer: there is none.", "no arithmetic"),
        ("", "no arithmetic"),
    ],
)
def test_wrong_and_hostile_answers_fail_and_say_why(answer, feedback):
    """Nothing is evaluated, nothing is slow, nothing raises."""
    verdict = Game24((4, 5, 6, 10)).judge(answer)
    assert verdict.passed is False
    assert feedback in verdict.feedback


def test_fractions_are_exact_and_signs_of_print_are_read():
    """8 / (3 - 8 / 3) is 24; in floating point it is not."""
    judge = Game24((3, 3, 8, 8)).judge
    assert judge("Answer: 8 / (3 - 8 / 3) = 24").passed
    assert judge("It is $\\boxed{8 ÷ (3 − 8 ÷ 3)}$").passed
    assert 8 / (3 - 8 / 3) != 24
    assert expression("Answer: 8 / (3 - 8/3) = 24") == expression("8/(3-8/3)") == "8/(3-8/3)"


def test_a_puzzle_is_solved_by_a_search():
    """The reference comes in through the problem, as for every verifier."""
    problem = Problem("p", Prompt.of("Make 24 of 1 2 3 4."), reference="1 2 3 4")
    answers = ["1 + 2 + 3 + 4", "(1 + 2 + 3) * 4", "no idea"]
    result = solve_sync(problem, BestOfN(3, Game24()), generator=lambda text, index: answers[index])
    assert result.answer == "(1 + 2 + 3) * 4"
    with pytest.raises(ConfigError, match="4 5 6 10"):
        solve_sync("q", BestOfN(1, Game24()), generator=lambda text, index: "24")
    assert Game24((1, 2)).key != Game24((1, 3)).key


# ---------------------------------------------------------------- files of one's own


def test_own_problems(tmp_path):
    """JSON lines keep the type of a reference, CSV quotes and line breaks; packed or not; no reference is None."""
    lines = tmp_path / "p.jsonl"
    lines.write_text('{"id": "a", "prompt": "1+1?", "reference": 2}\n\n{"id": 7, "prompt": "why?"}\n')
    assert problems(lines) == (Problem("a", Prompt.of("1+1?"), 2), Problem("7", Prompt.of("why?"), None))
    table = tmp_path / "p.csv.gz"
    table.write_bytes(gzip.compress('\ufeffid,prompt,reference\na,"1+1,\nplease",2\nb,why?,\n'.encode()))
    assert problems(table) == (Problem("a", Prompt.of("1+1,\nplease"), "2"), Problem("b", Prompt.of("why?"), None))


def test_aime(tmp_path):
    """Field names in any case, answers as numbers or with leading zeros."""
    path = tmp_path / "aime.jsonl"
    path.write_text('{"ID": "2024-I-1", "Problem": "Find $x$.", "Answer": 33}\n{"question": "y?", "answer": "033"}\n')
    first, second = aime(path, template="{question} Box it: \\boxed{}").problems
    assert (first.id, first.prompt.text, first.reference) == ("2024-I-1", "Find $x$. Box it: \\boxed{}", "33")
    assert (second.id, second.reference) == ("aime/1", "33")


@pytest.mark.parametrize(
    ("load", "name", "content", "says"),
    [
        (problems, "p.jsonl", '{"id": "a", "prompt": "q"}\n{"id": "b"}\n', "line 2: it needs a text in the field"),
        (problems, "p.jsonl", '{"id": "a", "prompt": "q"}\n\n{"id": "a", "prompt": "r"}\n', "line 3: the id 'a' was"),
        (problems, "p.jsonl", '{"id": "a", "prompt"\n', "line 1: not a JSON object"),
        (problems, "p.jsonl", "[" * 100_000, "line 1: not a JSON object"),
        (problems, "p.jsonl", "[1]\n", "line 1: not a JSON object but list"),
        (problems, "p.jsonl", '{"id": "a", "prompt": ["q"]}', "line 1: it needs a text"),
        (problems, "p.jsonl", '{"id": true, "prompt": "q"}', "line 1: it needs a text in the field 'id'"),
        (problems, "p.jsonl", "\n", "holds no problems"),
        (problems, "p.csv", "id,prompt\na,q\nb\n", "line 3: it has not as many fields"),
        (problems, "p.csv", "id,prompt\na,q,r\n", "line 2: it has not as many fields"),
        (problems, "p.csv", 'id,prompt\na,"q"x\n', "line 2"),
        (problems, "p.csv", "id,question\na,q\n", "line 2: it needs a text in the field 'prompt'"),
        (problems, "p.parquet", "", "convert it"),
        (problems, "p.jsonl.gz", "not packed", "cannot be read"),
        (aime, "a.jsonl", '{"problem": "q", "answer": "1/2"}', "line 1: an answer of AIME"),
        (aime, "a.jsonl", '{"problem": "q", "answer": 1000}', "line 1: an answer of AIME"),
        (lambda p: aime(p, template="no place"), "a.jsonl", '{"problem": "q", "answer": 1}', "lacks {question}"),
        (lambda p: gsm8k(p, checksum=None), "g.jsonl", '{"question": "q", "answer": "18"}', "line 1: the answer"),
        (lambda p: game24(p, checksum=None), "g.csv", "Puzzles\n1 2 3\n", "line 2: a puzzle is four"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(load, name, content, says, tmp_path):
    """The message says where, and what should stand there."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert says in str(refused.value)


def test_missing_and_foreign_files_are_refused(tmp_path):
    """A file that is not there, or that is no text."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        problems(tmp_path / "none.jsonl")
    (tmp_path / "latin.csv").write_bytes(b"id,prompt\na,caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        problems(tmp_path / "latin.csv")


# ---------------------------------------------------------------- the hub


def test_the_hub_needs_its_client(monkeypatch):
    """Without huggingface_hub the message says what to install, and everything else still works."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match="pip install huggingface_hub"):
        read("hf://datasets/owner/name/test.jsonl")
    with pytest.raises(ConfigError, match="OWNER/NAME/PATH"):
        read("hf://owner/name")


HUB = """
import hashlib, http.server, os, sys, threading
CONTENT = b'{"id": "a", "prompt": "q"}\\n'
asked = []

class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        there = self.path == "/datasets/owner/name/resolve/v1/data/test.jsonl"
        self.send_response(200 if there else 404)
        self.send_header("ETag", '"' + hashlib.sha256(CONTENT).hexdigest() + '"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(CONTENT) if there else 0))
        self.end_headers()
        if there and self.command == "GET":
            self.wfile.write(CONTENT)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HF_HOME=sys.argv[1], HF_HUB_DISABLE_XET="1")
from searchkit.datasets import problems
assert "huggingface_hub" not in sys.modules
for attempt in (1, 2):
    [problem] = problems("hf://datasets/owner/name@v1/data/test.jsonl", checksum=hashlib.sha256(CONTENT).hexdigest())
    assert (problem.id, problem.prompt.text) == ("a", "q")
assert any("/resolve/v1/data/test.jsonl" in path for path in asked)
from searchkit.errors import ConfigError
try:
    problems("hf://datasets/owner/name@v1/none.jsonl")
except ConfigError as error:
    assert "cannot be fetched" in str(error), error
else:
    raise AssertionError("a missing file was read")
"""


def test_a_file_of_the_hub_is_fetched_by_the_real_client(tmp_path):
    """Against a server on this machine that answers as the hub does; revision, path and checksum are honoured."""
    pytest.importorskip("huggingface_hub", reason="the client of the hub is not installed")
    ran = subprocess.run(
        [sys.executable, "-c", HUB, str(tmp_path)], capture_output=True, text=True, timeout=120,
        env={"PATH": "", "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
