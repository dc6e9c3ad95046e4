"""The gap report against all subsets, closed forms and recorded samples; where selection falls, against all pairs."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.experiments import (
    Entry,
    Pool,
    auroc,
    auroc_pooled,
    auroc_within,
    best_at_k,
    bootstrap,
    budgets,
    calibration_error,
    chosen_at_k,
    fall,
    gap_report,
    labelled,
    paired_bootstrap,
)
from searchkit.verifiers.combining.calibration import Platt
from tests.helpers.pages import Page

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
SCORES = st.lists(st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=7)
quickly = settings(max_examples=60)


def rows(name):
    """The lines of a recorded file; skips where the folder is not there."""
    if not (DATA / name).exists():
        pytest.skip(f"the recorded data {name} are not in ../shared/data")
    return [json.loads(line) for line in gzip.decompress((DATA / name).read_bytes()).decode().splitlines()]


def brute_chosen(scores, k):
    """The chance of each sample, by looking at all subsets; ties are split."""
    found, every = np.zeros(len(scores)), list(combinations(range(len(scores)), k))
    for subset in every:
        known = [i for i in subset if scores[i] is not None]
        best = [i for i in known if scores[i] == max(scores[j] for j in known)]
        for i in best:
            found[i] += 1 / len(best) / len(every)
    return found


@quickly
@given(SCORES, st.data())
def test_the_chance_of_being_chosen_equals_all_subsets(scores, data):
    """With ties and abstentions; best@k is its product with what is right."""
    k = data.draw(st.integers(1, len(scores)))
    right = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    chances = chosen_at_k(scores, k)
    assert chances == pytest.approx(brute_chosen(scores, k), abs=1e-12)
    assert best_at_k(scores, right, k) == pytest.approx(float(chances @ np.array(right)))
    silent = sum(score is None for score in scores)
    assert chances.sum() == pytest.approx(1 - comb(silent, k) / comb(len(scores), k))


# ---------------------------------------------------------------- weights


@quickly
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.9]), st.booleans(), st.integers(0, 3)), min_size=2, max_size=9))
def test_a_weight_is_a_number_of_copies(samples):
    """AUROC and calibration error of weighted samples are those of so many copies of each."""
    values, right, times = (list(column) for column in zip(*samples, strict=True))
    copies, labels = (np.repeat(column, times) for column in (values, right))
    weights = {"weights": [times], "draws": 5}
    if 0 < labels.sum() < len(labels):
        assert auroc_pooled([values], [right], **weights).mean == pytest.approx(auroc(copies, labels))
    if len(labels):
        want = calibration_error([copies], [labels], bins=3, draws=5)
        assert calibration_error([values], [right], bins=3, **weights).mean == pytest.approx(float(want.mean))


def test_weights_are_checked():
    """Negative ones, too few, none that counts."""
    for weights in ([[-1.0, 1.0]], [[1.0]], [[0.0, 0.0]]):
        with pytest.raises(ConfigError):
            calibration_error([[0.5, 0.6]], [[True, False]], weights=weights)
        with pytest.raises(ConfigError):
            auroc_pooled([[0.5, 0.6]], [[True, False]], weights=weights)


# ---------------------------------------------------------------- a report by brute force


def study(seed, problems=12, samples=5, unknown=0.1):
    """A pool with ties, abstentions, unknown and failed samples."""
    rng = np.random.default_rng(seed)

    def entry(rate):
        right = bool(rng.random() < rate)
        if rng.random() < 0.05:
            return Entry("", finish="error")
        score = None if rng.random() < 0.1 else float(np.round(np.clip(rng.normal(0.4 + 0.2 * right, 0.3), 0, 1), 1))
        if rng.random() < unknown:
            return Entry("?", None, score, unknown=True, feedback="cannot be read")
        return Entry("", "right" if right else str(rng.choice(["a", "b"])), score, right)

    return Pool({f"p{i}": tuple(entry(r) for _ in range(samples)) for i, r in enumerate(rng.beta(0.7, 0.7, problems))})


def drawn(pool, k):
    """Each sample that is chosen in any k-subset of its problem, with its chance: the chosen ones, one by one."""
    for column in pool.entries.values():
        yield from zip(column, brute_chosen([entry.score for entry in column], k), strict=True)


def brute_vote(column, k):
    """A majority among all k-subsets, ties split."""
    total, every = 0.0, list(combinations(column, k))
    for subset in every:
        votes = Counter(entry.key for entry in subset if entry.key is not None)
        leading = [key for key, n in votes.items() if n == max(votes.values())]
        for key in leading:
            members = [entry.correct for entry in column if entry.key == key]
            total += sum(members) / len(members) / len(leading)
    return total / len(every)


@pytest.mark.parametrize("seed", range(3))
def test_every_column_equals_all_subsets(seed):
    """Coverage, selected, majority, what is lost, AUROC, calibration, what is promised, what is unknown."""
    pool = study(seed)
    found = gap_report(pool, [1, 2, 3, 5])
    columns = list(pool.entries.values())
    for i, k in enumerate(found.ks):
        every = [list(combinations(column, k)) for column in columns]
        covered = [np.mean([any(entry.correct for entry in subset) for subset in subsets]) for subsets in every]
        chosen = list(drawn(pool, k))
        selected = sum(chance * entry.correct for entry, chance in chosen) / len(pool)
        assert found.coverage.mean[i] == pytest.approx(np.mean(covered))
        assert found.selected.mean[i] == pytest.approx(selected)
        assert found.majority.mean[i] == pytest.approx(np.mean([brute_vote(column, k) for column in columns]))
        assert found.lost.mean[i] == pytest.approx(np.mean(covered) - selected)
        known = [(e.score, e.correct, chance) for e, chance in chosen if e.score is not None and not e.unknown]
        pairs = [
            (a * b, (s > t) + 0.5 * (s == t)) for s, right, a in known if right for t, wrong, b in known if not wrong
        ]
        one = found.chosen[i]
        assert one.auroc.mean == pytest.approx(sum(w * v for w, v in pairs) / sum(w for w, _ in pairs))
        copies = [(s, r) for s, r, chance in known for _ in range(round(chance * 60 * math.comb(5, k)))]
        want = calibration_error([[s for s, _ in copies]], [[r for _, r in copies]], draws=2)
        assert one.calibration.mean == pytest.approx(float(want.mean), abs=1e-9)
        whole = sum(chance for *_, chance in known)
        assert one.promised == pytest.approx(sum(s * chance for s, _, chance in known) / whole)
        assert one.unknown == pytest.approx(sum(chance for entry, chance in chosen if entry.unknown) / len(pool))
    assert found.unknown == np.mean([entry.unknown for column in columns for entry in column])
    assert found.note == pool.diagnosis != ""
    assert str(found.within) == str(auroc_within(*labelled(pool)))


def test_at_one_sample_the_chosen_are_all_samples():
    """AUROC, calibration error and their intervals are those of the pool, where all problems have as many samples."""
    pool = study(5, unknown=0.0)
    scores, right = labelled(pool)
    [one] = gap_report(pool, [1]).chosen
    assert str(one.auroc) == str(auroc_pooled(scores, right))
    assert str(one.calibration) == str(calibration_error(scores, right))


def test_intervals_resample_problems():
    """Of three problems all 27 resamples are known: the bounds of the chosen ones' AUROC are their percentiles."""
    pool = Pool(
        {name: tuple(Entry("", score=s, correct=r) for s, r in column) for name, column in {
            "p": [(0.1, True), (0.6, False), (0.7, True)], "q": [(0.2, False), (0.9, True)],
            "r": [(0.4, True), (0.5, False)],
        }.items()}
    )  # fmt: skip
    k, every = 2, []
    parts = [[(e.score, e.correct, c) for e, c in drawn(Pool({n: column}), k)] for n, column in pool.entries.items()]
    for i in range(3):
        for j in range(3):
            for m in range(3):
                known = parts[i] + parts[j] + parts[m]
                pairs = [(a * b, (s > t) + 0.5 * (s == t)) for s, r, a in known if r for t, w, b in known if not w]
                if sum(w for w, _ in pairs):
                    every.append(sum(w * v for w, v in pairs) / sum(w for w, _ in pairs))
    [one] = gap_report(pool, [k], level=0.8).chosen
    assert [one.auroc.low, one.auroc.high] == pytest.approx(np.quantile(every, [0.1, 0.9]).tolist(), abs=0.02)


