"""Replies that hold a right `sq`, and replies that hold none: what chats make of programs."""

from __future__ import annotations

F = "```"
NBSP = "\u00a0"
S = "def sq(x):\n    return x * x"
B = f"{F}python\n{S}\n{F}"
USE = f"{F}python\nprint(sq(3))\n{F}"
CASES = "class T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(sq(2), 4)"

MAIN = f"import unittest\n{CASES}\nunittest.main()"


def fenced(body: str, label: str = "python") -> str:
    return f"{F}{label}\n{body}\n{F}"


def many(*bodies: str) -> str:
    return "\n\nThen:\n\n".join(map(fenced, bodies))


# Rows of the faults K2 and K3; right is what a program of these runs to.
FAULTS = {
    "F037 usage in a block of its own": f"{B}\nExample usage:\n{USE}",
    "F038 usage that binds a name": f"{B}\nExample usage:\n{fenced('result = sq(4); print(result)')}",
    "F040 a block of tests": f"{B}\nTests:\n{fenced(MAIN)}",
    "F043 prose, then code": f"Here is the function:\n\n{S}",
    "F045 four closed by three": f"````python\n{S}\n{F}\nThis works in one line.",
    **{f"F046 label {label}": fenced(S, label) for label in ("py3", "ipython", "code", "text")},
    "F047 Code Llama": f"[PYTHON]\n{S}\n[/PYTHON]",
    "F047 MBPP": f"[BEGIN]\n{S}\n[DONE]",
    "F047 HTML": f"<code>\n{S}\n</code>",
    "F048 closed behind the last line": f"{F}python\n{S}{F}\nThis works.",
    "F049 one line": f"{F}python def sq(x): return x*x{F}",
    "F050 end token": f"{S}<|im_end|>",
    "F052 blanks of the web": f"def sq(x):\n{NBSP * 4}return x * x",
}
LABELS = (
    "Python", "PYTHON3", "python3.11", "py", "pycon", "{python}", "{.python}", "{.python .numberLines}",
    "python:main.py", 'python title="a.py"', "python {linenos=true}", "language-python", " python ", "python=", "txt",
    "plaintext", "none", "Solution", "sagemath", "sql", "main.py",
)  # fmt: skip
TOKENS = (
    "<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "<｜end▁of▁sentence｜>", "<|end|>", "<end_of_turn>", "<eos>",
    "<|EOT|>", "<|file_separator|>", "<|fim_middle|>", "[/INST]", "[EOS]", "<|im_end|>\n<|im_start|>user\nthanks",
)  # fmt: skip
BLANKS = ("\u00a0", "\u2003", "\u2009", "\u202f", "\u3000", "\u2007")
RIGHT = {
    **FAULTS,
    **{f"label {label!r}": fenced(S, label) for label in LABELS},
    **{f"bare, then {token!r}": S + token for token in TOKENS},
    **{f"fenced, then {token!r}": f"{B}{token}" for token in TOKENS},
    **{f"not closed, then {token!r}": f"{F}python\n{S}\n{token}" for token in TOKENS},
    **{f"prose, code, {token!r}": f"Sure.\n\n{S}{token}" for token in TOKENS},
    **{f"margin of {blank!r}": fenced(f"def sq(x):\n{blank * 4}return x * x") for blank in BLANKS},
    **{f"{blank!r} everywhere": f"def{blank}sq(x):\n{blank * 2}return{blank}x{blank}*{blank}x" for blank in BLANKS},
    # usage and tests behind the function
    "usage in a block without a label": f"{B}\nThen:\n{fenced('print(sq(3))', '')}",
    "output behind it": f"{B}\nOutput:\n{fenced('9', '')}\nand\n{fenced('9 16', 'output')}",
    "usage that would fail": f"{B}\n{fenced('print(sq(undefined))')}",
    "usage that asks": many(S, "n = int(input())\nprint(sq(n))"),
    "usage that imports it": many(S, "from solution import sq\nprint(sq(3))"),
    "pytest behind it": many(S, "import pytest\ndef test_sq():\n    assert sq(2) == 4"),
    "assertions behind it": many(S, "assert sq(2) == 5"),
    "bare code with its usage": f"{S}\n\nprint(sq(3))",
    "JSON and shell around it": f"{fenced('pip install x', 'bash')}\n{B}\n{fenced('{}', 'json')}",
    "another language first": f"{fenced('function sq(x) { return x * x; }', 'javascript')}\n{B}",
    "another language last": f"{B}\n{fenced('int sq(int x) { return x * x; }', 'cpp')}",
    # several blocks
    "imports in a block before": many("import math", "def sq(x):\n    return math.prod((x, x))"),
    "a helper after": many("def sq(x):\n    return times(x, x)", "def times(a, b): return a * b"),
    "a class, a function, a constant": many(
        "POWER = 2", "class Box:\n    def __init__(self, x):\n        self.x = x", "def unbox(box):\n    return box.x",
        "def sq(x):\n    return unbox(Box(x)) ** POWER", "print(sq(9))"),
    "a corrected version": many("def sq(x):\n    return x + x", S),
    "a corrected helper": many("def h(x): return x + x\ndef sq(x): return h(x)", "def h(x): return x * x"),
    "a corrected main with the old helper": many(
        "def h(x): return x\ndef sq(x): return 0", "def sq(x): return h(x) * x"),
    "the memory filled in a block": many(
        "squares = {}", "squares[0] = 0", "def sq(x):\n    return squares[x] if x in squares else x * x"),
    "everything of a module": many("from math import *", "def sq(x):\n    return prod((x, x))"),
    "future imports": many(
        "import math", "from __future__ import annotations\ndef sq(x: Undefined):\n    return math.prod((x, x))"),
    "a decorator": many("import functools", f"@functools.cache\n{S}"),
    "a default value": many("TWO = 2", "def sq(x, p=TWO):\n    return x ** p"),
    "a lambda": fenced("sq = lambda x: x * x"),
    "a broken version after it": many(S, "def sq(x) return x"),
    "its local is usage's global": many("def sq(x):\n    result = x * x\n    return result", "result = sq(nothing)"),
    "code in the first block, tests import": many(S, f"import unittest\nimport nowhere\n{CASES}"),
    # fences
    "tildes": f"~~~python\n{S}\n~~~\nDone.",
    "four": f"````python\n{S}\n````\nDone.",
    "three closed by four": f"{F}python\n{S}\n````\nDone.",
    "five closed by four": f"`````\n{S}\n````\nDone.",
    "three quotes": f"'''python\n{S}\n'''\nDone.",
    "acute accents": f"´´´python\n{S}\n´´´\nDone.",
    "escaped": f"\\`\\`\\`python\n{S}\n\\`\\`\\`\nDone.",
    "two": f"``python\n{S}\n``",
    "not closed": f"So:\n{F}python\n{S}",
    "not closed, prose": f"So:\n{F}python\n{S}\n\nThis returns the square.",
    "not closed, another block": f"{F}python\n{S}\n\nNow use it:\n{USE}",
    "opened in a line of prose": f"The code: {F}python\n{S}\n{F}",
    "opened in a line of prose, no label": f"The code: {F}\n{S}\n{F}",
    "closed in front of prose": f"{F}python\n{S}{F} This works.",
    "closed in front of prose, next line": f"{F}python\n{S}\n{F} This works.",
    "a fence in a docstring": fenced('def sq(x):\n    """Like\n    ```\n    sq(2)\n    ```\n    """\n    return x * x'),
    "a fence in a string": fenced("FENCE = '```'\n" + S),
    "a label on the next line": f"{F}\npython\n{S}\n{F}",
    "code behind the label": f"{F}python def sq(x):\n    return x * x\n{F}",
    "in a list": f"1. First:\n   {F}python\n   def sq(x):\n       return x * x\n   {F}\n2. Done.",
    "in a list, on its line": f"- {F}python\n  def sq(x):\n      return x * x\n  {F}",
    "in a quotation": f"> {F}python\n> def sq(x):\n>     return x * x\n> {F}",
    "all indented in its fence": fenced("    def sq(x):\n        return x * x"),
    "one line, no label": f"{F}def sq(x): return x * x{F}",
    "one line in prose": f"It is {F}def sq(x): return x * x{F} in short.",
    "one line, one back-tick": "It is `def sq(x): return x * x`.",
    "one line of tildes": "~~~python def sq(x): return x * x~~~",
    "Windows": B.replace("\n", "\r\n"),
    "old Macs": S.replace("\n", "\r"),
    "a blank behind the fences": f"{F}python \n{S}\n{F} \n",
    # tags
    "tags on the lines": f"[PYTHON]{S}[/PYTHON]",
    "MBPP on the lines": f"[BEGIN]\n{S}[DONE]",
    "fences between tags": f"[PYTHON]\n{B}\n[/PYTHON]",
    "tags in fences": fenced(f"[BEGIN]\n{S}\n[DONE]", ""),
    "answer": f"<answer>\n{S}\n</answer>",
    "answer with a fence": f"<answer>{B}</answer>",
    "pre and code": f'<pre><code class="language-python">{S}</code></pre>',
    "entities": "<pre><code>def sq(x):\n    return x * x if x &lt; 1 or x &gt;= 1 else &quot;&quot;</code></pre>",
    "python": f"<python>\n{S}\n</python>",
    "Llama's tag": f"<|python_tag|>{S}<|eom_id|>",
    "CodeAct": f"<execute>\n{S}\n</execute>",
    "LaTeX": f"\\begin{{lstlisting}}[language=Python]\n{S}\n\\end{{lstlisting}}",
    "minted": f"\\begin{{minted}}{{python}}\n{S}\n\\end{{minted}}",
    "only the end of a tag": f"{S}\n[/PYTHON]",
    "only the beginning": f"[PYTHON]\n{S}",
    "DONE and talk": f"[BEGIN]\n{S}\n[DONE]\nI hope that helps!",
    # prose
    "code, then prose": f"{S}\n\nThis returns the square.",
    "prose with an apostrophe and a bracket": f"Here's the function (it's short:\n{S}\nThat's it.",
    "prose, imports, code, prose": f"Sure!\n\nimport math\n\n{S}\n\nExample: sq(2)\n4",
    "prose that may be Python": f"Answer\n{S}\nDone",
    "prose with colons": f"Solution: see below\n{S}\nNote: done",
    "Markdown's margin": "Here:\n\n    def sq(x):\n        return x * x\n\nDone.",
    "a copied page": f"python\nCopy code\n{S}",
    "a copied page's button": f"pythonCopy code\n{S}",
    "thoughts": f"<think>{fenced('def sq(x): return 0')}</think>{B}",
    "thoughts that are not closed in front": f"so def sq(x)...</think>\n{S}",
    "brackets over lines": f"Here:\nTABLE = [\n1,\n2,\n]\n{S}\nDone.",
    "a text over lines": f'Here:\nTEXT = """\nHello world, this is text\n"""\n{S}\nDone.',
    "try and else": f"Here:\ntry:\n    import math\nexcept ImportError:\n    math = None\nelse:\n    pass\n{S}\nDone.",
    "a prompt's role": f"<|im_start|>assistant\n{S}<|im_end|>",
    "a header's role": f"<|start_header_id|>assistant<|end_header_id|>\n\n{S}<|eot_id|>",
    "begin and end": f"<s>{S}</s>",
    "a token in a string": 'def sq(x):\n    return x * x if "</s>".strip() else 0<|im_end|>',
    # sessions, diffs, notebooks
    "a session": fenced(">>> def sq(x):\n...     return x * x\n...\n>>> sq(3)\n9", "pycon"),
    "a session of IPython": fenced(
        "In [1]: def sq(x):\n   ...:     return x * x\n   ...:\nIn [2]: sq(3)\nOut[2]: 9", ""),
    "a session behind the function": f"{B}\n{fenced('>>> sq(3)' + chr(10) + '9', 'pycon')}",
    "a shell session behind it": f"{B}\n{fenced('$ python sq.py' + chr(10) + '9', 'console')}",
    "a diff": fenced("@@ -1,2 +1,2 @@\n def sq(x):\n-    return x + x\n+    return x * x", "diff"),
    "a diff of a file": fenced("--- a/s.py\n+++ b/s.py\n@@ -0,0 +1,2 @@\n+def sq(x):\n+    return x * x", "diff"),
    "a diff of the usage behind it": f"{B}\n{fenced('-print(sq(2))' + chr(10) + '+print(sq(3))', 'diff')}",
    "a notebook": fenced(f"%matplotlib inline\n!pip install numpy\n{S}"),
    "numbered lines": fenced("1  def sq(x):\n2      return x * x"),
    "numbered lines with a bar": fenced("1 | def sq(x):\n2 |     return x * x", ""),
    "an edited notebook": many("counter = 0", "def sq(x):\n    global counter\n    counter += 1\n    return x * x"),
    "a limit of the interpreter": many(
        "import sys\nsys.setrecursionlimit(5000)",
        "def sq(x):\n    def deep(n):\n        return 0 if n == 0 else deep(n - 1)\n    return x * x + deep(3000)"),
    "a stub behind it": many(S, "def sq(x):\n    ..."),
    "a signature behind it": many(S, 'def sq(x):\n    """The square."""\n    pass'),
    "a stub in front": many("def sq(x):\n    raise NotImplementedError", S),
    "quotes as fences": f"'''\n{S}\n'''",
    "double quotes as fences": f'"""python\n{S}\n"""',
    "no blank behind the label": f"{F}python{S}\n{F}",
    "prose in the block": fenced(f"{S}\n\nThis function squares a number."),
    "prose on top of the block": fenced(f"Here is the code\n{S}"),
    "one line with escapes": S.replace("\n", "\\n"),
    "one line with escapes, fenced": fenced(S.replace("\n", "\\n")),
    "a page's line breaks": "def sq(x):<br>&nbsp;&nbsp;&nbsp;&nbsp;return x * x",
    "a title on its line": "Answer: def sq(x): return x * x",
    "a quotation without a fence": "> def sq(x):\n>     return x * x",
    "typographic quotes": fenced("def sq(x):\n    return x * x if “a” else ‘b’"),
    "full width": fenced("def sq（x）：\n    return x * x"),
    "Markdown in Markdown": f"````markdown\n# Title\n{B}\n````",
    "fences in pairs": f"{F}\n{B}\n{F}",
    "ticks closed by tildes": f"{F}python\n{S}\n~~~\nDone.",
    "tildes closed by ticks": f"~~~python\n{S}\n{F}\nDone.",
    "headings around it": f"### Code\n{S}\n### Why\nIt works.",
    "a channel": f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{B}<|return|>",
    "unseen characters": f"\ufeff{S.replace('(', chr(0x200b) + '(')}",
    "line separators": S.replace("\n", "\u2028"),
    "odd blanks in a string stay": fenced(
        f"def sq(x):\n{NBSP * 4}return x * x if len('a{NBSP}b') == 3 and ord('a{NBSP}b'[1]) == 160 else 0"),
}  # fmt: skip
WRONG = {
    "no program": "I cannot do that.",
    "another name": B.replace("sq", "square"),
    "a broken first line": fenced("def sq(x)\n    return x * x"),
    "a broken first line, bare": "def sq(x)\n    return x * x",
    "half a function": f"{F}python\ndef sq(x):\n    y = x *",
    "the last version is wrong": f"{B}\nShorter:\n{fenced('def sq(x): return x + x')}",
    "a broken helper": fenced("def sq(x):\n    return x * x\n\ndef helper(:\n    pass"),
    "Python 2": fenced(f"{S}\nprint 'a'"),
    "only usage": USE,
    "only in the thoughts": f"<think>{B}</think>I am done.",
    "a stub alone": fenced("def sq(x): ..."),
    "prose and broken code": fenced(f"{S}\n\nThen\n\nprint 'a'"),
    "broken usage": fenced(f"{S}\n\nprint(sq(3)"),
    "another language": fenced("def sq(x)\n  x * x\nend", "ruby"),
    "pieces of a diff": fenced("@@ -1 +1 @@\n+def sq(x):\n@@ -9 +9 @@\n+    return x * x", "diff"),
    "only in a docstring": fenced('def other(x):\n    """\n    def sq(x):\n        return x * x\n    """'),
    "only in a comment": fenced("# def sq(x): return x * x"),
    "in a function": fenced("def outer():\n    def sq(x):\n        return x * x"),
}

