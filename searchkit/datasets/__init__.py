"""Data sets: public problem sets and your own, each with its prompt, its answer key and its verifier.

Read `dataset.py` first (what a set is), then one set a file: `gsm8k.py`, `math500.py`, `aime.py`
(with `maths.py`), `humaneval.py`, `game24.py`; `files.py` finds and checks their files, `own.py` reads
yours.
"""

from searchkit.datasets.aime import aime
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.game24 import Game24, game24
from searchkit.datasets.gsm8k import gsm8k
from searchkit.datasets.humaneval import humaneval
from searchkit.datasets.math500 import math500
from searchkit.datasets.own import problems

__all__ = ["Dataset", "Game24", "aime", "game24", "gsm8k", "humaneval", "math500", "problems"]
