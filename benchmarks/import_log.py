"""Import of a log: rows a second, and the peak of memory, in a process of its own; and of reading the pool again.

    PYTHONPATH=. python benchmarks/import_log.py --rows 1000000 --json

The file has 1,000 problems, or as many as are asked for, and texts of 400 characters, as those of a small maths
problem; what is measured is `searchkit pool import`, so with the pool's file written and the curves worked out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LENGTH = 400  # characters of an answer
FORMS = ("jsonl", "lm-eval", "openai-batch")


def made(path: Path, form: str, rows: int, problems: int) -> None:
    """A file of so many samples, a line each; of lm-evaluation-harness a line a problem, with all its repeats."""
    with path.open("w") as file:
        for i in range(problems if form == "lm-eval" else rows):
            said, right = f"Sample {i}. ".ljust(LENGTH, "x") + f" {i % 7}", i % 7 == 4
            if form == "jsonl":
                row = {"problem": f"p{i % problems}", "value": said, "key": str(i % 7), "correct": right,
                       "generated_tokens": 100}  # fmt: skip
            elif form == "lm-eval":
                row = {"doc_id": i, "doc": {}, "target": "4", "arguments": {"gen_args_0": {"arg_0": f"Question {i}?"}},
                       "resps": [[said] * (rows // problems)], "filtered_resps": [str(i % 7)], "filter": "none",
                       "metrics": ["exact_match"], "exact_match": float(right)}  # fmt: skip
            else:
                choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                body = {"object": "chat.completion", "model": "m", "choices": [choice],
                        "usage": {"prompt_tokens": 50, "completion_tokens": 100}}  # fmt: skip
                row = {"custom_id": f"p{i % problems}", "response": {"status_code": 200, "body": body}, "error": None}
            file.write(json.dumps(row) + "\n")


def measured(path: Path, out: Path) -> dict[str, object]:
    """One import by the command line; memory is that of the whole process."""
    import contextlib
    import io

    from searchkit.cli import main

    began, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main(["pool", "import", str(path), "--out", str(out), "--json"])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    told = json.loads(said.getvalue())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"form": told["form"], "rows": told["samples"], "seconds": round(seconds, 1), "cpu": round(cpu, 1),
            "rows_per_cpu_second": round(told["samples"] / cpu), "peak_mb": round(peak), "code": code,
            "file_mb": round(path.stat().st_size / 2**20)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--form", choices=FORMS, action="append", help="repeatable (default: all)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a process measures itself
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(*map(Path, options.one))))
        return
    found = []
    for form in options.form or FORMS:
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder) / "samples.jsonl", Path(folder) / "pool.jsonl"
            made(path, form, options.rows, options.problems)
            asked = [sys.executable, __file__, "--one", str(path), str(out)]
            found.append(json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout))
        if not options.json:
            print(*(f"{name} {value}" for name, value in found[-1].items()), sep="  ", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
