"""The training script: reproducible, resumable, blind to the held-out splits."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")


def options(out: Path, **changes: object) -> argparse.Namespace:
    given = {"out": str(out), "steps": 4, "batch": 8, "lr": 1e-3, "high": 8, "seed": 0, "threads": 1, "evaluate": 100}
    return argparse.Namespace(**given | {"task": "countdown"} | changes)


@pytest.mark.parametrize("task", [pytest.param("countdown", marks=pytest.mark.slow), "arithmetic"])
def test_a_killed_training_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Four steps in one go and four steps killed after two give the same weights, bit for bit."""
    from searchkit.generators.embedded.tokenizer import Tokenizer
    from searchkit.lab import train

    monkeypatch.setattr(train, "SAVE_EVERY", 1)
    monkeypatch.setattr(train, "evaluate", lambda *_: (0.0, 0.0))  # minutes of sampling from an untrained model
    train.train(options(tmp_path / "whole", task=task))
    texts = {"countdown": train.Puzzles, "arithmetic": train.Expressions}[task]
    batch = texts.batch

    def killed(self: object, size: int, seed: int, step: int) -> object:
        if step == 2:
            raise KeyboardInterrupt
        return batch(self, size, seed, step)

    monkeypatch.setattr(texts, "batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train.train(options(tmp_path / "killed", task=task))
    monkeypatch.setattr(texts, "batch", batch)
    train.train(options(tmp_path / "killed", task=task))
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert Tokenizer.load(tmp_path / "whole") == Tokenizer.of(train.CHARACTERS[task])


def test_training_examples_are_solutions_of_training_puzzles_only() -> None:
    """Every text replays to its target, and none of its puzzles is in the dev or test split."""
    from searchkit.generators.embedded.tokenizer import Tokenizer
    from searchkit.lab import train
    from searchkit.lab.countdown import Countdown, Puzzle, check

    tokenizer = Tokenizer.of(train.CHARACTERS["countdown"])
    examples = train.Puzzles(Countdown(high=6), tokenizer, seed=0)
    assert len(examples.ids) > 1000
    for row in examples.ids[::37]:
        prompt, _, solution = tokenizer.decode(row.tolist()).partition("\n")
        puzzle = Puzzle.parse(prompt)
        assert puzzle.split == "train"
        assert check(puzzle, solution) == ""


def test_arithmetic_examples_are_solutions_of_training_expressions_only() -> None:
    """Of a batch of 64: every text is right, of the train split, its solution learnt whole, and the steps differ."""
    from searchkit.generators.embedded.tokenizer import EOS, Tokenizer
    from searchkit.lab import train
    from searchkit.lab.arithmetic import Arithmetic, Expression, check

    tokenizer = Tokenizer.of(train.CHARACTERS["arithmetic"])
    texts, seen = train.Expressions(Arithmetic(), tokenizer), []
    for inputs, targets in texts.batch(64, 0, 0):
        for ids, learnt in zip(inputs.tolist(), targets.tolist(), strict=True):
            prompt, _, solution = tokenizer.decode(ids).partition("\n")
            assert Expression.parse(prompt).split == "train"
            assert check(Expression.parse(prompt), solution) == ""
            answer = [t for t in learnt if t != -100]
            assert (tokenizer.decode(answer), answer[-1]) == (solution, EOS)
            seen.append(prompt)
    assert len(set(seen)) > 60
    first, again, later = (texts.batch(64, 0, step)[0][0] for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != later.shape or not torch.equal(first, later)


def test_parts_of_a_batch_are_weighed_as_one() -> None:
    """Texts of like length go together; loss and gradient are those of the whole batch, padded to one length."""
    from torch.nn import functional

    from searchkit.generators.embedded.tokenizer import Tokenizer
    from searchkit.lab import train
    from searchkit.lab.arithmetic import Arithmetic

    tokenizer = Tokenizer.of(train.CHARACTERS["arithmetic"])
    batch = train.Expressions(Arithmetic(), tokenizer).batch(12, 0, 0)
    assert [inputs.shape[0] for inputs, _ in batch] == [3, 3, 3, 3]
    torch.manual_seed(0)
    model = train.Llama(tokenizer.size)
    loss = train.backward(model, batch)
    found = model.embed_tokens.weight.grad.clone()
    model.zero_grad()
    width = max(inputs.shape[1] for inputs, _ in batch)
    whole = torch.cat([functional.pad(inputs, (0, width - inputs.shape[1])) for inputs, _ in batch])
    wanted = torch.cat([functional.pad(targets, (0, width - targets.shape[1]), value=-100) for _, targets in batch])
    mean = functional.cross_entropy(model(whole).flatten(0, 1), wanted.flatten())
    mean.backward()
    assert loss == pytest.approx(mean.item(), rel=1e-5)
    torch.testing.assert_close(found, model.embed_tokens.weight.grad, rtol=1e-3, atol=1e-6)


def test_only_the_solution_is_learnt() -> None:
    """Targets inside the prompt and behind the end are masked; the first learnt token follows the prompt."""
    from searchkit.generators.embedded.tokenizer import EOS, Tokenizer
    from searchkit.lab import train
    from searchkit.lab.countdown import Countdown

    tokenizer = Tokenizer.of(train.CHARACTERS["countdown"])
    ((inputs, targets),) = train.Puzzles(Countdown(high=5), tokenizer, seed=0).batch(4, 0, 0)
    for ids, learnt in zip(inputs.tolist(), targets.tolist(), strict=True):
        text, answer = tokenizer.decode(ids), [t for t in learnt if t != -100]
        assert answer[-1] == EOS
        assert text.endswith(tokenizer.decode(answer)) or tokenizer.decode(answer) in text
        assert tokenizer.decode(answer).count("\n") == 3
