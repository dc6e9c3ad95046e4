"""`ProgramAnswer`: what a program computes is the sample's value, and a program that computes nothing has none."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter

import pytest

from searchkit import Model, Params, Problem, Prompt, solve, solve_sync
from searchkit.answers import keys
from searchkit.calls import CallError
from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError
from searchkit.generators import Embedded, ProgramAnswer, Recorded, Simulated, shipped
from searchkit.lab.arithmetic import Arithmetic, Expression
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.sandbox.pool import POOL
from searchkit.sandbox.process import Broken
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.strategy import worst_case
from searchkit.testing.doubles import Counting, Scripted, Shuffled
from searchkit.testing.strategies import StrategyTests
from searchkit.types import Budget, Message, Sample, StepSpan, Text, Token, Usage
from searchkit.verifiers import MathEqual

LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
SLOW = Limits(cpu=30, wall=120.0)
F = "```"


def fenced(body):
    return f"Let me compute it.\n\n{F}python\n{body}\n{F}\nThat is it."


def of(generator, **options):
    return ProgramAnswer(generator, **{"sandbox": LEVEL, "limits": SLOW, **options})


def drawn(*replies, **options):
    """The samples of a search that draws these replies, and its result."""
    model = Recorded({"q": replies})
    result = solve_sync("q", BestOfN(len(replies), MathEqual(reference="42")), generator=of(model, **options))
    return [one.sample for one in result.candidates], result


# ---------------------------------------------------------------- where the answer is


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("def solution():\n    eggs = 16 - 3 - 4\n    return eggs * 2", "18"),  # PAL
        ("ans = 6 * 7", "42"),  # program of thoughts
        ("answer = 6 * 7", "42"),
        ("print(6 * 7)", "42"),  # ToRA
        ("def solution():\n    return 42\nprint(solution())", "42"),
        ("def solution():\n    return 41\nanswer = 42", "41"),  # in the order of the names
        ("answer = 41\nans = 42", "41"),
        ("solution = [41]\nanswer = 42", "42"),  # `solution` is a function, or what an equation has
        ("solution = 41\nans = 42\nprint(43)", "42"),
        ("solution = 42", "42"),
        ("def ans(): return 42\nanswer = 41", "42"),
        ("from functools import partial\nsolution = partial(int, '42')", "42"),
        ("import math as ans\nprint(42)", "42"),
        ("import asyncio\nasync def solution(): return 42", "42"),
        ("import asyncio\nasync def solution(): return 42\nprint(asyncio.run(solution()))", "42"),
        ("def solution(): yield 42\nprint(next(solution()))", "42"),
        ("class solution: pass\nprint(42)", "42"),
        (
            "import threading, time\ndef late():\n    time.sleep(0.2)\n    print('late')\n"
            "threading.Thread(target=late).start()\nans = 42",
            "42",
        ),
        ("import atexit\natexit.register(print, 'bye')\ndef solution(): return 42", "42"),
        ("import atexit\natexit.register(print, 42)", "42"),
        ("answer = 41\nprint('so', 42)", "41"),
        ("def solution(n):\n    return n\nprint(solution(5))", "5"),  # cannot be called without arguments
        ("def solution(n=4):\n    return n", "4"),
        ("def solution():\n    print(7)", "7"),  # returns nothing
        ("answer = None\nprint(3)", "3"),
        ("print('x = 2')\nprint('y = 3')", "x = 2\ny = 3"),  # all of it: which line counts is for the key to say
        ("if __name__ == '__main__':\n    print(9)", "9"),
        ("import sys\nprint(8)\nsys.exit(0)", "8"),
        ("import sys\nans = 8\nsys.exit()", "8"),
        ("from fractions import Fraction\nans = Fraction(1, 3)", "1/3"),
        ("ans = [1, 2]", "[1, 2]"),
        ("ans = 0", "0"),
        ("ans = False", "False"),
        ("ans = ' 5 '", "5"),
        ("ans = 10 ** 30", str(10**30)),
        ("print('\\0 odd \\0')\nans = 'a\\0b'", "a b"),
        ("import math\nans = math.comb(5, 2)", "10"),
        ("from __future__ import annotations\nans = 1", "1"),
        ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\nans = P(3).x", "3"),
    ],
)
def test_the_value_is_what_the_program_computes(body, value):
    """Returned by `solution()`, bound to `answer` or `ans`, or printed; as a text."""
    [sample], result = drawn(fenced(body))
    assert (sample.value, sample.text, result.errors) == (value, value, ())


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("ans = 0.1 + 0.2", "0.3"),
        ("def solution():\n    return 1.1 * 3", "3.3"),
        ("answer = (0.1 + 0.7) * 10", "8"),
        ("ans = 36 / 2", "18"),
        ("ans = -0.0", "0"),
        ("ans = 2.0 ** 60", "1.15292150460685e+18"),
        ("ans = 1234567890123456 / 1", "1234567890123456"),  # exact, and longer than 15 digits
        ("ans = 1 / 3", "0.333333333333333"),
        ("ans = 1e-7 * 3", "3e-07"),
        ("ans = float('inf')", "inf"),
        ("ans = [0.1 + 0.2, 1, 2.0]", "[0.3, 1, 2.0]"),
        ("ans = (1.1 * 3, [4.35 * 100])", "(3.3, [435.0])"),
        ("ans = {'x': 0.1 + 0.2}", "{'x': 0.3}"),
        ("ans = (0.1 + 0.2) * 1j", "0.3j"),
        ("ans = str(0.1 + 0.2)", "0.30000000000000004"),  # a text of the program's own
        ("print(0.1 + 0.2)", "0.30000000000000004"),
        ("float = int = format = str = abs = 3\nans = 0.1 + 0.2", "0.3"),
        ("ans = True", "True"),
        ("class F(float):\n    def __str__(self):\n        return 'mine'\nans = F(2)", "mine"),
    ],
)
def test_floats_have_as_many_digits_as_a_double_holds(body, value):
    """Two ways to compute a number are one answer; what a program prints is its own."""
    [sample], result = drawn(fenced(body))
    assert (sample.value, result.errors) == (value, ())


def test_equal_floats_vote_together():
    """0.1 + 0.2, 0.3 and 3 / 10, and the reference takes them."""
    bodies = ("ans = 0.1 + 0.2", "ans = 0.3", "def solution():\n    return 3 / 10", "ans = 0.4", "ans = 0.4")
    model = Recorded({"q": [fenced(body) for body in bodies]})
    assert solve_sync("q", SelfConsistency(5), generator=of(model)).answer == "0.3"
    judged = solve_sync("q", BestOfN(5, MathEqual(reference="0.3")), generator=of(model))
    assert [one.verdict.passed for one in judged.candidates] == [True, True, True, False, False]


def test_floats_of_numpy_have_as_many():
    """The elements of its arrays are doubles."""
    body = fenced("import numpy as np\nans = np.float64(0.1) + np.float64(0.2)")
    assert [sample.value for sample in drawn(body, libraries=("numpy",))[0]] == ["0.3"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I cannot do that.", "no program was found in the reply"),
        ("", "no program was found in the reply"),
        ("42", "no program was found in the reply"),
        ("So the answer is 42", "no program was found in the reply"),
        ('{"answer": 42}', "no program was found in the reply"),
        ("def solution(: return 42", "SyntaxError"),
        (fenced("x = 42"), "it printed nothing"),
        (fenced("print(1 / 0)"), "ZeroDivisionError: division by zero"),
        (fenced("print(42)\nraise ValueError('42')"), "ValueError: 42"),  # whatever it had printed
        (fenced("ans = undefined"), "NameError: name 'undefined' is not defined"),
        (fenced("import sys\nprint(42)\nsys.exit(3)"), "SystemExit: 3"),
        (fenced("import os\nos._exit(3)"), "the program ended: exit status 3"),
        (fenced("def solution(:"), "SyntaxError"),
        (fenced("def solution():\n    return object()"), "it printed nothing"),  # an address is no answer
        (fenced("ans = [object()]"), "it printed nothing"),
        (fenced("ans = {'x': (1, lambda: 2)}"), "it printed nothing"),
        (fenced("import math as ans"), "it printed nothing"),
        (fenced("def solution():\n    yield 42"), "it printed nothing"),
        (fenced("ans = '1' * 20_000"), "an answer of more than 10,000 characters"),
        (fenced("print('1' * 2_000_000)"), "output limit"),
        (fenced("ans = input()"), "EOFError"),
        (fenced("#" * 100_001), "a program of more than 100,000 characters is not run"),
        (fenced("print('  ')"), "it printed nothing"),
    ],
)
def test_a_program_without_an_answer_has_no_value(reply, reason):
    """Nothing of its text is taken for one; the reason is among the errors, on one line, and in the trace."""
    [sample], result = drawn(reply)
    assert sample.value == ""
    assert keys.default(sample.value) is None
    [error] = result.errors
    assert str(error).startswith("a program gave no answer: ")
    assert reason in str(error)
    assert str(error).isprintable()
    assert {span.status for span in result.trace.walk() if span.name == "program"} == {"error"}
    assert result.candidates[0].verdict.passed is not True


def test_a_program_that_runs_away_is_stopped():
    """By its limits, and the others vote."""
    replies = [fenced("while True: pass"), fenced("print(42)")]
    samples, result = drawn(*replies, limits=Limits(cpu=1, wall=300.0))
    assert [sample.value for sample in samples] == ["", "42"]
    assert "timeout: more than 1 seconds of CPU" in str(result.errors[0])
    assert result.answer == "42"


def test_blocks_are_one_notebook():
    """ToRA: cells with their output between them; the last one runs with what it needs."""
    text = (
        f"{fenced('import math')}\n{fenced('a = math.sqrt(16)')}\n{F}output\n4.0\n{F}\n{fenced('print(int(a) + 38)')}"
    )
    assert [sample.value for sample in drawn(text + f"\n{F}output\n42\n{F}\nSo \\boxed{{42}}.")[0]] == ["42"]
    corrected = fenced("def solution():\n    return 41") + fenced("def solution():\n    return 42")
    assert [sample.value for sample in drawn(corrected)[0]] == ["42"]


def test_libraries_are_named():
    """Whatever is installed; the reason says what to name."""
    body = fenced("import sympy\nx = sympy.Symbol('x')\nans = sympy.solve(x - 42)[0]")
    [sample], result = drawn(body)
    assert sample.value == ""
    assert "name it, libraries=('sympy',)" in str(result.errors[0])
    assert [sample.value for sample in drawn(body, libraries=("sympy",))[0]] == ["42"]
    with pytest.raises(ConfigError, match=r"ProgramAnswer\(libraries=...\) names 'nowhere', which is not installed"):
        of(Model(Scripted(str)), libraries=("nowhere",))


def test_names_say_where_else_to_look():
    """In their order; none leaves what is printed."""
    body = fenced("result = 5\nanswer = 6\nprint(7)")
    for names, value in ((("result",), "5"), (("answer", "result"), "6"), ((), "7"), (("other",), "7")):
        assert [sample.value for sample in drawn(body, names=names)[0]] == [value]


# ---------------------------------------------------------------- the sample


def test_the_reply_stays_visible():
    """In the message; what belongs to its tokens is kept or left out with care."""
    reply = fenced("print(42)")
    stored = Sample(
        reply, Message("assistant", (Text(reply),), reasoning="hm"), usage=Usage(model_calls=1, generated_tokens=9),
        token_ids=(1, 2), logprobs=(Token("x", -0.5),), step_spans=(StepSpan(0, 3),), stop_reason="END",
    )  # fmt: skip
    [sample], _ = drawn(stored)
    assert sample.value == sample.text == "42"
    assert (sample.message, sample.logprobs, sample.stop_reason) == (stored.message, stored.logprobs, "END")
    assert (sample.token_ids, sample.step_spans) == (None, ())  # they spell, and cut, another text
    [bare], _ = drawn(reply)
    assert bare.message.text == reply


def test_a_truncated_reply_is_not_run():
    """It never votes, and half a program may print anything."""
    cut = Sample(f"{F}python\nprint(41)", finish="length")
    samples, result = drawn(cut, fenced("print(42)"))
    assert [(sample.value, sample.finish) for sample in samples] == [(cut.value, "length"), ("42", "stop")]
    assert result.errors == ()


def test_a_sandbox_that_breaks_is_a_failed_call(monkeypatch):
    """It says nothing about the program."""

    async def broken(*args):
        raise Broken("no memory")

    monkeypatch.setattr(POOL, "run", broken)
    with pytest.raises(CallError, match="broke: no memory"):
        solve_sync("q", BestOfN(1, MathEqual(reference="42")), generator=of(Recorded({"q": ["print(1)"]})))


def test_what_is_refused():
    """When it is made."""
    with pytest.raises(ConfigError, match="generator"):
        of(5)
    for names in (["answer"], ("no name",), (3,), "ans"):
        with pytest.raises(ConfigError, match="names are a tuple of names"):
            of(Model(Scripted(str)), names=names)
    with pytest.raises(ConfigError, match="limits need"):
        of(Model(Scripted(str)), limits=Limits(cpu=0))


def test_any_generator_writes():
    """A callable, an agent or a strategy, whose bound it has; it pickles."""
    two = BestOfN(1, MathEqual(reference="2"))
    assert solve_sync("q", two, generator=of(lambda text: "print(1 + 1)")).answer == "2"
    nested = of(BestOfN(3, MathEqual(reference="42"), generator=Recorded({"q": ["print(1)", "print(2)", "#### 42"]})))
    result = solve_sync("q", two, generator=nested)
    assert (result.usage.generations, result.usage.model_calls) == (3, 3)
    one = Usage(generations=1, model_calls=1)
    assert worst_case(nested, one) == BestOfN(3, MathEqual(reference="42")).worst_case(one)
    assert worst_case(of(Recorded({})), one) == one
    assert pickle.loads(pickle.dumps(of(Model(Simulated.coin(0.5))))) == of(Model(Simulated.coin(0.5)))


# ---------------------------------------------------------------- in a search


def test_it_draws_what_its_generator_draws():
    """The same requests with the same seeds, and the same cost."""
    plain, wrapped = (Counting(Simulated({"print(1)": 0.5, "print(2)": 0.5})) for _ in range(2))
    options = {"seed": 7, "budget": Budget(generations=6)}
    first = solve_sync("q", BestOfN(6, MathEqual(reference="2")), generator=Model(plain), **options)
    second = solve_sync("q", BestOfN(6, MathEqual(reference="2")), generator=of(Model(wrapped)), **options)
    assert plain.seeds == wrapped.seeds
    assert first.usage.generations == second.usage.generations == 6
    assert first.usage.generated_tokens == second.usage.generated_tokens
    assert [f"print({c.sample.value})" for c in second.candidates] == [c.sample.value for c in first.candidates]


def test_a_resumed_search_pays_for_no_reply_twice(tmp_path):
    """Programs are run again, models are not asked again."""
    backend = Counting(Scripted(lambda request: f"print({request.index})"))
    answers = [
        solve_sync("q", SelfConsistency(5), generator=of(Model(backend)), journal=tmp_path / "run.db").answer
        for _ in range(2)
    ]
    assert (answers, backend.calls) == (["0", "0"], 5)
    with Journal(tmp_path / "run.db") as journal:
        assert len(journal) == 5


class TestLaws(StrategyTests):
    """The laws of strategies hold over programs."""

    params = Params(max_tokens=12)

    def strategy(self):
        return SelfConsistency(4)

    def backend(self):
        return Simulated({"print(2 + 3)": 0.5, "ans = 6": 0.3, "print(1 / 0)": 0.1, "no answer here": 0.1})

    def model(self, backend=None):
        return of(super().model(backend))


# ---------------------------------------------------------------- arithmetic by programs


FORMS = (
    "def solution():\n    return {expression}", "ans = {expression}", "print({expression})",
    "value = {expression}\nprint(value)", "answer = {expression}\nprint('The answer is', answer)",
)  # fmt: skip


def expressions(problem, n):
    """What the embedded model makes of an expression: a line of each of its solutions, right or wrong."""

    async def go():
        model = Model(Embedded(shipped("arithmetic")), Params(temperature=1.5, max_tokens=40))
        result = await solve(problem, SelfConsistency(n, key=lambda value: None), generator=model)
        return [one.sample.value.strip().split("\n") for one in result.candidates]

    return [lines[i % len(lines)] for i, lines in enumerate(asyncio.run(go()))]


def value_of(line):
    """By the lab's own reader and calculator; None for a line that is no expression, and for a value out of range."""
    try:
        return str(Expression.parse(line).value)
    except ValueError:
        return None


@pytest.mark.parametrize("seed", range(6))
def test_a_vote_over_programs_is_the_vote_over_their_values(seed):
    """The embedded model's expressions, turned into Python: PAL, program of thoughts and ToRA, in turn."""
    [expression] = Arithmetic().expressions(1, seed=seed)
    problem = Problem("sum", Prompt.of(expression.prompt), str(expression.value))
    lines = [line for line in expressions(problem, 15) if value_of(line) is not None]
    assert len(lines) >= 8
    votes = Counter(map(value_of, lines))

    def reply(request):
        return fenced(FORMS[request.index % len(FORMS)].format(expression=lines[request.index]))

    result = solve_sync(problem, SelfConsistency(len(lines)), generator=of(Model(Shuffled(Scripted(reply), seed))))
    assert [one.sample.value.removeprefix("The answer is ") for one in result.candidates] == [*map(value_of, lines)]
    assert result.answer.removeprefix("The answer is ") == votes.most_common(1)[0][0]
    judged = solve_sync(problem, BestOfN(len(lines), MathEqual()), generator=of(Model(Scripted(reply))))
    right = [value == str(expression.value) for value in map(value_of, lines)]
    assert [one.verdict.passed for one in judged.candidates] == right
