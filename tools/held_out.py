"""Write searchkit/export/held_out.txt: ids and digests of the prompts of public test sets.

    python tools/held_out.py FOLDER

FOLDER holds ``gsm8k/test.jsonl``, ``math500/test500.jsonl`` and ``human_eval/HumanEval.jsonl.gz``, as their
repositories have them (see `searchkit.datasets`, whose checksums are checked). Of each prompt stand in the file the
length of its normalised text and two digests of 8 bytes, of its first 24 characters and of all; the texts do not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from searchkit.datasets import gsm8k, humaneval, math500
from searchkit.datasets.dataset import QUESTION
from searchkit.export.held_out import SHIPPED, line
from searchkit.export.normalised import normalised
from searchkit.types import Problem

TARGET = Path(__file__).parents[1] / "searchkit" / "export" / SHIPPED


def sets(folder: Path) -> Iterator[tuple[str, tuple[Problem, ...]]]:
    """The sets by name, with bare questions as prompts."""
    yield "GSM8K test", gsm8k(folder / "gsm8k" / "test.jsonl", template=QUESTION).problems
    yield "MATH-500", math500(folder / "math500" / "test500.jsonl", template=QUESTION).problems
    yield "HumanEval", humaneval(folder / "human_eval" / "HumanEval.jsonl.gz").problems


def lines(folder: Path) -> Iterator[str]:
    yield "# What is held out: ids, and digests of normalised prompts. Written by tools/held_out.py."
    for name, problems in sets(folder):
        for problem in problems:
            yield f"id\t{name}\t{problem.id}"
        bare = (p.reference["prompt"] if name == "HumanEval" else p.prompt.text for p in problems)
        yield from sorted(line(name, text) for text in bare if normalised(text))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    TARGET.write_text("".join(f"{text}\n" for text in lines(Path(sys.argv[1]))), encoding="ascii")
    print(TARGET, TARGET.stat().st_size, "bytes")
