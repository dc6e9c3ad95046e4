"""`ProcessReward`, `OutcomeReward` and `Pooling`: against closed forms, a counting model and a loopback server."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from searchkit import Model, Params, SearchWarning, solve
from searchkit.calls import CallError, Request
from searchkit.engine.journal import Journal
from searchkit.engine.run import Run, Search
from searchkit.errors import ConfigError, VerifierError
from searchkit.generators import Cached, Limited, Pooling, Recorded, Retrying
from searchkit.strategies import BeamSearch, BestOfN
from searchkit.testing.doubles import Counting, Shuffled
from searchkit.testing.strategies import _truncate
from searchkit.testing.verifiers import VerifierTests
from searchkit.types import Budget, Message, Problem, Prompt, Sample, StepSpan, Text, Usage, Verdict
from searchkit.verifiers.reward_models.rewards import OutcomeReward, ProcessReward
from tests.helpers.steps import STEPS, Letters, Worth, worth, write
from tests.verifiers.reward_models.pooling_server import TAG, RewardServer, goodness, seen

PROMPT = Prompt.of("What is 6 * 7?")


def lengths(prompt, steps):
    """A process reward model: each step's length over that of the prompt and the step."""
    return [len(step) / (len(step) + len(prompt.text)) for step in steps]


async def length(prompt, text):
    """An outcome reward model, which waits."""
    await asyncio.sleep(0)
    return float(len(text) - len(prompt.text))


def path_worth(prompt, steps):
    """The process reward model that knows what a path of letters is worth."""
    return [worth("".join(steps[: i + 1])) for i in range(len(steps))]


@dataclass
class Counted:
    """`path_worth` that counts: its calls, the rows it computed. Continues where `known` rows are given."""

    calls: int = 0
    rows: int = 0

    def __call__(self, prompt, steps, known):
        self.calls += 1
        self.rows += len(steps) - len(known)
        assert known == path_worth(prompt, steps)[: len(known)]
        return path_worth(prompt, steps)[len(known) :]


@dataclass(frozen=True)
class Wavering:
    """`path_worth` after a random wait."""

    order: int
    calls: list = field(default_factory=list)

    async def __call__(self, prompt, steps):
        self.calls.append(steps)
        await asyncio.sleep(random.Random(f"{self.order}{steps}").uniform(0, 0.003))
        return path_worth(prompt, steps)


def judge(verifier, *samples, prompt=PROMPT):
    """The verdicts on samples, one after the other in one search, and what was charged and paid."""

    async def go():
        search = Search(Problem("p", prompt))
        run = Run.root(search, 0, Budget())
        scored = [(await run.score(verifier, prompt, [as_sample(s)]))[0].verdict for s in samples]
        return scored, search.usage, search.paid

    return asyncio.run(go())


def as_sample(value):
    return value if isinstance(value, Sample) else Sample(value)


def stepped(*steps):
    """A sample with these steps."""
    ends = [sum(map(len, steps[: i + 1])) for i in range(len(steps))]
    pieces = tuple(StepSpan(end - len(step), end) for step, end in zip(steps, ends, strict=True))
    return Sample("".join(steps), step_spans=pieces)


def ask(backend, *parts):
    """One request to a backend; its entry."""
    answer = Message("assistant", tuple(map(Text, parts)))
    request = Request(Prompt((*PROMPT.messages, answer)), Params(max_tokens=1), 7)

    async def go():
        [entry] = await backend.complete([request])
        return entry

    return asyncio.run(go())


# ---------------------------------------------------------------- process reward


