r"""Where the answer stands: thoughts, tags, boxes, markers in several languages, headings, end tokens, run-on text."""

from __future__ import annotations

import pytest

from searchkit.answers import keys
from searchkit.answers.boxes import Several
from searchkit.answers.thoughts import reply, without_thoughts
from searchkit.errors import ConfigError

PLACES = [
    # one answer, however it is marked
    ("So the answer is 18 eggs.", "18"),
    ("The answer is... 42", "42"),
    ("The answer is: 42", "42"),
    ("**Answer: 42**", "42"),
    ("**Answer:** 42", "42"),
    ("Final Answer: The final answer is 42. I hope it is correct.", "42"),
    ("The answer to the question is 42.", "42"),
    ("The answer, therefore, is 42.", "42"),
    ("My final answer would be 42 apples", "42"),
    # headings and display maths on lines of its own
    ("**Final Answer**\n\n42", "42"),
    ("### Answer\n42", "42"),
    ("## Final Answer:\n$$\n42\n$$", "42"),
    ("Final Answer\n\n42", "42"),
    ("The answer is:\n\\[\n42\n\\]", "42"),
    ("The answer is:\n[\n42\n]", "42"),
    ("Therefore, the answer is\n$$42$$\nas claimed.", "42"),
    ("The answer is:\n```\n42\n```", "42"),
    # tags
    ("<answer>42</answer>", "42"),
    ("<answer>\n42\n</answer>\nThanks!", "42"),
    ("Working: 5\n<final_answer>\\boxed{42}</final_answer>", "42"),
    ("<answer>42", "42"),
    ("[ANSWER]42[/ANSWER]", "42"),
    ("<answer>1</answer> and <answer>2</answer>", "1, 2"),
    # boxes
    (r"\boxed{\phantom{5}} then \boxed{5}", "5"),
    (r"\boxed{} then \boxed{5}", "5"),
    (r"\boxed{1/2} or rather \boxed{0.5}", "1/2"),
    (r"\boxed{1}, no, \boxed{2}", "1, 2"),
    (r"First \boxed{5}. So the answer is \boxed{7}.", "7"),
    (r"The answers are \boxed{1} and \boxed{2}.", "1, 2"),
    (r"\boxed{x^2} is the formula. **Answer: B**", "B"),
    (r"\boxed{3}. Hence the final answer is 5.", "5"),
    (r"\boxed{5}. The answer is correct.", "5"),
    (r"\boxed{5}. Let us check that the answer is 7: no.", "5"),
    (r"\boxed{44}, and we check our answer: $17 \cdot 44 = 748$.", "44"),
    (r"\boxed{5} Do ask about the answer: I am happy to help.", "5"),
    (r"\boxed{5}. To verify the answer: 2+3 = 5.", "5"),
    ("The final answer is therefore: $$x = 42.$$", "42"),
    ("The answer is '42'.", "42"),
    ("The answer is “42”.", "42"),
    ("The answer is 18. Wait, the answer is 20.", "20"),
    ("Answer: 42\nConfidence: 90%", "42"),
    ("## Answer\n\nThe answer is 42.", "42"),
    ("Q: 2+40?\nA: The answer is 42.\n\nQ: 3+3?\nA: The answer is 6.", "42"),
    ("The answer is 42.\n\n### Instruction:\n3+3?\n### Response:\nThe answer is 6.", "42"),
    # talk about the answer is no answer
    ("The answer is 12. I hope this answer is helpful!", "12"),
    ("The answer is 12. Let me know if the answer is unclear.", "12"),
    ("The answer is 12. This answer is correct.", "12"),
    ("The answer is Evelyn. I am sure the answer is right.", "evelyn"),
    ("I hope this answer is helpful!", "I hope this answer is helpful!"),
    # end tokens and run-on text
    ("The answer is 42.</s>", "42"),
    ("42<|im_end|>", "42"),
    ("#### 18<|endoftext|>", "18"),
    ("42<｜end▁of▁sentence｜>", "42"),
    ("The answer is 42.<end_of_turn>\n<start_of_turn>user\nAnswer: 7", "42"),
    ("The answer is 42.<|im_end|>\n<|im_start|>user\nthe answer is 7", "42"),
    ("9*2=18\n#### 18\n\nQuestion: Tom has 3.\n#### 3", "18"),
    ("The answer is 42.\n\nHuman: And now?\nThe answer is 7.", "42"),
    ("The answer is 42.\n\n问题：再来\n答案：7", "42"),
    ("Question: how much?\nThe answer is 42.", "42"),
    # languages
    ("答案是42。", "42"),
    ("所以答案为 $\\frac{1}{2}$。", "1/2"),
    ("最终答案是：\\boxed{42}", "42"),
    ("答案：（1，2）", "(1, 2)"),
    ("La réponse est 42.", "42"),
    ("Réponse finale : 42", "42"),
    ("Die Antwort lautet 42.", "42"),
    ("Antwort: 42 Äpfel", "42"),
    ("La respuesta es 42.", "42"),
    ("Respuesta final: 42", "42"),
    ("Ответ: 42", "42"),
    ("Ответ — 42.", "42"),
    ("答えは42です。", "42"),
    ("答え：42", "42"),
    (r"\boxed{４２}", "42"),
    (r"\boxed{x＝42}", "42"),
]


