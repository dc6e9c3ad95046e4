"""Training on search traces: reproducible, resumable, on what the model itself must write; and running the result."""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
pytest.importorskip("onnx", reason="the graph is written with onnx: pip install 'searchkit[train]'")

KINDS = ["serial", "parallel"]


def options(out: Path, kind: str, **changes: object) -> argparse.Namespace:
    given = {"kind": kind, "out": str(out), "steps": 4, "tokens": 300, "lr": 1e-3, "seed": 0, "threads": 1, "sums": 2}
    return argparse.Namespace(**given | {"compile": False, "bf16": False, "watched": 1, "evaluate": 100} | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, large enough for its choices to be clear, as training writes it."""
    from searchkit.lab import export, train, train_traces

    out = tmp_path_factory.mktemp("words")
    words = train_traces.vocabulary()
    torch.manual_seed(0)
    model = train.Llama(words.size, train_traces.CONTEXT)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8)
    train.export(model, words, out)
    export.export(out)
    return out


def answer(folder: Path, prompt: Any, **params: Any) -> Any:
    """One sample of the checkpoint in `folder`."""
    from searchkit.calls import Request
    from searchkit.generators import Embedded
    from searchkit.types import Params

    return asyncio.run(Embedded(folder, batch=2, threads=1).complete([Request(prompt, Params(**params), 5)]))[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Four steps in one go and four steps killed after two give the same weights, bit for bit."""
    from searchkit.generators.embedded.words import Words
    from searchkit.lab import train_traces

    monkeypatch.setattr(train_traces, "SAVE_EVERY", 1)
    monkeypatch.setattr(train_traces, "accuracy", lambda *_: 0.0)  # an untrained model writes to the context's end
    train_traces.train(options(tmp_path / "whole", kind))
    batch = train_traces.batch

    def killed(kind: Any, words: Any, tokens: int, seed: int, step: int, warm: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return batch(kind, words, tokens, seed, step, warm)

    monkeypatch.setattr(train_traces, "batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_traces.train(options(tmp_path / "killed", kind))
    monkeypatch.setattr(train_traces, "batch", batch)
    train_traces.train(options(tmp_path / "killed", kind))
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert Words.load(tmp_path / "whole") == train_traces.vocabulary()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_reads_as_many_tokens_as_asked_for(kind: str) -> None:
    """Both kinds read the same number; the same step gives the same texts, another step others."""
    from searchkit.generators.embedded.tokenizer import PAD
    from searchkit.lab import train_traces

    words = train_traces.vocabulary()
    first, again, later = (train_traces.batch(kind, words, 3000, 0, step) for step in (0, 0, 1))
    for parts in (first, later):
        assert sum(int((inputs != PAD).sum()) for inputs, _ in parts) == 3000
        assert all(inputs.shape == targets.shape and inputs.shape[1] <= 512 for inputs, targets in parts)
    assert all(torch.equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert [i.tolist() for i, _ in first] != [i.tolist() for i, _ in later]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_writes_is_learnt_and_nothing_else(kind: str) -> None:
    """Of each text: targets are the tokens behind prompt and known part, then the end token; all else is masked."""
    from searchkit.generators.embedded.tokenizer import EOS
    from searchkit.lab import train_traces

    words, rng, joins = train_traces.vocabulary(), random.Random(3), 0
    for _ in range(40):
        for thread in train_traces.threads(kind, rng, "train", words):
            ids, targets = train_traces.row(thread, words)
            assert len(ids) == len(targets) <= train_traces.CONTEXT
            learnt = [target for target in targets if target != -100]
            wanted = [*words.encode(thread.text[thread.known :]), EOS]
            given = 1 + len(words.encode(thread.prompt + thread.text[: thread.known]))
            assert learnt == wanted[: max(0, train_traces.CONTEXT + 1 - given)]
            assert targets[: given - 1] == [-100] * (min(given, len(ids) + 1) - 1)
            assert ids[given:] == learnt[: len(ids) - given] if len(ids) > given else True
            text = words.decode(learnt)
            assert "<Sub Searches>" not in text
            assert "[" + "Sub Call Budget" not in text
            joins += "<Sub Searches>" in thread.text
    assert joins > 10 if kind == "parallel" else joins == 0


def test_the_first_steps_are_sums_that_hold() -> None:
    """Both kinds read the same true operations within the task's bounds, all four of them, before any search text."""
    from searchkit.lab import train_traces

    words = train_traces.vocabulary()
    serial, parallel = (train_traces.batch(kind, words, 2000, 0, 3, warm=4) for kind in ("serial", "parallel"))
    assert all(torch.equal(a, b) for s, p in zip(serial, parallel, strict=True) for a, b in zip(s, p, strict=True))
    assert sum(int((inputs != train_traces.PAD).sum()) for inputs, _ in serial) == 2000
    lines = train_traces.sums(random.Random(0), 300).text.splitlines()
    found = [re.fullmatch(r"Exploring Operation: (\d+)([-+*/])(\d+)=(\d+)", line) for line in lines]
    for match in found:
        assert match
        a, b, value = int(match[1]), int(match[3]), int(match[4])
        assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[match[2]] == value
        assert 1 <= value <= train_traces.TASK.max_value
    assert {match[2] for match in found if match} == set("+-*/")
    assert any(int(match[1]) > train_traces.TASK.high for match in found if match)


def test_a_serial_budget_is_the_length_rounded_up() -> None:
    """Prompt, text, begin and end token fit into the budget that the prompt states, and not into the next smaller."""
    from searchkit.lab import train_traces

    words, rng, seen = train_traces.vocabulary(), random.Random(0), set()
    for _ in range(60):
        [thread] = train_traces.threads("serial", rng, "train", words)
        budget, length = int(thread.prompt.split()[2]), 2 + len(words.encode(thread.prompt + thread.text))
        assert budget % train_traces.UNIT == 0
        assert budget - train_traces.UNIT < length <= budget or (length > budget == train_traces.CONTEXT)
        seen.add(budget)
    assert len(seen) > 4


def test_parts_hold_every_row_once() -> None:
    """Packed rows are the given ones, each once, cut nowhere; no part is larger than it should be."""
    from searchkit.generators.embedded.tokenizer import PAD
    from searchkit.lab import train_traces

    rng = random.Random(0)
    rows = [([rng.randrange(3, 99) for _ in range(n)], [7] * n) for n in rng.choices(range(1, 500), k=60)]
    found = []
    for inputs, targets in train_traces.pack(rows):
        assert inputs.numel() <= train_traces.PART
        for ids, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
            kept = [i for i in ids if i != PAD]
            assert wanted == [7] * len(kept) + [-100] * (len(ids) - len(kept))
            found.append(kept)
    assert sorted(found) == sorted(ids for ids, _ in rows)


def test_a_word_checkpoint_writes_what_transformers_writes(folder: Path) -> None:
    """Greedy, 60 tokens behind a parallel prompt: the same ids from our engine and from `transformers`."""
    transformers = pytest.importorskip("transformers")
    from searchkit.lab.countdown import Puzzle
    from searchkit.lab.traces import parallel_prompt
    from searchkit.types import Prompt

    prompt = parallel_prompt(Puzzle((3, 7, 20), 24), 9)
    sample = answer(folder, Prompt.of(prompt), temperature=0.0, max_tokens=60)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    given = tokenizer(prompt, return_tensors="pt")
    wanted = model.generate(**given, do_sample=False, max_new_tokens=60)[0, given.input_ids.shape[1] :].tolist()
    assert list(sample.token_ids) == wanted
    assert sample.text == tokenizer.decode(wanted, skip_special_tokens=True)


def test_stop_strings_are_found_in_the_text_of_words(folder: Path) -> None:
    """Every stop string of 1 to 12 characters cut out of a sample ends it before the string's first occurrence."""
    from searchkit.types import Prompt

    prompt = Prompt.of("Current State: 24:[3, 7, 20], Operations: []")
    whole = answer(folder, prompt, temperature=1.0, max_tokens=60).text
    rng, inside = random.Random(0), 0
    for _ in range(60):
        start, length = rng.randrange(len(whole) - 12), rng.randint(1, 12)
        stop = whole[start : start + length]
        cut = answer(folder, prompt, temperature=1.0, max_tokens=60, stop=(stop, "\x00"))
        assert (cut.text, cut.stop_reason, cut.finish) == (whole[: whole.index(stop)], stop, "stop")
        inside += not whole.startswith(stop)
    assert inside > 50


def test_of_several_stop_strings_the_first_in_the_text_ends_it(folder: Path) -> None:
    """Two stop strings completed by the same token: the one that begins earlier counts; of those the longer one."""
    from searchkit.types import Prompt

    prompt = Prompt.of("Current State: 24:[3, 7, 20], Operations: []")
    sample = answer(folder, prompt, temperature=1.0, max_tokens=60, logprobs=1)
    place, word = next((i, t.text) for i, t in enumerate(sample.logprobs) if len(t.text) > 12)
    text = "".join(t.text for t in sample.logprobs[: place + 1])
    stops = (word[4:], word[:5], word[:9], word[2:])
    assert all(text.index(stop) >= len(text) - len(word) for stop in stops)
    cut = answer(folder, prompt, temperature=1.0, max_tokens=60, stop=stops)
    assert (cut.text, cut.stop_reason) == (text.removesuffix(word), word[:9])


def test_accuracy_follows_spawns_and_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a writer that knows the symbolic search by heart, what is measured is the symbolic search's last parent."""
    from searchkit.generators.embedded import backend as embedded
    from searchkit.lab import train_traces
    from searchkit.lab.traces import check, parallel, parallel_prompt
    from searchkit.types import Sample

    known, wanted, puzzles = dict[str, str](), [], []
    for seed, puzzle in enumerate(train_traces.TASK.puzzles(20, "dev")):
        found = parallel(puzzle, random.Random(seed), 5, 5)
        if not found.children:
            continue
        prompt = parallel_prompt(puzzle, 0)
        known |= {prompt + before: text for before, text in found.parents}
        known |= {thread.prompt: thread.text for children in found.children for thread in children}
        puzzles.append(puzzle)
        wanted.append("".join(found.parents[-1]))

    class Heart:
        def __init__(self, folder: Path) -> None:
            pass

        async def complete(self, requests: Any) -> list[Sample[str]]:
            return [Sample(known[r.prompt.text + r.prompt.prefix]) for r in requests]

    monkeypatch.setattr(embedded, "Embedded", Heart)
    written = asyncio.run(train_traces.answers("parallel", Path(), puzzles, 0))
    assert written == wanted
    right = [check(puzzle, text) == "" for puzzle, text in zip(puzzles, written, strict=True)]
    assert 0 < sum(right) < len(right)


def test_what_words_cannot_say_is_refused(folder: Path) -> None:
    """A number or a word outside the vocabulary comes back as an error that shows it."""
    from searchkit.calls import CallError
    from searchkit.types import Prompt

    for text, shown in (("Current State: 777:[1", "'777"), ("solve this", "'solve")):
        found = answer(folder, Prompt.of(text))
        assert isinstance(found, CallError)
        assert (found.kind, shown in str(found)) == ("bad_request", True)
