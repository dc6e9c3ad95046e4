"""Train a reward model for one of the lab's tasks: the policy with its vocabulary's head replaced by a single number.

    python -m searchkit.lab.rollouts --task countdown --out runs/countdown.jsonl
    python -m searchkit.lab.train_reward --kind process --data runs/countdown.jsonl --out runs/countdown-process
    python -m searchkit.lab.train_reward --kind outcome --data runs/countdown.jsonl --out runs/countdown-outcome \
        --steps 1400

One forward pass over prompt and solution gives a logit at every token; its sigmoid at the last token of a step is the
estimated chance that the policy succeeds from there. A process model learns it at the end of every step, from how often
the rollouts that begin with these steps succeed (Monte-Carlo reward-to-go, as Snell et al. 2024 train theirs); an
outcome model learns only whether a whole solution is right, at its last token. The loss is binary cross-entropy; three
quarters of the training see as many right as wrong samples, the last quarter sees them as the policy draws them.

One bit a sample does not teach a model this small what 17*3 is, and Countdown's policy, which always writes the target
as its last result, does not know it there. So beside the rewards it learns the rules as a language model does, from
texts that keep them. No label of a rollout comes from anything but the final check.

Arithmetic's wrong steps are slips and not bluffs: a model has to compute first and compare then. So it is deeper there,
with new layers that learn faster than the policy's, and these learn from every token how likely the policy found it: a
slip is a token that the policy itself thought unlikely, and a hundred tokens say more than one label does:

    python -m searchkit.lab.train_reward --kind process --data runs/arithmetic.jsonl --out runs/arithmetic-process \
        --steps 2400 --deeper 2 --lr 5e-3 --policy-lr 5e-4

Needs PyTorch and safetensors (``pip install 'searchkit[train]'``). Every 100 steps the state is written atomically, so
killing the process costs at most 100 steps; the same command goes on. The result is a Hugging Face folder of a
`LlamaForTokenClassification` with one label; ``python -m searchkit.lab.export_reward`` adds what our own scorer needs.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from searchkit.errors import ConfigError
from searchkit.generators.embedded.checkpoint import shipped
from searchkit.generators.embedded.tokenizer import BOS, PAD, Tokenizer
from searchkit.lab.evaluate_reward import auroc
from searchkit.lab.reward import lines
from searchkit.lab.rollouts import Rollouts, read, reward_to_go
from searchkit.lab.rules import play, reduction
from searchkit.lab.train import CONTEXT, LAYERS, WIDTH, Layer, Llama

SAVE_EVERY = 100  # steps that a killed process may lose
PARTS = 4  # texts of like length go together, to save padding
EVEN = 0.75  # of the steps learn from as many right as wrong samples
LEAST = -5.0  # log-probabilities below it are not told apart
HELD_OUT = 50  # one in so many problems of the file only watches the training


class Reward(Llama):
    """Scores as logits [rows, T], one a token. In training only: `words`, the policy's own head, and `likely`."""

    def __init__(self, vocabulary: int, deeper: int = 0) -> None:
        super().__init__(vocabulary)
        self.lm_head = nn.Identity()
        self.score, self.likely = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)
        self.words = nn.Linear(WIDTH, vocabulary, bias=False)
        for layer in (Layer() for _ in range(deeper)):  # on top of the policy's, and at first they change nothing
            nn.init.zeros_(layer.self_attn.o_proj.weight)
            nn.init.zeros_(layer.mlp.down_proj.weight)
            self.layers.append(layer)
        self.own = ("score.", "likely.", *(f"layers.{i}." for i in range(LAYERS, len(self.layers))))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.score(super().forward(ids))[..., 0]

    def scored(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores, and how likely each token was to the policy, as log-probabilities [rows, T]."""
        states = super().forward(ids)
        return self.score(states)[..., 0], self.likely(states)[..., 0]

    def next(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits [rows, T, vocabulary] of the token that follows each."""
        return self.words(super().forward(ids))

    def by_origin(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The parameters that a policy has too, and those that it has not."""
        taken, new = list[nn.Parameter](), list[nn.Parameter]()
        for name, parameter in self.named_parameters():
            (new if name.startswith(self.own) else taken).append(parameter)
        return taken, new

    def start_from(self, policy: Path) -> None:
        """Take all weights of a policy."""
        stored = load_file(policy / "model.safetensors")
        named = {k.replace("lm_head", "words").removeprefix("model."): v for k, v in stored.items()}
        found = self.load_state_dict(named, strict=False)
        if found.unexpected_keys or {k for k in self.state_dict() if k.startswith(self.own)} != set(found.missing_keys):
            raise ConfigError(f"{policy} is not a policy of searchkit.lab.train: {found}")


@dataclass(frozen=True)
class Texts:
    """Distinct solutions as rows: ids [N, T] padded; where and towards what each is learnt [N, E], NaN beyond its ends.

    `begins` [N] is where the solution begins behind its prompt, `counts` [N] how often each was drawn, `problems` [N]
    the number of its problem, `right` [N] its label.
    """

    ids: np.ndarray
    places: np.ndarray
    targets: np.ndarray
    begins: np.ndarray
    counts: np.ndarray
    problems: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, rollouts: Sequence[Rollouts], kind: str, tokenizer: Tokenizer) -> Texts:
        rows: list[tuple[list[int], list[int], list[float], int, int, int, bool]] = []
        for number, problem in enumerate(rollouts):
            chance = reward_to_go(problem.solutions)
            for s in problem.solutions:
                at = lines(s.text)[0 if kind == "process" else -1 :]
                ratio = [chance[s.text[:end]] for end in at]
                wanted = [right / seen for right, seen in ratio] if kind == "process" else [float(s.right)]
                ids = [BOS, *tokenizer.encode(problem.prompt + s.text)]
                begin = len(problem.prompt) + 1
                rows.append((ids, [begin - 1 + end for end in at], wanted, begin, s.count, number, s.right))
        shape = len(rows), max(len(row[1]) for row in rows)
        found = (
            np.full((len(rows), CONTEXT), PAD, np.uint8),
            np.zeros(shape, np.uint8),
            np.full(shape, np.nan, np.float32),
        )
        for i, (ids, places, wanted, *_) in enumerate(rows):
            for array, values in zip(found, (ids, places, wanted), strict=True):
                array[i, : len(values)] = values
        return cls(*found, *(np.array([row[column] for row in rows]) for column in (3, 4, 5, 6)))

    def part(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids [rows, T], cut to the longest; places and targets [rows, E]."""
        ids = self.ids[rows]
        ids = ids[:, : int((ids != PAD).sum(1).max())].astype(np.int64)
        return (
            torch.from_numpy(ids),
            torch.from_numpy(self.places[rows].astype(np.int64)),
            torch.from_numpy(self.targets[rows]),
        )


class Batches:
    """What is learnt at each step, as rows of `texts`; the same for the same seed and step.

    Most samples are wrong, and problems differ more than their samples do: so for the first part of the training,
    `even`, a batch is pairs of a right and a wrong sample of the same problem. The rest takes samples as the policy
    draws them, without which the scores would be no chances. Either way, right ones (or all) come once an epoch.
    """

    def __init__(self, texts: Texts, seed: int, even: int) -> None:
        self.texts, self.seed, self.even = texts, seed, even
        self.samples = np.repeat(np.arange(len(texts.ids)), texts.counts)
        right = texts.right[self.samples]
        self.wrong = dict(_by_problem(texts, self.samples[~right]))
        self.right = np.array([row for row in self.samples[right] if texts.problems[row] in self.wrong], np.int64)
        self.order = lru_cache(maxsize=4)(self._order)

    def batch(self, size: int, step: int) -> list[np.ndarray]:
        """The rows of one step, in parts of like length."""
        if step < self.even and len(self.right):
            rng, right = np.random.default_rng((self.seed, step)), self._once("right", size // 2, step)
            wrong = [rng.choice(self.wrong[self.texts.problems[row]]) for row in right]
            rows = np.concatenate([right, np.array(wrong, np.int64)])
        else:
            rows = self._once("samples", size, step)
        lengths = (self.texts.ids[rows] != PAD).sum(1)
        return np.array_split(rows[np.argsort(lengths, kind="stable")], min(len(rows), PARTS))

    def _once(self, name: str, size: int, step: int) -> np.ndarray:
        at, n = np.arange(step * size, (step + 1) * size), len(getattr(self, name))
        return np.array([self.order(name, int(e))[place] for e, place in zip(at // n, at % n, strict=True)])

    def _order(self, name: str, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(getattr(self, name))


def _by_problem(texts: Texts, samples: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for _, rows in itertools.groupby(samples.tolist(), key=lambda row: int(texts.problems[row])):
        found = np.array(list(rows))
        yield int(texts.problems[found[0]]), found


RULES = {"countdown": (play, "="), "arithmetic": (reduction, "")}  # how to make a text, and what a result stands behind


def rules(task: str, tokenizer: Tokenizer, size: int, seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets [rows, T] of texts that keep the rules; -100 is not learnt.

    Learnt is what the rules decide: in Countdown what stands behind the equals sign of a line (which move to make, the
    policy knows better), in arithmetic whole lines.
    """
    (make, sign), rng = RULES[task], random.Random(f"rules/{task}/{seed}/{step}")
    ids, learnt = np.full((size, CONTEXT), PAD, np.int64), np.zeros((size, CONTEXT), np.bool_)
    for row in range(size):
        prompt, text = make(rng)
        at = len(prompt) + 1
        ids[row, : at + len(text)] = [BOS, *tokenizer.encode(prompt + text)]
        for line in text.splitlines(keepends=True):
            learnt[row, at + line.index(sign) + len(sign) : at + len(line)] = True
            at += len(line)
    width = int((ids != PAD).sum(1).max())
    targets = np.where(learnt, ids, -100)
    return torch.from_numpy(ids[:, : width - 1]), torch.from_numpy(targets[:, 1:width])


def likelihoods(policy: Llama, texts: Texts, rows: np.ndarray) -> torch.Tensor:
    """The policy's log-probability [rows, T] of each token of the solutions, at least `LEAST`; NaN elsewhere."""
    ids = texts.part(rows)[0]
    with torch.no_grad():
        found = policy(ids[:, :-1]).float().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0].clamp(min=LEAST)
    at = torch.arange(ids.shape[1])
    told = (at >= torch.from_numpy(texts.begins[rows])[:, None]) & (ids != PAD)
    return torch.where(told, F.pad(found, (1, 0)), torch.nan)


def backward(model: Reward, texts: Texts, parts: list[np.ndarray], policy: Llama | None = None) -> tuple[float, float]:
    """Add the gradient of the mean loss a place, over all parts together, and return that loss.

    With a policy, also of the mean squared error of the log-probabilities that it gave the solutions' tokens, and that.
    """
    learnt, total, missed = sum(int(np.isfinite(texts.targets[rows]).sum()) for rows in parts), 0.0, 0.0
    known = [None if policy is None else likelihoods(policy, texts, rows) for rows in parts]
    tokens = sum(int(part.isfinite().sum()) for part in known if part is not None)
    for rows, likely in zip(parts, known, strict=True):
        ids, places, targets = texts.part(rows)
        (scores, guessed), wanted = model.scored(ids), targets.isfinite()
        logits = scores.gather(1, places)
        share = F.binary_cross_entropy_with_logits(logits[wanted], targets[wanted], reduction="sum") / learnt
        total += share.item()
        if likely is not None:
            told = likely.isfinite()
            gap = F.mse_loss(guessed[told].float(), likely[told], reduction="sum") / tokens
            share, missed = share + gap, missed + gap.item()
        share.backward()
    return total, missed


@torch.no_grad()
def watch(model: Reward, texts: Texts) -> str:
    """Loss on held-out problems, and at each step how well right samples are told from wrong ones of their problem."""
    parts = [texts.part(np.arange(i, min(i + 256, len(texts.ids)))) for i in range(0, len(texts.ids), 256)]
    logits, wanted = (
        torch.cat([model(ids).gather(1, places) for ids, places, _ in parts]),
        torch.from_numpy(texts.targets),
    )
    known = wanted.isfinite()
    each = F.binary_cross_entropy_with_logits(logits[known], wanted[known], reduction="none")
    weight = torch.from_numpy(texts.counts)[:, None].expand_as(wanted)[known].float()
    found = []
    for step in range(wanted.shape[1]):
        values = []
        for number in range(texts.problems.max() + 1):
            rows = ((texts.problems == number) & known[:, step].numpy()).nonzero()[0]
            labels = np.repeat(texts.right[rows], texts.counts[rows])
            if labels.any() and not labels.all():
                values.append(auroc(np.repeat(logits[rows, step].numpy(), texts.counts[rows]), labels))
        if len(values) >= 20:
            found.append(f"{np.mean(values):.3f}")
    return f"held-out loss {float((each * weight).sum() / weight.sum()):.4f} AUROC by step {' '.join(found)}"


def save(model: Reward, kind: str, policy: Path, out: Path) -> None:
    """Write the Hugging Face folder: the policy's, with other weights and another head."""
    stored = {k: v for k, v in model.state_dict().items() if not k.startswith(("words", "likely"))}
    named = {k if k.startswith("score") else f"model.{k}": v for k, v in stored.items()}
    save_file({k: v.contiguous() for k, v in named.items()}, out / "model.tmp", metadata={"format": "pt"})
    os.replace(out / "model.tmp", out / "model.safetensors")
    config = json.loads((policy / "config.json").read_text(encoding="utf-8"))
    config |= {
        "architectures": ["LlamaForTokenClassification"], "id2label": {"0": "success"}, "label2id": {"success": 0},
        "num_hidden_layers": len(model.layers), "reward": kind,
    }  # fmt: skip
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    Tokenizer.load(policy).save(out)


def train(args: argparse.Namespace) -> None:
    out, data = Path(args.out), Path(args.data)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    head, rollouts = read(data)
    policy = Path(args.policy or shipped(head["task"]))
    tokenizer, held = Tokenizer.load(policy), max(1, len(rollouts) // HELD_OUT)
    texts, watched = (Texts.of(part, args.kind, tokenizer) for part in (rollouts[:-held], rollouts[-held:]))
    examples, digest = Batches(texts, args.seed, int(args.steps * EVEN)), hashlib.sha256(data.read_bytes()).hexdigest()
    model = Reward(tokenizer.size, args.deeper)
    if args.start:
        model.load_state_dict(torch.load(Path(args.start) / "state.pt", weights_only=True)["model"])
    else:
        model.start_from(policy)
    teacher = Llama(tokenizer.size) if head["task"] == "arithmetic" else None
    if teacher is not None:
        stored = load_file(policy / "model.safetensors")
        teacher.load_state_dict({name.removeprefix("model."): weight for name, weight in stored.items()})
    if args.compile:
        for layer in model.layers:
            layer.compile(dynamic=True)
    taken, new = model.by_origin()
    rates = args.lr if args.policy_lr is None else args.policy_lr, args.lr
    groups = [{"params": part, "most": rate} for part, rate in zip((taken, new), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    state, first = out / "state.pt", 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        if saved["data"] != digest:
            raise ConfigError(f"{state} was trained on other rollouts than {data}: give --out another name")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    print(f"{args.kind}, {len(examples.samples)} samples, {len(texts.ids)} distinct, step {first}", flush=True)
    for step in range(first, args.steps):
        began = time.perf_counter()
        warm, done = min(1.0, (step + 1) / 50), step / args.steps
        for group in optimizer.param_groups:
            group["lr"] = group["most"] * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        optimizer.zero_grad(set_to_none=True)
        ids, targets = rules(head["task"], tokenizer, max(1, args.batch // 4), args.seed, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            loss, missed = backward(model, texts, examples.batch(args.batch, step), teacher)
            told = F.cross_entropy(model.next(ids).flatten(0, 1), targets.flatten(), ignore_index=-100)
            told.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            losses = f"loss {loss:.4f} rules {told.item():.4f} likely {missed:.4f}"
            print(f"step {step + 1} {losses} {time.perf_counter() - began:.2f} s/step", flush=True)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == args.steps:
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1, "data": digest}
            torch.save(kept, out / "state.tmp")
            os.replace(out / "state.tmp", state)
        if (step + 1) % args.evaluate == 0 or step + 1 == args.steps:
            print(f"step {step + 1} {watch(model, watched)}", flush=True)
            save(model, args.kind, policy, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["process", "outcome"], required=True)
    parser.add_argument("--data", required=True, help="file of rollouts, which names the task")
    parser.add_argument("--out", required=True, help="folder for the state and the result")
    parser.add_argument("--policy", help="folder whose weights to start from; the task's shipped policy by default")
    parser.add_argument("--start", help="folder of another training to start from, instead of the policy")
    parser.add_argument("--deeper", type=int, default=0, help="layers to add to the policy's")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128, help="solutions a step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--policy-lr", type=float, help="for the weights that the policy brings; --lr by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--compile", action="store_true", help="a quarter less time a step; needs a C++ compiler")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16: half the time on CPUs made for it")
    parser.add_argument("--evaluate", type=int, default=250, help="steps between looks at the held-out problems")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
