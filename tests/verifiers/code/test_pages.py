"""Replies that were written for a page: `&lt;` for a sign, and in a text of the program."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed, verdict

ESCAPES = 'def esc(s):\n    """Escape."""\n'


@pytest.mark.parametrize(
    "body", ["    return s.replace('<', '&lt;')\n", "```python\n    return s.replace('<', '&lt;')\n```"]
)
def test_a_body_that_speaks_of_pages_stays_as_it_is(body):
    record = {
        "prompt": ESCAPES,
        "entry_point": "esc",
        "test": "def check(candidate):\n    assert candidate('a<b') == 'a&lt;b'\n",
    }
    assert passed(record, body) is True
    assert passed(record, body.replace("&lt;", "&gt;")) is False


def test_a_program_that_is_half_a_page_is_not_judged():
    """Its signs are meant as signs, and of its text nobody knows."""
    found = verdict("assert f(1, 2) == '&lt;'", "def f(a, b):\n    return a &lt; b and 1 < b and '&lt;'")
    assert found.passed is None
    assert "can be read in two ways" in found.feedback
    assert passed("assert f(1, 2) is True", "def f(a, b):\n    return a &lt; b") is True
    assert passed("assert f(1, 2) is False", "def f(a, b):\n    return a &lt; b") is False
