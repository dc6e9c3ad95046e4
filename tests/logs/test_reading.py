"""Logs of other tools become pools: what each form carries over, and what its own figures say."""

from __future__ import annotations

import asyncio
import gzip
import math
from pathlib import Path

import pytest

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.experiments import Pool, judge_again
from searchkit.lab.arithmetic import answer
from searchkit.logs import FieldNames, How, import_log, read_log
from searchkit.verifiers import Exact
from tests.logs.made import HEADER, batch_row, eval_log, harness_row, inspect_sample, lines


def entries(found):
    return [entry for _, entry in found.pool.samples()]


SAMPLES = Path(__file__).parent / "samples"  # written by the tools themselves, on the lab's arithmetic

# ------------------------------------------------------------------------------------------------ Inspect


def test_a_log_that_inspect_wrote():
    """inspect_ai 0.3.285, two problems of two epochs, packed by Zstandard; its own accuracy comes out again."""
    pytest.importorskip("pyarrow")
    found = read_log(SAMPLES / "arithmetic.eval")
    assert found.model == "openai-api/local/arithmetic"
    assert (len(found.pool), found.pool.size) == (2, 2)
    assert found.figures["pattern accuracy"] == found.pool.curve("pass@k").mean[0]
    assert all(e.generated_tokens > 0 and e.prompt_tokens > 0 for e in entries(found))
    assert [e.key for e in entries(found)] == [answer(e.value) for e in entries(found)]
    assert [p.reference for p in found.problems] == ["62", "27"]


def test_inspect_samples_with_answers_scores_tokens_and_targets(tmp_path):
    """By epoch, whatever order they stand in."""
    path = eval_log(tmp_path / "x.eval", inspect_sample(epoch=2, value="I"), inspect_sample(epoch=1, value="C"))
    found = read_log(path)
    assert [(e.correct, e.key, e.generated_tokens, e.prompt_tokens) for e in entries(found)] == [
        (True, "42", 7, 5),
        (False, "42", 7, 5),
    ]
    assert found.form == "inspect"
    assert found.model == "m"
    assert (
        found.figures == {"match accuracy (mean)": 0.5} == {"match accuracy (mean)": found.pool.curve("pass@k").mean[0]}
    )
    assert [(p.id, p.prompt.text, p.reference) for p in found.problems] == [("1", "What is 1?", "42")]


@pytest.mark.parametrize(
    ("value", "correct", "unknown"),
    [("C", True, False), ("I", False, False), ("N", False, False), ("P", False, False), (1, True, False),
     (0.4, False, False),
     (True, True, False), ("yes", True, False), ("1.0", True, False), (math.nan, False, True), (None, False, True),
     ("who knows", False, True)],
    ids=repr,
)  # fmt: skip
def test_inspect_values(tmp_path, value, correct, unknown):
    """What its own `value_to_float` reads; what is no verdict is unknown, never wrong."""
    [entry] = entries(read_log(eval_log(tmp_path / "x.eval", inspect_sample(value=value))))
    assert (entry.correct, entry.unknown) == (correct, unknown)


def test_a_threshold_makes_partly_right_right(tmp_path):
    """And the score itself stays."""
    path = eval_log(tmp_path / "x.eval", inspect_sample(value="P"))
    [entry] = entries(read_log(path, how=How(threshold=0.5, score="match")))
    assert (entry.correct, entry.score, entry.scores) == (True, 0.5, {"match": 0.5})


def test_inspect_scores_that_are_mappings_have_a_name_a_part(tmp_path):
    """The first is the truth unless another one is named; all are kept."""
    sample = inspect_sample(scores={"both": {"value": {"right": "I", "style": 0.3}}, "other": {"value": [1, 0]}})
    path = eval_log(tmp_path / "x.eval", sample)
    [entry] = entries(read_log(path))
    assert (entry.correct, entry.scores) == (
        False,
        {"both.right": 0.0, "both.style": 0.3, "other.0": 1.0, "other.1": 0.0},
    )
    assert entries(read_log(path, how=How(correct="other.0", score="both.style")))[0].score == 0.3
    with pytest.raises(ConfigError, match=r"no score 'style', it has 'both.right', .*: name one"):
        read_log(path, how=How(correct="style"))


