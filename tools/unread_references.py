"""Which references of public problem sets `MathEqual` can read, and why not the others.

    python tools/unread_references.py                  one line a set
    python tools/unread_references.py college_math     and what of this set is not read, with the reason

The sets are those in ../shared/data/references. A reference is read if it is maths, or words, or a note: words with
maths among them, which are compared word by word and piece by piece, so that only its like equals it. How many are
notes is shown. Of the others the broken ones (empty, cut off, brackets that do not match) are shown and not counted.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from searchkit.errors import ConfigError
from searchkit.verifiers import MathEqual

DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = ("asdiv", "carp_en", "college_math", "gaokao2023en", "minerva_math")

_PAIRS = (("(", ")"), ("[", "]"), ("\\left", "\\right"), ("$", "$"))


def broken(text: str) -> bool:
    """Whether it is empty or cut off: an operator at its end, or an odd number of dollars or brackets."""
    bare = text.strip(" $.\n")
    odd = any(
        text.count(left) != text.count(right) if left != right else text.count(left) % 2 for left, right in _PAIRS
    )
    return not bare or bare[-1] in "+-=/(" or (odd and not re.search(r"[(\[][^()\[\]]*,[^()\[\]]*[)\]]|\\\$", text))


def readings(data: Path, name: str) -> Iterator[tuple[str, str, str]]:
    """Of each reference "maths", "words", "note", "broken" or "unreadable", its text, and why it is not read."""
    with gzip.open(data / "references" / f"{name}.jsonl.gz", "rt") as lines:
        for line in lines:
            yield reading(str(json.loads(line)["answer"]))


def reading(text: str) -> tuple[str, str, str]:
    """The row of one reference."""
    try:
        wanted = MathEqual(reference=text).wanted
    except ConfigError as error:
        return "broken" if broken(text) else "unreadable", text, str(error)
    assert wanted is not None
    if wanted.node is not None:
        return "note" if wanted.node.kind == "prose" else "maths", text, ""
    if wanted.word is not None:
        return "words", text, ""
    return "broken" if broken(text) else "unreadable", text, wanted.trouble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("show", nargs="*", choices=[[], *SETS], help="sets of which all are shown")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the recordings")
    options = parser.parse_args()
    for name in SETS:
        rows = list(readings(options.data, name))
        count = Counter(row[0] for row in rows)
        counted = len(rows) - count["broken"]
        print(f"{name}: {count['unreadable']} of {counted} unreadable, {100 * count['unreadable'] / counted:.2f} %; "
              f"{count['note']} notes, {count['broken']} broken")  # fmt: skip
        for row in rows if name in options.show else ():
            if row[2]:
                print("   ", *map(ascii, row))


if __name__ == "__main__":
    main()
