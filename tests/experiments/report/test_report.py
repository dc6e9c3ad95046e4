"""The report of a sweep: its numbers, hostile texts, bounds, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from searchkit import Budget, Problem, Prompt, Sample
from searchkit.cli import main
from searchkit.errors import ConfigError
from searchkit.experiments import SweepResults, difference
from searchkit.experiments.report.page import report
from searchkit.function import Function
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import MathEqual, Predicate
from tests.experiments.report.reports import HOSTILE, Page, hostile, sweep


def test_the_numbers_are_those_of_the_results(tmp_path):
    """Table, paired differences and every row, from the folder alone; the page beside the results, twice the same."""
    mine = sweep()
    results = mine.run(tmp_path / "out")
    path = report(tmp_path / "out")
    assert path == tmp_path / "out/report.html"
    data, summaries = Page.of(path).data, results.summaries()
    for cell, s in zip(data["cells"], summaries, strict=True):
        assert [cell[name] for name in ("strategy", "budget", "searches", "failed", "accuracy", "low", "high")] == [
            s.strategy, s.budget, s.searches, s.failed, s.accuracy, s.low, s.high
        ]  # fmt: skip
        assert [cell[name] for name in ("tokens", "sequential", "calls")] == [
            s.tokens, s.sequential_tokens, s.model_calls
        ]  # fmt: skip
        assert cell["shown"] in results.table()
    assert len(data["differences"]) == 4
    for told in data["differences"]:
        a, b = (
            next(s for s in summaries if (s.strategy, s.budget) == (name, told["budget"]))
            for name in (told["strategy"], "vote")
        )
        common, delta = difference(a, b)
        assert (told["problems"], told["mean"]) == (len(common), delta.mean)
        assert (told["low"], told["high"]) == (delta.low, delta.high)
    rows = data["rows"]
    for i, row in enumerate(results.rows):
        cell = data["cells"][rows["cell"][i]]
        assert (cell["strategy"], cell["budget"], int(rows["seed"][i])) == row.key[:3]
        assert data["problems"]["id"][rows["problem"][i]] == row.problem
        assert [rows[name][i] for name in ("answer", "right", "score", "generated_tokens", "stopped", "error")] == [
            row.answer, row.right, row.score, row.generated_tokens, row.stopped, row.error
        ]  # fmt: skip
    assert (data["complete"], data["searches"], data["expected"]) == (True, 144, 144)
    assert data["problems"]["prompt"] == []
    assert data["configuration"] == json.loads((tmp_path / "out/manifest.json").read_text())["configuration"]
    first = path.read_bytes()
    assert report(tmp_path / "out").read_bytes() == first


def test_hostile_texts_add_no_element_and_are_cut(tmp_path):
    """The same elements as the page of harmless texts; the data has the texts up to the bound, and their lengths."""
    results, page = hostile(tmp_path / "a", HOSTILE)
    _, harmless = hostile(tmp_path / "b", ["harmless", "words"])
    assert Counter(tag for tag, _ in page.elements) == Counter(tag for tag, _ in harmless.elements)
    assert page.parts("script")[1:] == harmless.parts("script")[1:]
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "href", "style", "srcdoc")]
    data, written = page.data, page.parts("script")[0][1]
    assert written.isascii()
    assert not set("<>&") & set(written)
    for row, answer in zip(results.rows, data["rows"]["answer"], strict=True):
        assert answer == (row.answer if len(row.answer) <= 4000 else [row.answer[:4000], 50_000])
    assert data["problems"]["reference"] == [*HOSTILE[:5], ["x" * 4000, 50_000], ""]
    trees = [told["tree"]["text"] for told in data["traces"].values() if told["tree"]]
    assert 0 < max(len(words) for texts in trees for words in texts) <= 2000
    assert set(re.findall(r"https?://[^\s\"'\\]+", page.text)) == {"http://www.w3.org/2000/svg"}
    assert {tag for tag, _ in Page(results._repr_html_()).elements} == {"table", "tr", "th", "td", "p"}
    assert results.diagnosis.isprintable()  # it quotes a hostile text


def test_only_our_scripts_and_styles_may_run(tmp_path):
    """The policy allows the page's own parts, and those of the tree page, which inherits it in its frame."""
    _, page = hostile(tmp_path, HOSTILE)
    [policy] = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = {name: value.split() for name, _, value in (rule.strip().partition(" ") for rule in policy.split(";"))}
    frame = page.data["frame"]
    inner = frame["before"] + "{}" + frame["after"]
    assert rules["default-src"] == ["'none'"]
    for part in ("script", "style"):
        found = re.findall(rf"<{part}>(.*?)</{part}>", inner, re.DOTALL)
        own = page.parts(part)[-1][1]
        digests = [base64.b64encode(hashlib.sha256(words.encode()).digest()).decode() for words in (own, *found)]
        assert rules[f"{part}-src"] == [f"'sha256-{digest}'" for digest in digests]


def test_a_sweep_that_is_not_finished_says_so(tmp_path):
    """From the logs, by what is there: one problem is missing, another one has no interval."""
    mine = sweep(strategies={"vote": SelfConsistency(2), "more": SelfConsistency(4)}, budgets=(Budget(),), seeds=(0,))
    mine.run(tmp_path / "out")
    (tmp_path / "out/results.jsonl").unlink()
    log = tmp_path / "out/shard-0/rows.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:5]) + '{"half a li')
    data = Page.of(report(tmp_path / "out")).data
    assert (data["complete"], data["searches"], data["expected"]) == (False, 5, 24)
    assert sum(cell["searches"] for cell in data["cells"]) == 5
    log.write_text(lines[0])
    [cell] = Page.of(report(tmp_path / "out", tmp_path / "other.html")).data["cells"]
    assert (cell["low"], cell["high"], cell["searches"]) == (None, None, 1)
    log.write_text("")
    with pytest.raises(ConfigError, match="no finished search yet"):
        report(tmp_path / "out")