def test_inspect_tokens_are_without_the_judges(tmp_path):
    """What a grader took is verification; costs, and cached prompts, count."""
    graded = {"input_tokens": 100, "output_tokens": 50, "total_cost": 0.5}
    own = {"input_tokens": 5, "input_tokens_cache_read": 3, "output_tokens": 7, "total_cost": 0.25}
    sample = inspect_sample(model_usage={"m": own, "judge": graded}, role_usage={"grader": graded})
    [entry] = entries(read_log(eval_log(tmp_path / "x.eval", sample)))
    assert (entry.prompt_tokens, entry.generated_tokens, entry.usd) == (8, 7, 0.25)


def test_inspect_samples_that_failed_or_were_cut_off(tmp_path):
    """A failed one counts as wrong, which is told; one at a limit never votes."""
    samples = (
        inspect_sample(error={"message": "no server"}),
        inspect_sample(epoch=2, limit={"type": "token", "limit": 9}),
    )
    found = read_log(eval_log(tmp_path / "x.eval", *samples))
    assert [(e.finish, e.key, e.correct) for e in entries(found)] == [("error", None, False), ("length", None, True)]
    assert entries(found)[0].feedback == "no server"
    assert list(found.notes.values()) == [1]


def test_the_same_log_as_json(tmp_path):
    """One document; an old one has a single score."""
    old = inspect_sample(epoch=2, value="I")
    old["score"] = old.pop("scores")["match"]
    log = {**HEADER, "samples": [old, inspect_sample()]}
    found = read_log(lines(tmp_path / "x.json", log))
    assert [(e.correct, e.unknown) for e in entries(found)] == [(True, False), (False, True)]
    first = read_log(lines(tmp_path / "y.json", {**log, "samples": [old]}))
    assert [(e.correct, e.unknown) for e in entries(first)] == [(False, False)]


