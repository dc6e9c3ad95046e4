"""Data sets: public problem sets and your own, each with its prompt, its answer key and its verifier.

Read `dataset.py` first (what a set is), then one set a file: `gsm8k.py`, `math500.py`, `aime.py`
(with `maths.py`), `humaneval.py`, `game24.py`; `named.py` finds them by name and chooses among their problems;
`files.py` finds and checks their files, `arrow.py` reads those of Arrow and Parquet, `mirrors.py` what published copies
write in another way, `own.py` reads yours.
"""

from searchkit.datasets.aime import aime
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.game24 import Game24, game24
from searchkit.datasets.gsm8k import gsm8k
from searchkit.datasets.humaneval import humaneval
from searchkit.datasets.math500 import math500
from searchkit.datasets.named import choose, load
from searchkit.datasets.own import problems

__all__ = ["Dataset", "Game24", "aime", "choose", "game24", "gsm8k", "humaneval", "load", "math500", "problems"]
