"""Refinement: drafts that are judged and rewritten.

Read `refine.py`: one chain of drafts, what ends it, and which draft is the answer. What the refiner sees is up to the
environment, `searchkit/environments/rewrite.py`; who finds fault with a draft is a verifier, such as
`verifiers/judges/critic.py`.
"""

from searchkit.strategies.refinement.refine import Refine

__all__ = [
    "Refine",
]