@pytest.mark.parametrize(
    ("aggregate", "score"),
    [("last", 0.5), ("min", 0.25), ("prod", 0.5 * 0.25 * 0.5), ("mean", 1.25 / 3)],
)
def test_the_score_is_the_aggregate_and_each_step_keeps_its_own(aggregate, score):
    """Closed forms; one call reads all steps."""
    calls = []

    def model(prompt, steps):
        calls.append((prompt.text, steps))
        return [0.5, 0.25, 0.5]

    [verdict], usage, paid = judge(ProcessReward(model, aggregate), stepped("a\n", "b\n", "c"))
    assert verdict == Verdict(score, step_scores=(0.5, 0.25, 0.5))
    assert calls == [("What is 6 * 7?", ["a\n", "b\n", "c"])]
    assert usage == paid
    assert (usage.model_calls, usage.verifications, usage.generations, usage.generated_tokens) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("sample", "steps"),
    [
        (Sample("one\n\ntwo\n\nthree"), ["one\n\n", "two\n\n", "three"]),
        (Sample("one\n\n\n\n\n\ntwo\n\n"), ["one\n\n\n\n\n\n", "two\n\n"]),
        (Sample("\n\none"), ["\n\none"]),
        (Sample("one"), ["one"]),
        (Sample("a\r\n\r\nb"), ["a\r\n\r\n", "b"]),  # F152, and the like
        (Sample("a\n \nb"), ["a\n \n", "b"]),
        (Sample("a\r\n \t\r\nb\n\u00a0\nc"), ["a\r\n \t\r\n", "b\n\u00a0\n", "c"]),
        (Sample("a \n\nb\r\rc"), ["a \n\n", "b\r\r", "c"]),
        (Sample("a\n\r\nb\r\n\nc"), ["a\n\r\n", "b\r\n\n", "c"]),
        (Sample("a\r\n\r\n\r\n\r\nb"), ["a\r\n\r\n\r\n\r\n", "b"]),
        (Sample("a\r\nb\n c\rd"), ["a\r\nb\n c\rd"]),  # one line break is no empty line
        (Sample("\r\n\r\n \r\n"), []),
        (Sample("so: one;two!", step_spans=(StepSpan(4, 8), StepSpan(8, 11))), ["so: one;", "two!"]),
    ],
)
def test_a_texts_steps_are_its_own_or_cut_at_the_separator(sample, steps):
    """No character is lost, and no step is blank."""
    found = []
    judge(ProcessReward(lambda prompt, given: found.extend(given) or [0.5] * len(given)), sample)
    assert found == steps
    assert "".join(found) == (sample.text if found else "")


@pytest.mark.parametrize(
    ("separator", "text", "steps"),
    [
        ("\n", "a\r\nb\rc\nd", ["a\r\n", "b\r", "c\n", "d"]),
        ("\r\n", "a\r\nb\nc", ["a\r\n", "b\n", "c"]),
        ("\n\nStep", "a\r\n \r\nStep 1: b\n\nc", ["a\r\n \r\nStep", " 1: b\n\nc"]),
        ("ки", "1 ки 2ки", ["1 ки", " 2ки"]),
        ("+.(", "1+.(2+.(", ["1+.(", "2+.("]),
        ("\\n", "a\\nb\nc", ["a\\n", "b\nc"]),
        (" ", "a b\u00a0c", ["a ", "b\u00a0c"]),
    ],
)
def test_line_breaks_in_a_separator_are_those_of_any_system(separator, text, steps):
    """All else is taken as it is."""
    found = []
    model = ProcessReward(lambda prompt, given: found.extend(given) or [0.5] * len(given), separator=separator)
    judge(model, Sample(text))
    assert found == steps


def test_a_long_text_is_cut_in_linear_time():
    """Blanks without end between two line breaks, or behind one."""
    for text in ("\n" * 100_000, "\n" + " " * 100_000 + "x", "\n  " * 30_000, "\r" * 100_000 + "x"):
        judge(ProcessReward(lambda prompt, given: [0.5] * len(given)), Sample(text))


def test_an_empty_text_abstains_without_a_call():
    """There is nothing to read."""
    verdicts, usage, _ = judge(ProcessReward(lambda prompt, steps: 1 / 0), "", " \n\n ")
    assert [v.value for v in verdicts] == [None, None]
    assert usage.model_calls == 0