# ---------------------------------------------------------------- what there may be nothing of


def test_a_pool_without_scores_or_keys_has_coverage_alone():
    """No empty columns, and the table says so."""
    found = gap_report(Pool({"p": (Entry("a", correct=True), Entry("b")), "q": (Entry("c"), Entry("d"))}))
    assert (found.selected, found.majority, found.lost, found.within, found.chosen, found.fall) == (None,) * 4 + (
        (),
        None,
    )
    assert found.grid()[0] == ("k", "coverage (%)")
    assert found.sentences() == ()
    assert json.loads(found.to_json())["within"] is None


def test_one_problem_all_right_nothing_known():
    """No interval, no AUROC, no calibration; nothing is not-a-number in JSON, and nothing is warned of."""
    for column in (
        [Entry("a", "a", 0.5, True)] * 3,
        [Entry("a", "a", 0.5)] * 3,
        [Entry("a", unknown=True, feedback="?")] * 2,
        [Entry("a", score=0.5, unknown=True)] * 2,
        [Entry("", finish="error")],
        [Entry("a", "a", 7.0, True), Entry("b", "b", -3.0)],
    ):
        found = gap_report(Pool({"p": tuple(column)}))
        assert found.fall is None
        json.loads(found.to_json(), parse_constant=pytest.fail)
        assert "nan" not in found.table()
        assert all(one.calibration is None or 0 <= one.calibration.mean <= 1 for one in found.chosen)


