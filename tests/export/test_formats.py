"""Every format round-trips, in both shapes and both kinds of file, and holds what its trainer needs."""

from __future__ import annotations

import json

import pyarrow.parquet
import pytest

from searchkit.errors import ConfigError
from searchkit.export import FORMATS, Both, Groups, Keep, Material, Siblings, Tasks, Traces, Values, export
from searchkit.export.formats.reinforcement import PLACEHOLDER
from searchkit.export.labelling import StepLabels
from searchkit.export.revisions import THOUGHT, Revisions
from searchkit.types import Message, Problem, Prompt, Text
from tests.export.made import PROBLEM, known, material, trajectory

GIVEN = Material(
    PROBLEM.id, PROBLEM.prompt,
    (trajectory("2+3=5\n5+4=9\n", True), trajectory("2+3=6\n6+4=10\n", False), trajectory("\ud800 ½ \u2028", False)),
    known().trees, "9",
)  # fmt: skip
PLAIN = Material(PROBLEM.id, PROBLEM.prompt, GIVEN.trajectories[:2], GIVEN.trees, "9")


def rows(path):
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("shape", ["messages", "text"])
@pytest.mark.parametrize("name", list(FORMATS))
def test_json_lines_and_parquet_hold_the_same_rows(name, shape, tmp_path):
    """With provenance in each."""
    found = []
    for ending in ("jsonl", "parquet"):
        target = tmp_path / f"rows.{ending}"
        done = export(PLAIN, target, name, shape=shape)
        assert done.rows == {str(target): len(rows(target))}
        found.append(rows(target))
    assert found[0] == found[1]
    assert found[0]
    for row in found[0]:
        assert row["origin"]["problem"] == "sum"
        assert set(row["origin"]) == {
            "problem",
            "source",
            "name",
            "seed",
            "path",
            "model",
            "revision",
            "tokens",
            "licence",
        }


def one(name, recipe, tmp_path, shape="messages", given=PLAIN):
    target = tmp_path / "one.jsonl"
    export(given, target, name, recipe=recipe, shape=shape)
    return rows(target)


def test_pairs_share_their_prefix_byte_for_byte(tmp_path):
    """In both shapes, and the prompt is not repeated inside the answers."""
    [_, text] = one("trl-dpo", Siblings(), tmp_path, "text")
    assert text["prompt"] == "What is 2 + 3 + 4?2+3=5\n"
    assert (text["chosen"], text["rejected"]) == ("5+4=9.\n", "5+4=8\n")
    [_, spoken] = one("trl-dpo", Siblings(), tmp_path)
    assert spoken["prompt"] == [{"role": "user", "content": "What is 2 + 3 + 4?"}]
    for side in ("chosen", "rejected"):
        [turn] = spoken[side]
        assert turn["role"] == "assistant"
        assert turn["content"] == "2+3=5\n" + text[side]


@pytest.mark.parametrize("shape", ["messages", "text"])
@pytest.mark.parametrize("name", ["trl-dpo", "trl-reward", "axolotl-dpo", "openrlhf-dpo"])
def test_chosen_is_never_rejected(name, shape, tmp_path):
    """And rewards hold the prompt in both."""
    for row in one(name, None, tmp_path, shape):
        assert row["chosen"] != row["rejected"]
        if name == "trl-reward":
            start = "What is 2 + 3 + 4?" if shape == "text" else [{"role": "user", "content": "What is 2 + 3 + 4?"}]
            assert row["chosen"][: len(start)] == row["rejected"][: len(start)] == start


def test_labels_are_booleans_and_as_many_as_steps(tmp_path):
    """Not the text "False", which is true; a step's line break is TRL's to put."""
    for row in one("trl-kto", None, tmp_path):
        assert row["label"] is (row["completion"][0]["content"] == "2+3=5\n5+4=9\n")
    found = one("trl-prm", None, tmp_path)
    assert [(row["completions"], row["labels"], [round(v, 2) for v in row["values"]]) for row in found] == [
        (["2+3=5", "5+4=9"], [True, True], [0.67, 1.0]),
        (["2+3=5", "5+4=9."], [True, True], [0.67, 1.0]),
        (["2+3=5", "5+4=8"], [True, False], [0.67, 0.0]),
        (["2+3=6", "6+4=10"], [False, False], [0.0, 0.0]),
    ]
    assert [row["label"] for row in one("openrlhf-kto", None, tmp_path)] == [1, 0]


