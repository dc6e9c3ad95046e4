"""Live views of searches: what is said of every strategy, on a real terminal, by rich, in a notebook and in a log."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from searchkit import Budget, CallError, Model, Params, Problem, Prompt, Result, Sample, solve_sync
from searchkit.environments import TextSteps
from searchkit.errors import ConfigError
from searchkit.events import Began, Ended, Event, Opened, Over, Planted, Stopping
from searchkit.experiments import Sweep
from searchkit.generators import Simulated
from searchkit.strategies import (
    MCTS,
    BeamSearch,
    BestOfN,
    BetaStopping,
    Fallback,
    SelfConsistency,
    SpawnJoin,
    TagProtocol,
)
from searchkit.strategy import Strategy
from searchkit.testing import Scripted
from searchkit.testing.strategies import LengthScore
from searchkit.tree import ROOT, Tree
from searchkit.types import Scored, Usage, Verdict
from searchkit.verifiers import Exact
from searchkit.views import Live, panel, text
from searchkit.views.progress import Progress
from tests.helpers.terminal import Clock, Terminal, columns_used

HOSTILE = (
    "\x1b[2J\x1b[Hgone",
    "\x1b]0;owned\x07",
    "\r\n\r\nfaked: done",
    "\u202edrawkcab",
    "\ud800 alone",
    "\u4f60\u597d" * 60,
    "e\u0301" * 200,
    "\U0001f600" * 80,
    "[bold red]markup[/] :smile:",
    "\t\0\x7f\x9b31m",
    " " * 500,
    "x" * 10_000,
    "",
)
ONE = Usage(generations=1, model_calls=1, generated_tokens=10)


def best_of(scored: Scored | None = None) -> Callable[[], Scored | None]:
    return lambda: scored


def opened(strategy: Any = None, budget: Budget | None = None, text: str = "How much?", best: Any = None) -> Opened:
    problem = Problem("0", Prompt.of(text or "?"))
    return Opened((), 0.0, problem, strategy or BestOfN(8, LengthScore()), budget or Budget(), 0, best or best_of())


def began(*at: int, time: float = 0.0, name: str = "draw", kind: str = "item") -> Began:
    return Began(at, time, name, kind, at[-1], "generate")


def ended(*at: int, time: float, usage: Usage = ONE, **more: Any) -> Ended:
    return Ended(at, time, "draw", "call", at[-1], "generate", more.pop("status", "ok"), usage=usage, **more)


def fed(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress.take(event)
    return progress


def plain(progress: Progress, now: float, width: int = 79) -> list[str]:
    return ["".join(part for part, _ in line) for line in panel.lines(progress, now, width)]


# -------------------------------------------------------------------- what is said


def test_half_of_the_samples_is_half_of_the_way() -> None:
    """Four of eight samples in ten seconds: ten more, at the most."""
    calls = [event for i in range(4) for event in (began(0, i, time=2.5 * i), ended(0, i, time=2.5 * (i + 1)))]
    progress = fed(opened(), began(0, name="BestOfN", kind="search"), *calls, began(0, 4, time=10.0))
    assert progress.share(10.0) == (0.5, "samples")
    assert progress.left(10.0) == pytest.approx(10.0)
    assert progress.rates(10.0) == (pytest.approx(0.4), pytest.approx(4.0))
    assert plain(progress, 12.0) == [
        "BestOfN  How much?                                               running 12.0 s",
        "progress ━━━━━━━━━━━━━━━━━━━━━━──────────────────────  50%  at most 12.0 s left",
        "running  BestOfN > draw[4]  2.0 s",
        "spent    4 generations, 40 tokens",
        "rate     0.333 calls/s, 3.33 tokens/s",
    ]


# budget, spent, seconds passed -> share, seconds left
SHARES = [
    (Budget(generations=4), ONE, 3.0, 0.25, 9.0),  # nearer than the eight samples
    (Budget(generations=100), ONE, 7.0, 0.125, 49.0),  # the eight samples are nearer
    (Budget(generated_tokens=20), ONE, 5.0, 0.5, 5.0),
    (Budget(usd=2.0), dataclasses.replace(ONE, usd=1.0), 4.0, 0.5, 4.0),
    (Budget(seconds=10.0), ONE, 4.0, 0.4, 6.0),
    (Budget(), Usage(), 4.0, 0.0, None),
    (Budget(generations=0), Usage(), 4.0, 0.0, None),
]


@pytest.mark.parametrize(("budget", "usage", "now", "share", "left"), SHARES)
def test_the_end_is_expected_by_the_nearest_ceiling(
    budget: Budget, usage: Usage, now: float, share: float, left: float | None
) -> None:
    progress = fed(opened(budget=budget), began(0), ended(0, time=now, usage=usage))
    assert progress.share(now) is not None
    assert progress.share(now)[0] == pytest.approx(share)  # type: ignore[index]
    assert progress.left(now) == (None if left is None else pytest.approx(left))


def test_what_a_journal_had_says_nothing_of_the_pace() -> None:
    """Six of eight from the journal at once, one in ten seconds: ten more for the last."""
    known = [event for i in range(6) for event in (began(i), ended(i, time=0.0, replayed=True))]
    progress = fed(opened(), *known, began(6), ended(6, time=10.0), began(7, time=10.0))
    assert progress.left(10.0) == pytest.approx(10.0)
    assert progress.rates(10.0) == (pytest.approx(0.1), pytest.approx(1.0))


def test_nobody_knows_the_end_of_a_search_without_bounds() -> None:
    @dataclasses.dataclass(frozen=True)
    class Endless(Strategy):
        async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
            raise NotImplementedError

    progress = fed(opened(Endless()), began(0), ended(0, time=1.0))
    assert progress.share(2.0) is None
    assert not any(line.startswith("progress") for line in plain(progress, 2.0))


def test_a_strategy_that_cannot_count_does_not_break_the_picture() -> None:
    @dataclasses.dataclass(frozen=True)
    class Wrong(Strategy):
        async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
            raise NotImplementedError

        def counts(self) -> tuple[int, int] | None:
            raise RuntimeError("no idea")

    def no_best() -> Scored | None:
        raise RuntimeError("no idea")

    assert plain(fed(opened(Wrong(), best=no_best), began(0)), 2.0)


def test_the_innermost_runs_and_the_oldest_come_first() -> None:
    """A call that goes on is shown, not what is around it; of many the first four, and how many more there are."""
    spans = [began(0, name="MCTS", kind="search"), began(0, 0, name="expand", kind="group")]
    calls = [began(0, 0, i, 0, time=float(i), name="gpt-x", kind="call") for i in range(9)]
    items = [began(0, 0, i, time=float(i), name="expand") for i in range(9)]
    shown = plain(fed(opened(), *spans, *items, *calls), 20.0)
    assert [line for line in shown if "gpt-x" in line] == [
        "running  MCTS > expand[0] > gpt-x  20.0 s",
        "         MCTS > expand[1] > gpt-x  19.0 s",
        "         MCTS > expand[2] > gpt-x  18.0 s",
        "         MCTS > expand[3] > gpt-x  17.0 s  and 5 more",
    ]


def test_what_has_nothing_inside_any_more_is_shown_itself() -> None:
    """A strategy that reckons between two calls."""
    spans = [began(0, name="BestOfN", kind="search"), began(0, 0, time=1.0), ended(0, 0, time=2.0)]
    assert [line for line in plain(fed(opened(), *spans), 3.0) if line.startswith("running")] == [
        "running  BestOfN  3.0 s"
    ]


def test_ceilings_stand_beside_what_was_spent() -> None:
    budget = Budget(generations=8, total_tokens=5000, usd=1.0, seconds=60.0)
    spent = Usage(generations=1, model_calls=1, verifications=1, prompt_tokens=90, generated_tokens=10, usd=0.0123)
    shown = plain(fed(opened(budget=budget), began(0), ended(0, time=1.0, usage=spent)), 2.0)
    assert "running 2.0 s of 1 min 0 s" in shown[0]
    assert "spent    1 of 8 generations, 1 verification, 10 tokens, 100 of 5,000 total tok…" in shown
    wide = plain(fed(opened(budget=budget), began(0), ended(0, time=1.0, usage=spent)), 2.0, 120)
    assert wide[-2].endswith("100 of 5,000 total tokens, $0.0123 of $1.00")


CLOCK = {
    0.0: "0.0 s",
    59.94: "59.9 s",
    59.96: "1 min 0 s",
    119.97: "2 min 0 s",
    3599.7: "1 h 0 min",
    7_300_000: "2,027 h 46 min",
}


def test_a_time_has_no_sixtieth_second() -> None:
    assert {seconds: panel.clock(seconds) for seconds in CLOCK} == CLOCK


def test_failures_and_reasons_are_said() -> None:
    shown = plain(
        fed(
            opened(), began(0), ended(0, time=1.0, status="error", error="CallError: no\nanswer"),
            began(1), Stopping((), 1.0, "threshold"),
        ), 2.0,
    )  # fmt: skip
    assert "failed   1 call, the last: CallError: no\\nanswer" in shown
    assert "stopping threshold" in shown


@pytest.mark.parametrize("window", [1, 6])
@pytest.mark.parametrize("failing", [0, 1, 3])
def test_a_failure_is_counted_once_and_what_the_budget_refuses_is_none(failing: int, window: int) -> None:
    """However many spans around it end with its error."""

    def agent(question: str, index: int) -> str:
        if index < failing:
            raise OSError(f"broken {index}")
        return f"{index}"

    log = io.StringIO()
    with Live(log) as live:
        strategy = Fallback((BestOfN(12, LengthScore(), window=window), None), Exact(reference="none"))
        solve_sync("q", strategy, generator=agent, budget=Budget(generations=10), listen=live)
    shown = [line for line in log.getvalue().splitlines() if line.startswith("failed")]
    calls = {0: [], 1: ["failed   1 call, "], 3: ["failed   3 calls, "]}[failing]
    assert [line[: len(said)] for line, said in zip(shown, calls, strict=True)] == calls
    assert "Budget" not in "".join(shown)


def test_an_answer_is_shown_by_its_end() -> None:
    best = Scored(Sample("First this.\nThen that.\n\nSo it is 42.\n\n"), Verdict(score=0.875))
    assert "best     0.875: So it is 42." in plain(fed(opened(best=best_of(best)), began(0)), 1.0)


def test_several_searches_are_counted() -> None:
    """Those of a list: how many are done, and what all have cost."""
    events: list[Event] = []
    for i in range(3):
        events += [dataclasses.replace(opened(), at=(i,)), began(i, 0), ended(i, 0, time=1.0)]
    events += [Over((0,), 2.0, "done"), Over((1,), 2.0, None, None, ValueError("no"))]
    shown = plain(fed(*events), 3.0)
    assert "searches 2 done, 1 running, 1 failed" in shown
    assert "spent    3 generations, 30 tokens" in shown


@pytest.mark.parametrize("width", [71, 79, 120])
@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_model_says_no_line_wraps_and_nothing_is_obeyed(said: str, width: int) -> None:
    """In the prompt, the best answer, a name and an error, at any width."""
    best = Scored(Sample(f"{said}\n{said}"), Verdict(score=0.5))
    progress = fed(
        opened(
            text=f"?{said}", best=best_of(best), budget=Budget(generations=10**12, usd=1e6, generated_tokens=10**15)
        ),
        *(began(i, name=said, kind="call") for i in range(7)),
        ended(6, time=1.0, status="error", error=said, usage=Usage(generations=10**9, generated_tokens=10**12)),
    )
    for line in plain(progress, 1e7, width):
        assert columns_used(line) <= width
        assert line.isprintable()


# -------------------------------------------------------------------- every strategy


def spawning(request: Any) -> str:
    task, so_far = request.prompt.text, request.prompt.prefix
    if task.startswith("Add"):
        return "5" if "2" in task else "9"
    if "</join>" in so_far:
        return "So it is 45."
    return "Two sums. <spawn><task>Add 2 and 3.</task><task>Add 4 and 5.</task></spawn>"


def failing(request: Any) -> str:
    if request.seed % 3 == 0:
        raise CallError("no answer", kind="server")
    return "fine"


def model() -> Model:
    return Model(Simulated({"42": 0.5, "43": 0.3, "44": 0.2}, tokens=7), Params(max_tokens=20))


SEARCHES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "best of n": lambda: (BestOfN(8, Exact(reference="42")), model()),
    "vote that stops": lambda: (SelfConsistency(24, stop=BetaStopping(0.8), window=4), model()),
    "nested": lambda: (SelfConsistency(3, generator=BestOfN(2, LengthScore())), model()),
    "beam": lambda: (BeamSearch(2, 2, LengthScore(), TextSteps("\n")), model()),
    "mcts": lambda: (MCTS(LengthScore(), environment=TextSteps("\n"), iterations=12, in_flight=3), model()),
    "spawn and join": lambda: (SpawnJoin(TagProtocol()), Model(Scripted(spawning), Params(max_tokens=50))),
    "some fail": lambda: (BestOfN(12, LengthScore()), Model(Scripted(failing))),
    "a function": lambda: (BestOfN(3, LengthScore()), lambda question, index: f"{question} {index}"),
    "a model alone": lambda: (model(), None),
}


def search(name: str, **options: Any) -> Result[Any]:
    strategy, generator = SEARCHES[name]()
    return solve_sync("6 * 7 = ?", strategy, generator=generator, **options)


@pytest.mark.parametrize("name", SEARCHES)
def test_it_knows_what_was_spent_on_every_strategy(name: str) -> None:
    """Added up from events it is the usage of the result, and nothing runs at the end."""
    progress = Progress()
    result = search(name, listen=progress.take)
    same = dataclasses.replace(progress.spent, cpu_seconds=result.usage.cpu_seconds)
    assert same == result.usage
    assert progress.running == {}
    assert progress.answer == result.sample
    assert any("answer" in line for line in plain(progress, progress.ended))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_watched_search_comes_to_the_same(name: str, terminal: Terminal) -> None:
    with Live(terminal, every=0.0) as live:
        watched = search(name, listen=live)
    assert live.error is None
    assert watched.trace.canonical() == search(name).trace.canonical()
    assert any(line.startswith("answer ") for line in terminal.screen())


# -------------------------------------------------------------------- where it is drawn


@pytest.fixture(params=["plain", "rich"])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """One without and one with rich."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if request.param == "rich":
        pytest.importorskip("rich")
    else:
        monkeypatch.setattr("searchkit.views.screens.find_spec", lambda name: None)
    made = Terminal(14)
    yield made
    made.shut()


