"""Answers: finding them in a text, and writing equal ones alike. Strategies and verifiers use it.

Read `keys.py` first (where the answer stands), then `canonical.py` (one spelling for equal answers) and `structured.py`
(JSON objects and tool calls).
"""
