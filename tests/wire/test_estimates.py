"""Tokens that nobody counted, against what four real tokenizers made of the same texts (recorded)."""

from __future__ import annotations

import time

import pytest

from searchkit.wire import estimates

# The most tokens that any of cl100k_base (GPT-4), o200k_base (GPT-4o), Claude 2 and DeepSeek-V3 takes for the text.
MEASURED = {
    "english": (
        "Under a budget each attempt that runs at the same time has an equal share. Seven calls are less than two for "
        "each of four attempts, so of an agent that needs three none gets to its end.",
        41,
    ),
    "code": (
        "def tokens(self, text: str) -> int:\n    return len(_PIECES.findall(text)) + (beyond + 1) // 2\n",
        32,
    ),
    "names": ("getHTTPResponseCodeFromServer xhrOnReadyStateChange kubernetes_deployment_spec_replicas", 21),
    "json": ('{"a": [1, 2.5, {"city": "Rome", "temperature": 21.5}], "ids": [123456, 987654]}', 41),
    "chinese": ("让我们一步一步地思考这个问题：首先，边长之和必须是偶数。", 35),
    "japanese": ("この問題を順番に考えてみましょう。まず、三角形の内角の和は百八十度です。", 45),
    "korean": ("이 문제를 단계별로 생각해 봅시다.", 24),
    "russian": ("Давайте рассмотрим задачу по шагам.", 21),
    "latex": (r"\frac{a^2+b^2}{2ab} \geq 1 \implies \sqrt{x_1^2 + x_2^2} = 12345.678", 47),
    "table": ("| a | b |\n|---|---|\n| 1 | 2 |\n", 17),
    "letters": ("w " * 50, 51),
}


@pytest.mark.parametrize("name", MEASURED)
def test_no_less_than_real_tokenizers_take(name: str) -> None:
    """And no more than twice that."""
    text, most = MEASURED[name]
    assert 0.97 * most <= estimates.written(text) <= 2 * most


def test_nothing_is_nothing_and_parts_add_up() -> None:
    """At least one a word, whatever is between them."""
    assert estimates.written("") == estimates.read("") == 0
    assert estimates.written("a bc d\ne") >= 4
    assert estimates.written("\ud800") == 2


@pytest.mark.parametrize("text", ["a", " ", "\n", "{", "1", "A", "é", "三", "😀", "aA1 {\n"])
def test_linear_time(text: str) -> None:
    """Of any text: 400,000 pieces in no more than a generous second."""
    began = time.thread_time()
    estimates.written(text * 400_000)
    assert time.thread_time() - began < 5