@pytest.mark.parametrize("rows", [[0.5], [0.5, 0.5, 0.5], []])
def test_another_number_of_rows_than_steps_is_an_error_that_names_both(rows):
    """Never padded, never cut: a row that belongs to another step is a wrong score."""
    with pytest.raises(VerifierError, match=rf"short returned {len(rows)} rows for 2 steps"):
        judge(ProcessReward(lambda prompt, steps: rows, name="short"), stepped("a", "b"))


@pytest.mark.parametrize(
    ("returned", "error", "sentence"),
    [
        ([0.5, math.nan], VerifierError, "must give a JSON list of numbers"),
        ([0.5, 1.5], VerifierError, r"gave the score 1\.5, outside the range 0\.0 to 1\.0: declare the right one"),
        ([0.5, "0.5"], CallError, "it returned '0.5' where a number is needed"),
        (0.5, CallError, "failed with TypeError"),
        (None, CallError, "failed with TypeError"),
    ],
)
def test_what_is_no_score_is_an_error(returned, error, sentence):
    """It names the model, and never becomes a score."""
    with pytest.raises(error, match=sentence) as caught:
        judge(ProcessReward(lambda prompt, steps: returned, name="odd"), stepped("a", "b"))
    assert "odd" in str(caught.value)


def test_numbers_of_other_libraries_are_numbers():
    """Rows as a NumPy array; a declared range."""
    model = ProcessReward(lambda prompt, steps: np.array([-2.0, 3.5]), range=(-5, 5))
    [verdict], _, _ = judge(model, stepped("a", "b"))
    assert verdict == Verdict(3.5, step_scores=(-2.0, 3.5))
    assert type(verdict.score) is float


def test_a_model_that_fails_is_a_failed_call_that_is_charged_once():
    """The sample stays a candidate, the error is in the result."""
    model = ProcessReward(lambda prompt, steps: 1 / 0, name="broken")
    recorded = Recorded({"q": ["a", "b"]})
    with pytest.warns(SearchWarning, match="all verdicts failed"):
        result = asyncio.run(solve("q", BestOfN(2, model), generator=recorded))
    assert result.answer == "a"
    assert [str(e) for e in result.errors] == [
        "the reward model broken failed with ZeroDivisionError: division by zero"
    ] * 2
    assert (result.usage.model_calls, result.usage.generations, result.usage.generated_tokens) == (2 + 2, 2, 0)


def test_impossible_configurations_are_refused():
    """At construction, with the fix."""
    with pytest.raises(ConfigError, match='aggregate is "last"'):
        ProcessReward(lengths, "max")
    with pytest.raises(ConfigError, match=r"needs scores in \[0, 1\]"):
        ProcessReward(lengths, "prod", range=(-1, 1))
    with pytest.raises(ConfigError, match="a separator"):
        ProcessReward(lengths, separator="")
    with pytest.raises(ConfigError, match="the first number must be less"):
        OutcomeReward(length, range=(1, 1))
    for reward in (ProcessReward, OutcomeReward):
        with pytest.raises(ConfigError, match="a backend such as Pooling, or a callable, got 'prm'"):
            reward("prm")
        with pytest.raises(ConfigError, match="a backend has its own name"):
            reward(Pooling("http://localhost:1", "m"), name="x")
    with pytest.raises(ConfigError, match="leave range= out"):
        OutcomeReward(length, range=(0, 5), sigmoid=True)


