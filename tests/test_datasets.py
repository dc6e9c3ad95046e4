"""Data sets: the recorded public files, judged answers, your own files, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
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
    assert (len(data.problems), data.problems[0].id, data.problems[0].reference) == (1319, "gsm8k/test/0", "18")
    assert data.problems[0].prompt.text.startswith("Janet")
    assert data.problems[0].prompt.text.endswith(r"within \boxed{}.")
    lines = gzip.decompress(recorded("gsm8k/example_model_solutions.jsonl.gz").read_bytes()).decode().splitlines()
    for problem, line in list(zip(data.problems, lines, strict=True))[::5]:
        row = json.loads(line)
        solution = row["175b_verification"]
        [verdict] = verify(data.verifier.bind(problem), solution["solution"])
        assert verdict.passed is solution["is_correct"]
    assert data.key("so it is 0.5, #### 1/2") == data.key(r"\boxed{\frac12}")


@pytest.mark.parametrize(
    ("name", "split"),
    [("train.jsonl", "train"), ("train-00000-of-00001.jsonl", "train"), ("test.jsonl.gz", "test"),
     ("Train.JSONL", "train"),
     ("testament.jsonl", "testament"), ("mine.jsonl", "mine")],
)  # fmt: skip
def test_ids_of_gsm8k_say_the_split(tmp_path, name, split):
    """So that nothing of the training split is called what a test problem is."""
    row = b'{"question": "How many?", "answer": "#### 2"}\n'
    (tmp_path / name).write_bytes(gzip.compress(row) if name.endswith(".gz") else row)
    assert gsm8k(tmp_path / name, checksum=None).problems[0].id == f"gsm8k/{split}/0"


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
        (problems, "p.jsonl", '{"id": "a", "prompt": ["q"]}', "line 1: message 0 is 'q'"),
        (problems, "p.jsonl", '{"id": true, "prompt": "q"}', "line 1: it needs a text in the field 'id'"),
        (problems, "p.jsonl", "\n", "holds no problems"),
        (problems, "p.csv", "id,prompt\na,q\nb\n", "line 3: it has not as many fields"),
        (problems, "p.csv", "id,prompt\na,q,r\n", "line 2: it has not as many fields"),
        (problems, "p.csv", 'id,prompt\na,"q"x\n', "line 2"),
        (problems, "p.csv", "id,question\na,q\n", "line 2: it needs a text in the field 'prompt'"),
        (problems, "p.parquet", "", "p.parquet is no such table"),
        (problems, "p.xlsx", "", "convert it"),
        (problems, "p.jsonl.gz", "not packed", "cannot be read"),
        (aime, "a.jsonl", '{"problem": "q", "answer": "1/2"}', "line 1: an answer of AIME"),
        (aime, "a.jsonl", '{"problem": "q", "answer": 1000}', "line 1: an answer of AIME"),
        (lambda p: aime(p, template="no place"), "a.jsonl", '{"problem": "q", "answer": 1}', "lacks {question}"),
        (lambda p: gsm8k(p, checksum=None), "g.jsonl", '{"question": "q", "answer": "18 eggs"}', "line 1: the answer"),
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


# ---------------------------------------------------------------- tables and folders

TABLE = [{"id": f"p{i}", "prompt": f"{i}?", "reference": str(i)} for i in range(5)]


def test_parquet_files_and_folders_of_splits(tmp_path):
    """One file; a folder as the hub has it, whose parts are named by their files."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_pylist(TABLE), tmp_path / "one.parquet")
    expected = [Problem(row["id"], Prompt.of(row["prompt"]), row["reference"]) for row in TABLE]
    assert list(problems(tmp_path / "one.parquet")) == expected
    data = tmp_path / "hub/data"
    data.mkdir(parents=True)
    for name, part in (("train-00000-of-00001", TABLE[:1]), ("test-00000-of-00002", TABLE[1:3])):
        pq.write_table(pa.Table.from_pylist(part), data / f"{name}.parquet")
    pq.write_table(pa.Table.from_pylist(TABLE[3:]), data / "test-00001-of-00002.parquet")
    assert list(problems(tmp_path / "hub", split="test")) == expected[1:]
    assert list(problems(tmp_path / "hub", split="train")) == expected[:1]
    for split in (None, "dev"):
        with pytest.raises(ConfigError, match="name one with split, of test, train"):
            problems(tmp_path / "hub", split=split)