def test_numbers_of_samples_may_be_numpys():
    """And are plain ones in JSON; a curve's, too."""
    pool = study(1, unknown=0.0)
    assert json.loads(gap_report(pool, np.array([1, 2])).to_json())["ks"] == [1, 2]
    assert json.loads(pool.curve("pass@k", np.array([1, 2])).to_json())["ks"] == [1, 2]


def test_scores_that_are_no_chances_need_a_reading():
    """Logits have no calibration; read as chances they have, and anything outside [0, 1] is refused."""
    pool = Pool({f"p{i}": (Entry("", "a", 3.0, True), Entry("", "b", -2.0 - i)) for i in range(4)})
    assert {one.calibration for one in gap_report(pool).chosen} == {None}
    assert "promised (%)" not in gap_report(pool).grid()[0]
    read = gap_report(pool, confidence=lambda score: 1 / (1 + math.exp(-score)))
    assert read.chosen[-1].promised == pytest.approx(1 / (1 + math.exp(-3)))
    assert read.chosen[-1].calibration.mean == pytest.approx(1 - 1 / (1 + math.exp(-3)))
    fitted = Platt.fit([3.0, -2.0, 1.0, -1.0], [True, False, False, True])
    assert gap_report(pool, confidence=fitted).chosen[0].promised > 0
    with pytest.raises(ConfigError, match=r"got 3.0 of 3.0|got -[2-5].0 of -[2-5].0"):
        gap_report(pool, confidence=float)


# ---------------------------------------------------------------- where it falls


def hacked(problems, n, right, bad):
    """A pool whose best@k is known: in `bad` problems a wrong sample scores best, then come `right` right ones."""

    def column(i):
        top = [Entry("", score=3.0)] if i < bad else [Entry("", score=0.0)]
        return (*top, *[Entry("", score=2.0 + j / n, correct=True) for j in range(right)],
                *[Entry("", score=j / n) for j in range(n - 1 - right)])  # fmt: skip

    return Pool({f"p{i}": column(i) for i in range(problems)})


def closed(n, right, k, bad):
    """Accuracy of the best of k in a problem of `hacked`: the hack is not drawn, and a right one is."""
    missed = comb(n - 1 - right, k) / comb(n - 1, k) if k < n else float(right == 0)
    return (1 - k / n) * (1 - missed) if bad else 1 - comb(n - right, k) / comb(n, k)