def test_identities():
    """The model, and whatever changes a verdict; a lambda has none unless it is named."""
    keys = [
        ProcessReward(lengths), ProcessReward(lengths, "min"), ProcessReward(lengths, separator="\n"),
        ProcessReward(path_worth), ProcessReward(lengths, range=(0, 2)), ProcessReward(lengths, name="v2"),
        OutcomeReward(length), OutcomeReward(length, sigmoid=True), OutcomeReward(length, range=(0, 9)),
        ProcessReward(Pooling("http://localhost:1", "m", tag=TAG)), ProcessReward(Pooling("http://localhost:1", "m")),
        ProcessReward(Pooling("http://localhost:1", "m", column=0)), OutcomeReward(Pooling("http://localhost:1", "m")),
    ]  # fmt: skip
    assert len({verifier.key for verifier in keys}) == len(keys)
    for verifier in (ProcessReward(lambda prompt, steps: []), OutcomeReward(lambda prompt, text: 0)):
        with pytest.raises(ConfigError, match="has no lasting name"):
            _ = verifier.key
    assert ProcessReward(lambda prompt, steps: [], name="mine").key.startswith("process:mine:")


# ---------------------------------------------------------------- reading once


def test_a_text_is_read_once_a_search():
    """The second time it is charged like the first, and not paid; another search, prompt or cut reads it again."""
    calls = []
    verifier = ProcessReward(lambda prompt, steps: calls.append(steps) or lengths(prompt, steps))
    verdicts, usage, paid = judge(verifier, stepped("ab", "c"), stepped("ab", "c"), stepped("a", "bc"))
    assert verdicts[0] == verdicts[1] != verdicts[2]
    assert calls == [["ab", "c"], ["a", "bc"]]
    assert (usage.model_calls, paid.model_calls, usage.verifications) == (3, 2, 3)
    judge(verifier, stepped("ab", "c"))
    judge(verifier, stepped("ab", "c"), prompt=Prompt.of("else"))
    assert len(calls) == 4


@pytest.mark.parametrize("journaled", [False, True])
def test_equal_samples_that_are_judged_at_once_share_one_call(journaled, tmp_path):
    """Whoever asks second waits for the first, but not for the journal's disk."""
    model, journal = Wavering(0), tmp_path / "j.db" if journaled else None
    recorded = Recorded({"q": ["a", "a", "b", "a"]})
    search = BestOfN(4, ProcessReward(model, name="m"))
    result = asyncio.run(solve("q", search, generator=recorded, journal=journal))
    assert sorted(model.calls) == [["a"], ["b"]]
    assert (result.usage.model_calls, result.paid.model_calls) == (4 + 4, 4 + 2)


def test_who_waits_for_anothers_reading_and_is_cancelled_pays_nothing():
    """A good sample ends the search while one of three equal ones is being read: two readings were begun."""
    begun = []

    async def model(prompt, steps):
        begun.append(steps)
        await asyncio.sleep(0.01 if steps == ["b"] else 60)
        return [1.0]

    recorded = Recorded({"q": ["b", "a", "a", "a"]})
    search = BestOfN(4, ProcessReward(model), threshold=1.0)
    result = asyncio.run(solve("q", search, generator=recorded))
    assert (result.answer, result.stopped) == ("b", "threshold")
    assert begun == [["b"], ["a"]]
    assert result.paid.model_calls == 4 + 2


def test_a_failed_reading_is_not_remembered():
    """The next one asks again."""
    answers = iter([ValueError("busy"), [0.5]])

    def model(prompt, steps):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    recorded = Recorded({"q": ["a", "a"]})
    result = asyncio.run(solve("q", BestOfN(2, ProcessReward(model)), generator=recorded))
    assert [c.score for c in result.candidates] == [None, 0.5]
    assert result.paid.model_calls == 2 + 2


