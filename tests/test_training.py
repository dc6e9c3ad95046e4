"""The training script: reproducible, resumable, blind to the held-out splits."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")


def options(out: Path, **changes: object) -> argparse.Namespace:
    given = {"out": str(out), "steps": 4, "batch": 8, "lr": 1e-3, "high": 8, "seed": 0, "threads": 1, "evaluate": 100}
    return argparse.Namespace(**given | changes)


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps in one go and four steps killed after two give the same weights, bit for bit."""
    from searchkit.lab import train
    from searchkit.lab.tokenizer import Tokenizer

    monkeypatch.setattr(train, "SAVE_EVERY", 1)
    monkeypatch.setattr(train, "evaluate", lambda *_: (0.0, 0.0))  # minutes of sampling from an untrained model
    train.train(options(tmp_path / "whole"))
    batch = train.Examples.batch

    def killed(self: object, size: int, seed: int, step: int) -> object:
        if step == 2:
            raise KeyboardInterrupt
        return batch(self, size, seed, step)

    monkeypatch.setattr(train.Examples, "batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train.train(options(tmp_path / "killed"))
    monkeypatch.setattr(train.Examples, "batch", batch)
    train.train(options(tmp_path / "killed"))
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert Tokenizer.load(tmp_path / "whole") == Tokenizer.of(train.CHARACTERS)


def test_training_examples_are_solutions_of_training_puzzles_only() -> None:
    """Every text replays to its target, and none of its puzzles is in the dev or test split."""
    from searchkit.lab import train
    from searchkit.lab.countdown import Countdown, Puzzle, check
    from searchkit.lab.tokenizer import Tokenizer

    tokenizer = Tokenizer.of(train.CHARACTERS)
    examples = train.Examples(Countdown(high=6), tokenizer, seed=0)
    assert len(examples.ids) > 1000
    for row in examples.ids[::37]:
        prompt, _, solution = tokenizer.decode(row.tolist()).partition("\n")
        puzzle = Puzzle.parse(prompt)
        assert puzzle.split == "train"
        assert check(puzzle, solution) == ""


def test_only_the_solution_is_learnt() -> None:
    """Targets inside the prompt and behind the end are masked; the first learnt token follows the prompt."""
    from searchkit.lab import train
    from searchkit.lab.countdown import Countdown
    from searchkit.lab.tokenizer import EOS, Tokenizer

    tokenizer = Tokenizer.of(train.CHARACTERS)
    inputs, targets = train.Examples(Countdown(high=5), tokenizer, seed=0).batch(4, 0, 0)
    for ids, learnt in zip(inputs.tolist(), targets.tolist(), strict=True):
        text, answer = tokenizer.decode(ids), [t for t in learnt if t != -100]
        assert answer[-1] == EOS
        assert text.endswith(tokenizer.decode(answer)) or tokenizer.decode(answer) in text
        assert tokenizer.decode(answer).count("\n") == 3