@pytest.mark.slow
def test_a_fall_in_a_pool_is_where_the_closed_form_has_it():
    """128 samples, 12 right ones, in three of four problems one that is wrong and scores best."""
    n, right, problems, bad = 128, 12, 20, 15
    found = gap_report(hacked(problems, n, right, bad))
    want = [
        (bad * closed(n, right, k, bad=True) + (problems - bad) * closed(n, right, k, bad=False)) / problems
        for k in found.ks
    ]
    assert found.selected.mean == pytest.approx(want)
    assert found.fall.peak == found.ks[int(np.argmax(want))] == 32
    assert found.fall.last == 128
    assert found.fall.difference.mean == pytest.approx(want[-1] - max(want))
    assert found.fall.of_all.high < 0
    assert found.chosen[-1].auroc.mean == 0.0  # the hacks score above the right ones of the other problems
    assert "selection falls from 32 samples on" in found.table()


def brute_fall(ks, values, seed=0):
    """The definition, pair by pair: the greatest N whose paired difference to a smaller one excludes 0 from above."""
    sure = {
        (a, b): found for a, b in combinations(range(len(ks)), 2)
        if (found := paired_bootstrap(values[:, b], values[:, a], seed=seed)).high < 0
    }  # fmt: skip
    if not sure:
        return None
    last = max(b for _, b in sure)
    deepest = min((a for a, b in sure if b == last), key=lambda a: sure[a, last].mean)
    return ks[deepest], ks[min(b for _, b in sure)], ks[last], sure[deepest, last]


@pytest.mark.parametrize("seed", range(8))
def test_a_fall_equals_the_definition_pair_by_pair(seed):
    """Curves that rise, fall, do both, or neither."""
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.02, 6))
    values = np.clip(rng.beta(1, 1, (60, 1)) + drift + rng.normal(0, 0.06, (60, 6)), 0, 1)
    ks = [1, 2, 4, 8, 16, 32]
    found, want = fall(ks, values), brute_fall(ks, values)
    assert (found is None) == (want is None)
    if want:
        assert (found.peak, found.first, found.last, str(found.difference)) == (*want[:3], str(want[3]))
        assert found.sure == (found.of_all.high < 0)
        assert ("may be chance" in str(found)) != found.sure
        assert found.of_all.low < found.difference.low
        assert found.difference.high < found.of_all.high


@pytest.mark.slow
def test_bounds_for_all_pairs_hold_for_all_pairs():
    """Of 60 flat curves of eight points, far more than 5 % show a fall, but hardly one that allows for the looking."""
    rng, shown, sure = np.random.default_rng(1), 0, 0
    for seed in range(60):
        values = rng.random((80, 1)) + rng.normal(0, 0.1, (80, 8))
        found = fall(range(1, 9), values, draws=400, seed=seed)
        shown += found is not None
        sure += found is not None and found.of_all.high < 0
    assert shown > 8
    assert sure <= 5  # falls alone are one side of 5 %: 1.5 expected, and three standard errors


def test_what_is_no_curve_is_refused():
    """Shapes and ks; one problem and one point have no fall."""
    for ks, values in (
        ([1, 2], [[0.5]]),
        ([2, 1], [[0.5, 0.5]]),
        ([1, 1], [[0.5, 0.5]]),
        ([1], [0.5]),
        ([1], np.ones((0, 1))),
    ):
        with pytest.raises(ConfigError, match="a fall is looked for"):
            fall(ks, values)
    assert fall([1, 2], [[0.9, 0.1]]) is None
    assert fall([1], [[0.9], [0.1]]) is None
    same = fall([1, 2], [[0.9, 0.1]] * 5)
    assert (same.difference.low, same.of_all.low) == (pytest.approx(-0.8), pytest.approx(-0.8))