def test_the_last_turn_is_the_models(tmp_path):
    """A list of messages that ends with the user teaches the wrong side."""
    for name, column in (
        ("trl-sft", "completion"),
        ("trl-kto", "completion"),
        ("trl-dpo", "chosen"),
        ("axolotl", "messages"),
    ):
        assert all(row[column][-1]["role"] == "assistant" for row in one(name, None, tmp_path))
    assert all(row["conversations"][-1]["from"] == "gpt" for row in one("sharegpt", None, tmp_path))


def test_masks_are_over_what_is_to_be_learnt_alone(tmp_path):
    """Offsets include both ends and cover the text; what is learnt is the thought and the good end."""
    found = one("axolotl", Revisions(), tmp_path)
    assert len(found) == 4
    last = found[0]["messages"][-1]
    learnt, read = "", ""
    at = 0
    for part in last["train_detail"]:
        assert part["begin_offset"] == at
        at = part["end_offset"] + 1
        piece = last["content"][part["begin_offset"] : at]
        learnt, read = (learnt + piece, read) if part["train"] else (learnt, read + piece)
    assert at == len(last["content"])
    assert learnt == THOUGHT + "5+4=9\n"
    assert read == "2+3=5\n5+4=8\n"
    assert found[0]["messages"][0] == {
        "role": "user",
        "content": PROBLEM.prompt.text,
        "train": False,
        "train_detail": None,
    }


@pytest.mark.parametrize("name", ["trl-sft", "sharegpt", "openrlhf-sft"])
def test_formats_without_masks_refuse_revisions(name, tmp_path):
    """And say how to go on, counted, instead of teaching the bad steps."""
    done = export(PLAIN, tmp_path / "x.jsonl", name, recipe=Revisions())
    assert (done.rows, sum(done.dropped.values())) == ({}, 4)
    assert all("axolotl" in why for why in done.dropped)
    assert list(tmp_path.iterdir()) == []


def test_grpo_has_no_column_that_its_reward_functions_are_passed_already(tmp_path):
    """`prompts`, `completions` and `completion_ids` come from the trainer."""
    [row] = one("trl-grpo", None, tmp_path)
    assert row["reference"] == "9"
    assert not {"prompts", "completions", "completion", "completion_ids"} & set(row)


def test_verl_has_its_ground_truth_as_text(tmp_path):
    """Also where the reference is none."""
    [row] = one("verl", None, tmp_path, given=Material("n", PROBLEM.prompt, GIVEN.trajectories[:2], (), 9))
    assert row["reward_model"] == {"style": "rule", "ground_truth": "9"}
    assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info", "origin"}


def test_a_step_that_holds_the_placeholder_is_refused(tmp_path):
    """Its labels would be off by one."""
    found = one("openrlhf-prm", None, tmp_path)
    assert all(row["input"].count(PLACEHOLDER) == len(row["value"]) == 2 for row in found)
    tree = known().trees[0]
    tree.texts[1] = f"a {PLACEHOLDER} b\n"
    done = export(Material("n", PROBLEM.prompt, (), (tree,)), tmp_path / "x.jsonl", "openrlhf-prm")
    assert done.dropped == {"a step that holds the placeholder": 3}
    assert list(done.rows.values()) == [1]


def test_what_does_not_alternate_is_no_sharegpt(tmp_path):
    """Two turns of the user, or a system turn in the middle."""
    two = Prompt((Message("user", (Text("a"),)), Message("user", (Text("b"),))))
    given = material(trajectory("9", True), problem=Problem("p", two))
    assert export(given, tmp_path / "x.jsonl", "sharegpt").dropped == {"a conversation that does not alternate": 1}
    spoken = Prompt((Message("system", (Text("s"),)), Message("user", (Text("u"),))))
    [row] = one("sharegpt", None, tmp_path, given=material(trajectory("9", True), problem=Problem("p", spoken)))
    assert [turn["from"] for turn in row["conversations"]] == ["system", "human", "gpt"]


