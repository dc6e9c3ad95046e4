"""`program`: the program is found wherever a reply has it, and a program that is not there is not made up."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from searchkit.answers.programs import LONGEST, program
from searchkit.answers.programs.scope import parsed
from tests.answers.programs.replies import CONTINUING, NOT_CONTINUING, PROMPT, RIGHT, WRONG, many

ROOT = Path(__file__).parents[3]
HUMAN_EVAL = ROOT.parent / "shared" / "data" / "human_eval" / "HumanEval.jsonl.gz"


def works(text, prompt=""):
    """Whether the text, all of it written in these tests, defines a right function."""
    names, limit = {}, sys.getrecursionlimit()
    try:
        exec(prompt + text, names)
        return names["sq"](3) == 9 if not prompt else names["total"]([1, 2, 3]) == 6
    except (Exception, SystemExit):
        return False
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("name", RIGHT)
def test_a_program_is_found(name):
    """It runs as it is returned."""
    assert works(program(RIGHT[name], ("sq",)))


@pytest.mark.parametrize("name", WRONG)
def test_no_program_is_made_up(name):
    """What Python refuses, or what defines something else, is not made right."""
    assert not works(program(WRONG[name], ("sq",)))


@pytest.mark.parametrize("name", CONTINUING)
def test_a_body_goes_on_from_the_prompt(name):
    """With the margin that the prompt asks for; a whole program is one."""
    found = program(CONTINUING[name], ("total",), PROMPT)
    assert works(found, "" if "def total" in found else PROMPT) or works(found + "\nsq = lambda x: total([x] * x)")


@pytest.mark.parametrize("name", NOT_CONTINUING)
def test_no_body_is_made_up(name):
    """What does not compute the sum does not do so afterwards."""
    assert not works(program(NOT_CONTINUING[name], ("total",), PROMPT), PROMPT)


# ---------------------------------------------------------------- doctests beside and inside of a program


DOC = 'def sq(x):\n    """The square.\n\n    >>> sq(2)\n    4\n    >>> sq(3)\n    9\n    """\n    return x * x'
SINGLE = DOC.replace('"""', "'''")
PROSE = ("Here it is:\n\n", "Here's what you asked for (it's short):\n", "Sure! See below.\n\nimport math\n\n")
MORE = {
    "in the docstring": DOC,
    "in a docstring of single quotes": SINGLE,
    "in a raw docstring": DOC.replace('"""The', 'r"""The'),
    "with lines that go on": DOC.replace("    9\n", "    9\n    >>> for i in range(2):\n    ...     sq(i)\n"),
    "in a method": "class Tool:\n    @staticmethod\n"
    + "\n".join("    " + line for line in DOC.split("\n"))
    + "\n\n\nsq = Tool.sq",
    "below the function": "def sq(x):\n    return x * x\n\n>>> sq(3)\n9",
    "below it, with prose": "def sq(x):\n    return x * x\n\nSo:\n\n>>> sq(3)\n9\n>>> [sq(i)\n...  for i in (1, 2)]",
    "above the function": ">>> sq(3)\n9\n\nThe function:\n\ndef sq(x):\n    return x * x",
    "a body left out": "class Shape(Protocol):\n    def area(self):\n        ...\n\ndef sq(x):\n    return x * x",
    "asynchronous": 'def sq(x):\n    return x * x\n\nasync def other(x):\n    """\n    >>> 1\n    """',
}


@pytest.mark.parametrize("name", MORE)
def test_an_example_is_not_the_program(name):
    """Unfenced, with prose before, behind and on both sides, and in fences that prose has got into."""
    prefix = "Protocol = object\n" if "Protocol" in MORE[name] else ""
    text = MORE[name]
    for before in ("", *PROSE):
        for behind in ("", "\n\nThis returns the square; it's linear.\n", "\nDone.", "<|im_end|>"):
            reply = before + text + behind
            assert works(prefix + program(reply, ("sq",))), reply
            assert works(prefix + program(f"So:\n```python\n{text}{behind}", ("sq",))), reply
            if name not in ("below it, with prose", "above the function"):  # prose in a fence that is closed
                assert works(prefix + program(f"So:\n```python\n{text}\n```{behind}", ("sq",))), reply


