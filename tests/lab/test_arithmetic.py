"""Arithmetic: the parser and the steps against Python's own grammar and string rewriting, the checker, the splits."""

from __future__ import annotations

import ast
import asyncio
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import Budget, Model, Params, Prompt, Sample
from searchkit.engine.candidates import Search
from searchkit.engine.run import Run
from searchkit.experiments import draw
from searchkit.generators import Embedded, shipped
from searchkit.lab.arithmetic import Arithmetic, Expression, Tree, answer, check, labels, reduce, replay, solutions
from searchkit.lab.checker import ARITHMETIC, problem
from searchkit.lab.environment import ArithmeticSteps

DRAWN = [Arithmetic(high=high).draw(random.Random(seed)) for high in (9, 99, 999) for seed in range(150)]


def values_in_python(node: ast.expr) -> list[int]:
    """The values of all parts of an expression in Python's grammar, the whole one last."""
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        return [node.value]
    assert isinstance(node, ast.BinOp)
    left, right = values_in_python(node.left), values_in_python(node.right)
    a, b = left[-1], right[-1]
    operations: dict[type, Callable[[int, int], int]] = {
        ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__
    }  # fmt: skip
    return [*left, *right, operations[type(node.op)](a, b)]


def rewritten(text: str) -> list[str]:
    """A second algorithm for one reduction, on the text alone: an operation is ready where its neighbours allow it."""
    after_times, inside = r"(?<![*0-9])([0-9]+)(\*)([0-9]+)", r"(?:^|(?<=\())([0-9]+)([+-])([0-9]+)(?![*0-9])"
    found = []
    for match in sorted([*re.finditer(after_times, text), *re.finditer(inside, text)], key=lambda m: m.start()):
        a, b = int(match[1]), int(match[3])
        value = {"+": a + b, "-": a - b, "*": a * b}[match[2]]
        start, end = match.span()
        if text[start - 1 : start] == "(" and text[end : end + 1] == ")":
            start, end = start - 1, end + 1
        found.append(f"{text[:start]}{value}{text[end:]}")
    return found


def test_values_are_those_of_pythons_grammar_and_stay_in_range() -> None:
    """The value of 450 random expressions, and that every value on the way lies in 0..999."""
    for expression in DRAWN:
        values = values_in_python(ast.parse(expression.text, mode="eval").body)
        assert values[-1] == expression.value
        assert 0 <= min(values) <= max(values) <= 999


def test_a_text_and_its_tree_are_one_to_one() -> None:
    """Reading what was written gives the same tree, also of every line of every solution; no parentheses too many."""
    for expression in DRAWN:
        for text in (expression.text, *(line for path in solutions(expression) for line in path)):
            assert Expression.parse(text).text == text
            assert ast.unparse(ast.parse(text, mode="eval")).replace(" ", "") == text
        assert Expression.parse(f"  {expression.prompt}\n").tree == expression.tree


def test_one_reduction_is_what_string_rewriting_gives() -> None:
    """Same next lines in the same order as the second algorithm, along whole solutions."""
    rng = random.Random(0)
    for expression in DRAWN:
        while following := reduce(expression):
            assert [after.text for after in following] == rewritten(expression.text)
            assert {after.value for after in following} == {expression.value}
            expression = rng.choice(following)
        assert expression.text == str(expression.value)


def test_the_example_by_hand() -> None:
    """3*(12+7)-5 has one way; (1+2)*(3+4)+5*6 is ready at three places and has eight."""
    assert solutions(Expression.parse("3*(12+7)-5")) == [("3*19-5", "57-5", "52")]
    wide = Expression.parse("(1+2)*(3+4)+5*6")
    assert [e.text for e in reduce(wide)] == ["3*(3+4)+5*6", "(1+2)*7+5*6", "(1+2)*(3+4)+30"]
    assert solutions(wide) == sorted(set(solutions(wide)))
    assert len(solutions(wide)) == 8  # the product's two sides in 2 orders, then itself: 5*6 fits in 4 places
    assert solutions(Expression.parse("7")) == [()]


