"""Nothing that is held out leaks: by id, by prompt, by a prompt that differs in what normalisation removes."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from searchkit.datasets import gsm8k, humaneval, math500
from searchkit.errors import ConfigError
from searchkit.export import HeldOut, Traces, export
from searchkit.export.held_out import ANCHOR, held_out, line, shipped
from searchkit.export.normalised import digest, normalised
from searchkit.lab.arithmetic import Arithmetic
from searchkit.lab.countdown import Countdown
from searchkit.types import Message, Problem, Prompt, Text
from tests.export.made import material, trajectory

DATA = Path(__file__).parents[3] / "shared" / "data"
MATH = r"Compute the value of $\frac{1{,}234}{2} + \left(3 \cdot 4\right)$ in simplest form, please."
LONG = "Natalie has 12 apples and gives some of them to her friends; how many are left in the end?"
TEST = HeldOut.of(["held/1"], [MATH, LONG, "Short one?"], "my test")

SPELT = [
    MATH, MATH.lower(), MATH.swapcase(), MATH.replace("Compute the", "COMPUTE THE"), MATH.replace(" ", "\n\n"),
    MATH.replace("1{,}234", "1234"), MATH.replace("1{,}234", "1,234"), MATH.replace("1{,}234", r"1\,234"),
    MATH.replace(r"\left", "").replace(r"\right", ""), MATH.replace(" + ", r"\; + \quad "), MATH.replace("$", r"\("),
    MATH.replace(r"\frac", r"\dfrac"), f"**{MATH}**", MATH.rstrip("."), MATH + "\u00a0", MATH.replace("1", "１"),
    f"Problem: {MATH}", f"You are a tutor.\n\n{MATH}\n\nReason step by step.", f"{MATH}\r\nAnswer:",
    f"Here is a question. {MATH} Answer it now.",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SPELT)))
def test_a_prompt_is_known_again_however_it_is_spelt(number):
    """Case, blanks, punctuation, LaTeX spacing, grouping of digits, and templates around it."""
    assert TEST.why("mine", Prompt.of(SPELT[number])) == "its prompt is one of my test"


ACCENTS = r"Find the café's value of $\frac{12}{3}\quad2 + x$, for the naïve reader of résumés, please."
ALIKE = [
    ACCENTS, unicodedata.normalize("NFD", ACCENTS),
    unicodedata.normalize("NFKD", ACCENTS).replace("e\u0301", "e\u200d\u0301"),
    ACCENTS.upper().replace("QUAD", "quad").replace("FRAC", "frac"), "\u200b".join(ACCENTS.replace("\\quad", " ")),
    ACCENTS.replace("please", "pl\u00ade\u2060ase\ufeff"), ACCENTS.replace("12", "\u0661\u0662"),
    ACCENTS.replace("12", "\U0001d7cf\U0001d7d0"), ACCENTS.replace(r"\quad2", "2"),
    *(ACCENTS.replace(r"\quad2", said) for said in (
        r"\qquad2", r"\thickspace2", r"\negthinspace 2", r"\enskip2", r"\hskip 1em 2", r"\mskip3mu 2",
        r"\kern-.5pt 2",
        r"\hspace*{\baselineskip}2", r"\mathstrut2", r"\Bigl(2\Bigr)", "&nbsp;2", "&#160;2", "~2", r"\allowbreak2",
        "&amp;2")),
    ACCENTS.replace(r"\frac", r"\cfrac"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ALIKE)))
def test_accents_and_what_nobody_sees_tell_nothing_apart(number):
    """Accents composed, apart or missing; characters without width; digits of other scripts; commands before digits."""
    known = HeldOut.of([], [ACCENTS], "my test")
    assert known.why("mine", Prompt.of(ALIKE[number])) == "its prompt is one of my test"


def test_a_question_over_two_turns_is_known_again():
    """As a whole it was asked, whatever the turns."""
    half = LONG.index("to her")
    assert TEST.why("mine", Prompt((Message("user", (Text(LONG[:half]),)), Message("user", (Text(LONG[half:]),)))))


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0b", "\x1e"])
def test_a_prompt_of_a_file_may_hold_any_break(tmp_path, end):
    """A line ends where JSON lines end, and nowhere else."""
    listed = tmp_path / "held.jsonl"
    listed.write_text(json.dumps({"prompt": f"How old is{end}the captain?"}, ensure_ascii=False), encoding="utf-8")
    assert held_out(listed).why("x", Prompt.of("How old is the captain?"))


@pytest.mark.parametrize("text", ["Short one?", "SHORT ONE", "Q: short one", "Read this.\nshort\none\nNow answer."])
def test_a_short_prompt_is_known_as_whole_lines(text):
    """Too short to be looked for inside of a line."""
    assert TEST.why("mine", Prompt.of(text))


@pytest.mark.parametrize("text", ["Short one more", "A short one is here", MATH[:60], MATH.replace("234", "235")])
def test_other_prompts_are_not_refused(text):
    """A part of one, one that is longer, another number."""
    assert TEST.why("mine", Prompt.of(text)) == ""


def test_an_id_is_enough_and_every_message_is_looked_at():
    """Whatever its prompt is; and a prompt may stand in any turn."""
    assert TEST.why("held/1", Prompt.of("anything")) == "its id is one of my test"
    turns = (Message("system", (Text("Be brief."),)), Message("user", (Text("Hello"),)), Message("user", (Text(LONG),)))
    assert TEST.why("mine", Prompt(turns))
    assert TEST.why("held/2", Prompt.of("anything")) == ""


def test_the_shipped_sets_are_there():
    """1,319 + 500 + 164 problems by id, and all their prompts but for the same ones."""
    known = shipped()
    counts = {name: list(known.ids.values()).count(name) for name in set(known.ids.values())}
    assert counts == {"GSM8K test": 1319, "MATH-500": 500, "HumanEval": 164}
    assert len(known.whole) > 1970
    assert known.why("HumanEval/0", Prompt.of("x"))
    assert known.why("test/precalculus/807.json", Prompt.of("x"))


def test_a_public_question_is_refused_inside_of_our_template():
    """The first of GSM8K's test split, as its README prints it."""
    question = (
        "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her "
        "friends every day with four. She sells the remainder at the farmers' market daily for $2 per fresh duck egg. "
        "How much in dollars does she make every day at the farmers' market?"
    )
    assert "GSM8K" in shipped().why("mine/1", Prompt.of(f"{question}\n\nReason step by step."))