def test_a_growing_path_pays_for_its_new_steps_alone_where_the_model_can_continue():
    """Rows are kept for every beginning: n steps cost n rows instead of n(n+1)/2, and a beginning costs nothing."""
    model, steps = Counted(), ["a/", "c/", "b/", "a/", "a/", "c"]
    grown = [stepped(*steps[: i + 1]) for i in range(len(steps))]
    verdicts, usage, paid = judge(ProcessReward(model), *grown, stepped(*steps[:3]), stepped("a/", "c/", "c/"))
    for verdict, sample in zip(verdicts, [*grown, grown[2], stepped("a/", "c/", "c/")], strict=True):
        texts = [sample.text[p.start : p.end] for p in sample.step_spans]
        assert verdict == Verdict(worth(sample.text), step_scores=tuple(path_worth(PROMPT, texts)))
    assert (model.calls, model.rows) == (7, 7)
    assert (usage.model_calls, paid.model_calls) == (8, 7)
    longer, shorter = judge(ProcessReward(model), stepped("b/", "a/", "c"), stepped("b/", "a/"))[0]
    assert shorter.step_scores == longer.step_scores[:2]
    assert (model.calls, model.rows) == (8, 10)


def test_a_model_that_cannot_continue_reads_a_beginning_anew():
    """It may have looked at the whole text: its rows for a path say nothing about the path's beginning."""
    verifier = ProcessReward(lambda prompt, steps: [1 / len(steps)] * len(steps))
    verdicts, _, paid = judge(verifier, stepped("a", "b"), stepped("a"))
    assert [v.score for v in verdicts] == [0.5, 1.0]
    assert paid.model_calls == 2


@pytest.mark.parametrize("model", [path_worth, Counted()])
def test_a_beam_search_grows_the_same_tree_as_with_the_plain_verifier(model):
    """The world of `tests.helpers.steps`: same nodes, same scores, same answer."""
    plain = write(BeamSearch(6, 2, Worth(), STEPS), seed=3)
    stepwise = write(BeamSearch(6, 2, ProcessReward(model, name="m"), STEPS), seed=3)
    assert stepwise.answer == plain.answer
    assert stepwise.tree.to_json() == plain.tree.to_json()
    assert stepwise.usage.generations == plain.usage.generations
    assert stepwise.usage.model_calls == plain.usage.model_calls + stepwise.usage.verifications


def test_latencies_change_neither_verdicts_nor_what_is_charged():
    """Readings that finish in any order, also under a budget that ends the search: the same trace."""
    for budget in (Budget(), Budget(model_calls=9), Budget(generated_tokens=7)):
        outcomes = []
        for order in range(4):
            search = BeamSearch(6, 2, ProcessReward(Wavering(order), name="m"), STEPS)
            result = write(search, Shuffled(Letters(), order), budget=budget, params=Params(max_tokens=3))
            outcomes.append((result.trace.canonical(), result.answer, result.stopped, result.usage.model_calls))
            assert not result.overshoot
        assert all(outcome == outcomes[0] for outcome in outcomes)


def test_paid_calls_are_those_that_were_made_and_a_resumed_search_makes_none():
    """Model calls are those of the generator and of the reward model; the journal has both."""
    for model in (Wavering(1), Wavering(2)):
        backend = Counting(Letters())
        search = BeamSearch(6, 2, ProcessReward(model, name="m"), STEPS)
        result = write(search, backend)
        assert result.paid.model_calls == backend.calls + len(model.calls)
        assert len(model.calls) < result.usage.verifications, "the world repeats itself: some readings were spared"