def test_what_cannot_be_reported_is_refused_with_the_reason(tmp_path):
    """No folder, another sweep, no HTML file, a negative number; a journal that is gone is told in the page."""
    mine = sweep(strategies={"vote": SelfConsistency(2)}, budgets=(Budget(),), seeds=(0,))
    mine.run(tmp_path / "out")
    for call, says in (
        (lambda: report(tmp_path / "nowhere"), "no sweep's folder"),
        (lambda: report(tmp_path / "out", sweep=replace(mine, seeds=(1,))), r"another sweep: seeds was \[0\]"),
        (lambda: report(tmp_path / "out", tmp_path / "report.pdf"), ".html"),
        (lambda: report(tmp_path / "out", tmp_path / "no/report.html"), "folder that exists"),
        (lambda: report(tmp_path / "out", sweep=mine, traces=-1), "traces"),
    ):
        with pytest.raises(ConfigError, match=says):
            call()
    (tmp_path / "out/shard-0/journal.db").unlink()
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=1)).data
    assert [told["error"] for told in data["traces"].values()] == ["the journal of this search is gone"]


def test_the_table_in_a_notebook(tmp_path):
    """The cells of the text table, in the same order."""
    results = sweep().run(tmp_path / "out")
    cells = re.findall(r"<td.*?>(.*?)</td>", results._repr_html_())
    assert " ".join(cells).split() == " ".join(results.table().splitlines()[1:]).split()
    assert "not finished" in replace(results, complete=False)._repr_html_()


CONFIG = """
out = "results"
[problems]
file = "problems.jsonl"
[model]
backend = "simulated"
answers = {4 = 0.5, 5 = 0.5}
[strategies.vote]
strategy = "self-consistency"
n = 4
"""


def test_the_command(tmp_path, capsys):
    """From the TOML file with traces, from the folder without; each mistake is one line."""
    rows = [{"id": f"p{i}", "prompt": f"what is {i} - {i} + 4?", "reference": "4"} for i in range(5)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config, out = tmp_path / "config.toml", tmp_path / "results"
    config.write_text(CONFIG)
    assert main(["report", str(config)]) == 2
    assert "no sweep's folder" in capsys.readouterr().err
    assert main(["sweep", str(config), "--json"]) == 0
    capsys.readouterr()
    assert main(["report", str(config), "--traces", "2", "--to", str(tmp_path / "mine.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.html")
    data = Page.of(tmp_path / "mine.html").data
    assert (len(data["traces"]), data["problems"]["reference"]) == (2, ["4"] * 5)
    assert main(["report", str(out)]) == 0
    assert "traces" not in Page.of(out / "report.html").data
    assert SweepResults.load(out).complete
    assert main(["report", str(out), "--traces", "2"]) == 2
    assert "TOML file" in capsys.readouterr().err


def test_values_that_json_or_people_cannot_read(tmp_path):
    """A score that is infinite, a reference that is no JSON, an answer that is an object: all told in some way."""
    endless = Predicate(lambda _: 1.0, name="endless")
    mine = sweep(
        problems=[Problem("p", Prompt.of("question"), {1, 2})], budgets=(Budget(),), seeds=(2**70,),
        strategies={"best": BestOfN(1, Endless(endless.fn, name="endless"), generator=Function(made))},
        truth=Predicate(lambda _: True, name="all"),
    )  # fmt: skip
    [row] = mine.run(tmp_path / "out").rows
    data = Page.of(report(tmp_path / "out", sweep=mine)).data
    assert (row.score, data["rows"]["score"]) == (float("inf"), [None])
    assert (data["problems"]["reference"], data["rows"]["seed"]) == (["{1, 2}"], [str(2**70)])
    assert data["rows"]["answer"] == ['{"answer": 4}']


def made(prompt):
    return Sample({"answer": 4})


@dataclass(frozen=True)
class Endless(Predicate):
    """Scores without bound."""

    range: tuple[float, float] = field(default=(0.0, float("inf")), repr=False)

    async def verify(self, prompt, samples, run):
        found = await super().verify(prompt, samples, run)
        return [replace(verdict, score=float("inf")) for verdict in found]


def test_unknown_verdicts_are_in_the_page(tmp_path):
    """Counts and bounds of each line, the verdict and its feedback of each row, and the diagnosis."""
    mine = sweep(Simulated({"4": 0.5, "no\nanswer": 0.5}), truth=MathEqual())
    results = mine.run(tmp_path / "out")
    data = Page.of(report(tmp_path / "out", sweep=mine, traces=1)).data
    assert data["diagnosis"] == results.diagnosis != ""
    for cell, s in zip(data["cells"], results.summaries(), strict=True):
        assert (cell["unknown"], cell["at_most"], cell["of_known"]) == (s.unknown, s.at_most, s.of_known)
    assert [row.unknown for row in results.rows] == data["rows"]["unknown"]
    assert [row.feedback for row in results.rows] == data["rows"]["feedback"]
    for told in data["differences"]:
        assert told["at_least"] <= told["mean"] <= told["at_most"]