def test_a_terminal_shows_the_last_state_in_place(terminal: Terminal) -> None:
    """After many drawings of a growing, hostile tree the screen holds the last one and nothing else."""
    clock, tree = Clock(), Tree(text="prompt")
    live = Live(terminal, every=1.0, clock=clock)
    live(opened())
    live(Planted((), 0.0, tree))
    for i in range(60):
        tree.backup(tree.add(i // 2, HOSTILE[i % len(HOSTILE)][:500]), i / 60)
        clock.now += 1.0
        live(began(i, time=clock.now, name=HOSTILE[i % len(HOSTILE)], kind="call"))
        if i % 15 == 0:
            terminal.screen()
    live.close()
    assert live.error is None
    head = plain(
        fed(opened(), *(began(i, time=i + 1.0, name=HOSTILE[i % len(HOSTILE)], kind="call") for i in range(60))), 60.0
    )
    want = [*head, *text(tree, most=12 - len(head), width=79).split("\n")]
    want = want if len(want) <= 13 else [*want[:12], "..."]
    shown = terminal.screen()
    assert shown[: len(want)] == [line.rstrip() for line in want]
    assert not any(shown[len(want) :])
    assert "\x1b[32m" in terminal.getvalue()


def test_it_draws_only_when_it_is_time(terminal: Terminal) -> None:
    """By the clock passed in: at once, then not before `every` seconds."""
    clock = Clock()
    live = Live(terminal, every=2.0, clock=clock)
    live(began(0))
    drawn = [bool(terminal.read_new())]
    live(opened())
    drawn.append(bool(terminal.read_new()))
    for now in (0.0, 1.9, 2.0, 2.1, 3.9, 4.0):
        clock.now = now
        live(began(0))
        drawn.append(bool(terminal.read_new()))
    #               none   opened 0.0   1.9    2.0   2.1    3.9    4.0
    assert drawn == [False, True, False, False, True, False, False, True]
    live.close()


def test_slow_drawing_takes_at_most_a_twentieth_of_the_time(terminal: Terminal) -> None:
    """A clock that says that each drawing took three seconds: the next one comes sixty seconds later."""
    ticks = iter(range(10_000))
    live = Live(terminal, every=0.5, clock=lambda: float(next(ticks)))
    live(opened())
    assert terminal.read_new()
    seen = []
    for i in range(200):
        live(began(0))
        if terminal.read_new():
            seen.append(i)
    gaps = [later - sooner for sooner, later in pairwise(seen)]
    assert len(gaps) >= 2
    assert all(gap >= 40 for gap in gaps)


def test_it_beats_while_nothing_happens(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes long: the clock on the screen goes on, on the loop of the search and without a thread."""
    monkeypatch.setattr("searchkit.views.live.BEAT", 0.01)
    clock = Clock()

    async def waiting() -> list[str]:
        live = Live(terminal, every=0.0, clock=clock)
        live(opened())
        before = terminal.screen()[0]
        clock.now = 7.0
        while terminal.screen()[0] == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        after = terminal.screen()[0]
        live(Over((), 7.0, "done"))
        live.close()
        return [before, after]

    before, after = asyncio.run(waiting())
    assert "running 0.0 s" in before
    assert "running 7.0 s" in after


def test_one_search_after_another_leaves_both_on_the_screen(terminal: Terminal) -> None:
    with Live(terminal, every=0.0) as live:
        search("best of n", listen=live)
        search("vote that stops", listen=live)
    assert live.error is None
    shown = "\n".join(terminal.screen())
    assert "BestOfN" in shown
    assert "SelfConsistency" in shown


def test_one_list_after_another_is_counted_anew() -> None:
    """Searches of a list may open in any order; that the first opens again means another list."""
    log = io.StringIO()
    with Live(log) as live:
        for _ in range(2):
            for i in (1, 2, 0):
                live(dataclasses.replace(opened(), at=(i,)))
                live(Over((i,), 1.0, "done"))
    assert live.error is None
    assert log.getvalue().count("searches 3 done") == 2


def test_a_sweep_is_counted(tmp_path: Any) -> None:
    """All its searches, and what they cost together."""
    problems = [Problem(f"p{i}", Prompt.of(f"{i} + 40 = ?"), reference="42") for i in range(3)]
    sweep = Sweep(problems, {"vote": SelfConsistency(4)}, seeds=(0, 1), truth=Exact(), endpoints=[model()])
    log = io.StringIO()
    with Live(log) as live:
        results = sweep.run(tmp_path / "out", listen=live)
    assert live.error is None
    assert "searches 6 done\n" in log.getvalue()
    assert f"24 generations, {sum(row.generated_tokens for row in results.rows)} tokens" in log.getvalue()


def test_two_searches_at_once_are_told_apart_or_not_shown(terminal: Terminal) -> None:
    live = Live(terminal)
    live(opened())
    live(opened())
    assert "give each one of its own" in str(live.error)


def test_what_others_print_stands_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """By rich: an agent's print does not tear the picture."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    made = Terminal(30)
    monkeypatch.setattr(sys, "stdout", made)

    async def agent(question: str) -> str:
        print("the agent prints")
        return "42"

    with Live(made, every=0.0) as live:
        solve_sync("?", BestOfN(3, LengthScore()), generator=agent, listen=live)
    made.shut()
    assert live.error is None
    shown = made.screen()
    lines = [i for i, line in enumerate(shown) if line == "the agent prints"]
    assert len(lines) == 3
    assert max(lines) < next(i for i, line in enumerate(shown) if line.startswith("BestOfN"))


def test_a_narrow_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    made = Terminal(20, columns=40)
    with Live(made, every=0.0) as live:
        search("best of n", listen=live)
    made.shut()
    assert live.error is None
    assert made.getvalue() == ""


def test_without_a_terminal_the_last_state_is_printed_once() -> None:
    """A log file gets no escape sequence and no partial drawing."""
    stream, tree = io.StringIO(), Tree(text="prompt")
    with Live(stream, every=0.0) as live:
        live(opened())
        live(Planted((), 0.0, Tree(text="an earlier one")))
        live(Planted((), 0.0, tree))
        for i in range(10):
            tree.backup(tree.add(ROOT, f"\x1b[31mstep {i}"), 0.5)
            live(began(0))
        assert stream.getvalue() == ""
    assert "\ntree 2: 11 nodes, depth 1, 10 visits\n" in stream.getvalue()
    assert stream.getvalue().count("\\x1b[31mstep 9") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_stream_that_knows_no_box_drawing_gets_question_marks() -> None:
    """An ASCII log on an old system."""
    raw, tree = io.BytesIO(), Tree(text="prompt")
    tree.backup(tree.add(ROOT, "a step"), 0.5)
    with Live(io.TextIOWrapper(raw, encoding="ascii", write_through=True)) as live:
        live(opened())
        live(Planted((), 0.0, tree))
        live.close()
        written = raw.getvalue().decode("ascii")
    assert "?? " in written
    assert live.error is None


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise BrokenPipeError("gone")

    def write(self, _: str) -> int:
        raise BrokenPipeError("gone")


def test_a_broken_stream_does_not_reach_the_search() -> None:
    """Same answer and trace as without; the failure is kept, and nothing is tried again."""
    with Live(Broken(), every=0.0) as live:
        watched = search("mcts", listen=live)
    assert isinstance(live.error, BrokenPipeError)
    assert watched.trace.canonical() == search("mcts").trace.canonical()


def test_a_search_shows_its_tree() -> None:
    """End to end: what is printed at the end is the result's tree."""
    stream = io.StringIO()
    with Live(stream) as live:
        result = search("mcts", listen=live)
    assert stream.getvalue().endswith(f"\n{text(result.tree, most=40)}\n")


def test_a_negative_interval_is_refused() -> None:
    """At construction, not in the middle of a search."""
    with pytest.raises(ConfigError, match="every"):
        Live(every=-1)


NOTEBOOK = """
from searchkit import Model, solve_sync
from searchkit.environments import TextSteps
from searchkit.generators import Simulated
from searchkit.strategies import MCTS
from searchkit.testing.strategies import LengthScore
from searchkit.views import Live, text

strategy = MCTS(LengthScore(), environment=TextSteps("\\n"), iterations=12)
with Live(every=0.0) as live:
    result = solve_sync("3 + 4 = ?", strategy, generator=Model(Simulated({"7": 1.0})), listen=live)
assert live.error is None, live.error
"""


@pytest.mark.slow
def test_a_notebook_updates_one_output() -> None:
    """In a real kernel: one display, which ends with the final tree, from a search on another thread."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in (NOTEBOOK, "print(text(result.tree, most=40, width=79))")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    [shown] = notebook.cells[0].outputs
    [printed] = notebook.cells[1].outputs
    assert shown["output_type"] == "display_data"
    assert shown["data"]["text/plain"].startswith("MCTS  3 + 4 = ?")
    assert f"{shown['data']['text/plain']}\n".endswith(f"\n{printed['text']}")