def test_folders_that_datasets_saved(tmp_path):
    """As `save_to_disk` lays them out: streams of Arrow, listed in state.json, in a folder a split."""
    pa = pytest.importorskip("pyarrow")
    expected = [Problem(row["id"], Prompt.of(row["prompt"]), row["reference"]) for row in TABLE]
    for split in ("train", "test"):
        folder = tmp_path / "saved" / split
        folder.mkdir(parents=True)
        files = []
        for i, part in enumerate((TABLE[:2], TABLE[2:])):
            table, name = pa.Table.from_pylist(part), f"data-{i:05}-of-00002.arrow"
            with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
            files.append({"filename": name})
        (folder / "state.json").write_text(json.dumps({"_data_files": files, "_split": split}))
    (tmp_path / "saved/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert list(problems(tmp_path / "saved", split="test")) == expected
    assert list(problems(tmp_path / "saved/test")) == expected
    with pytest.raises(ConfigError, match="several splits: name one with split, of train, test"):
        problems(tmp_path / "saved")
    with pytest.raises(ConfigError, match="holds one split"):
        problems(tmp_path / "saved/test", split="test")
    (tmp_path / "saved/test/state.json").write_text("[]")
    with pytest.raises(ConfigError, match="not a JSON object"):
        problems(tmp_path / "saved/test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no folder saved by Hugging Face datasets, and has no \.parquet"):
        problems(tmp_path / "empty")


# ---------------------------------------------------------------- published copies


@pytest.mark.parametrize(
    ("load", "row", "reference"),
    [
        (aime, {"problem": "q", "answer": r"336^\circ"}, "336"),
        (aime, {"problem": "q", "answer": r"336^{\circ}"}, "336"),
        (aime, {"problem": "q", "answer": "$204$"}, "204"),
        (aime, {"problem": "q", "answer": "204.0"}, "204"),
        (aime, {"problem": "q", "answer": r"\boxed{204}"}, "204"),
        (aime, {"problem": "q", "answer": "033"}, "33"),
        (aime, {"problem": "q", "answer": 70}, "70"),
        (aime, {"problem": "q", "answer": 70.0}, "70"),
        (gsm8k, {"question": "q", "answer": "42"}, "42"),
        (gsm8k, {"question": "q", "answer": 42}, "42"),
        (gsm8k, {"question": "q", "answer": "1,042"}, "1042"),
        (gsm8k, {"question": "q", "answer": "2+40=42\n#### 42"}, "42"),
        (math500, {"problem": "q", "solution": r"so \boxed{1}, no: \boxed{\frac{1}{2}}."}, r"\frac{1}{2}"),
        (math500, {"problem": "q", "answer": "7", "solution": r"\boxed{8}"}, "7"),
    ],
)
def test_answers_of_mirrors_are_read(load, row, reference, tmp_path):
    """However a copy writes them."""
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    [problem] = load(tmp_path / "m.jsonl", checksum=None).problems
    assert problem.reference == reference


@pytest.mark.parametrize(
    ("load", "row"),
    [
        (aime, {"problem": "q", "answer": "204.5"}),
        (aime, {"problem": "q", "answer": "204 or 205"}),
        (aime, {"problem": "q", "answer": "$204$ or $205$"}),
        (aime, {"problem": "q", "answer": "-3"}),
        (aime, {"problem": "q", "answer": "1e2"}),
        (gsm8k, {"question": "q", "answer": "2 + 40 = 42"}),
        (gsm8k, {"question": "q", "answer": "41 or 42"}),
        (gsm8k, {"question": "q", "answer": "1,04"}),
        (gsm8k, {"question": "q", "answer": True}),
        (math500, {"problem": "q", "solution": "no box"}),
        (math500, {"problem": "q"}),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(load, row, tmp_path):
    """With the line, as any wrong file."""
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    with pytest.raises(ConfigError, match="line 1"):
        load(tmp_path / "m.jsonl", checksum=None)


@pytest.mark.parametrize(("load", "answer"), [(gsm8k, "42"), (math500, r"\frac12"), (aime, "42")])
def test_the_tables_of_verl_are_read(load, answer, tmp_path):
    """A prompt of messages stays as it is, unless the question stands beside it; the answer is the ground truth."""
    row = {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "reward_model": {"style": "rule", "ground_truth": answer},
    }
    (tmp_path / "v.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "extra_info": {"question": "Q?"}}))
    first, second = load(tmp_path / "v.jsonl", checksum=None).problems
    assert [(m.role, m.text) for m in first.prompt.messages] == [("system", "s"), ("user", "q")]
    assert second.prompt.text.startswith("Q?")
    assert first.reference == second.reference == answer
    assert problems(tmp_path / "v.jsonl")[0].prompt == first.prompt


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


@pytest.mark.parametrize(
    ("name", "text", "given", "says"),
    [
        ("a.jsonl", '{"prompt": "1?", "answer": "2"}\n', {"reference": "solution"}, "no line has a field 'solution'"),
        ("b.jsonl", '{"prompt": "1?"}\n{"prompt": "2?"}\n', {"id": "name"}, "no line has a field 'name'"),
        ("c.csv", "prompt, reference\n1?,4\n", {"reference": "answer"}, "' reference'"),
        ("d.csv", "prompt,prompt,reference\n1?,2?,4\n", {}, "line 1: two columns are called 'prompt'"),
        ("e.csv", "prompt,a,a\n", {}, "line 1: two columns are called 'a'"),
        ("f.csv", "prompt,reference\n" + "x" * 200_000 + ",4\n", {}, "write a line of JSON each"),
    ],
)
def test_columns_that_can_be_read_in_two_ways_or_in_none(
    name: str, text: str, given: dict[str, str], says: str, tmp_path: Path
) -> None:
    """A field that was named and that nobody has, and a name that two columns have."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=re.escape(says)):
        problems(tmp_path / name, **given)


def test_a_named_field_that_some_lines_have_is_one(tmp_path: Path) -> None:
    (tmp_path / "some.jsonl").write_text('{"prompt": "1?"}\n{"prompt": "2?", "solution": "3"}\n')
    assert [p.reference for p in problems(tmp_path / "some.jsonl", reference="solution")] == [None, "3"]