def test_the_labs_test_splits_are_refused_and_the_others_are_not():
    """By their rule: all of them, spaced and punctuated in any way."""
    known = shipped()
    for puzzle in Countdown().puzzles(20, "test"):
        *numbers, target = (*map(str, puzzle.numbers), str(puzzle.target))
        for text in (puzzle.prompt, f"{', '.join(numbers)} > {target}", f"Solve: {' '.join(numbers)}>{target}",
                     f"[Token Budget: 9 ]Current State: {target}:[{', '.join(numbers)}], Operations: []"):  # fmt: skip
            assert known.why("mine", Prompt.of(text)), text
    for expression in Arithmetic().expressions(20, "test"):
        for text in (expression.prompt, expression.text.replace("+", " + "), f"{expression.text} = ?"):
            assert known.why("mine", Prompt.of(text)), text
    others = [p.prompt for p in Countdown().puzzles(50, "train")] + [
        e.prompt for e in Arithmetic().expressions(50, "train")
    ]
    assert [text for text in others if known.why(text.strip(), Prompt.of(text))] == []


PUZZLE_FORMS = [
    "{n}>{t}", "{c} > {t}", "{s} > {t}", "{z}>{t}", "{n} \uff1e {t}", "{n}->{t}", "{n} => {t}", "{n} → {t}",
    "{n}&gt;{t}", "[{c}] > {t}",
    "({n}) > {t}", "**{n}** > **{t}**", r"${l} > {t}$", "0{n}>{t}", "{long}{n}>{t}",
    "1 2 3>6\n{n}>{t}", "Example: 5\n{n}>{t}", "{n} = {t}",
    "`{n}` > `{t}`", "Current State: {t}:[{c}], Operations", "CURRENT STATE: {t}:[{c}], Operations", "{wide}",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(PUZZLE_FORMS)))
def test_puzzles_of_the_lab_are_known_however_they_are_written(number):
    """Signs, brackets, markup, widths, what has no width, and whatever stands before."""
    for puzzle in Countdown().puzzles(5, "test"):
        numbers, target = [*map(str, puzzle.numbers)], str(puzzle.target)
        row = " ".join(numbers)
        said = PUZZLE_FORMS[number].format(
            n=row, t=target, c=", ".join(numbers), s="; ".join(numbers), z="\u200b ".join(numbers), long="x " * 1500,
            l=r"\ ".join(numbers), wide=f"{row}>{target}".translate({48 + i: 0xFF10 + i for i in range(10)}),
        )  # fmt: skip
        assert shipped().why("mine", Prompt.of(said)), said


EXPRESSION_FORMS = [
    lambda e: e, lambda e: e.replace("*", "×"), lambda e: e.replace("-", "−"), lambda e: e.replace("*", r" \times "),
    lambda e: e.replace("*", r"\cdot"), lambda e: e.replace("*", "·"), lambda e: f"What is {e}?", lambda e: f"${e}$",
    lambda e: f"({e})", "\u200b".join, lambda e: "x " * 1500 + "\n" + e, lambda e: f"**{e}**", lambda e: f"Q: {e} A:",
    lambda e: f"`{e}`", lambda e: f"Problem 7 {e}", lambda e: f"({e} = ?)", lambda e: f"$${e}=$$",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(EXPRESSION_FORMS)))