def test_a_resumed_search_reads_nothing_again(tmp_path):
    """Killed after any number of committed calls: the same trace, and what was committed is not asked for."""
    whole, model = tmp_path / "whole.db", Wavering(1)
    search = BeamSearch(6, 2, ProcessReward(model, name="m"), STEPS)
    first = write(search, journal=whole)
    with Journal(whole) as journal:
        rows = len(journal)
    assert rows == first.usage.model_calls, "every call has a row, spared ones too, and verdicts have none"
    for kept in (0, rows // 3, rows // 2, rows):
        part, backend = tmp_path / f"{kept}.db", Counting(Letters())
        _truncate(whole, part, kept)
        model.calls.clear()
        again = write(search, backend, journal=part)
        assert again.paid.model_calls == backend.calls + len(model.calls) <= rows - kept
        assert (again.usage.model_calls, again.trace.canonical()) == (first.usage.model_calls, first.trace.canonical())


def test_what_a_journal_tells_is_remembered_too(tmp_path):
    """A reading that was journaled by a search which was cut short is not paid again for an equal text after it."""
    calls, path = [], tmp_path / "j.db"
    verifier = ProcessReward(lambda prompt, steps: calls.append(steps) or [0.5], name="m")
    for texts in (["a"], ["a", "a"]):
        asyncio.run(solve("q", Twice(verifier, texts), journal=path))
    assert calls == [["a"]]


@dataclass(frozen=True)
class Twice:
    """Judges texts one after the other."""

    verifier: ProcessReward
    texts: list

    async def generate(self, prompt, run, *, params=None):
        for text in self.texts:
            await run.score(self.verifier, prompt, [Sample(text)])
        return Sample("done")


def test_a_budget_counts_readings():
    """Three calls: two samples and one reading; the best so far comes back."""
    recorded = Recorded({"q": ["aa", "b", "c"]})
    verifier = ProcessReward(lengths)
    result = asyncio.run(solve("q", BestOfN(3, verifier), generator=recorded, budget=Budget(model_calls=4)))
    assert result.usage.model_calls <= 4
    assert result.stopped == "budget"
    assert result.answer in ("aa", "b", "c")


# ---------------------------------------------------------------- outcome reward


def test_an_outcome_is_one_number_of_any_size():
    """Logits are unbounded; the sigmoid has the same order."""
    texts = ["x" * 3, "x" * 900, "x" * 14]
    logits = judge(OutcomeReward(length), *texts)[0]
    assert [v.score for v in logits] == [-11.0, 886.0, 0.0]
    squashed = judge(OutcomeReward(length, sigmoid=True), *texts)[0]
    assert [v.score for v in squashed] == pytest.approx([1 / (1 + math.exp(11)), 1.0, 0.5], rel=1e-12)
    assert OutcomeReward(length).range == (-math.inf, math.inf)
    assert OutcomeReward(length, sigmoid=True).range == (0.0, 1.0)
    assert judge(OutcomeReward(lambda prompt, text: -1e4, sigmoid=True), "x")[0] == [Verdict(0.0)]


def test_an_outcome_model_that_gives_rows_is_an_error():
    """As does a number outside of the range."""
    with pytest.raises(CallError, match=r"returned \[0\.5, 0\.5\] where a number is needed"):
        judge(OutcomeReward(lambda prompt, text: [0.5, 0.5], name="m"), "x")
    with pytest.raises(VerifierError, match="outside the range 0 to 1"):
        judge(OutcomeReward(lambda prompt, text: 2, range=(0, 1), name="m"), "x")


def test_best_of_n_takes_the_highest_reward():
    """Counts: one generation and one reading a sample."""
    recorded = Recorded({"q": ["aa", "aaaa", "a"]})
    result = asyncio.run(solve("q", BestOfN(3, OutcomeReward(length)), generator=recorded))
    assert result.answer == "aaaa"
    assert (result.usage.generations, result.usage.model_calls - result.usage.generations) == (3, 3)


# ---------------------------------------------------------------- Pooling


def test_pooling_sends_each_step_with_its_tag_and_reads_a_row_for_each():
    """As the Qwen2.5-Math-PRM card and vLLM's STEP pooling have it; the good column counts."""
    with RewardServer(tag=TAG) as server:
        [verdict], usage, _ = judge(
            ProcessReward(Pooling(server.url, "rm", tag=TAG)), stepped("six\n\n", "times <extra_0> seven\n\n", "42")
        )
    assert server.requests[0][0] == "/pooling"
    body = seen(server)
    assert body["messages"] == [
        {"role": "user", "content": "What is 6 * 7?"},
        {"role": "assistant", "content": f"six{TAG}times   seven{TAG}42{TAG}"},
    ]
    assert (body["model"], body["add_generation_prompt"], body["use_activation"]) == ("rm", False, True)
    read = ["<user>What is 6 * 7?<assistant>six", "times   seven", "42"]
    expected = [(goodness("".join(read[: i + 1])) + 2) / 4.01 for i in range(3)]
    assert verdict.step_scores == pytest.approx(expected)
    assert verdict.score == verdict.step_scores[-1]
    assert (usage.model_calls, usage.prompt_tokens, usage.generated_tokens) == (1, 6, 0)


@pytest.mark.parametrize("route", ["classify", "pooling"])
def test_pooling_asks_for_an_outcome_without_activation(route):
    """The logit itself, not the sigmoid that servers give by default."""
    with RewardServer() as server:
        [verdict], _, _ = judge(OutcomeReward(Pooling(server.url, "rm", route=route)), stepped("a\n\n", "b"))
    assert server.requests[0][0] == f"/{route}"
    assert seen(server)["use_activation"] is False
    assert seen(server)["messages"][-1] == {"role": "assistant", "content": "a\n\nb"}
    assert verdict.score == goodness("<user>What is 6 * 7?<assistant>a\n\nb")


def test_a_server_that_returns_all_tokens_is_found_out():
    """vLLM issue 55307: the row count does not match, which the verifier says with both numbers."""
    many = pytest.raises(VerifierError, match=r"returned \d+ rows for 2 steps")
    with RewardServer(tag=TAG, faults=("all tokens",)) as server, many:
        judge(ProcessReward(Pooling(server.url, "rm", tag=TAG)), stepped("a", "b"))


@pytest.mark.parametrize("steps", [["a"], ["a", "b"]])
def test_a_server_that_flattens_rows_is_found_out(steps):
    """vLLM issue 33873: two flat numbers look like two steps; they are refused, and not asked for again."""
    with RewardServer(tag=TAG, faults=("flat",)) as server:
        entry = ask(Retrying(Pooling(server.url, "rm", tag=TAG), base=0.0), *steps)
        assert isinstance(entry, CallError)
        assert (entry.kind, entry.usage.model_calls, len(server.requests)) == ("failed", 1, 1)
        assert "one row a step is needed" in str(entry)
        assert "flatten" in str(entry)


def test_the_column_chooses_and_a_missing_one_is_an_error():
    """Math-Shepherd style models list the good token first."""
    with RewardServer(tag=TAG) as server:
        good, bad = (ask(Pooling(server.url, "rm", tag=TAG, column=c), "a").value for c in (1, 0))
        missing = ask(Pooling(server.url, "rm", tag=TAG, column=2), "a")
    assert float(good[1:-1]) + float(bad[1:-1]) == pytest.approx(1.0)
    assert "a row has 2 numbers, and column=2 was asked for" in str(missing)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("down", "server"), ("busy", "rate_limit"), ("not json", "malformed"), ("two entries", "malformed")],
)
def test_passing_faults_are_repeated_by_the_same_wrapper_as_for_any_backend(fault, kind):
    """Each attempt is a call, charged once."""
    with RewardServer(tag=TAG, faults=(fault, "")) as server:
        entry = ask(Pooling(server.url, "rm", tag=TAG), "a")
        assert isinstance(entry, CallError)
        assert (entry.kind, entry.usage) == (kind, Usage(model_calls=1))
    with RewardServer(tag=TAG, faults=(fault, "")) as server:
        backend = Retrying(Limited(Pooling(server.url, "rm", tag=TAG)), base=0.0)
        [verdict], usage, paid = judge(ProcessReward(backend), stepped("a"))
        assert verdict.score is not None
        assert (usage.model_calls, paid.model_calls, len(server.requests)) == (2, 2, 2)


