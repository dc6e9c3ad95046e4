"""Train a policy for one of the lab's tasks: a small character-level Llama, from nothing, on a CPU or a GPU.

    python -m searchkit.lab.train --out runs/countdown          # starts, or goes on where it was stopped
    python -m searchkit.lab.train --out runs/countdown --steps 400 --threads 2
    python -m searchkit.lab.train --out runs/arithmetic --task arithmetic

Needs PyTorch and safetensors (``pip install 'searchkit[train]'``). Every 100 steps the state is written atomically, so
killing the process costs at most 100 steps. The result is a Hugging Face folder (config.json, model.safetensors,
tokenizer files) that `transformers` and vLLM read; ``python -m searchkit.lab.export`` adds what our own engine needs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from searchkit.generators.embedded.tokenizer import BOS, EOS, PAD, Tokenizer
from searchkit.generators.embedded.words import Words
from searchkit.lab import arithmetic, countdown
from searchkit.lab.arithmetic import Arithmetic
from searchkit.lab.countdown import Countdown, Puzzle, paths

CHARACTERS = {"countdown": "\n *+-/0123456789:=>", "arithmetic": "\n()*+-0123456789"}
Batch = list[tuple[torch.Tensor, torch.Tensor]]  # parts of one step: inputs and targets [rows, T], each with its own T
SAVE_EVERY = 100  # steps that a killed process may lose
WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT, THETA, EPS = 128, 4, 4, 384, 128, 10_000.0, 1e-5


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, HEADS, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        with torch.autocast(x.device.type, enabled=False):  # on CPUs its gradient takes five times as long in bfloat16
            y = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, WIDTH))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding, in Llama's half-split layout."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(WIDTH, HIDDEN, bias=False), nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input_layernorm, self.self_attn = nn.RMSNorm(WIDTH, EPS), Attention()
        self.post_attention_layernorm, self.mlp = nn.RMSNorm(WIDTH, EPS), MLP()

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Parameter names are those of Hugging Face's `LlamaForCausalLM` once "model." is put before all but lm_head."""

    def __init__(self, vocabulary: int, context: int = CONTEXT) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm, self.lm_head = nn.RMSNorm(WIDTH, EPS), nn.Linear(WIDTH, vocabulary, bias=False)
        angles = torch.outer(torch.arange(context), THETA ** -(torch.arange(0, WIDTH // HEADS, 2) / (WIDTH // HEADS)))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, t = self.embed_tokens(ids), ids.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        return self.lm_head(self.norm(x))


def part(ids: np.ndarray, prompt_length: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets [rows, T] of padded rows; targets in the prompt and after the end are -100 (not learnt)."""
    ids = ids[:, : int((ids != PAD).sum(1).max())].astype(np.int64)
    targets = np.where(ids == PAD, -100, ids)
    targets[np.arange(ids.shape[1])[None, :] < prompt_length[:, None]] = -100
    return torch.from_numpy(ids[:, :-1]), torch.from_numpy(targets[:, 1:])


class Puzzles:
    """Training texts of Countdown: puzzles of the task's distribution, each with one of its solutions drawn uniformly.

    Built by enumerating every multiset of numbers once. At most `KEEP` solutions a puzzle are kept (drawn uniformly).
    """

    KEEP = 6

    def __init__(self, task: Countdown, tokenizer: Tokenizer, seed: int) -> None:
        rng, rows, weights, lengths = random.Random(seed), [], [], []
        values = range(task.low, task.high + 1)
        for numbers in itertools.combinations_with_replacement(values, task.count):
            repeats = math.prod(math.factorial(numbers.count(v)) for v in set(numbers))
            found: dict[int, set[tuple[str, ...]]] = {}
            for final, lines in paths(numbers, task.max_value):
                if task.target_low <= final <= task.target_high:
                    found.setdefault(final, set()).add(lines)
            for target in sorted(found):
                puzzle = Puzzle(numbers, target)
                if puzzle.split != "train":
                    continue
                chosen = sorted(found[target])
                chosen = chosen if len(chosen) <= self.KEEP else rng.sample(chosen, self.KEEP)
                for lines in chosen:
                    solution = "".join(line + "\n" for line in lines)
                    rows.append([BOS, *tokenizer.encode(puzzle.prompt + solution), EOS])
                    weights.append(1 / repeats / len(chosen))
                    lengths.append(len(puzzle.prompt) + 1)
        self.ids = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.uint8)
        for i, row in enumerate(rows):
            self.ids[i, : len(row)] = row
        self.prompt_length, self.cdf = np.array(lengths), np.cumsum(weights) / sum(weights)

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """`size` texts, the same for the same seed and step."""
        rows = np.searchsorted(self.cdf, np.random.default_rng((seed, step)).random(size))
        return [part(self.ids[rows], self.prompt_length[rows])]


class Expressions:
    """Training texts of arithmetic, drawn as they are needed: there are too many to list."""

    PARTS = 4  # texts of like length go together, or half of all positions would be padding

    def __init__(self, task: Arithmetic, tokenizer: Tokenizer) -> None:
        self.task, self.tokenizer = task, tokenizer

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """`size` texts, the same for the same seed and step."""
        rng = random.Random(f"train/{seed}/{step}")
        drawn = [self.task.solved(rng) for _ in range(size)]
        texts = [(e.prompt, "".join(line + "\n" for line in lines)) for e, lines in drawn]
        texts.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        ids = np.full((size, CONTEXT), PAD, dtype=np.uint8)
        for row, (prompt, solution) in zip(ids, texts, strict=True):
            tokens = [BOS, *self.tokenizer.encode(prompt + solution), EOS]
            row[: len(tokens)] = tokens
        lengths = np.array([len(prompt) + 1 for prompt, _ in texts])
        return [part(ids[rows], lengths[rows]) for rows in np.array_split(np.arange(size), min(size, self.PARTS))]


def backward(model: Llama, batch: Batch) -> float:
    """Add the gradient of the mean loss a learnt token, over all parts together, and return that loss."""
    device, loss = model.lm_head.weight.device, 0.0
    learnt = sum(int((targets != -100).sum()) for _, targets in batch)
    for inputs, targets in batch:
        logits, wanted = model(inputs.to(device)).flatten(0, 1), targets.to(device).flatten()
        share = F.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum") / learnt
        share.backward()
        loss += share.item()
    return loss


@torch.no_grad()
def sample(model: Llama, tokenizer: Tokenizer, prompt: str, n: int, generator: torch.Generator) -> list[str]:
    """`n` samples at temperature 1, without a cache: only to watch the training."""
    ids = torch.tensor([[BOS, *tokenizer.encode(prompt)]]).repeat(n, 1)
    start, done = ids.shape[1], torch.zeros(n, dtype=torch.bool)
    while ids.shape[1] < CONTEXT and not done.all():
        p = model(ids)[:, -1].float().softmax(-1)
        token = torch.multinomial(p, 1, generator=generator)
        ids, done = torch.cat((ids, token), 1), done | (token[:, 0] == EOS)
    return [tokenizer.decode(list(itertools.takewhile(lambda t: t != EOS, row))) for row in ids[:, start:].tolist()]


def evaluate(
    model: Llama, tokenizer: Tokenizer, problems: list[Any], check: Callable[[Any, str], str], n: int = 16
) -> tuple[float, float]:
    """Mean accuracy and coverage of `n` samples on development problems (never the test split)."""
    generator = torch.Generator().manual_seed(0)
    right = [[not check(p, t) for t in sample(model, tokenizer, p.prompt, n, generator)] for p in problems]
    return sum(map(sum, right)) / (n * len(problems)), sum(map(any, right)) / len(problems)


def export(model: Llama, tokenizer: Tokenizer | Words, out: Path) -> None:
    """Write the Hugging Face folder."""
    tensors = {("" if k.startswith("lm_head") else "model.") + k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
        "vocab_size": tokenizer.size, "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": WIDTH // HEADS,
        "max_position_embeddings": len(model.cos), "rope_theta": THETA, "rms_norm_eps": EPS, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
        "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD,
    }  # fmt: skip
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"do_sample": True, "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")  # or transformers is greedy
    tokenizer.save(out)


Data = tuple[Puzzles | Expressions, list[Any], Callable[[Any, str], str]]  # texts, development problems, checker


def puzzles(args: argparse.Namespace, tokenizer: Tokenizer) -> Data:
    task = Countdown(high=args.high) if args.high else Countdown()
    texts = Puzzles(task, tokenizer, args.seed)
    print(f"{len(texts.ids)} solutions")
    return texts, task.puzzles(50, "dev"), countdown.check


def expressions(args: argparse.Namespace, tokenizer: Tokenizer) -> Data:
    task = Arithmetic(high=args.high) if args.high else Arithmetic()
    return Expressions(task, tokenizer), task.expressions(50, "dev"), arithmetic.check


TASKS = {"countdown": puzzles, "arithmetic": expressions}


def train(args: argparse.Namespace) -> None:
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.of(CHARACTERS[args.task])
    examples, dev, check = TASKS[args.task](args, tokenizer)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Llama(tokenizer.size).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    state, first = out / "state.pt", 0
    if state.exists():
        saved = torch.load(state, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    print(f"{args.task}, {sum(p.numel() for p in model.parameters())} parameters, step {first}", flush=True)
    for step in range(first, args.steps):
        began = time.perf_counter()
        warm, done = min(1.0, (step + 1) / 100), step / args.steps
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        optimizer.zero_grad(set_to_none=True)
        loss = backward(model, examples.batch(args.batch, args.seed, step))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} loss {loss:.4f} {time.perf_counter() - began:.2f} s/step", flush=True)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == args.steps:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(saved, out / "state.tmp")
            os.replace(out / "state.tmp", state)
        if (step + 1) % args.evaluate == 0 or step + 1 == args.steps:
            accuracy, coverage = evaluate(model.cpu(), tokenizer, dev, check)
            print(f"step {step + 1} dev pass@1 {accuracy:.3f} pass@16 {coverage:.3f}", flush=True)
            export(model, tokenizer, out)
            model.to(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for the state and the result")
    parser.add_argument("--task", choices=sorted(TASKS), default="countdown")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--high", type=int, help="largest number of a problem; the task's own by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--evaluate", type=int, default=400, help="steps between evaluations on the dev split")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