def test_a_prompt_of_several_messages_has_no_text(tmp_path):
    """It is counted; nothing is joined behind the user's back."""
    spoken = Prompt((Message("system", (Text("s"),)), Message("user", (Text("u"),))))
    done = export(material(trajectory("9", True), problem=Problem("p", spoken)), tmp_path / "x.jsonl", shape="text")
    assert done.dropped == {"prompt of several messages, which has no text: use messages": 1}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_odd_texts_survive_and_those_that_nobody_reads_are_left_out(tmp_path, kind):
    """One row a line, the same text again. One lone surrogate makes a file that `datasets` does not load at all."""
    odd = "½ \u2028 \x85 \x00 \x1b[2J <script> \u202e \U0001f600"
    given = material(trajectory(odd, True), trajectory("\ud800 ½", True), trajectory("a\udfff", False))
    done = export(given, tmp_path / f"x.{kind}", "trl-kto", shape="text")
    assert [row["completion"] for row in rows(tmp_path / f"x.{kind}")] == [odd]
    assert done.dropped == {"a text with lone surrogates": 2}


def test_value_targets_and_groups_have_plain_formats(tmp_path):
    """For trainers without a format of their own."""
    assert [round(row["value"], 3) for row in one("values", Values(), tmp_path)] == [0.5, 0, 1, 1, 0.25, 0]
    group = one("groups", Groups(scaled=False), tmp_path)[-1]
    assert (group["prefix"], group["texts"], group["rewards"]) == (
        "2+3=5\n",
        ["5+4=9\n", "5+4=9.\n", "5+4=8\n"],
        [1, 1, 0],
    )


def test_rows_of_a_problem_are_capped_and_problems_split(tmp_path):
    """A problem's rows are on one side alone."""
    many = [material(*(trajectory(f"{i} {j}", True, problem=f"p{i}") for j in range(5)),
                     problem=Problem(f"p{i}", Prompt.of(f"Say {i}"))) for i in range(40)]  # fmt: skip
    done = export(many, tmp_path / "x.jsonl", keep=Keep(most=3), validation=0.3)
    assert sum(done.rows.values()) == 120
    assert done.dropped == {"beyond the most of a problem": 80}
    sides = [{row["origin"]["problem"] for row in rows(tmp_path / name)} for name in ("x.jsonl", "x-validation.jsonl")]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == done.problems == 40


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "dpo"}, "there is no format 'dpo': choose from trl-sft"),
        ({"shape": "chat"}, "shape is"),
        ({"validation": 1.0}, "validation is a share"),
        ({"out": "x.csv"}, r"ends in .jsonl or .parquet"),
        ({"source": 3}, "a source is a journal"),
        ({"source": [3]}, "a list of sources holds files, pools and Material"),
        ({"source": "/nowhere"}, "neither a file nor the folder"),
    ],
)
def test_mistakes_are_told(change, said, tmp_path):
    """Each names the fix."""
    given = {
        "source": PLAIN,
        "out": tmp_path / "x.jsonl",
        "format": "trl-sft",
        "shape": "text",
        "validation": 0.0,
    } | change
    with pytest.raises(ConfigError, match=said):
        export(**given)


def test_recipes_can_be_joined(tmp_path):
    """One file of two kinds of pairs."""
    assert len(one("trl-dpo", Both((Siblings(), Siblings())), tmp_path)) == 4
    assert one("trl-sft", Traces(), tmp_path, "text")[0]["completion"] == "2+3=5\n5+4=9\n"
    assert len(one("verl", Tasks(), tmp_path)) == 1
    assert StepLabels(0.7).bar == 0.7


@pytest.mark.parametrize("name", ["openrlhf-sft", "openrlhf-kto"])
def test_openrlhf_is_given_an_answer_as_its_prompt_is(name, tmp_path):
    """With a chat template it adds `input` and `output` and renders both: two lists of messages, or it fails."""
    for row in one(name, None, tmp_path):
        turns = row["input"] + row["output"]
        assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert all(isinstance(row["input"] + row["output"], str) for row in one(name, None, tmp_path, "text"))