def test_a_disk_cache_serves_rewards_as_it_serves_texts(tmp_path):
    """`Cached` around `Pooling`: another search of another process would not pay either."""
    with RewardServer(tag=TAG) as server:
        verdicts = []
        for _ in range(2):
            backend = Cached(Pooling(server.url, "rm", tag=TAG), str(tmp_path / "rewards.db"))
            verdicts.append(judge(ProcessReward(backend), stepped("a", "b"))[0])
        assert verdicts[0] == verdicts[1]
        assert len(server.requests) == 1


def test_wrong_models_routes_and_addresses_are_named():
    """404 for the model and below /v1; nothing listening."""
    with RewardServer() as server:
        assert "no 'other' or no such route" in str(ask(Pooling(server.url, "other"), "a"))
        assert "is base_url without /v1?" in str(ask(Pooling(server.url + "/v1", "rm"), "a"))
    gone = ask(Pooling(server.url, "rm"), "a")
    assert (gone.kind, gone.usage) == ("connection", Usage())


def test_the_key_is_sent_and_never_shown():
    """Not in errors (the server quotes it), not in the repr."""
    with RewardServer(key="sk-right") as server:
        assert ask(Pooling(server.url, "rm", api_key="sk-right"), "a").value
        wrong = Pooling(server.url, "rm", api_key="sk-wrong-key")
        entry = ask(wrong, "a")
    assert (entry.kind, "sk-wrong-key" in str(entry)) == ("auth", False)
    assert "sk-wrong" not in repr(wrong)


