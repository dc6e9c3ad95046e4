"""Search traces: every line against a second reading of the format, results against the exhaustive solver."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.generators.embedded.words import Words
from searchkit.lab import traces
from searchkit.lab.countdown import Countdown, Puzzle, Split, solutions
from searchkit.lab.traces import CONTEXT, TASK, check, draw, parallel, parallel_prompt, serial, serial_prompt, spawns

FOUR = Countdown(count=4, high=12, max_value=100)
LIST = r"\[(\d+(?:, \d+)*)\]"
STATE = re.compile(rf"Current State: (\d+):{LIST}, Operations: \[((?:'[^']+'(?:, '[^']+')*)?)\]")
MOVE = re.compile(rf"Exploring Operation: ((\d+)([-+*/])(\d+)=(\d+)), Resulting Numbers: {LIST}")
NODE = re.compile(rf"Generated Node #([\d,]+): (\d+):{LIST} Operation: (\S+)")
Known = dict[str, tuple[list[int], list[str]]]  # what a node's name stands for: numbers, operations


def numbers(listed: str) -> list[int]:
    return [int(x) for x in listed.split(", ")]


def puzzles(task: Countdown, n: int) -> list[tuple[Puzzle, random.Random]]:
    rng = random.Random(7)
    return [(draw(rng, "train", task), random.Random(i)) for i in range(n)]


def value(a: int, op: str, b: int) -> int:
    """`a op b` if it is a move: larger first in a difference, and in a quotient, which is exact."""
    found = {"+": a + b, "*": a * b, "-": a - b, "/": a // b if b else -1}[op]
    assert found >= 0
    assert op != "/" or found * b == a
    return found


def audit(text: str, target: int, beam: int, known: Known) -> int:
    """Read `text` line by line, knowing only the first node, and fail at whatever is not so. Returns expansions.

    `known` gains the nodes that the text names.

    Written from the format alone. Which sub searches, spawns and joins there are is looked at by other tests.
    """
    at, tried, expansions = next(iter(known)), list[str](), 0
    lines = text.split("\n")
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("<", "Start Sub Search", "Exit Sub Search", "No solution found")) or not line:
            at = re.sub(r".*Node #([\d,]+)>?$", r"\1", line) if "Node #" in line else at
        elif line.startswith("Moving to Node #"):
            at = line.removeprefix("Moving to Node #")
            assert at in known
        elif found := STATE.fullmatch(line):
            assert (int(found[1]), numbers(found[2])) == (target, known[at][0])
            assert re.findall("'([^']+)'", found[3]) == known[at][1]
            tried, expansions = [], expansions + 1
        elif found := MOVE.fullmatch(line):
            a, b, left, here = int(found[2]), int(found[4]), numbers(found[6]), list(known[at][0])
            here.remove(a)
            here.remove(b)
            assert value(a, found[3], b) == int(found[5])
            assert left == [*here, int(found[5])]
            tried.append(found[1])
            assert len(tried) <= beam
            end = f"{left[0]},{target} " + ("equal: Goal Reached" if left[0] == target else "unequal: No Solution")
            assert after == end if len(left) == 1 else after.startswith("Generated")
        elif found := NODE.fullmatch(line):
            state = numbers(found[3]), [*known[at][1], found[4]]
            assert (int(found[2]), found[4]) == (target, tried[-1])
            assert found[1].rpartition(",")[0] == at
            assert known.setdefault(found[1], state) == state
        else:
            assert re.fullmatch(r"\d+,\d+ (equal: Goal Reached|unequal: No Solution)", line)
    return expansions


@pytest.mark.parametrize("task", [TASK, FOUR])
@pytest.mark.parametrize("beam", [1, 3, 6])
def test_every_line_of_a_serial_trace_is_true(task: Countdown, beam: int) -> None:
    """States are those of the named nodes, moves legal and exact, results named rightly, at most `beam` a node."""
    for puzzle, rng in puzzles(task, 20):
        text = serial(puzzle, rng, beam, task.max_value)
        state = serial_prompt(puzzle, 64).removeprefix("[Token Budget: 64 ]")
        assert audit(state + text, puzzle.target, beam, {"0": (list(puzzle.numbers), [])}) > 0


def test_the_format_is_the_published_one() -> None:
    """Prompts, spawn and join blocks, character for character as the method's release writes them."""
    puzzle = Puzzle((22, 26, 31, 53), 27)
    state = "Current State: 27:[22, 26, 31, 53], Operations: []"
    assert serial_prompt(puzzle, 512) == "[Token Budget: 512 ]" + state
    assert parallel_prompt(puzzle, 3) == "[Sub Call Budget: 3 ]Moving to Node #0\n" + state
    root = traces.Node((22, 26, 31, 53))
    nodes = [traces.Node((26, 31, 31), ("53-22=31",), f"0,{i}", root) for i in range(2)]
    assert nodes[1].context(27) == ("Moving to Node #0,1\nCurrent State: 27:[26, 31, 31], Operations: ['53-22=31']")
    assert traces.spawn_block(nodes) == (
        "<Calling Sub Searches>\n"
        "<Start Sub Search 0 at level 1> Moving to Node #0,0\n"
        "<Start Sub Search 1 at level 1> Moving to Node #0,1\n"
        "<End Calling Sub Searches>\n"
    )
    assert traces.join_block(nodes, [None, "path\n"]) == (
        "<Sub Searches>\n"
        "<No Solution in Sub Search 0 at level 1 at Node #0,0>\n"
        "<Goal Reached in Sub Search 1 at level 1 at Node #0,1>\n"
        "path\n"
        "<End Sub Searches>\n"
    )
    text = serial(Puzzle((2, 20), 40), random.Random(0), beam=1)
    assert text == (
        "\nExploring Operation: 2*20=40, Resulting Numbers: [40]\n"
        "40,40 equal: Goal Reached\n"
        "Moving to Node #0\n"
        "Current State: 40:[2, 20], Operations: []\n"
        "Exploring Operation: 2*20=40, Resulting Numbers: [40]\n"
        "40,40 equal: Goal Reached\n"
    )
    begin = "\nExploring Operation: 2*3=6, Resulting Numbers: [5, 6]\nGenerated Node #0,0: 7:[5, 6] Operation: 2*3=6\n"
    move = "Moving to Node #0,0\n"
    search = (
        "Current State: 7:[5, 6], Operations: ['2*3=6']\n"
        "Exploring Operation: 5+6=11, Resulting Numbers: [11]\n"
        "11,7 unequal: No Solution\n"
        "No solution found.\n"
    )
    nested = "Exit Sub Search at level 1\nNo solution found in sub search\nNo solution found.\n"
    assert {serial(Puzzle((2, 3, 5), 7), random.Random(i), beam=1) for i in range(9)} == {
        begin + move + search,
        begin + "Start Sub Search at level 1: " + move + search + nested,
    }