def test_a_fall_that_may_be_chance_is_called_so():
    """The pair alone excludes 0, all pairs at once do not: the report says perhaps, and the fall is not sure."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        pool = Pool({
            f"p{i}": tuple(Entry("", score=float(rng.random()), correct=bool(rng.random() < 0.5)) for _ in range(8))
            for i in range(12)
        })  # fmt: skip
        values = pool.curve("best@k").per_problem
        found = fall((1, 2, 4, 8), values)
        if found is not None and not found.sure:
            assert gap_report(pool).sentences()[0].startswith("selection perhaps falls from ")
            return
    pytest.fail("no such pool among 200")


# ---------------------------------------------------------------- recorded samples


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "model", "peak", "first", "points"),
    [
        ("countdown", "outcome", 128, 256, -10.4),
        ("countdown", "process", 64, 256, -15.3),
        ("arithmetic", "outcome", 32, 128, -14.7),
        ("arithmetic", "process", 32, 64, -17.2),
    ],
)
def test_the_reward_models_over_optimisation(task, model, peak, first, points):
    """200 problems with 1,024 samples each, as benchmarks/results has them: the N found, and the definition's."""
    lines = gzip.decompress((ROOT / "benchmarks" / "results" / f"{task}.jsonl.gz").read_bytes()).decode().splitlines()
    drawn = [row for row in map(json.loads, lines[1:]) if (row["method"], row["k"]) == ("samples", 1024)]
    values = np.array([row[model] for row in sorted(drawn, key=lambda row: row["number"])])
    assert values.shape == (200, 11)
    found = fall(budgets(1024), values)
    assert (found.peak, found.first, found.last) == (peak, first, 1024)
    if (task, model) == ("countdown", "process"):  # the steepest
        brute = brute_fall(budgets(1024), values)
        assert (found.peak, found.first, found.last, str(found.difference)) == (*brute[:3], str(brute[3]))
    assert round(100 * found.difference.mean, 1) == points
    assert found.of_all.high < -0.04  # sure, though 55 pairs were looked at


@pytest.mark.slow
@pytest.mark.slow
def test_the_qwen_math_set():
    """100 problems with 8 solutions and a reward model's logits: the published figures, and no fall in eight."""

    def entries(row):
        for text, key, right, [logit] in zip(
            row["response"], row["pred"], row["score"], row["pred_score"], strict=True
        ):
            yield str(row["idx"]), Entry(text, key, logit, right)

    pool = Pool.of(pair for row in rows("qwen25_math_rm/math_cot_100.jsonl.gz") for pair in entries(row))
    found = gap_report(pool, confidence=lambda logit: 1 / (1 + math.exp(-logit)))
    assert [round(100 * value, 1) for value in (found.coverage.mean[0], found.coverage.mean[-1])] == [91.0, 96.0]
    assert round(100 * found.selected.mean[-1], 1) == 94.0
    assert found.lost.mean[-1] == pytest.approx(0.02)
    assert found.fall is None
    assert found.chosen[0].auroc.mean == pytest.approx(
        auroc([e.score for _, e in pool.samples()], [e.correct for _, e in pool.samples()])
    )


@pytest.mark.slow
def test_the_gsm8k_set():
    """1,319 problems, four solutions each by four methods, without scores: coverage and no more."""
    methods = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    recorded = rows("gsm8k/example_model_solutions.jsonl.gz")
    pool = Pool.of(
        (str(i), Entry(row[m]["solution"], correct=row[m]["is_correct"]))
        for i, row in enumerate(recorded)
        for m in methods
    )
    found = gap_report(pool)
    right = [[row[m]["is_correct"] for m in methods] for row in recorded]
    assert found.coverage.mean[0] == pytest.approx(np.mean(right))
    assert found.coverage.mean[-1] == pytest.approx(np.mean([any(row) for row in right]))
    assert str(bootstrap(found.coverage.per_problem)).splitlines()[0] == str(bootstrap(np.mean(right, axis=1)))


# ---------------------------------------------------------------- what is shown


def test_a_report_shows_itself():
    """A picture, a table and sentences; texts of models are texts."""
    pool = Pool(
        {"p": (Entry("<script>x</script>", score=0.5, unknown=True, feedback="<img src=x>"), Entry("b", "b", 0.2))}
    )
    found = gap_report(pool)
    page = Page(found._repr_html_())
    assert {tag for tag, _ in page.elements} <= {
        "svg",
        "line",
        "text",
        "path",
        "circle",
        "table",
        "tr",
        "th",
        "td",
        "p",
    }
    assert "50.0 % of the samples are unknown" in found.table()
    assert found.grid()[0][:3] == ("k", "coverage (%)", "at most")