def test_pooling_refuses_what_no_server_can_do():
    """At construction."""
    with pytest.raises(ConfigError, match='route must be "pooling" or "classify"'):
        Pooling("http://localhost:1", "m", route="score")
    with pytest.raises(ConfigError, match="one score a text"):
        Pooling("http://localhost:1", "m", route="classify", tag=TAG)
    with pytest.raises(ConfigError, match="tag must be the text"):
        Pooling("http://localhost:1", "m", tag=" ")
    with pytest.raises(ConfigError, match="base_url must look like"):
        Pooling("localhost:1", "m")
    again = pickle.loads(pickle.dumps(Pooling("http://localhost:1/", "m", tag=TAG, api_key="k")))
    assert (again, again.api_key) == (Pooling("http://localhost:1", "m", tag=TAG), "k")


def test_a_beam_search_over_http_pays_what_the_server_saw():
    """Calls of both models; equal paths are asked for once."""
    with RewardServer(tag=TAG) as server:
        backend = Counting(Letters())
        result = write(BeamSearch(6, 2, ProcessReward(Pooling(server.url, "rm", tag=TAG)), STEPS), backend)
    assert result.paid.model_calls == backend.calls + len(server.requests)
    bodies = [str(body["messages"]) for _, body in server.requests]
    assert len(set(bodies)) == len(bodies)
    assert not result.errors


# ---------------------------------------------------------------- laws


class TestProcessReward(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return ProcessReward(lengths)


class TestContinuingProcessReward(VerifierTests):
    """The laws, for a callable that continues."""

    samples = (stepped("a/", "b"), stepped("a/"), stepped("a/", "b", "c"), Sample(""))

    def verifier(self):
        return ProcessReward(Counted(), "mean", name="counted")


class TestOutcomeReward(VerifierTests):
    """The laws of verifiers."""

    def verifier(self):
        return OutcomeReward(length)


class TestPooling(VerifierTests):
    """The laws over HTTP."""

    @pytest.fixture(autouse=True)
    def _serve(self):
        with RewardServer(tag=TAG) as server:
            self.url = server.url
            yield

    def verifier(self):
        return ProcessReward(Pooling(self.url, "rm", tag=TAG), "min")


def test_the_generator_may_be_a_model_too():
    """Steps of a plain sample are cut at the separator."""
    result = asyncio.run(solve("q", BestOfN(2, ProcessReward(lengths, "mean", "/")), generator=Model(Letters())))
    assert all(len(c.verdict.step_scores) == c.sample.text.count("/") + 1 for c in result.candidates)
