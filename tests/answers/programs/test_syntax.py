"""`syntax_key`: what Python does not read splits no vote, and what it reads does."""

from __future__ import annotations

import itertools

import pytest

from searchkit.answers.programs import LONGEST, syntax_key

PLAIN = """import math

def f(x, y):
    if x > y:
        return "a" + str(1000)
    return math.pi"""
EDITS = {
    "nothing": ("", ""),
    "a comment": ("import math", "# f\nimport math  # for pi"),
    "a comment inside": ("    if x", "    # why\n    if x"),
    "no blank line": ("\n\n", "\n"),
    "blank lines": ("    if x", "\n\n    if x"),
    "quotes": ('"a"', "'a'"),
    "triple quotes": ('"a"', '"""a"""'),
    "a prefix": ('"a"', 'u"a"'),
    "a raw text": ('"a"', 'r"a"'),
    "two texts": ('"a"', '"" "a"'),
    "underscores": ("1000", "1_000"),
    "hexadecimal": ("1000", "0x3E8"),
    "brackets": ("if x > y:", "if (x > y):"),
    "brackets around it": ("math.pi", "(math.pi)"),
    "margins": ("    ", "  "),
    "tabs": ("    ", "\t"),
    "one line": (":\n        return", ": return"),
    "semicolons": ("import math", "import math;"),
    "a broken line": ("x > y", "x \\\n> y"),
    "a broken signature": ("x, y", "x,\n      y"),
    "a comma": ("x, y)", "x, y,)"),
    "a docstring": ("def f(x, y):", 'def f(x, y):\n    "Compares."'),
    "a docstring of the module": ("import", '"""What it does."""\nimport'),
    "carriage returns": ("\n", "\r\n"),
    "a reply": (PLAIN, f"Here it is:\n```python\n{PLAIN}\n```\nIt compares."),
}
OTHERS = (
    ("x > y", "x >= y"), ("x, y", "y, x"), ('"a"', 'b"a"'), ("1000", "1000.0"), ('"a"', '"a "'), ("x, y", "x, y=None"),
    ("def", "async def"), ("    return math.pi", "return_ = math.pi"), ("import math", "import cmath as math"),
    ("f(x", "g(x"), ("str(1000)", "str(1000) + ''"), ('"a"', 'f"a"'),
)  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_what_python_does_not_read_splits_no_vote(name):
    """Comments, blank lines, quotes, numbers, brackets, margins, docstrings, line ends, and the reply around."""
    assert syntax_key(PLAIN.replace(*EDITS[name])) == syntax_key(PLAIN) is not None


def test_what_python_reads_does():
    """Operators, names, order, types, defaults."""
    found = [syntax_key(text) for text in (PLAIN, *(PLAIN.replace(*edit) for edit in OTHERS))]
    assert None not in found
    assert len(set(found)) == len(OTHERS) + 1


def test_true_is_not_one():
    """Constants that Python counts as equal are written differently."""
    values = ("1", "1.0", "True", "1j", "'1'", "b'1'", "-1", "None", "...", "0.0", "-0.0", "(1,)", "[1]", "{1}")
    assert len({syntax_key(f"x = {value}") for value in values}) == len(values)


def test_docstrings_count_where_the_program_looks_at_them():
    """Two programs that print their docstrings differ by them; a body of nothing but a docstring stays one."""
    for looks in ("print(f.__doc__)", "import inspect\nprint(inspect.getdoc(f))", "import doctest\ndoctest.testmod()"):
        one, other = (f'def f():\n    "{text}"\n\n{looks}' for text in "ab")
        assert syntax_key(one) != syntax_key(other)
    assert syntax_key('def f():\n    "a"') == syntax_key("def f():\n    pass") != syntax_key("def f():\n    return 1")


@pytest.mark.parametrize(
    "text", ["", "I cannot help.", "def f(:", "7", None, 7, ("def f(): pass",), "x = " + "1 + " * 9 + "1 +"]
)
def test_no_program_is_no_answer(text):
    """Prose, Python that does not parse, a number, what is no text."""
    assert syntax_key(text) is None


@pytest.mark.parametrize(
    "text", ["x = " + "(" * 5000 + ")" * 5000, "x = " + "-" * 20_000 + "1", "a" * (LONGEST + 1), "x = 1\0"]
)
def test_hostile_texts_end(text):
    """Deep, long, with a null byte: no answer, or one, but no error."""
    assert syntax_key(text) is None or isinstance(syntax_key(text), str)


# ---------------------------------------------------------------- all files of a patch


def test_files_are_compared_by_path():
    """Python by its tree, the rest as it is; order of the files does not count, their names and their number do."""
    base = {"a.py": "x = 1\n", "README": "Read me.\n"}
    assert syntax_key(base) == syntax_key({"README": "Read me.\n", "a.py": "# one\nx = 0x1"}) is not None
    others = [
        base | {"a.py": "x = 2"}, base | {"README": "Read  me.\n"}, base | {"b.py": ""}, {"a.py": "x = 1\n"},
        {"b.py": "x = 1\n", "README": "Read me.\n"}, {"a.py": "Read me.\n = 1", "README": "x = 1\n"},
    ]  # fmt: skip
    found = [syntax_key(files) for files in (base, *others)]
    assert found[-1] is None  # Python that does not parse is no patch
    assert len(set(found)) == len(found)


def test_files_do_not_run_into_one_another():
    """However names and texts are cut, other files are another patch."""
    parts = ("a", "b", "\0", "'", "1")
    made = [{p + q: r + s} for p, q, r, s in itertools.product(parts, repeat=4)]
    made += [{p: r, q: s} for p, q, r, s in itertools.product(parts, repeat=4) if p < q]
    distinct = {tuple(sorted(files.items())) for files in made}
    assert len({syntax_key(files) for files in made}) == len(distinct)
    assert syntax_key({}) is None