def test_no_expression_has_more_than_eight_solutions() -> None:
    """A solution for six numbers has five lines, and there are one to eight of them."""
    counts = [len(solutions(Arithmetic(fewest=6).draw(random.Random(seed)))) for seed in range(300)]
    assert min(counts) == 1
    assert max(counts) == 8


def test_every_solution_passes_and_every_change_of_a_digit_fails() -> None:
    """The checker accepts what the solver found, and nothing that differs from it in one digit."""
    for expression in Arithmetic(high=40).expressions(20, "dev"):
        for lines in solutions(expression):
            text = "".join(line + "\n" for line in lines)
            assert check(expression, text) == check(expression, text.rstrip("\n")) == ""
            assert labels(expression, text) == (True,) * len(lines)
            assert answer(text) == str(expression.value)
            for i, c in enumerate(text):
                if c.isdigit():
                    changed = text[:i] + str((int(c) + 1) % 10) + text[i + 1 :]
                    wrong = text[:i].count("\n")
                    assert check(expression, changed).startswith(f"line {wrong + 1} ")
                    assert labels(expression, changed) == (True,) * wrong + (False,) * (len(lines) - wrong)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unfinished: (2+3)*4-5*1 is left"),
        ("5*4-5*1\n", "unfinished: 5*4-5*1 is left"),
        ("5*4-5*1\n20-5*1\n20-5\n", "unfinished: 20-5 is left"),
        ("6*4-5*1\n24-5*1\n24-5\n19\n", "line 1 is wrong arithmetic"),
        ("(2+3)*4-6\n", "line 1 is wrong arithmetic"),
        ("5*4-5*1\n20-5*1\n20-5\n16\n", "line 4 is wrong arithmetic"),
        ("5*4-5*1\n20-5\n15\n", "line 2 is not 5*4-5*1 with one operation done"),
        ("5*4-5*1\n5*4-5*1\n", "line 2 is not"),
        ("(5)*4-5*1\n", "line 1 is not"),
        ("5*4-5*2\n", "line 1 is not"),
        ("2+12-5*1\n", "line 1 is not"),
        ("15\n", "line 1 is not"),
        ("05*4-5*1\n", "line 1 is wrong arithmetic"),
        ("5*4-5*1\n20-5*1\n20-5\n15\n15\n", "line 5 is not 15 with one operation done"),
        ("5*4-5*1\n20-5*1\n20-5\n15\n\n", "line 5 is not"),
        ("\n", "line 1 is not"),
        ("the answer is 15", "line 1 is not"),
        ("__import__('os')", "line 1 is not"),
    ],
)
def test_wrong_texts_fail_with_the_line_and_the_reason(text: str, reason: str) -> None:
    """The table above, on (2+3)*4-5*1."""
    found = check(Expression.parse("(2+3)*4-5*1"), text)
    assert found.startswith(reason)


def test_a_right_number_by_wrong_lines_is_an_answer_but_no_solution() -> None:
    """Two errors that cancel: the vote counts it, the checker and the labels do not."""
    expression, text = Expression.parse("2+3+4"), "6+4\n9\n"
    assert answer(text) == "9" == str(expression.value)
    assert check(expression, text) == "line 1 is wrong arithmetic"
    assert labels(expression, text) == (False, False)


@pytest.mark.parametrize(
    ("value", "key"),
    [("57-5\n52\n", "52"), ("52", "52"), ("0\n", "0"), ("57-5\n", None), ("", None), ("\n\n", None), ("1000", None),
     ("052", None), ("-3", None), ("52 ", None), ("٥٢", None), ("52\n57-5", None)],
)  # fmt: skip
def test_the_answer_is_the_number_on_the_last_line(value: str, key: str | None) -> None:
    """The table above: an expression, nothing, or a number that no expression has is no answer."""
    assert answer(value) == key


