"""Whether two checkouts of searchkit give the same results: every strategy searches in both, and all is compared.

    python tools/same_traces.py --old PATH [--new PATH] [--only SUBSTRING] [--json]

Runs the cases of `same_traces_cases.py` in a process of each checkout, both at once: each strategy plain, with calls in
flight that end in another order, under budgets that bind, in several environments, resumed from a journal, simulated
and with the embedded model. Compared byte for byte: the canonical trace, answer, candidates, usage, tree, errors, and
the requests that backends got, in order of their seeds. Exit status 1 if anything differs, if a public strategy or rule
takes part in no case, or if a case is broken. ``--new`` is the checkout of this file by default.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SHOWN = 20  # differences that are told one by one
OUTCOMES = ("status", "error", "text", "usage")  # of a span: what its children did comes first


# ---------------------------------------------------------------- in one checkout


def child(root: Path, out: Path, only: str) -> None:
    """Run the cases here and write one line each; a line to stdout tells how far it is."""
    import searchkit.strategies
    import searchkit.verifiers

    for package in (searchkit, searchkit.strategies, searchkit.verifiers):
        assert Path(package.__file__).resolve().is_relative_to(root), f"{package.__file__} is not in {root}"
    import same_traces_cases as table

    chosen = [case for case in table.cases() if only in case.name]
    with out.open("w", encoding="utf-8") as file:
        header = {"public": list(searchkit.strategies.__all__)}
        file.write(json.dumps(header) + "\n")
        for number, case in enumerate(chosen, 1):
            found = table.record(case)
            if found is not None:
                line = {"name": case.name, "mode": case.mode, "world": case.world, "covers": table.covered(case)}
                file.write(json.dumps({**line, "digest": table.digest(found), "record": found}) + "\n")
            print(number, len(chosen), flush=True)


# ---------------------------------------------------------------- both checkouts


@dataclass
class Side:
    """What one checkout has written. places: where the record of each case stands in the file."""

    path: Path
    public: list[str] = field(default_factory=list)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def read(self) -> Side:
        with self.path.open("rb") as file:
            self.public = json.loads(file.readline())["public"]
            while line := file.readline():
                case = json.loads(line)
                case |= _summary(case.pop("record"))
                self.cases[case["name"]] = case
                self.places[case["name"]] = file.tell() - len(line)
        return self

    def uncovered(self) -> list[str]:
        found = {name for case in self.cases.values() for name in case["covers"]}
        return [name for name in self.public if name not in found]

    def record(self, name: str) -> Any:
        with self.path.open("rb") as file:
            file.seek(self.places[name])
            return json.loads(file.readline())["record"]


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is counted of a record: why it ended, what it raised, and whether it is one that tells nothing."""
    parts = (record, record.get("half", {}), record.get("whole", {}))
    broken = next((part["raised"] for part in parts if part.get("broken")), "")
    unlike = record.get("unlike the uninterrupted search")
    if unlike:
        broken = f"resumed, it differs from the uninterrupted search in {', '.join(unlike)}"
    return {"stopped": record.get("stopped"), "raised": record.get("raised", ""), "broken": broken}