def test_a_sample_that_was_logged_again_counts_once(tmp_path):
    """Of two members of one name the last, as Inspect reads them."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = eval_log(tmp_path / "x.eval", inspect_sample(value="I"), inspect_sample(value="C"))
    assert [e.correct for e in entries(read_log(path))] == [True]


# ------------------------------------------------------------------------------------------------ lm-evaluation-harness


def test_samples_that_the_harness_wrote():
    """lm_eval 0.4.13, two documents with eight repeats; a truth judges each as the harness judged the first."""
    path = SAMPLES / "samples_arithmetic_lab_2026-12-01T00-09-26.097226.jsonl"
    found = read_log(path)
    assert (found.form, len(found.pool), found.pool.size) == ("lm-eval", 2, 8)
    judged, _ = asyncio.run(judge_again(found.pool, found.problems, Exact(answer)))
    columns = list(judged.entries.values())
    assert found.figures["exact_match,score-first"] == sum(column[0].correct for column in columns) / 2
    assert sum(e.correct for column in columns for e in column) > 2
    assert found.left_out == {"rows of the filter 'maj@8'": 2}


def test_harness_rows_of_one_repeat_have_their_metrics(tmp_path):
    """Of one filter; the means of all are figures."""
    rows = [harness_row(0), harness_row(1, filtered=("[invalid]",), exact_match=0.0)]
    rows += [harness_row(i, filter="strict", exact_match=0.0) for i in range(2)]
    path = lines(tmp_path / "samples_sum_2026-11-30T00-00-00.000000.jsonl", *rows)
    found = read_log(path)
    assert [(e.correct, e.unknown, e.key) for e in entries(found)] == [(True, False, "4"), (False, False, None)]
    assert found.figures == {"exact_match,first": 0.5, "exact_match,strict": 0.0}
    assert found.left_out == {"rows of the filter 'strict'": 2}
    assert [(p.id, p.prompt.text, p.reference) for p in found.problems] == [
        ("0", "0: 2+2?", "4"),
        ("1", "1: 2+2?", "4"),
    ]
    assert read_log(path, how=How(filter="strict")).pool.curve("pass@k").mean == (0.0,)
    with pytest.raises(ConfigError, match=r"no rows of the filter 'lax', it has 'first', 'strict'"):
        read_log(path, how=How(filter="lax"))


def test_harness_repeats_have_no_verdict_of_their_own(tmp_path):
    """The metric is of what the filter makes of all; the samples stay unknown, their keys are there if it left them."""
    row = harness_row(0, ("4", "5", "?"), (["4", "5", "[invalid]"],))
    found = read_log(lines(tmp_path / "s.jsonl", row, harness_row(1, ("4", "5", "6"), ("4",))))
    assert [e.unknown for e in entries(found)] == [True] * 6
    assert [e.key for e in entries(found)] == ["4", "5", None, None, None, None]


def test_a_form_is_found_by_a_long_first_line(tmp_path):
    """A thousand repeats stand before the fields at its end."""
    rows = harness_row(0, ["so 4".ljust(5000)] * 1000)
    found = read_log(lines(tmp_path / "x.jsonl", rows))
    assert (found.form, found.pool.size) == ("lm-eval", 1000)
    many = {"id": 1, "question": "6*7?", "samples": ["42".ljust(2000)] * 1000, "is_corrects": [True] * 1000}
    assert read_log(lines(tmp_path / "y.jsonl", many)).form == "monkeys"


def test_harness_choices_are_the_likeliest(tmp_path):
    """A request a choice."""
    row = harness_row(resps=(), metrics=["acc"], acc=1.0)
    row["resps"] = [[["-3.5", "False"]], [["-0.5", "True"]]]
    [entry] = entries(read_log(lines(tmp_path / "s.jsonl", row)))
    assert (entry.value, entry.key, entry.correct, entry.scores) == ("1", "1", True, {"acc": 1.0})


# ------------------------------------------------------------------------------------------------ others


def test_a_batch_has_a_sample_a_choice_and_failed_ones(tmp_path):
    """Tokens of an answer are shared by its choices; ids by an expression."""
    failed = batch_row(
        "p-2", error=None, response={"status_code": 429, "request_id": "r", "body": {"error": {"message": "slow"}}}
    )
    expired = batch_row("q-0", response=None, error={"code": "batch_expired", "message": "late"})
    path = lines(tmp_path / "out.jsonl", batch_row("p-0", "4", "5"), batch_row("p-1", "4"), failed, expired)
    found = read_log(path, how=How(problem="(.*)-[0-9]+", key=keys.number, prices=(1.0, 2.0)))
    assert {p: [e.key for e in c] for p, c in found.pool.entries.items()} == {"p": ["4", "5", "4", None], "q": [None]}
    assert [(e.prompt_tokens, e.generated_tokens, e.finish) for e in found.pool.entries["p"]] == [
        (10, 4, "stop"),
        (0, 4, "stop"),
        (10, 8, "stop"),
        (0, 0, "error"),
    ]
    assert found.pool.entries["p"][2].usd == pytest.approx(26e-6)
    assert [e.feedback for e in entries(found)][3:] == ["slow", "late"]


YAML = """gt_answer: 'so

  #### 42'
prompt: 'Question: 6*7?

  Answer:'
question: 6*7?
samples:
- ' 42'
- |-
  no idea