@given(st.text(max_size=200) | st.text("0123456789+-*()\n", max_size=60))
def test_no_text_makes_the_checker_raise(text: str) -> None:
    """Any text gets a reason, as many labels as lines, and at most as many right ones as the problem has steps."""
    expression = Expression.parse("(2+3)*4-5*1")
    assert check(expression, text) != "" or text.splitlines()[-1] == "15"
    assert sum(labels(expression, text)) <= 4
    answer(text)


def test_hostile_texts_are_refused_at_the_first_line() -> None:
    """Megabytes of digits, parentheses, operations and lines; the parser refuses them before reading them."""
    expression = Expression.parse("(2+3)*4-5*1")
    for text in ("9" * 3_000_000, "(" * 3_000_000, "1+" * 1_000_000, "\n" * 1_000_000):
        assert replay(expression, text).steps == 0
        assert answer(text) is None
        with pytest.raises(ValueError, match="looks like"):
            Expression.parse(text)
    with pytest.raises(ValueError, match="looks like"):
        Expression.parse("(" * 63)


def test_partial_texts_can_be_replayed() -> None:
    """What an environment needs: the expression left after the right lines, and how many there are."""
    expression = Expression.parse("(2+3)*4-5*1")
    assert replay(expression, "").remaining == expression
    assert replay(expression, "(2+3)*4-5\n5*4-5").remaining == Expression.parse("5*4-5")
    stopped = replay(expression, "(2+3)*4-5\n5*4-6\n5*4-6\n")
    assert (stopped.remaining.text, stopped.steps, stopped.error) == (
        "(2+3)*4-5",
        1,
        "line 2 is not (2+3)*4-5 with one operation done",
    )


def test_the_splits_are_disjoint_also_with_the_sides_of_a_sum_or_product_swapped() -> None:
    """Every expression is in one split, with all that differ from it in the order of sides only; 2 % a split."""
    task = Arithmetic(high=30)
    drawn = {split: {e.text for e in task.expressions(80, split)} for split in ("train", "dev", "test")}
    assert not drawn["train"] & drawn["test"]
    assert not drawn["train"] & drawn["dev"]
    assert not drawn["dev"] & drawn["test"]
    for split, texts in drawn.items():
        for expression in map(Expression.parse, texts):
            assert expression.split == split
            assert Expression(mirrored(expression.tree)).split == split
    rng = random.Random(0)
    held = [task.draw(rng).split for _ in range(5000)]
    assert 60 < held.count("dev") < 140  # 100 expected, standard deviation 10
    assert 60 < held.count("test") < 140


def mirrored(tree: Tree) -> Tree:
    """The sides of every + and * swapped."""
    if isinstance(tree, int):
        return tree
    left, operation, right = mirrored(tree[0]), tree[1], mirrored(tree[2])
    return (left, operation, right) if operation == "-" else (right, operation, left)


def test_training_texts_hold_no_held_out_expression() -> None:
    """Neither as the prompt nor as a later line of three or more numbers; every text is a solution."""
    task, rng = Arithmetic(high=20), random.Random(0)
    for _ in range(500):
        expression, lines = task.solved(rng)
        assert check(expression, "\n".join(lines)) == ""
        for line in (expression.text, *lines):
            assert len(re.findall("[0-9]+", line)) < 3 or Expression.parse(line).split == "train"


def test_drawn_expressions_are_what_the_task_says() -> None:
    """Numbers and their count in the range, all counts and operations present, the same again for the same seed."""
    task = Arithmetic(fewest=4, most=5, low=7, high=23)
    found = task.expressions(200)
    numbers = [list(map(int, re.findall("[0-9]+", e.text))) for e in found]
    assert {len(row) for row in numbers} == {4, 5}
    assert {n for row in numbers for n in row} == set(range(7, 24))
    assert {c for e in found for c in e.text if not c.isdigit()} == set("+-*()")
    assert len(set(found)) == 200
    assert found == task.expressions(200) != task.expressions(200, seed=1)
    assert {e.split for e in found} == {"test"}


