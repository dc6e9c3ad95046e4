"""Answers: finding them in a text, and writing equal ones alike. Strategies and verifiers use it.

Where the answer stands: `keys.py` is what people use, on top of `extractor.py`; `ladder.py` is the order of the rules,
with `thoughts.py` (what is no part of a reply), `boxes.py` and `markers.py` (the places), and `retractions.py` (answers
that are taken back); `choices.py` is the key for multiple choice, with `rejections.py` (options that are named in order
to reject them); `structured.py` has those for JSON objects and tool calls.

What it says: `canonical.py` is one spelling for equal answers. `characters.py` and `notation.py` rewrite what is drawn
or typed in other ways; `phrases.py` takes words off, with `qualifiers.py` and `foreign_words.py` (words that forbid
it), `number_words.py`, `units.py`, `names.py` and `arithmetic.py`. `published.py` spells as the graders of GSM8K and
MATH do.
"""