is_corrects:
- true
- false
"""


@pytest.mark.parametrize("name", ["is_corrects", "is_correct"])
def test_monkeys_as_yaml_and_as_lines(tmp_path, name):
    """A problem a file, called by its name; or a line."""
    pytest.importorskip("yaml")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "17.yaml").write_text(YAML.replace("is_corrects", name))
    found = read_log(tmp_path / "logs", how=How(key=keys.number))
    assert {p: [(e.value, e.correct) for e in c] for p, c in found.pool.entries.items()} == {
        "17": [(" 42", True), ("no idea", False)]
    }
    assert [(p.prompt.text, p.reference) for p in found.problems] == [("Question: 6*7?\nAnswer:", "so\n#### 42")]
    row = {"question": "6*7?", "samples": ["42", "41"], name: [True, None], "gt_answer": "42", "orig_dset_idx": 3}
    rows = entries(read_log(lines(tmp_path / "m.jsonl", row)))
    assert [(e.correct, e.unknown) for e in rows] == [(True, False), (False, True)]


def test_lines_of_your_own(tmp_path):
    """Names, paths with dots, and lists side by side."""
    row = {"task": {"n": 3}, "out": {"text": "it is 4"}, "ok": 0.75, "reward": 0.5, "answer": "4", "usage": {"n": 9.0}}
    fields = FieldNames.of(["problem=task.n", "value=out.text", "correct=ok", "score=reward", "key=answer",
                        "generated_tokens=usage.n"])  # fmt: skip
    [entry] = entries(found := read_log(lines(tmp_path / "x.jsonl", row), how=How(threshold=0.75, fields=fields)))
    assert (entry.value, entry.correct, entry.score, entry.key, entry.generated_tokens) == (
        "it is 4",
        True,
        0.5,
        "4",
        9,
    )
    assert list(found.pool.entries) == ["3"]
    many = {"problem": "p", "value": ["4", "5", None], "correct": [True, False, None], "prompt_tokens": 6}
    found = entries(read_log(lines(tmp_path / "y.jsonl", many)))
    assert [(e.value, e.correct, e.unknown, e.prompt_tokens) for e in found] == [
        ("4", True, False, 6), ("5", False, False, 6), (None, False, True, 6),
    ]  # fmt: skip


def test_packed_by_gzip_with_a_mark(tmp_path):
    """A byte order mark, blank lines, and no line break at the end."""
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"problem": 1, "value": "a"}\n\n{"problem": 1, "value": "b"}'))
    assert [e.value for e in entries(read_log(path))] == ["a", "b"]


def test_written_while_it_is_read(tmp_path):
    """The file is the pool that `read_log` gives; what is returned has no texts, and the same curves."""
    rows = [{"problem": f"p{i % 3}", "value": f"text {i}", "key": str(i % 2), "correct": i % 2 == 0} for i in range(12)]
    path = lines(tmp_path / "x.jsonl", *rows, {"problem": "p0", "value": "lone \ud800", "correct": None})
    whole, slim = read_log(path), import_log(path, tmp_path / "pool.jsonl")
    assert Pool.load(tmp_path / "pool.jsonl") == whole.pool
    assert [c.mean for c in slim.pool.curves()] == [c.mean for c in whole.pool.curves()]
    assert {e.value for e in entries(slim)} == {None, "lone ?"}
    assert slim.pool.diagnosis == whole.pool.diagnosis
    with pytest.raises(ConfigError, match="is there already"):
        import_log(path, tmp_path / "pool.jsonl")


def test_several_files_are_further_samples(tmp_path):
    """Of the same problems and one model; else they are two pools."""
    a = eval_log(tmp_path / "a.eval", inspect_sample())
    b = eval_log(tmp_path / "b.eval", inspect_sample(value="I"))
    assert read_log([a, b]).pool.size == 2
    assert read_log(tmp_path).pool.size == 2
    other = eval_log(tmp_path / "c.eval", inspect_sample(input="What else?"))
    with pytest.raises(ConfigError, match=r"c.eval: problem '1' has another prompt than before"):
        read_log([a, other])
    strange = eval_log(tmp_path / "d.eval", inspect_sample(2), header={**HEADER, "eval": {"model": "n"}})
    with pytest.raises(ConfigError, match=r"d.eval is of the model 'n', others of 'm'"):
        read_log([a, strange])
    with pytest.raises(ConfigError, match="named twice"):
        read_log([a, tmp_path / "." / "a.eval"])
    with pytest.raises(ConfigError, match="these are logs of inspect and jsonl"):
        read_log([a, lines(tmp_path / "e.jsonl", {"problem": 1, "value": "x"})])