async def both(old: Path, new: Path, only: str, folder: Path) -> tuple[Side, Side]:
    """Run the cases in both checkouts side by side; raises `SystemExit` if one of them cannot.

    Each has its own hashes of texts: nothing may depend on the order of a set.
    """
    shown = {"old": "", "new": ""}

    async def one(name: str, root: Path, hashes: str) -> str:
        """Why it could not be run, "" if it was."""
        out = folder / f"{name}.jsonl"
        settings = {"PYTHONPATH": str(root), "PYTHONHASHSEED": hashes}
        settings |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1"}  # leave no files; say where it crashed
        command = (sys.executable, str(HERE), "--child", str(root), "--out", str(out), "--only", only)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async for line in process.stdout:
            done, total = map(int, line.split())
            shown[name] = f"{name} {done}/{total}"
            if done % max(1, total // 20) == 0 or done == total:
                print("\r" + "   ".join(shown.values()), end="", file=sys.stderr, flush=True)
        status = await process.wait()
        return f"the cases could not be run in {root}: exit status {status}" if status else ""

    problems = await asyncio.gather(one("old", old, "0"), one("new", new, "1"))
    print(file=sys.stderr)
    if any(problems):
        raise SystemExit("\n".join(filter(None, problems)))
    return Side(folder / "old.jsonl").read(), Side(folder / "new.jsonl").read()


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Where two records differ; of a span what it did before what came of it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(dict.fromkeys([*old, *new]), key=lambda name: name in OUTCOMES):
            if name not in old or name not in new:
                yield f"{path}.{name}: only in the {'new' if name in new else 'old'} one"
            else:
                yield from differences(old[name], new[name], f"{path}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        for place, pair in enumerate(zip(old, new, strict=False)):
            yield from differences(*pair, f"{path}[{place}]")
        if len(old) != len(new):
            yield f"{path}: {len(old)} entries != {len(new)}"
    elif old != new or type(old) is not type(new):
        yield f"{path}: {old!r:.200} != {new!r:.200}"


# ---------------------------------------------------------------- the report


@dataclass
class Report:
    """What the comparison came to."""

    old: Side
    new: Side
    seconds: float
    whole: bool  # no part of the cases was chosen

    def names(self) -> list[str]:
        return list(dict.fromkeys([*self.old.cases, *self.new.cases]))

    def differing(self) -> list[str]:
        """Cases with another record, or in one of the checkouts only."""
        old, new = self.old.cases, self.new.cases
        return [n for n in self.names() if n not in old or n not in new or old[n]["digest"] != new[n]["digest"]]

    def broken(self) -> dict[str, str]:
        found = {name: case["broken"] for side in (self.old, self.new) for name, case in side.cases.items()}
        return {name: why for name, why in found.items() if why}

    def uncovered(self) -> list[str]:
        """Public names of either checkout that take part in no case of theirs."""
        if not self.whole:
            return []
        return sorted({f"{name} ({side.path.stem})" for side in (self.old, self.new) for name in side.uncovered()})

    def table(self) -> dict[str, dict[str, Any]]:
        """For each public name its cases: how many differ, how many there are of some modes, and whose budget bound."""
        differing, rows = set(self.differing()), dict[str, dict[str, Any]]()
        for name in self.new.public:
            of_name = [case for case in self.new.cases.values() if name in case["covers"]]
            modes = defaultdict[str, int](int)
            for case in of_name:
                modes[case["mode"]] += 1
            bound = sum(case["stopped"] == "budget" for case in of_name)
            different = sum(case["name"] in differing for case in of_name)
            worlds = len({case["world"] for case in of_name})
            rows[name] = {
                "cases": len(of_name), "equal": len(of_name) - different, "different": different,
                "worlds": worlds, "plain": modes["plain"], "late": modes["late"], "bound": bound,
            }  # fmt: skip
        return rows

    def first(self, name: str) -> str:
        """The first place where the records of a case differ."""
        if name not in self.old.cases or name not in self.new.cases:
            return f"only in the {'new' if name in self.new.cases else 'old'} checkout"
        return next(differences(self.old.record(name), self.new.record(name)), "the order of fields")

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": len(self.names()),
            "seconds": round(self.seconds, 1),
            "different": {name: self.first(name) for name in self.differing()},
            "broken": self.broken(),
            "uncovered": self.uncovered(),
            "raised": {n: c["raised"] for n, c in self.new.cases.items() if c["raised"]},
            "strategies": self.table(),
        }

    def failed(self) -> bool:
        return bool(self.differing() or self.broken() or self.uncovered() or not self.names())


def show(report: Report) -> None:
    table, differing = report.table(), report.differing()
    columns = ("cases", "equal", "different", "worlds", "plain", "late", "bound")
    print(f"{'':<18}" + "".join(f"{column:>11}" for column in columns))
    for name, row in table.items():
        if row["cases"] or report.whole:
            print(f"{name:<18}" + "".join(f"{row[column]:>11}" for column in columns))
    raised = sum(bool(case["raised"]) for case in report.new.cases.values())
    covered = sum(bool(row["cases"]) for row in table.values())
    total, different = len(report.names()), len(differing)
    print(f"{total} cases, {total - different} equal, {different} different; {raised} raised as a whole")
    print(f"{covered} of {len(table)} public strategies and rules covered, in {report.seconds:.0f} s")
    for name in differing[:SHOWN]:
        print(f"different: {name}\n    {report.first(name)}")
    if different > SHOWN:
        print(f"and {different - SHOWN} more")
    for name, why in list(report.broken().items())[:SHOWN]:
        print(f"broken: {name}\n    {why}")
    for name in report.uncovered():
        print(f"uncovered: {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help="the checkout to compare with")
    parser.add_argument("--new", type=Path, default=HERE.parents[1], help="the checkout to compare; this one")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child, options.out, options.only)
        return 0
    if options.old is None:
        parser.error("--old: name the checkout to compare with")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        sides = asyncio.run(both(options.old.resolve(), options.new.resolve(), options.only, Path(folder)))
        report = Report(*sides, time.perf_counter() - began, not options.only)
        if options.json:
            print(json.dumps(report.as_json(), indent=1))
        else:
            show(report)
        return int(report.failed())


if __name__ == "__main__":
    sys.exit(main())