def test_moves_are_ranked_by_the_distances_to_factors() -> None:
    """By hand: factors >= 2 of 27 are 3, 9, 27, so 26 is 1 off, 31 is 4 off, 6 is 3 off. The best ones are kept."""
    assert [traces.distance(n, 27) for n in (26, 31, 6, 1, 0, 53)] == [1, 4, 3, 2, 3, 26]
    assert traces.rank((26, 31, 31), 27) == 9
    for puzzle, rng in puzzles(FOUR, 10):
        everything = sorted(
            sum(min(abs(n - f) for f in range(2, puzzle.target + 1) if puzzle.target % f == 0) for n in left)
            for left in moves(puzzle.numbers, 100)
        )
        text = serial(puzzle, rng, 4, 100)
        first = text.split("Moving to Node")[0].split("Start Sub Search")[0]
        kept = [numbers(found[6]) for found in map(MOVE.fullmatch, first.split("\n")) if found]
        assert sorted(traces.rank(tuple(left), puzzle.target) for left in kept) == everything[:4]


def moves(given: tuple[int, ...], limit: int) -> Iterator[list[int]]:
    """A second enumeration: the numbers left after each move, over ordered pairs of places."""
    for i, a in enumerate(given):
        for j, b in enumerate(given):
            rest = [n for k, n in enumerate(given) if k not in (i, j)]
            if i < j:
                yield from ([*rest, n] for n in (a + b, a * b) if n <= limit)
            if i != j and (a > b or (a == b and i < j)):
                yield [*rest, a - b]
                if b and a % b == 0:
                    yield [*rest, a // b]


@pytest.mark.parametrize("task", [TASK, FOUR])
def test_a_wide_enough_search_solves_exactly_what_can_be_solved(task: Countdown) -> None:
    """With a beam of all moves both searches state a path that the checker accepts iff the solver has one."""
    rng = random.Random(3)
    solvable_ones = [puzzle for puzzle, _ in puzzles(task, 5)]
    for puzzle in (*solvable_ones, *(task.draw(rng) for _ in range(10))):
        solvable = bool(solutions(puzzle, task.max_value))
        assert solvable or puzzle not in solvable_ones
        one = serial(puzzle, rng, 30, task.max_value)
        many = parallel(puzzle, rng, 30, 30, task.max_value).parents[-1]
        for text in (one, "".join(many)):
            assert (check(puzzle, text) == "") is solvable
            assert text.endswith("No solution found.\n") is not solvable


@pytest.mark.parametrize("task", [TASK, FOUR])
def test_a_parent_knows_of_its_children_only_what_they_return(task: Countdown) -> None:
    """Replaying the runtime's rule over the threads gives each parent's beginning; failed children leave one line."""
    spawned = 0
    for puzzle, rng in puzzles(task, 40):
        found = parallel(puzzle, rng, 4, 5, task.max_value)
        rounds = iter(found.children)
        parents, so_far = found.threads[: len(found.parents)], ""
        assert [thread for spawn in found.children for thread in spawn] == found.threads[len(parents) :]
        for parent in parents:
            assert parent.prompt == parallel_prompt(puzzle, found.budget)
            assert parent.text[: parent.known] == so_far
            written = parent.text[parent.known :]
            assert "<Sub Searches>" not in written
            if not written.endswith("<End Calling Sub Searches>\n"):
                continue
            before, block = parent.text.rsplit("<Calling Sub Searches>\n", 1)
            children, joined = next(rounds), "<Sub Searches>\n"
            names = re.findall(r"Moving to Node #(\S+)\n", block)
            assert [child.prompt.split("\n")[0] for child in children] == [f"Moving to Node #{n}" for n in names]
            assert [n.context(puzzle.target) for n in spawns(parent.prompt + parent.text)] == [
                child.prompt for child in children
            ]
            for i, (name, child) in enumerate(zip(names, children, strict=True)):
                spawned += 1
                pieces = child.text.split("Goal Reached")
                if len(pieces) < 3:
                    assert child.text.endswith("No solution found.\n")
                    joined += f"<No Solution in Sub Search {i} at level 1 at Node #{name}>\n"
                    assert child.prompt.split("\n")[1] not in parents[-1].text
                else:
                    joined += f"<Goal Reached in Sub Search {i} at level 1 at Node #{name}>\n"
                    joined += "Goal Reached".join(pieces[-2:]).lstrip()
            so_far = before + joined + "<End Sub Searches>\n"
        assert next(rounds, None) is None
        sizes = [len(spawn) for spawn in found.children]
        assert found.budget == (-(-sum(sizes) // len(sizes)) if sizes else 0)
    assert spawned > 40


@pytest.mark.parametrize("task", [TASK, FOUR])
def test_children_see_only_their_context(task: Countdown) -> None:
    """A child's text is true for who knows nothing but its prompt, and so is what a parent writes, joins included."""
    for puzzle, rng in puzzles(task, 25):
        found = parallel(puzzle, rng, 4, 5, task.max_value)
        for child in (child for spawn in found.children for child in spawn):
            name = child.prompt.split("\n")[0].removeprefix("Moving to Node #")
            state = STATE.fullmatch(child.prompt.split("\n")[1])
            assert state
            known: Known = {name: (numbers(state[2]), re.findall("'([^']+)'", state[3]))}
            audit(child.prompt + child.text, puzzle.target, 5, known)
            assert all(other == name or other.startswith(name + ",") for other in known)
        for parent in found.threads[: len(found.parents)]:
            prompt = parent.prompt.removeprefix(f"[Sub Call Budget: {found.budget} ]")
            audit(prompt + parent.text, puzzle.target, 5, {"0": (list(puzzle.numbers), [])})


def test_wrong_paths_fail() -> None:
    """Every change of a digit in the path's operations, a path that stops early, and one that was never stated."""
    for puzzle, rng in puzzles(TASK, 10):
        text = serial(puzzle, rng, 12)
        assert check(puzzle, text) == ""
        start = [found.end() for found in re.finditer("Goal Reached", text)][-2]
        for place in (i for i in range(start, len(text)) if text[i].isdigit()):
            line = text[text.rindex("\n", 0, place) + 1 :].split("\n")[0]
            changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
            assert (check(puzzle, changed) != "") is line.startswith("Exploring Operation")
        last = text.rindex("Exploring Operation")
        assert "ends with" in check(puzzle, text[:last] + text[text.index("\n", last) + 1 :])
        assert "no solution is stated" in check(puzzle, text[: text.rindex("Goal Reached")])


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (["20+7=27, Resulting Numbers: [3, 27]", "27-3=24, Resulting Numbers: [24]"], ""),
        (["20+7=27, Resulting Numbers: [27, 3]", "27-3=24, Resulting Numbers: [24]"], ""),  # a list is a multiset
        (["20+7=28, Resulting Numbers: [3, 28]", "28-3=24, Resulting Numbers: [24]"], "operation 1 is wrong arith"),
        (["20+20=40, Resulting Numbers: [3, 40]"], "operation 1 uses a number that is not available"),
        (["20+7=27, Resulting Numbers: [3, 27]", "27-20=7, Resulting Numbers: [3, 7]"], "operation 2 uses a number"),
        (["20+7=27, Resulting Numbers: [27]"], "operation 1 lists the wrong numbers"),
        (["20/7=2, Resulting Numbers: [3, 2]"], "operation 1 is wrong arithmetic"),
        (["3-7=-4, Resulting Numbers: [20, -4]"], "operation 1 is not"),
        (["20+7=27, Resulting Numbers: [3, 27]", "27*3=81, Resulting Numbers: [81]"], "the path ends with"),
        ([], "the path ends with"),
    ],
)
def test_wrong_paths_fail_with_the_reason(operations: list[str], reason: str) -> None:
    """The table above, on 3 7 20 with target 24."""
    text = "".join(f"Exploring Operation: {operation}\n" for operation in operations)
    found = check(Puzzle((3, 7, 20), 24), f"24,24 equal: Goal Reached\n{text}24,24 equal: Goal Reached\n")
    assert found.startswith(reason)
    assert (found == "") is (reason == "")


@given(st.text(max_size=300))
def test_no_text_makes_the_checker_raise(text: str) -> None:
    """Neither as it stands, nor after two goals, nor as an operation, nor as a parent's text."""
    puzzle = Puzzle((3, 7, 20), 24)
    assert check(puzzle, text) != ""
    assert check(puzzle, f"Goal Reached\nExploring Operation: {text}\nGoal Reached") != ""
    assert spawns(text + "<Calling Sub Searches>\n" + text + "<End Calling Sub Searches>\n") == []


def test_hostile_texts_are_refused() -> None:
    """Megabytes of digits, operations or node names end in a reason, not in a search that never ends."""
    puzzle = Puzzle((3, 7, 20), 24)
    operation = "Exploring Operation: 3+7=10, Resulting Numbers: [20, 10]\n"
    for text in ("9" * 2_000_000, "[1, " * 300_000, operation * 20_000, "Exploring Operation: " + "1+" * 500_000):
        assert check(puzzle, f"Goal Reached\n{text}\nGoal Reached") != ""
    name = "Generated Node #0,0: 24:[3, 7] Operation: x\n"
    assert spawns(name * 5_000 + "<Calling Sub Searches>\n" + "<Start" * 100_000 + "<End Calling Sub Searches>") == []


def test_puzzles_are_solvable_of_their_split_and_reproducible() -> None:
    """Drawn puzzles have solutions, keep to their split, and depend on the seed alone; so do the texts."""
    splits: tuple[Split, ...] = ("train", "dev", "test")
    for split in splits:
        for seed in range(5):
            puzzle = draw(random.Random(seed), split)
            assert puzzle == draw(random.Random(seed), split)
            assert (puzzle.split, bool(solutions(puzzle, TASK.max_value))) == (split, True)
    puzzle = draw(random.Random(2), "train")
    assert serial(puzzle, random.Random(5), 5) == serial(puzzle, random.Random(5), 5)
    assert parallel(puzzle, random.Random(5), 5, 5) == parallel(puzzle, random.Random(5), 5, 5)
    first_moves = {serial(puzzle, random.Random(i), 5).split(",")[0] for i in range(60)}
    assert len(first_moves) == 5  # the moves kept are shuffled: each of them comes first somewhere


# ---------------------------------------------------------------- the tokenizer


def words() -> Words:
    """Every number that a search of the task can state, and the budgets of serial texts."""
    return Words.of((*range((TASK.max_value or 0) + 1), *range(CONTEXT // 8, CONTEXT + 1, CONTEXT // 8)))


def texts() -> list[str]:
    """Both kinds, several beams, prompts with each budget."""
    found = [serial_prompt(Puzzle((1, 2), 3), budget) for budget in range(CONTEXT // 8, CONTEXT + 1, CONTEXT // 8)]
    for i, (puzzle, rng) in enumerate(puzzles(TASK, 30)):
        found.append(serial_prompt(puzzle, CONTEXT) + serial(puzzle, rng, 1 + i % 8))
        found += [thread.prompt + thread.text for thread in parallel(puzzle, rng, 1 + i % 9, 10).threads]
    return found


def test_reading_and_writing_words_are_inverses() -> None:
    """On every text, and at every cut between two lines or before a line break: what stands apart is read apart."""
    tokenizer = words()
    for text in texts():
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert len(ids) < len(text) / 3
        for cut in [found.start() for found in re.finditer("\n", text)][::5]:
            assert tokenizer.encode(text[:cut]) + tokenizer.encode(text[cut:]) == ids
            assert tokenizer.encode(text[: cut + 1]) + tokenizer.encode(text[cut + 1 :]) == ids
    assert all(tokenizer.encode(str(n)) == [tokenizer.vocabulary[str(n)]] for n in range((TASK.max_value or 0) + 1))


@pytest.mark.parametrize("text", ["9999", "007", "Exploring", "Moving to Node #0\r\n", "é", "[Token Budget: 63", "١"])
def test_what_is_no_word_is_refused(text: str) -> None:
    """Numbers beyond the vocabulary or oddly written, half phrases and other characters."""
    with pytest.raises(ValueError, match="cannot read"):
        words().encode(text + ":[3]" if "63" not in text else text + "000 ]")


def test_transformers_reads_the_same_words(tmp_path: Path) -> None:
    """The stored tokenizer gives `transformers` our ids, begin token in front, and gets the text back."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    words().save(tmp_path)
    ours, theirs = Words.load(tmp_path), transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert ours == words()
    assert len(theirs) == ours.size
    for text in texts()[::3]:
        ids = theirs(text).input_ids
        assert ids == [1, *ours.encode(text)]
        assert theirs.decode(ids, skip_special_tokens=True) == text
    with pytest.raises(Exception, match="UNK"):
        theirs("Exploring")
