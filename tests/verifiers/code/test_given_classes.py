"""Instances of classes that a prompt or setup defines are handed over, as the nodes of LeetCode's lists and trees are."""

# ruff: noqa: E501 - a test is one line, as it is in a list

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

NODE = "class ListNode:\n    def __init__(self, val=0, next=None):\n        self.val = val\n        self.next = next\n"
HELPERS = "def mk(xs):\n    h = None\n    for x in reversed(xs): h = ListNode(x, h)\n    return h\ndef ls(n):\n    out = []\n    while n:\n        out.append(n.val)\n        n = n.next\n    return out\n"
SAME = "def is_same(a, b):\n    while a and b:\n        if a.val != b.val: return False\n        a, b = a.next, b.next\n    return not a and not b\n"
TREE = "class TreeNode:\n    def __init__(self, val=0, left=None, right=None):\n        self.val, self.left, self.right = val, left, right\n"
REVERSE = "class Solution:\n    def f(self, head):\n        prev = None\n        while head:\n            head.next, prev, head = prev, head, head.next\n        return prev\n"
FRESH = "class Solution:\n    def f(self, head):\n        made = None\n        while head:\n            made = ListNode(head.val, made)\n            head = head.next\n        return made\n"
KEEPS = "class Solution:\n    def f(self, head):\n        return head\n"
SAMES = "class ListNode:\n    def __init__(self, val=0, next=None):\n        self.val, self.next = val, next\n    def __eq__(self, o): return True\n    def __bool__(self): return False\n"


def record(test, prompt=NODE + HELPERS + SAME):
    return {"prompt": prompt, "entry_point": "Solution().f", "test": f"def check(candidate):\n    {test}\n"}


LISTS = [
    record("assert ls(candidate(mk([1, 2, 3]))) == [3, 2, 1]"),
    record("assert is_same(candidate(head=mk([1, 2, 3])), mk([3, 2, 1]))"),
    record("assert ls(candidate(mk(list(range(1500))))) == list(range(1500))[::-1]"),
    {"setup": NODE, "tests": [HELPERS + "assert ls(Solution().f(mk([1, 2, 3]))) == [3, 2, 1]"]},
    {
        "setup": NODE + HELPERS,
        "tests": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(ls(Solution().f(mk([1, 2]))), [2, 1])\n    def test_b(self): self.assertIsNone(Solution().f(None))\n    def test_c(self): self.assertEqual(Solution().f(mk([1, 4])).val, 4)",
    },
]


@pytest.mark.parametrize("tests", LISTS, ids=range(len(LISTS)))
def test_lists_of_nodes(tests):
    for right in (REVERSE, FRESH, NODE + REVERSE, NODE + FRESH):
        assert passed(tests, right) is True, verdict(tests, right).feedback
    for wrong in (KEEPS, SAMES + KEEPS, NODE + KEEPS):
        assert passed(tests, wrong) is False


METHOD = "class P:\n    def __init__(self, x): self.x = x\n    def same(self, o): return self.x == o.x\n"
FORGED = [
    "def f(x):\n    p = P(0)\n    p.same = lambda o: True\n    return p",
    "def f(x):\n    p = P(0)\n    P.same = lambda s, o: True\n    return p",
    "class P:\n    def __init__(s, x): s.x = x\n    def same(s, o): return True\ndef f(x): return P(0)",
    "class Q:\n    x = 0\n    def same(s, o): return True\ndef f(x): return Q()",
    "def f(x):\n    class P:\n        def same(s, o): return True\n    return P()",
]


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_no_method_of_the_program_takes_the_place_of_the_tests(text):
    tests = {"setup": METHOD, "tests": ["p = P(9)\nassert p.same(f(3))", "assert f(3).same(P(9)) is True"]}
    assert passed(tests, "def f(x): return P(x * x)") is True
    assert passed(tests, text) is not True


PLACE = "def f(head):\n    while head and head.next:\n        head.val, head.next.val = head.next.val, head.val\n        head = head.next.next"
TREES = "def f(root):\n    if root: root.left, root.right = f(root.right), f(root.left)\n    return root"
MORE = [
    ({"setup": NODE + HELPERS, "tests": ["h = mk([1, 2, 3])\nf(h)\nassert ls(h) == [2, 1, 3]"]}, PLACE, True),
    ({"setup": NODE + HELPERS, "tests": ["h = mk([1, 2, 3])\nf(h)\nassert ls(h) == [1, 2, 3]"]}, PLACE, False),
    ({"setup": NODE + HELPERS, "tests": ["h = mk([1, 2])\nassert f(h) is h.next"]}, "def f(h): return h.next", True),
    ({"setup": NODE + HELPERS, "tests": ["h = mk([1, 2])\nassert f(h) is h.next"]}, "def f(h): return ListNode(2)", False),
    ({"setup": NODE + HELPERS, "tests": ["h = mk([1])\nadd(h)\nh.val = 5\nassert total() == 5"]}, "kept = []\ndef add(h): kept.append(h)\ndef total(): return sum(h.val for h in kept)", True),
    ({"setup": NODE, "tests": ["a, b = ListNode(1), ListNode(2)\njoin(a, b)\nassert a.next is b and b.val == 2"]}, "def join(a, b): a.next = b", True),
    ({"setup": TREE, "tests": ["r = f(TreeNode(1, TreeNode(2), TreeNode(3, TreeNode(4))))\nassert (r.left.val, r.right.val, r.left.right.val) == (3, 2, 4)"]}, TREES, True),
    ({"setup": TREE, "tests": ["r = f(TreeNode(1, TreeNode(2), TreeNode(3)))\nassert r.left.val == 3"]}, "def f(root): return root", False),
    ({"setup": NODE, "tests": ["h = ListNode(1)\nh.next = h\nassert f(h)"]}, "def f(h): return h.next is h", None),
    ({"setup": "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n", "tests": ["assert f(P(3)) == P(9)"]}, "def f(p): return P(p.x ** 2)", True),
    ({"setup": "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n", "tests": ["assert f(P(3)) == P(9)"]}, "def f(p): return P(p.x * 2)", False),
    ({"setup": "class P:\n    __slots__ = ('x',)\n", "tests": ["p = P()\np.x = 3\nassert f(p) == 3"]}, "def f(p): return p.x", None),
    (NODE + "assert f(ListNode(3)) == 3", "def f(n): return n.val", None),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "text", "right"), MORE, ids=range(len(MORE)))
def test_what_they_hold_is_one_on_both_sides(tests, text, right):
    assert passed(tests, text) is right, verdict(tests, text).feedback
