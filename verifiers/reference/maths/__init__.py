"""Whether two answers are the same mathematics: reading, exact arithmetic, and sympy in a process of its own.

An answer is read by `reading.py`, on top of `two_readings.py` (what is refused), `reader.py`, `tokens.py`, `rows.py`,
`symbols.py`, `atoms.py` and `parser.py` (`prose.py` is for maths among words), brought into one form by `forms.py`,
`regions.py` and `matrices.py`, and decided on by `answer.py`, `doubts.py`, `compare.py` and `wholes.py`, which give an
`outcome.py`, with the exact arithmetic of `exact.py` and `terms.py`; `numeric.py` is rough arithmetic, for rounded
values and `tolerances.py`.
What that leaves open goes to another process: `worker.py` is our end of it, `server.py` its own, where `symbolic.py`
asks sympy and `other.py` math-verify. `key.py` is the class in which an answer votes.
"""