def test_expressions_of_the_lab_are_known_however_they_are_written(number):
    """Those with a product or a sum; differences alone may be dates, and count as whole lines."""
    for expression in [e for e in Arithmetic().expressions(20, "test") if "*" in e.text or "+" in e.text][:10]:
        said = EXPRESSION_FORMS[number](expression.text)
        assert shipped().why("mine", Prompt.of(said)), said


@pytest.mark.parametrize("say", [
    "so {e} = {v}", "Here {e}={v} then",
    "We note that, as everybody has seen in the third chapter, {e} is what the baker earns.",
])  # fmt: skip
def test_an_expression_in_an_example_is_no_task(say):
    """With its value, or in a sentence: else every prompt with examples would be refused."""
    for e in Arithmetic().expressions(20, "test"):
        assert shipped().why("mine", Prompt.of(say.format(e=e.text, v=e.value))) == ""


@pytest.mark.parametrize("text", ["1 " * 100_000, "9>" * 30_000, ">" * 200_000, "(" * 200_000,
                                  "\\hspace{" * 20_000, "1+" * 50_000,
                                  "&" * 200_000, "\u0301" * 200_000, "current state: " * 10_000,
                                  "3 4>5\n" * 6_000])  # fmt: skip
def test_hostile_prompts_are_read_in_linear_time(text):
    """Two hundred thousand characters count."""
    assert isinstance(shipped().why("mine", Prompt.of(text)), str)


@pytest.mark.parametrize("id_", ["17", "3-4", "2024-11-30", "p1", "p 1>2"])
def test_an_id_that_is_no_task_is_no_task(id_):
    """Ids are names: dates and numbers are none of the lab's problems."""
    assert all(shipped().why(id_, Prompt.of(f"A question of mine, {i}")) == "" for i in range(50))


def test_export_refuses_by_name_and_writes_nothing(tmp_path):
    """Or leaves out what is held out, and names it."""
    target = tmp_path / "rows.jsonl"
    mine = [material(trajectory("9", True)), material(trajectory("9", True), problem=Problem("held/1", Prompt.of("y")))]
    with pytest.raises(ConfigError, match=r"'held/1' is held out \(its id is one of my test\): nothing was written"):
        export(mine, target, recipe=Traces(), held_out=TEST)
    assert list(tmp_path.iterdir()) == []
    done = export(mine, target, held_out=TEST, drop_held_out=True)
    assert done.refused == {"held/1": "its id is one of my test"}
    assert [json.loads(text)["origin"]["problem"] for text in target.read_text().splitlines()] == ["sum"]


def test_what_a_user_holds_out_comes_on_top(tmp_path):
    """Ids, or a file of ids and objects."""
    assert held_out(["mine/1"]).why("mine/1", Prompt.of("x"))
    assert held_out(["mine/1"]).why("HumanEval/3", Prompt.of("x"))
    listed = tmp_path / "held.jsonl"
    listed.write_text('mine/2\n{"id": "mine/3"}\n\n{"prompt": "How old is the captain?"}\n')
    found = held_out(listed)
    assert found.why("mine/2", Prompt.of("x"))
    assert found.why("mine/3", Prompt.of("x"))
    assert found.why("mine/4", Prompt.of("how OLD is the captain")) == "its prompt is one of held.jsonl"
    listed.write_text('{"question": "x"}\n')
    with pytest.raises(ConfigError, match="line 1"):
        held_out(listed)
    with pytest.raises(ConfigError, match="cannot be read"):
        held_out(tmp_path / "none")


def test_digests_are_eight_bytes_and_hold_no_text():
    """A line of the file: set, length, beginning, all."""
    kind, name, length, anchor, whole = line("s", LONG).split("\t")
    assert (kind, name, int(length)) == ("prompt", "s", len(normalised(LONG)))
    assert len(bytes.fromhex(anchor)) == len(bytes.fromhex(whole)) == 8
    assert bytes.fromhex(anchor) == digest(normalised(LONG)[:ANCHOR])


def test_a_hostile_prompt_takes_no_longer_than_its_length():
    """A hundred thousand lines and a megabyte without one are bounded."""
    assert TEST.why("x", Prompt.of("a\n" * 20_000)) == ""
    assert normalised("\\hspace{" * 5000) != "x"


@pytest.mark.skipif(not DATA.exists(), reason="the public sets lie beside the project, not in it")
@pytest.mark.parametrize(
    "spelt", [str, str.swapcase, lambda text: text.replace(" ", "  \n")], ids=["as is", "case", "blanks"]
)
def test_no_prompt_of_the_shipped_sets_leaks_under_another_id(spelt):
    """All 1,983, in the templates of our loaders, also with other case and blanks."""
    sets = (gsm8k(DATA / "gsm8k" / "test.jsonl"), math500(DATA / "math500" / "test500.jsonl"),
            humaneval(DATA / "human_eval" / "HumanEval.jsonl.gz"))  # fmt: skip
    prompts = [problem.prompt.text for one in sets for problem in one.problems]
    assert len(prompts) == 1983
    assert [text for text in prompts if not shipped().why("mine/x", Prompt.of(spelt(text)))] == []
