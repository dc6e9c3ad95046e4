"""Tokens per second of the embedded engine and of transformers, on the same checkpoint and the same forced lengths.

    python benchmarks/embedded.py --json

Both sides draw 1, 16 and 64 samples of one prompt, each `LENGTH` tokens, at temperature 1 from the whole vocabulary, in
float32 on the CPU. No text ends early: both read a copy of the shipped folder whose config.json says
``"eos_token_id": null``. Ours goes through the public API: one `Embedded.complete` call with that many requests. Theirs
is `generate` in each of the three `SETTINGS`, with the number of PyTorch threads that a trial found fastest for that
batch. The sides take turns, and the median of `ROUNDS` counts, so that a busy machine disturbs both alike.

Needs ``pip install 'searchkit[transformers]'``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from searchkit.calls import Request
from searchkit.generators import Embedded
from searchkit.generators.embedded.checkpoint import SHIPPED
from searchkit.lab.countdown import Countdown
from searchkit.types import Params, Prompt, Sample

BATCHES, LENGTH, ROUNDS = (1, 16, 64), 64, 7
SETTINGS: dict[str, dict[str, str]] = {
    "sdpa attention, dynamic cache": {"attn": "sdpa"},
    "eager attention, dynamic cache": {"attn": "eager"},
    "sdpa attention, static cache": {"attn": "sdpa", "cache_implementation": "static"},
}


def ours(folder: Path) -> Callable[[int], None]:
    """A function that generates LENGTH tokens for n requests."""
    backend, prompt = Embedded(folder), Prompt.of(Countdown().puzzles(1)[0].prompt)

    def generate(n: int) -> None:
        requests = [Request(prompt, Params(max_tokens=LENGTH), seed) for seed in range(n)]
        for sample in asyncio.run(backend.complete(requests)):
            assert isinstance(sample, Sample), sample
            assert sample.usage.generated_tokens == LENGTH

    return generate


def theirs(folder: Path, attn: str, **options: str) -> Callable[[int], None]:
    """The same with transformers' `generate`."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attn
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(Countdown().puzzles(1)[0].prompt, return_tensors="pt").input_ids

    def generate(n: int) -> None:
        batch = ids.repeat(n, 1)
        out = model.generate(
            batch,
            attention_mask=torch.ones_like(batch),
            do_sample=True,
            top_k=0,
            max_new_tokens=LENGTH,
            pad_token_id=0,
            **options,
        )
        assert out.shape == (n, batch.shape[1] + LENGTH)

    return generate


def seconds(generate: Callable[[int], None], n: int) -> float:
    began = time.perf_counter()
    generate(n)
    return time.perf_counter() - began


def measure(folder: Path) -> dict[str, Any]:
    """Tokens per second at each batch size, and the ratios."""
    import torch

    sides = {"ours": ours(folder)} | {name: theirs(folder, **options) for name, options in SETTINGS.items()}
    found: dict[str, Any] = {}

    def trial(threads: int) -> float:
        torch.set_num_threads(threads)
        return min(seconds(sides[next(iter(SETTINGS))], n) for _ in range(3))

    for n in BATCHES:
        found[f"transformers_threads_{n}"] = threads = min(range(1, (os.cpu_count() or 1) + 1), key=trial)
        torch.set_num_threads(threads)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(ROUNDS + 1):
            for name, generate in sides.items():
                spent = seconds(generate, n)
                if turn:  # the first one warms up
                    times[name].append(spent)
        rates = {name: n * LENGTH / statistics.median(spent) for name, spent in times.items()}
        best = max(SETTINGS, key=lambda name: rates[name])
        found |= {f"ours_{n}": round(rates["ours"]), f"transformers_{n}": round(rates[best])}
        found |= {f"ratio_{n}": round(rates["ours"] / rates[best], 2), f"transformers_setting_{n}": best}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="checkpoint (default: the shipped one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / args.folder.name
        shutil.copytree(args.folder, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
        found = measure(folder)
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
