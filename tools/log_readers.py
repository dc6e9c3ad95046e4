"""Let other tools read what `searchkit pool export` writes, and look at what they find.

    python tools/log_readers.py make FOLDER       # writes a pool and its logs; needs searchkit
    python tools/log_readers.py inspect FOLDER    # reads FOLDER/run.eval; needs inspect_ai, and not searchkit
    python tools/log_readers.py mlflow FOLDER     # writes and reads FOLDER/mlflow.db; needs searchkit and mlflow
    python tools/log_readers.py wandb FOLDER      # writes FOLDER/wandb, offline; needs searchkit and wandb

The pool has right, wrong, unknown, cut off and failed samples. Prints versions and what was read; the exit code says
whether it is what was written.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROBLEMS, SAMPLES = 6, 4
ODD = "<b>odd</b> \u202e \x1b[31m"


def make(folder: Path) -> bool:
    """The pool, its log, and what is to be read."""
    from searchkit import Problem, Prompt
    from searchkit.experiments import Entry, Pool
    from searchkit.logs import write_log

    kinds = [
        Entry("4", "4", None, True, 9, 3, usd=0.5, scores={"reward": 0.5}),
        Entry(f"5 {ODD}", "5", generated_tokens=9),
        Entry("?", unknown=True, feedback="no answer was found"),
        Entry("4 and then", None, None, True, 20, 3, "length"),
        Entry(None, finish="error", feedback="no server"),
    ]
    column = {f"sum/{i}": tuple(kinds[(i + j) % len(kinds)] for j in range(SAMPLES)) for i in range(PROBLEMS)}
    pool = Pool(column)
    folder.mkdir(parents=True)
    pool.save(folder / "pool.jsonl")
    problems = [Problem(name, Prompt.of(f"What is {name}? {ODD}"), "4") for name in column]
    write_log(folder / "pool.jsonl", folder / "run.eval", problems=problems, model="mine")
    known = [[float(e.correct) for e in c if not e.unknown and e.finish != "error"] for c in column.values()]
    means = [sum(one) / len(one) for one in known if one]
    told = {"accuracy": sum(means) / len(means), "pass@1": pool.curve("pass@k").mean[0]}
    (folder / "told.json").write_text(json.dumps(told))
    print(told)
    return True


def inspect(folder: Path) -> bool:
    """By Inspect's own reader, with its metrics worked out anew from its scores."""
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
    from inspect_ai.scorer import value_to_float

    log: Any = read_eval_log(str(folder / "run.eval"))
    to_float, values = value_to_float(), dict[str, list[float]]()
    for sample in log.samples:
        found = to_float(sample.scores["correct"].value) if sample.scores else float("nan")
        values.setdefault(sample.id, []).extend([found] if found == found else [])
    means = [sum(column) / len(column) for column in values.values() if column]
    accuracy, stored = sum(means) / len(means), log.results.scores[0].metrics["accuracy"].value
    wanted = json.loads((folder / "told.json").read_text())["accuracy"]
    summaries = read_eval_log_sample_summaries(str(folder / "run.eval"))
    failed = sum(sample.error is not None for sample in log.samples)
    print(f"inspect_ai {version('inspect_ai')}: {len(log.samples)} samples, {failed} failed, accuracy {accuracy}")
    return (
        len(summaries) == len(log.samples) == PROBLEMS * SAMPLES
        and abs(accuracy - wanted) + abs(stored - wanted) < 1e-9
    )


def mlflow(folder: Path) -> bool:
    """Through MLflow's client, from the database that was written through it."""
    from mlflow import MlflowClient

    from searchkit.logs import write_log

    uri = f"sqlite:///{folder.resolve() / 'mlflow.db'}"
    write_log(folder / "pool.jsonl", uri, "mlflow", model="mine")
    client = MlflowClient(tracking_uri=uri)
    [run] = client.search_runs([client.get_experiment_by_name("pool").experiment_id])
    points = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "pass_at_k")]
    files = [one.path for one in client.list_artifacts(run.info.run_id)]
    print(f"mlflow {version('mlflow')}: {run.info.run_name}, {run.info.status}, pass_at_k {points}, {files}")
    wanted = json.loads((folder / "told.json").read_text())["pass@1"]
    return points[0] == (1, wanted) and files == ["manifest.json", "samples.csv"]


def wandb(folder: Path) -> bool:
    """That the client writes its offline file."""
    from searchkit.logs import write_log

    write_log(folder / "pool.jsonl", folder / "wandb", "wandb", model="mine")
    files = [path.name for path in (folder / "wandb").rglob("*.wandb")]
    print(f"wandb {version('wandb')}: {files}")
    return len(files) == 1


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "inspect", "mlflow", "wandb"):
        sys.exit(__doc__)
    sys.exit(0 if globals()[sys.argv[1]](Path(sys.argv[2])) else 1)
