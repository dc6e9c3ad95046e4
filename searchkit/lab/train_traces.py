"""Train a model that searches in its own text: serially, or as a parent with children. On a CPU or a GPU.

    python -m searchkit.lab.train_traces --kind serial --out runs/serial    # starts, or goes on where it stopped
    python -m searchkit.lab.train_traces --kind parallel --out runs/parallel

Both kinds have the same architecture, vocabulary and context, and read the same number of tokens a step. Texts are made
as they are needed, from (seed, step) alone; those longer than the context are learnt up to there. Learnt is what the
model has to write: not prompts, and not the join blocks, which the runtime writes. So of 8,192 tokens that are read, a
serial model learns about 7,800, a parallel one about 5,200. The first steps are sums alone, the same for both kinds: in
a search text one token in 25 is a result, and a model this small learns to search long before it learns to calculate.

Needs PyTorch, safetensors and onnx (``pip install 'searchkit[train]'``). Every 100 steps the state is written
atomically, so killing the process costs at most 100 steps. The result is a Hugging Face folder with ``model.onnx``.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from searchkit.calls import Request
from searchkit.generators.embedded.tokenizer import BOS, EOS, PAD
from searchkit.generators.embedded.words import Words
from searchkit.lab.countdown import Puzzle, apply
from searchkit.lab.traces import (
    CONTEXT,
    PARALLEL_BEAMS,
    SERIAL_BEAMS,
    SUB_BEAM,
    TASK,
    Thread,
    check,
    draw,
    join_block,
    parallel,
    parallel_prompt,
    serial,
    serial_prompt,
    solution,
    spawns,
)
from searchkit.lab.train import Batch, Llama, backward, export
from searchkit.types import Params, Prompt

Kind = Literal["serial", "parallel"]
Row = tuple[list[int], list[int]]  # inputs and targets of one text, -100 is not learnt
SAVE_EVERY = 100  # steps that a killed process may lose
SUMS = 16  # lines of a text of sums
PART = 2048  # tokens, padding included, that go through the model at once
UNIT = CONTEXT // 8  # a serial text's budget is a multiple of it
BUDGETS = {"serial": (256, 384, 512), "parallel": (3, 6, 9)}  # that greedy accuracy is measured at
ROUNDS = 2  # spawns that are followed when accuracy is measured


def vocabulary() -> Words:
    """Of both kinds: the numbers of the task, and the budgets of serial texts."""
    return Words.of((*range((TASK.max_value or 0) + 1), *range(UNIT, CONTEXT + 1, UNIT)))


def threads(kind: Kind, rng: random.Random, split: Literal["train", "dev"], words: Words) -> list[Thread]:
    """The texts of one search on a new puzzle."""
    puzzle = draw(rng, split)
    if kind == "parallel":
        beam = rng.randint(1, PARALLEL_BEAMS)
        return parallel(puzzle, rng, beam, rng.randint(beam, SUB_BEAM)).threads
    text = serial(puzzle, rng, rng.randint(1, SERIAL_BEAMS))
    length = len(words.encode(serial_prompt(puzzle, CONTEXT) + text)) + 2
    budget = min(CONTEXT, -(-length // UNIT) * UNIT)
    return [Thread(serial_prompt(puzzle, budget), text)]


def sums(rng: random.Random, lines: int) -> Thread:
    """Operations of the task and nothing else: on two of its numbers, or on one and a result."""
    found = list[str]()
    while len(found) < lines:
        b, again = rng.randint(1, TASK.high), rng.random() < 0.5
        text, value = _sum(rng, b)
        if value and again:
            text, value = _sum(rng, value)
        if value:
            found.append(f"Exploring Operation: {text}={value}\n")
    return Thread("", "".join(found))


def _sum(rng: random.Random, b: int) -> tuple[str, int | None]:
    """A random operation on a random number and `b`, and its value; None if the task forbids it."""
    a, op = rng.randint(1, TASK.high), rng.choice("+*-/")
    if op in "-/" and b > a:
        a, b = b, a
    value = apply(a, op, b)
    return f"{a}{op}{b}", value if value is not None and value <= (TASK.max_value or value) else None


def row(thread: Thread, words: Words) -> Row:
    """What is read and what is learnt. Prompt, known and new text are encoded apart, as a server would see them."""
    given = [BOS, *words.encode(thread.prompt), *words.encode(thread.text[: thread.known])]
    ids = [*given, *words.encode(thread.text[thread.known :]), EOS][: CONTEXT + 1]
    targets = [-100] * len(given) + ids[len(given) :]
    return ids[:-1], targets[1 : len(ids)]


def pack(rows: list[Row]) -> Batch:
    """Texts of like length side by side, padded to the longest of each part."""
    parts: Batch = []
    ordered = sorted(rows, key=lambda r: len(r[0]))
    while ordered:
        width = len(ordered[-1][0])
        taken = ordered[-max(1, PART // width) :]
        del ordered[-len(taken) :]
        inputs, targets = np.full((len(taken), width), PAD, np.int64), np.full((len(taken), width), -100, np.int64)
        for i, (ids, wanted) in enumerate(taken):
            inputs[i, : len(ids)], targets[i, : len(ids)] = ids, wanted
        parts.append((torch.from_numpy(inputs), torch.from_numpy(targets)))
    return parts


def batch(kind: Kind, words: Words, tokens: int, seed: int, step: int, warm: int = 0) -> Batch:
    """The texts of one step, which hold `tokens` tokens together: the last of them is cut there."""
    name = "sums" if step < warm else kind
    rng, rows, left = random.Random(f"traces/{name}/{seed}/{step}"), list[Row](), tokens
    while left > 0:
        found = [sums(rng, SUMS)] if step < warm else threads(kind, rng, "train", words)
        rng.shuffle(found)
        for thread in found:
            ids, targets = row(thread, words)
            if left > 0:
                rows.append((ids[:left], targets[:left]))
            left -= len(ids)
    return pack(rows)


@torch.no_grad()
def watch(model: Llama, parts: Batch) -> float:
    """Mean loss a learnt token."""
    total = learnt = 0.0
    for inputs, targets in parts:
        inputs, targets = inputs.to(model.cos.device), targets.to(model.cos.device)
        total += F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").item()
        learnt += int((targets != -100).sum())
    return total / learnt


async def answers(kind: Kind, folder: Path, puzzles: list[Puzzle], budget: int) -> list[str]:
    """What the model in `folder` writes at temperature 0 for each puzzle: its whole text, or its last parent."""
    from searchkit.generators.embedded.backend import Embedded

    policy = Embedded(folder)

    async def write(texts: list[tuple[str, str]]) -> list[str]:
        requests = [Request(Prompt.of(start).continued(known), Params(temperature=0.0), 0) for start, known in texts]
        found = await policy.complete(requests)
        return [known + getattr(sample, "text", "") for (_, known), sample in zip(texts, found, strict=True)]

    make = parallel_prompt if kind == "parallel" else serial_prompt
    prompts = [make(puzzle, budget) for puzzle in puzzles]
    texts = await write([(prompt, "") for prompt in prompts])
    for _ in range(ROUNDS):
        spawned = [(i, found) for i, text in enumerate(texts) if (found := spawns(prompts[i] + text))]
        written = iter(await write([(child.context(puzzles[i].target), "") for i, found in spawned for child in found]))
        joined = []
        for i, found in spawned:
            results = [None if s is None else s + "\n" for s in (solution(next(written)) for _ in found)]
            before = texts[i].rpartition("<Calling Sub Searches>")[0]
            joined.append((prompts[i], before + join_block(found, results)))
        for (i, _), text in zip(spawned, await write(joined), strict=True):
            texts[i] = text
    return texts


def accuracy(kind: Kind, folder: Path, budget: int) -> float:
    """Share of the first dev puzzles that the model in `folder` solves greedily."""
    puzzles = TASK.puzzles(50, "dev")
    texts = asyncio.run(answers(kind, folder, puzzles, budget))
    return sum(not check(puzzle, text) for puzzle, text in zip(puzzles, texts, strict=True)) / len(puzzles)


def train(args: argparse.Namespace) -> None:
    from searchkit.lab.export import export as export_graph

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    words = vocabulary()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Llama(words.size, CONTEXT).to(device)
    if args.compile:
        for layer in model.layers:
            layer.compile(dynamic=True)
    held = random.Random("traces/held out")
    watched = pack([row(t, words) for _ in range(args.watched) for t in threads(args.kind, held, "dev", words)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    state, first = out / "state.pt", 0
    if state.exists():
        saved = torch.load(state, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    print(f"{args.kind}, {sum(p.numel() for p in model.parameters())} parameters, step {first}", flush=True)
    for step in range(first, args.steps):
        began = time.perf_counter()
        warm, done = min(1.0, (step + 1) / 100), step / args.steps
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bf16):
            loss = backward(model, batch(args.kind, words, args.tokens, args.seed, step, args.sums))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} loss {loss:.4f} {time.perf_counter() - began:.2f} s/step", flush=True)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == args.steps:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(saved, out / "state.tmp")
            os.replace(out / "state.tmp", state)
        if (step + 1) % args.evaluate == 0 or step + 1 == args.steps:
            export(model, words, out)
            export_graph(out)
            found = [accuracy(args.kind, out, budget) for budget in BUDGETS[args.kind]]
            told = " ".join(f"{budget}: {a:.2f}" for budget, a in zip(BUDGETS[args.kind], found, strict=True))
            print(f"step {step + 1} held-out loss {watch(model, watched):.4f} greedy dev accuracy {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["serial", "parallel"], required=True)
    parser.add_argument("--out", required=True, help="folder for the state and the result")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--sums", type=int, default=1000, help="how many of the steps, the first ones, are sums alone")
    parser.add_argument("--tokens", type=int, default=8192, help="tokens that are read in a step")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--compile", action="store_true", help="less time a step; needs a C++ compiler")
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16: half the time on devices made for it"
    )
    parser.add_argument("--watched", type=int, default=100, help="puzzles whose texts only watch the training")
    parser.add_argument("--evaluate", type=int, default=250, help="steps between looks at held-out puzzles")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
