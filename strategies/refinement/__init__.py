"""Refinement: drafts that are judged and rewritten.

Read `refine.py`: one chain of drafts, what ends it, and which draft is the answer. What the refiner sees is up to the
environment, `searchkit/environments/rewrite.py`; who finds fault with a draft is a verifier, such as
`verifiers/judges/critic.py`. Then `aggregate.py`: rounds of drafts side by side, each written from several.
"""

from searchkit.strategies.refinement.aggregate import DISTIL, Aggregate
from searchkit.strategies.refinement.refine import Refine

__all__ = [
    "DISTIL",
    "Aggregate",
    "Refine",
]