# Bodies of HumanEval's kind.
PROMPT = 'def total(xs):\n    """The sum of xs."""\n'
BODY = "    s = 0\n    for x in xs:\n        s += x\n    return s\n"
FLAT = "s = 0\nfor x in xs:\n    s += x\nreturn s\n"
WHOLE = f"def total(xs):\n{BODY}"
CONTINUING = {
    "F137 fenced, no margin": fenced(FLAT.rstrip()),
    "a margin": BODY,
    "no margin": FLAT,
    "no margin on the first line": BODY.lstrip(),
    "no margin on the first line, fenced": fenced(BODY.strip()),
    "fenced": f"{F}python\n{BODY}{F}",
    "two blanks": BODY.replace("    ", "  "),
    "eight blanks": "".join(f"    {line}\n" for line in BODY.splitlines()),
    "tabs": BODY.replace("    ", "\t"),
    "odd blanks": BODY.replace(" ", NBSP),
    "odd blanks, fenced": fenced(BODY.replace(" ", NBSP).rstrip()),
    "a margin on the first line alone": f"    {FLAT}",
    "the whole, its body flush left": f"def total(xs):\n{FLAT}",
    "the whole, its body flush left, fenced": fenced(f"import math\n\ndef total(xs):\n{FLAT.rstrip()}"),
    "a docstring again": f'    """The sum."""\n{BODY}',
    "a docstring again, no margin": f'"""The sum."""\n{FLAT}',
    "too deep by one": "".join(f" {line}\n" for line in BODY.splitlines()),
    "an explanation as comments": f"# We add them up.\n# One by one.\n{FLAT}",
    "two blocks, the first is it": f"{fenced(FLAT.rstrip())}\nwhich is\n{fenced('x = total([1])')}",
    "one line": "return sum(xs)",
    "one line, fenced": fenced("return sum(xs)"),
    "one line, one back-tick fence": f"{F}return sum(xs){F}",
    "prose behind": f"{BODY}\nThis adds them up.",
    "prose behind, no margin": "return sum(xs)\n\nThis adds them up.",
    "prose in front": f"Here is the body:\n\n{BODY}",
    "prose in front, fenced": f"Here is the body:\n{fenced(FLAT.rstrip())}\nDone.",
    "usage behind": f"{BODY}\nprint(total([1, 2]))\n",
    "usage in a block": f"{fenced(FLAT.rstrip())}\nExample:\n{fenced('print(total([1]))')}",
    "raw, and usage in a block": f"{BODY}\nExample:\n{fenced('print(total([1]))')}",
    "an end token": f"{BODY}<|im_end|>",
    "an end token, no margin": f"{FLAT.rstrip()}<|endoftext|>",
    "the next function": f"{BODY}\ndef other():\n    pass\n",
    "the whole": WHOLE,
    "the whole, fenced": fenced(WHOLE),
    "the whole, with the prompt": fenced(PROMPT + BODY),
    "prompt and body, prose": f"Here:\n\n{PROMPT}{BODY}\nDone.",
    "the whole after the body": f"{fenced(BODY.rstrip())}\nor in whole:\n{fenced(WHOLE)}",
    "a comment first": f"# add\n{BODY}",
    "Windows": BODY.replace("\n", "\r\n"),
    "a yield": "return sum(x for x in xs)",
    "tags": f"[BEGIN]\n{BODY}[DONE]",
}
NOT_CONTINUING = {
    "wrong": "    return 0\n",
    "another function": "def other(xs):\n    return sum(xs)\n",
    "prose": "I cannot do that.",
    "no margins at all": "s = 0\nfor x in xs:\ns += x\nreturn s\n",
    "a broken line": "def total(xs)\n    return sum(xs)\n",
    "nothing": "",
    "no body": "print(total([1]))",
}