@pytest.mark.parametrize(
    "text",
    [
        ">>> def sq(x):\n...     return x * x\n...\n>>> sq(3)\n9",
        '>>> def sq(x):\n...     """\n...     >>> sq(2)\n...     """\n...     return x * x\n>>> sq(3)\n9',
        "Type this:\n\n>>> import math\n>>> def sq(x):\n...     return math.prod((x, x))\n\nand then sq(3).",
        "In [1]: def sq(x):\n   ...:     return x * x\n\nOut[2]: 9",
    ],
)
def test_a_session_is_what_was_typed(text):
    """A program that stands at Python's own prompt."""
    assert works(program(text, ("sq",)))


@pytest.mark.slow
@pytest.mark.skipif(not HUMAN_EVAL.exists(), reason="HumanEval is not here")
@pytest.mark.parametrize(
    "framed", ["Here it is:\n\n{}\n\nIt's linear.\n", "Here it is:\n\n{}", "{}\nDone.", "{}\n\n>>> 1\n1\n"]
)
def test_human_eval_in_prose(framed):
    """164 of 164 solutions, unfenced between sentences, with the record's prompt and without."""
    with gzip.open(HUMAN_EVAL, "rt") as lines:
        records = [json.loads(line) for line in lines]
    for record in records:
        whole = record["prompt"] + record["canonical_solution"]
        for prompt in ("", record["prompt"]):
            found = program(framed.format(whole), (record["entry_point"], "Solution"), prompt)
            # the text of the data set: no model wrote it
            names = {}
            exec(found, names)
            exec(record["test"], names)
            names["check"](names[record["entry_point"]])
    assert len(records) == 164


# ---------------------------------------------------------------- which blocks, where nothing is named


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (many("x = 1", "x = 2"), "x = 2\n"),
        (many("import math", "n = 4", "print(math.sqrt(n))"), "import math\n\n\nn = 4\n\n\nprint(math.sqrt(n))\n"),
        (many("import math", "print(1)"), "print(1)\n"),
        (many("print(1)") + "\n```output\n1\n```\n```\n[1, 2]\n```", "print(1)\n"),
        ("```\nprint(1)\n```\nThis prints\n```\n1\n```", "print(1)\n"),
        ("Sure:\nprint(1)\nDone.", "print(1)"),
        ("I cannot.", "I cannot."),
        ("The answer is 42.", "The answer is 42."),
        ("42", "42"),
    ],
)
def test_without_names_the_last_block_that_says_something(text, found):
    """With what it needs: a notebook's cells; what a program printed is none."""
    assert program(text) == found


SOLVE = "def solve(n):\n    return n * n"
MAIN = "n = int(input())\nprint(solve(n))"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (many(f"{SOLVE}\n{MAIN}"), f"{SOLVE}\n{MAIN}\n"),
        (many(f"{SOLVE}\n{MAIN}", "print(solve(3))"), f"{SOLVE}\n{MAIN}\n"),
        (many(f"{SOLVE}\n{MAIN}", "assert solve(3) == 9"), f"{SOLVE}\n{MAIN}\n"),
        (many(SOLVE, MAIN), f"{SOLVE}\n\n\n{MAIN}\n"),
        (many("def main():\n    print(input())", "main()"), "def main():\n    print(input())\n\n\nmain()\n"),
        (many("n = int(input())", "print(n)"), "n = int(input())\n\n\nprint(n)\n"),
        (many(f"{SOLVE}\n{MAIN}", "print(int(input()) ** 2)"), "print(int(input()) ** 2)\n"),
    ],
)
def test_a_script_is_the_last_block_that_reads(text, found):
    """Usage behind it is none, even where it prints."""
    assert program(text, reads=True) == found