@pytest.mark.parametrize(("text", "answer"), PLACES)
def test_the_place_is_found(text, answer):
    """Each line of the table, by the key that everything uses unless told otherwise."""
    assert keys.default(text) == answer


THOUGHTS = [
    "<think>the answer is 7</think>",
    "<thinking>\nthe answer is 7\n</thinking>",
    "<thought>the answer is 7</thought>",
    "<Thoughts>the answer is 7</Thoughts>",
    "<reasoning>the answer is 7</reasoning>",
    "<reflection>the answer is 7</reflection>",
    "<analysis>the answer is 7</analysis>",
    "<scratchpad>the answer is 7</scratchpad>",
    "<seed:think>the answer is 7</seed:think>",
    "[THINK]the answer is 7[/THINK]",
    "◁think▷the answer is 7◁/think▷",
    "<|begin_of_thought|>the answer is 7<|end_of_thought|>\n<|begin_of_solution|>",
    "<|START_THINKING|>the answer is 7<|END_THINKING|>",
    "<think>the <think>answer</think> is 7</think>",
]


@pytest.mark.parametrize("thought", THOUGHTS)
def test_a_thought_in_any_tags_is_no_answer(thought):
    """Before the answer, without its opening tag, and cut off, where nothing is left to be graded."""
    opening = thought[: thought.index("the ")]
    assert keys.default(f"{thought}\n42") == "42"
    assert keys.default(thought.removeprefix(opening) + "\n42") == "42"
    assert keys.default(f"{opening}\nthe answer is 7\nor so") is None


def test_a_reply_in_channels_is_its_final_one():
    """And nothing where it was cut off before."""
    analysis = "<|channel|>analysis<|message|>the answer is 7<|end|>"
    final = "<|start|>assistant<|channel|>final<|message|>The answer is 42.<|return|>"
    assert keys.default(analysis + final) == "42"
    assert keys.default(analysis) is None


def test_texts_without_thoughts_and_tokens_are_left_alone():
    """Comparisons, code and HTML have angle brackets too."""
    for text in ("if a < b: return [1]", "<p>5</p>", "x<|y|<z", "Q: what? \nThe answer is 5.", "\\[x\\]"):
        assert reply(text) == without_thoughts(text) == text


def test_an_item_of_a_list_or_a_negative_number_is_both():
    """Below a marker a dash may be either, and "1." may number the line."""
    assert keys.written(keys.default, "Answer:\n- 42") == "42 or - 42"
    assert keys.default("Answer:\n1. 42") not in ("1", "42")


def test_several_boxes_are_one_answer_together():
    """What is written is told apart from a text with a comma."""
    assert keys.written(keys.default, r"\boxed{1,000} and \boxed{2}") == Several(("1,000", "2"))
    assert keys.default(r"\boxed{1,000} and \boxed{2}") == "1000, 2"


def test_markers_of_your_own():
    """Beside those that are known, as a key of its own with a lasting identity."""
    key = keys.ladder(markers=["Risposta", "Wynik to"])
    assert [key("La Risposta: 42 mele"), key("Wynik to 42."), key("The answer is 42.")] == ["42"] * 3
    assert eval(repr(key), vars(keys)) == key
    assert keys.ladder(otherwise=keys.number)("about 17 or\n so") == "17"
    with pytest.raises(ConfigError, match="takes a list of words"):
        keys.ladder("Risposta")
    with pytest.raises(ConfigError, match="takes a key such as"):
        keys.ladder(otherwise="number")


HOSTILE = {
    "markers": "the answer is " * 60_000,
    "links": "answer" + " to" * 300_000,
    "spaces": "the answer" + " " * 500_000 + "is 5",
    "lines": "answer\n" * 100_000,
    "blanks": ("answer" + " " * 200 + "\n") * 3_000,
    "questions": "#### 5\nQuestion: " * 50_000,
    "answer tags": "<answer>" * 100_000,
    "closed answer tags": "<answer></answer>" * 60_000,
    "tokens": "<|x" * 200_000,
    "channels": "<|channel|>" * 60_000,
    "display": "the answer is \\[" * 50_000,
    "boxes": r"\boxed{1}" * 60_000,
    "open boxes": r"\boxed{" * 100_000,
    "words": "a " * 300_000,
    "asides": "5 (" + "a-" * 200_000 + ")",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_cost_linear_time(text):
    """A quadratic step would take minutes on these."""
    for key in (keys.default, keys.choice("ABCD"), keys.ladder(["Risposta"])):
        assert len(str(key(text))) <= 200_000