def test_the_longest_text_fits_the_model() -> None:
    """Six numbers of three digits with all parentheses, and every line of the solution: 106 of 128 tokens."""
    expression = Expression.parse("999-(998-(997-(996-(995-994))))")
    (lines,) = solutions(expression)
    assert len(expression.prompt) + sum(len(line) + 1 for line in lines) + 2 <= 128
    nested = Expression.parse("100+(100+(100+(100+(100+100))))")
    assert len(nested.prompt) + sum(len(line) + 1 for line in solutions(nested)[0]) + 2 == 106


@pytest.mark.parametrize(
    "prompt",
    ["", "x", "1+", "+1", "-1", "1--1", "(1)", "(1+2)", "1+(2*3)", "(1*2)*3", "(1+2)+3", "1 + 2", "01+2", "1000+1",
     "1/2", "1+2)", "((1+2)*3", "(1+2", "1+2\n3", "1**2", "()", "3(4)", "٣+٤", "1+" * 40 + "1"],
)  # fmt: skip
def test_other_prompts_are_refused_with_the_form(prompt: str) -> None:
    """Each of the texts above is no expression in its one form."""
    with pytest.raises(ValueError, match="an expression looks like"):
        Expression.parse(prompt)


@pytest.mark.parametrize("prompt", ["3-4", "3-4+2", "32*32", "500+500", "0*(1-2)", "999+1-1"])
def test_values_outside_the_range_are_refused(prompt: str) -> None:
    """Also where the whole has a value inside it."""
    with pytest.raises(ValueError, match=r"0\.\.999"):
        Expression.parse(prompt)


def test_mistakes_are_named() -> None:
    for wrong in ({"fewest": 2}, {"fewest": 5, "most": 4}, {"most": 7}, {"low": 5, "high": 4}, {"high": 1000}):
        with pytest.raises(ValueError, match="impossible range"):
            Arithmetic(**wrong)
    with pytest.raises(ValueError, match="widen the range"):
        Arithmetic(most=3, high=1).expressions(5)


def test_steps_end_with_a_number_and_only_then() -> None:
    """A wrong line goes on, a number ends with reward 1 or 0, the model's own end without one with 0."""
    lines = {
        "3*19-5\n57-5\n52": [None, None, 1.0],
        "3*18-5\n54-5\n49": [None, None, 0.0],  # a wrong line is found out at the end alone
        "3*18-5\n57-5\n52": [None, None, 1.0],  # right by luck
    }
    steps = ArithmeticSteps()

    async def rewards(text: str, end: str | None = "\n") -> list[float | None]:
        run = Run.root(Search(problem(Expression.parse("3*(12+7)-5"))), 0, Budget())
        state, found = await steps.start(Prompt.of("3*(12+7)-5\n"), run), list[float | None]()
        for line in text.split("\n"):
            step = await steps.step(state, Sample(line, stop_reason=end), run)
            state = step.state
            found.append(step.reward)
            assert step.terminal is (step.reward is not None)
        return found

    for text, expected in lines.items():
        assert asyncio.run(rewards(text)) == expected
    assert asyncio.run(rewards("57-5", end=None)) == [0.0]


@pytest.mark.slow
def test_the_shipped_model_is_right_more_often_than_not_and_votes_help() -> None:
    """32 development expressions, 16 samples each: pass@1 near the model card's 64 %, majority and coverage above."""
    problems = [problem(expression) for expression in Arithmetic().expressions(32, "dev")]
    model = Model(Embedded(shipped("arithmetic")), Params(max_tokens=112))
    pool = asyncio.run(draw(problems, model, 16, verifier=ARITHMETIC, key=answer))
    best, vote = pool.curve("best@k").mean, pool.curve("maj@k").mean
    assert 0.5 < best[0] < 0.75
    assert best[0] < vote[-1] < best[-1]