def test_what_is_whole_stays_as_it_is():
    """To the last character: repairs are for what is no Python."""
    odd = 'def sq(x):\n    """</s> \u00a0 &lt; [EOS] >>> x"""\n    return x * x  # <|im_end|>\n'
    assert program(odd, ("sq",)) == odd
    assert program(f"~~~\n{odd}~~~", ("sq",)) == odd


# ---------------------------------------------------------------- time


FREEZING = f"{'`' * 3}{' ' * 60_000}`"  # kept: this text held the event loop for 37 s


def shapes(n):
    """Texts of about `n` characters that a careless scanner takes quadratic time for."""
    fence = "`" * 3
    units = {
        "fences": f"{fence}\n", "labels": f"{fence}python\n", "fours": f"````python\nx = 1\n{fence}\n", "ticks": "`",
        "ticks on lines": "`\n", "pairs": "`` ", "spaced": "` ", "tildes": "~~~python\n", "escapes": "\\`",
        "quotes": "'''python\n", "quotations": "> ", "quoted fences": f"> {fence}python\n", "marks": "'", "texts": '"',
        "odd texts": '\\"""\u00a0', "odd blanks": "\u00a0", "unseen": "\u200b", "tokens": "<|x|>", "half tokens": "<|",
        "less": "<", "tags": "<code>", "square tags": "[BEGIN]", "half tags": "<code ", "done": "[DONE] ",
        "labels alone": "python\n", "roles": "assistant\n", "entities": "&lt;", "prompts": ">>> x\n", "magic": "%x\n",
        "plus": "+x\n", "numbers": "1 x\n", "digits": "1", "functions": "def f():\n x\n", "broken": "def f(:\n x\n",
        "prose": "Here it is:\n    x = 1\n", "words": "Hello there\n", "brackets": "(", "closing": ")", "bars": "(\n",
        "triple": '"""\n', "thoughts": "<think>", "LaTeX": "\\begin{code}[", "lists": "- ", "sessions": "In [1]: x\n",
        "backslashes": "\\\n", "decorators": "@a\n", "elses": "else:\n", "semicolons": "x;", "Macs": "x\r",
        "returns": "return x\n", "comments": "#", "futures": "from __future__ import a\n", "Python 2": "print 'a'\n",
        "minus": "-", "attributes": ".b", "ends": f"x{fence}\n", "objects": '{"code": ', "doctests": ">>> x\n'''\n",
        "lambdas": "lambda ", "calls": "a() ", "line": "x", "blanks": " ", "lines": "\n",
    }  # fmt: skip
    made = {name: unit * (n // len(unit)) for name, unit in units.items()}
    made["names"] = "\n".join(f"{fence}python\nv{i} = v{i - 1}\n{fence}" for i in range(n // 30))
    made["a chain"] = "\n".join(
        f"{fence}python\ndef {f'f{i}' if i else 'sq'}(): return f{i + 1}()\n{fence}" for i in range(n // 45)
    )
    made["freezing"] = FREEZING
    made["freezing, closed"] = f"{FREEZING}\nx\n{fence}"
    made["runs"] = "x = 1\nHello there!\n" * (n // 20)
    made["bodies"] = "Hello there:\n    return x\n\n" * (n // 28)
    made["tail"] = f"[DONE]{' ' * n}x"
    return made


@pytest.mark.parametrize("name", shapes(0))
@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_odd_texts_are_looked_through(name, prompt):
    """None raises."""
    assert isinstance(program(shapes(3_000)[name], ("sq",), prompt), str)


def ends(code, seconds):
    """Whether Python code ends within so many seconds of CPU; they pass no faster on a busy machine."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))\n"
    return subprocess.run([sys.executable, "-c", limit + code], cwd=ROOT, check=False).returncode == 0


def test_a_text_that_froze_the_event_loop():
    """37 s once, some milliseconds now: 60,000 blanks behind a fence."""
    code = "from searchkit.answers.programs import program; from tests.answers.programs.test_program import FREEZING"
    assert ends(f"{code}; assert program(FREEZING, ('sq',)) == FREEZING", 20)


@pytest.mark.slow
def test_time_is_linear_in_the_text():
    """60,000 characters of each shape together take less than one of them would take in quadratic time."""
    code = """
from searchkit.answers.programs import program
from tests.answers.programs.test_program import PROMPT, shapes
for text in shapes(60_000).values():
    program(text, ("sq",))
    program(text, ("sq",), PROMPT)
"""
    assert ends(code, 240)


def test_what_is_longer_than_a_program_is_not_parsed():
    """A block in a long reply is found; a block that is too long is handed on as it is, to be refused by its length."""
    assert program("So.\n" * LONGEST + RIGHT["tildes"], ("sq",)) == "def sq(x):\n    return x * x\n"
    long = f"x = {'1 + ' * LONGEST}1\n"
    assert program(f"~~~python\n{long}~~~", ("x",)) == long


def test_nothing_is_said_about_a_text_that_is_looked_at():
    """Python warns of odd escapes and numbers in a text; filters are as they were."""
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program("def sq(x): return 1if x else '\\d'", ("sq",))
    assert (caught, list(warnings.filters)) == ([], filters)


@pytest.mark.parametrize(
    "text",
    ["(" * 50_000, "-" * 50_000 + "1", "a" + ".b" * 20_000, "lambda:" * 10_000, "if a: b\n" + "elif a: b\n" * 7_000,
     "1" + "+1" * 20_000, "a" + "()" * 20_000, "\0", "'\udc80'", "\udc80", "9" * 50_000, "f'{" * 140 + "1" + "}'" * 140,
     "def f():\n" + "".join(" " * i + "if x:\n" for i in range(1, 150)), "nonlocal x", "def sq(x, x): pass",
     "".join(" " * i + "try:\n" for i in range(40)) + " " * 40 + "sq = 1\n", "return"],
)  # fmt: skip
@pytest.mark.parametrize("label", ["", "~~~python\n"])
def test_hostile_texts_are_only_parsed(text, label):
    """What breaks a parser ends there, and is handed on."""
    assert isinstance(program(label + text, ("sq",)), str)
    assert isinstance(program(label + text, ("sq",), PROMPT), str)


@pytest.mark.parametrize(
    "text",
    ['x = f"' + "{a}" * 6000 + '"', "x = F'''" + "{a}\n" * 6000 + "'''", "x = (" + 'rf"{a}" ' * 6000 + ")"],
    ids=["one", "lines", "many"],
)
def test_no_more_fields_are_parsed_than_python_reads_in_linear_time(text):
    assert parsed(text) is None
    assert parsed(text.replace("{a}", "a")) is not None


def test_other_braces_are_parsed_however_many():
    assert parsed("x = [" + "{}, " * 6000 + "]") is not None
    assert parsed('x = f"' + "{a}" * 400 + '"') is not None


READING = "a, b = map(int, input().split())\nprint(a + b)"


@pytest.mark.parametrize(
    "shown",
    ["sys.stdin = io.StringIO('5 6')", 'sys.stdin = StringIO("""5 6\n""")', "sys.stdin=io.StringIO(\n    '5 6')"],
)
def test_a_block_that_types_its_own_input_is_no_script(shown):
    demonstration = f"import io, sys\n{shown}\nprint(11)"
    text = f"```python\n{READING}\n```\nTo test it:\n```python\n{demonstration}\n```"
    assert program(text, reads=True).strip() == READING
    alone = f"```python\n{demonstration}\n```"
    assert program(alone, reads=True).strip() == demonstration


@pytest.mark.parametrize("last", ["1/0", "5 // 0", "print(1)\n7 % 0"])
def test_a_line_that_fails_is_no_output(last):
    assert program(f"{READING}\n{last}", reads=True).strip() == f"{READING}\n{last}"


def test_a_fraction_may_be_output():
    assert program(f"{READING}\n1/2", reads=True).strip() == READING


NOT_READING = [
    "def f(input):\n    return input + 1\nprint(f(3))",
    "def f(input=3):\n    return input + 1\nprint(f(input=4))",
    "print(dict(input=4))",
    "input = '3 4'\nprint(input.split())",
    "for input in ('1', '2'):\n    print(input)",
    "print([input for input in (1, 2)])",
    "print('then call input() or sys.stdin.read()')",
    "# input() is read here\nprint(3)",
    "def f(stdin):\n    return stdin\nprint(f(3))",
    "import subprocess\np = subprocess.Popen('x')\nprint(p.stdin)",
    "def g():\n    input = 3\n    def h():\n        return input\n    return h()\nprint(g())",
    "class A:\n    input = 3\nprint(A().input)",
    "print(open('input.txt').read())",
    "print((lambda input: input)(3))",
]
REALLY_READING = [
    "print(input())",
    "def main():\n    print(input())\nmain()",
    "print(*map(int, iter(input, '')))",
    "read = input\nprint(read())",
    "def f(input):\n    return input\nprint(f(input()))",
    "import sys\nprint(sys.stdin.read())",
    "import sys as s\nprint(s.stdin.read())",
    "from sys import stdin\nfor line in stdin:\n    print(line)",
    "from sys import stdin as source\nprint(source.read())",
    "import sys\ninput = sys.stdin.readline\nprint(input())",
    "print(open(0).read())",
    "print(open('/dev/stdin').read())",
    "import os\nprint(os.read(0, 100))",
    "import fileinput\nfor line in fileinput.input():\n    print(line)",
    "import builtins\nprint(builtins.input())",
    "import sys\ndef main(source=sys.stdin):\n    print(source.read())\nmain()",
]


@pytest.mark.parametrize("block", NOT_READING)
def test_a_name_that_looks_like_input_reads_nothing(block):
    text = f"The program:\n```python\n{READING}\n```\nThe function alone:\n```python\n{block}\n```"
    assert program(text, reads=True).strip() == READING.strip()


@pytest.mark.parametrize("block", REALLY_READING)
def test_what_reads_is_the_program(block):
    text = f"The program:\n```python\n{block}\n```\nFor example:\n```python\nprint(sum(map(int, '1 2'.split())))\n```"
    assert program(text, reads=True).strip() == block


ESCAPED = [
    ("def f(a, b):\n    return a &lt; b", "def f(a, b):\n    return a < b"),
    ("def f(a, b):\n    return a &gt; b", "def f(a, b):\n    return a > b"),
    ("def f(a, b):\n    return a &amp; b", "def f(a, b):\n    return a & b"),
    ("def f(a, b):\n    x = a &lt; b\n    return x", "def f(a, b):\n    x = a < b\n    return x"),
    ("def f(a, b):\n    return a &amp;lt; b", "def f(a, b):\n    return a < b"),
    ("def f(a: int) -> int:\n    return a &amp; 1", "def f(a: int) -> int:\n    return a & 1"),
    ("def f(a, b):\n    return a &lt; b  # not &lt;", "def f(a, b):\n    return a < b  # not <"),
    ("def f(a, b):\n    return a &lt; b and 'x &amp; y'", "def f(a, b):\n    return a < b and 'x & y'"),
    # as they are: texts about pages, names of the program's own, two readings
    ("def f(s):\n    return s.replace('&', '&amp;').replace('<', '&lt;')", None),
    ("lt = 3\ndef f(a, b):\n    return a &lt; b", None),
    ("def f(a, lt):\n    return a &lt; 1", None),
    ("def f(a, b):\n    return a &lt; b or b < 1 or '&lt;'", None),
    ("def f(a, b):\n    return a & b", None),
    ("def f(a):\n    '''x &lt; y'''\n    return a", None),
]


@pytest.mark.parametrize(("text", "made"), ESCAPED)
def test_signs_of_a_page_that_happen_to_be_python(text, made):
    """`a &lt; b` is `a & lt` and then `b`, of which nobody speaks who has no `lt`."""
    for reply in (text, f"Here:\n```python\n{text}\n```\n"):
        assert program(reply, ["f"]).strip() == (made or text)
