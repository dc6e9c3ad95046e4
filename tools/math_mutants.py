"""Spoilt answers: of every reference, one digit, sign, function name or member is changed; none may be taken for equal.

    python tools/math_mutants.py                 all sets, into mutants.jsonl; started again, it goes on where it was
    python tools/math_mutants.py --every 40      every 40th reference

The references are those of MATH-500, GSM8K and ../shared/data/references. At the end it prints one JSON object: how
many mutants there were, how many verdicts of each kind, how many readings failed, and the mutants that were equal.
What a mutant changes is chosen by a hash of the reference, so that every run makes the same ones.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from searchkit.verifiers.reference.maths.answer import judge, read
from searchkit.verifiers.reference.maths.worker import QUEUE

DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = ("asdiv", "carp_en", "college_math", "gaokao2023en", "minerva_math")

_DIGIT = re.compile(r"[0-9]")
_SIGN = re.compile(r"(?<![A-Za-z{(,=\s])\s*[-+](?=[\s0-9A-Za-z\\])|\\(?:le|ge|leq|geq|pm|cup)(?![A-Za-z])|[<>]")
_FUNCTION = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc|ln|log|sqrt)(?![A-Za-z])")
_OTHER_SIGN = {
    "+": "-", "-": "+", "<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\leq": "\\geq", "\\geq": "\\leq",
    "\\pm": "+", "\\cup": "\\cap",
}  # fmt: skip
_OTHER_FUNCTION = {
    "sin": "cos", "cos": "sin", "tan": "cot", "cot": "tan", "sec": "csc", "csc": "sec", "ln": "sin", "log": "cos",
    "sqrt": "sin",
}  # fmt: skip
Choose = Callable[[int], int]


def chooser(text: str) -> Choose:
    """A choice among so many, the same in every run."""
    state = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())]

    def choose(count: int) -> int:
        state[0], found = divmod(state[0], count)
        return found

    return choose


def digit(text: str, choose: Choose) -> str | None:
    places = [match.start() for match in _DIGIT.finditer(text)]
    if not places:
        return None
    at = places[choose(len(places))]
    return text[:at] + str((int(text[at]) + 1 + choose(9)) % 10) + text[at + 1 :]


def sign(text: str, choose: Choose) -> str | None:
    """Another sign; a number without any gets a minus."""
    places = list(_SIGN.finditer(text))
    if not places:
        return re.sub(r"[0-9]", r"-\g<0>", text, count=1) if re.match(r"\$?\s*[1-9]", text) else None
    found = places[choose(len(places))]
    old = found[0].strip()
    return text[: found.start()] + found[0].replace(old, _OTHER_SIGN[old]) + text[found.end() :]


def function(text: str, choose: Choose) -> str | None:
    places = list(_FUNCTION.finditer(text))
    if not places:
        return None
    found = places[choose(len(places))]
    name = found[0].removeprefix("\\")
    return text[: found.start()] + found[0].replace(name, _OTHER_FUNCTION[name]) + text[found.end() :]


def member(text: str, choose: Choose) -> str | None:
    """One member of a list, set, tuple or interval less, or one repeated in the place of another."""
    parts = re.split(r"(?<=[^,]),(?=[^,])", text)
    if len(parts) < 2 or re.fullmatch(r"[\s$0-9,.\\!{}]+", text):
        return None
    at = choose(len(parts))
    inner = parts[at].strip().strip("$()[]{}\\ ")
    spoilt = f"{inner}+1" if inner and inner[-1:].isdigit() else None
    return None if spoilt is None else ",".join([*parts[:at], parts[at].replace(inner, spoilt, 1), *parts[at + 1 :]])


KINDS: dict[str, Callable[[str, Choose], str | None]] = {
    "digit": digit, "sign": sign, "function": function, "member": member,
}  # fmt: skip


def references(data: Path) -> Iterator[tuple[str, str]]:
    """(where it stands, the reference) of all sets."""
    for line, row in enumerate(_rows(data / "math500" / "test500.jsonl")):
        yield f"math500/{line}", row["answer"]
    for line, row in enumerate(_rows(data / "gsm8k" / "test.jsonl")):
        yield f"gsm8k/{line}", row["answer"].rpartition("####")[2].strip()
    for name in SETS:
        for row in _rows(data / "references" / f"{name}.jsonl.gz"):
            yield f"{name}/{row['idx']}", str(row["answer"])


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        return [json.loads(line) for line in lines]


def mutants(where: str, reference: str) -> Iterator[tuple[str, str]]:
    """(kind of the change, the spoilt reference)."""
    for kind, change in KINDS.items():
        spoilt = change(reference, chooser(f"{where} {kind} {reference}"))
        if spoilt is not None and spoilt != reference:
            yield kind, spoilt


def verdict(reference: str, spoilt: str) -> bool | str | None:
    """True, False, None, or "no answer"; the worker decides what exact arithmetic does not."""
    left, right = read(reference), read(spoilt)
    if left is None or right is None:
        return "no answer"
    outcome = judge(left, right)
    if outcome.equal is None and left.node is not None and right.node is not None:
        outcome = QUEUE.worker.compare(left.found, right.found)
    return outcome.equal


def measure(data: Path, every: int, done: dict[str, Any], keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The counts over every `every`-th reference. done: verdicts that are known. keep: takes each new one."""
    counts: Counter[str] = Counter()
    equal: list[tuple[str, str, str]] = []
    for number, (where, reference) in enumerate(references(data)):
        if number % every:
            continue
        for kind, spoilt in mutants(where, reference):
            name = f"{where} {kind}"
            if name not in done:
                done[name] = verdict(reference, spoilt)
                keep({"name": name, "verdict": done[name], "reference": reference, "spoilt": spoilt})
            counts[kind] += 1
            counts[f"verdict {done[name]}"] += 1
            if done[name] is True:
                equal.append((name, reference, spoilt))
    return {"mutants": sum(counts[kind] for kind in KINDS), **dict(sorted(counts.items())), "equal": equal}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the recordings")
    parser.add_argument("--every", type=int, default=1, help="every so many-th reference")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="where verdicts are kept")
    options = parser.parse_args()
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {row["name"]: row["verdict"] for row in map(json.loads, lines)}
    with options.out.open("a") as out:
        print(json.dumps(measure(options.data, options.every, done, lambda row: print(json.dumps(row), file=out))))


if __name__ == "__main__":
    main()
