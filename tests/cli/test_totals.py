"""Totals and common samples in a sweep's TOML file."""

from __future__ import annotations

import json

import numpy as np

from searchkit.cli import main
from searchkit.experiments import Entry, Pool

CONFIG = """
out = "out"
common = true
truth = "Exact(number)"
[problems]
file = "problems.jsonl"
[model]
backend = "simulated"
answers = {"the answer is 4" = 0.6, "5 it is" = 0.4}
[strategies.best]
strategy = "best-of-n"
n = 4
verifier = "Confidence()"
[strategies.vote]
strategy = "self-consistency"
n = 4
key = "number"
[allocation]
pool = "known.jsonl"
score = "sure"
[[budgets]]
generations = 2
[[totals]]
generations = 24
"""


def test_a_total_and_common_samples(tmp_path, capsys):
    """24 samples for 10 problems; the arms are paired; a pool that is not there is named."""
    rng = np.random.default_rng(0)
    entries = {f"k{i}": tuple(Entry("", correct=bool(r := rng.random() < 0.5), scores={"sure": rng.random() + r})
                              for _ in range(4)) for i in range(20)}  # fmt: skip
    Pool(entries).save(tmp_path / "known.jsonl")
    rows = [{"id": f"p{i}", "prompt": f"{i}?", "reference": "4"} for i in range(10)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CONFIG.replace("Confidence()", "tests.cli.test_totals:longer")
    (tmp_path / "config.toml").write_text(config)
    assert main(["sweep", str(tmp_path / "config.toml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    calls = {(cell["strategy"], cell["budget"]): 10 * cell["model_calls"] for cell in told["cells"]}
    assert calls["best", "total generations=24"] == 24
    assert ("vote", "total generations=24") not in calls
    assert "paired arms: sample j of a problem is the same in best, vote" in told["diagnosis"]
    assert "best with total generations=24 takes" in told["diagnosis"]
    (tmp_path / "config.toml").write_text(config.replace("known.jsonl", "other.jsonl"))
    assert main(["sweep", str(tmp_path / "config.toml"), "--json"]) == 2
    assert "other.jsonl" in capsys.readouterr().err


def longer(text):
    """A verifier of one's own."""
    return len(text) / 100
