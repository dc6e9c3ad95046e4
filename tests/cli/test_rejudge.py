"""`searchkit rejudge` as a user types it."""

from __future__ import annotations

import json

from searchkit.cli import main

CONFIG = """
out = "OUT"
truth = "TRUTH"
[problems]
file = "problems.jsonl"
[model]
backend = "simulated"
answers = {"the answer is 4" = 0.6, "5 it is" = 0.4}
[strategies.vote]
strategy = "self-consistency"
n = 4
"""


def write(folder, name, out, truth, more=""):
    (folder / name).write_text(CONFIG.replace("OUT", out).replace("TRUTH", truth) + more)
    return str(folder / name)


def test_another_truth_and_another_key(tmp_path, capsys):
    """With a key that reads the replies the sweep has an accuracy; nothing is paid, and the folder stays."""
    rows = [{"id": f"p{i}", "prompt": f"{i}?", "reference": "4"} for i in range(10)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["sweep", write(tmp_path, "first.toml", "first", "Exact(boxed)"), "--json"]) == 1  # all unknown
    first = json.loads(capsys.readouterr().out)
    again = write(tmp_path, "again.toml", "again", "Exact(number)", 'key = "number"\n')
    assert main(["rejudge", str(tmp_path / "first"), again, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["paid"]["model_calls"], told["missing"], told["complete"]) == (0, 0, True)
    assert told["cells"][0]["accuracy"] > first["cells"][0]["accuracy"] == 0
    assert told["cells"][0]["tokens"] == first["cells"][0]["tokens"]
    assert main(["rejudge", str(tmp_path / "first"), again]) == 0
    assert "paid: no sample; 0 calls of judges (0 tokens)" in capsys.readouterr().out
    assert main(["rejudge", str(tmp_path / "first"), str(tmp_path / "first.toml")]) == 2
    assert "name another folder for how it is judged now" in capsys.readouterr().err
