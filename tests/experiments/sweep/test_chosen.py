"""What a sweep says of strategies that choose: which arms they asked, and what it took to decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from searchkit import Budget, Model, Problem, Prompt
from searchkit.experiments import Sweep, SweepResults
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, Escalate, Router
from searchkit.verifiers import Predicate, PYes
from tests.helpers.unsure import SURE, Unsure

RIGHT = Predicate(lambda text: text.startswith("right"), name="right")
WORLD = Unsure(0.5, 0.9, caught=0.8, fooled=0.2)
JUDGE = Model(Simulated({"Verdict: Yes": 0.5, "Verdict: No": 0.5}, tokens=7, name="judge"))


def by_number(text: str) -> str:
    return "cheap" if text.endswith(("0", "5")) else "dear"


def results(folder: Path, **strategies: Any) -> SweepResults:
    problems = [Problem(f"p{i}", Prompt.of(f"problem {i}"), reference="right") for i in range(20)]
    return Sweep(problems, strategies, [Budget(generations=8)], truth=RIGHT, endpoints=[WORLD.models()[0]]).run(folder)


def test_the_share_of_each_arm_and_the_tokens_of_deciding(tmp_path: Path) -> None:
    """As the rows' own tokens say: 10 of the cheap one, 50 more where the dear one was asked, 7 of each verdict."""
    cheap, dear = WORLD.models()
    found = results(
        tmp_path / "out", cascade=Escalate((None, dear), SURE, 1.0),
        judged=Escalate((None, dear), PYes(JUDGE, chains=2), 0.5),
        router=Router({"cheap": cheap, "dear": dear}, by_number), alone=BestOfN(1, SURE),
    )  # fmt: skip
    by_name = {summary.strategy: summary for summary in found.summaries()}
    rows = [row for row in found.rows if row.strategy == "cascade"]
    assert {row.arm: row.generated_tokens for row in rows} == {"0": 10, "1": 60}
    assert by_name["cascade"].arms["1"] == sum(row.arm == "1" for row in rows) / 20
    assert by_name["cascade"].deciding_tokens == 0
    assert by_name["judged"].deciding_tokens == 14
    assert by_name["judged"].tokens == 24 + 50 * by_name["judged"].arms.get("1", 0)
    assert by_name["router"].arms == {"cheap": 0.2, "dear": 0.8}
    assert by_name["alone"].arms == {}
    assert "router under generations=8 asked cheap for 20 %, dear for 80 %" in found.table()
    assert ", with 14 tokens to decide" in found.chosen
    assert "alone under" not in found.chosen
    assert SweepResults.load(tmp_path / "out").chosen == found.chosen


def test_without_a_chooser_nothing_is_said(tmp_path: Path) -> None:
    found = results(tmp_path / "out", alone=BestOfN(1, SURE))
    assert found.chosen == ""
    assert "asked" not in found.table()
