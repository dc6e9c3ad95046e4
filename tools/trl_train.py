"""Train a checkpoint on a file of `searchkit export --as trl-...` by TRL. Needs an environment with trl and PyTorch.

    pip install trl
    python tools/trl_train.py rows.jsonl --as trl-sft --model searchkit/lab/weights/countdown --out runs/tuned
    python tools/trl_train.py FOLDER --check --model searchkit/lab/weights/countdown

With --check every ``trl-*.jsonl`` in FOLDER is trained on for two steps by the trainer of its format, and what TRL made
of the rows is looked at: the loss is on what the rows say is to be learnt, and nothing else. Files are to be of
``--text``, as the lab's models have no chat template to speak of. The weights go to OUT/model.safetensors, with the
checkpoint's own configuration and tokenizer beside them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

TRAINERS = {
    "trl-sft": ("trl", "SFT"), "trl-dpo": ("trl", "DPO"), "trl-reward": ("trl", "Reward"), "trl-kto": ("trl", "KTO"),
    "trl-grpo": ("trl", "GRPO"), "trl-prm": ("trl.experimental.prm", "PRM"),
}  # fmt: skip
HEADS = {"trl-reward": "SequenceClassification", "trl-prm": "TokenClassification"}
OF_SEARCHKIT = ("origin", "other")  # columns that say where a row comes from


def rows(path: Path) -> Any:
    """The rows as TRL takes them: without provenance, whose nulls have no type."""
    from datasets import Dataset

    found = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return Dataset.from_list([{k: v for k, v in row.items() if k not in OF_SEARCHKIT} for row in found])


def loaded(folder: Path, kind: str) -> Any:
    import transformers

    head, more = HEADS.get(kind, "CausalLM"), {}
    if kind in HEADS:
        more["num_labels"] = 1 if kind == "trl-reward" else 2
    return getattr(transformers, f"AutoModelFor{head}").from_pretrained(str(folder), dtype="float32", **more)


def solved(prompts: list[str], completions: list[str], **columns: Any) -> list[float]:
    """The reward of GRPO's check: whether the last line ends with the puzzle's target."""
    return [
        float(c.rstrip("\n").endswith(f":{p.rpartition('>')[2].strip()}"))
        for p, c in zip(prompts, completions, strict=True)
    ]


def trainer(kind: str, data: Any, folder: Path, out: str, steps: int, rate: float, batch: int) -> Any:
    """TRL's trainer of a format, on one core: models this small are slower on more."""
    import torch
    import transformers

    torch.set_num_threads(1)
    module, name = TRAINERS[kind]
    found = importlib.import_module(module)
    length = {"max_length": 128} if kind not in ("trl-grpo",) else {"num_generations": 4, "max_completion_length": 48}
    config = getattr(found, f"{name}Config")(
        output_dir=out, max_steps=steps, per_device_train_batch_size=batch, learning_rate=rate, use_cpu=True,
        bf16=False, report_to=[], save_strategy="no", logging_steps=max(1, steps // 10), seed=0,
        gradient_checkpointing=False, **length,
    )  # fmt: skip
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    more = {"reward_funcs": solved} if kind == "trl-grpo" else {}
    return getattr(found, f"{name}Trainer")(
        model=loaded(folder, kind), args=config, train_dataset=data, processing_class=tokenizer, **more
    )


def learnt(made: Any) -> str:
    """What of the first row the loss is on, as TRL has tokenised and collated it; "" where it says so otherwise."""
    batch = made.data_collator([made.train_dataset[0]])
    if "labels" not in batch:
        return ""
    kept = [token for token, label in zip(batch["input_ids"][0], batch["labels"][0], strict=True) if label != -100]
    return made.processing_class.decode(kept, skip_special_tokens=True)


def check(folder: Path, model: Path) -> int:
    """Two steps of every format; the exit code says whether all went well."""
    packages = ("trl", "transformers", "torch", "datasets")
    print(time.strftime("%Y-%m-%d"), *(f"{name} {version(name)}" for name in packages))
    failed = 0
    for path in sorted(folder.glob("trl-*.jsonl")):
        kind, data, began = path.stem, rows(path), time.perf_counter()
        with tempfile.TemporaryDirectory() as out:
            try:
                made = trainer(kind, data, model, out, 2, 1e-5, 4)
                said = learnt(made) if kind == "trl-sft" else ""
                if kind == "trl-sft" and said != data[0]["completion"]:
                    raise ValueError(f"the loss is on {said!r}, the row's completion is {data[0]['completion']!r}")
                made.train()
                losses = [log["loss"] for log in made.state.log_history if "loss" in log]
                if len(losses) != 2 or not all(map(math.isfinite, losses)):
                    raise ValueError(f"losses {losses}")
                print(f"{kind}: {len(data)} rows, losses {losses}, {time.perf_counter() - began:.1f} s", flush=True)
            except ModuleNotFoundError as error:
                print(f"{kind}: not checked, this TRL has no such trainer ({error})", flush=True)
            except Exception as error:
                failed += 1
                print(f"{kind}: FAILED, {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0


def train(options: argparse.Namespace) -> None:
    out, model = Path(options.out), Path(options.model)
    data = rows(Path(options.rows))
    with tempfile.TemporaryDirectory() as scratch:
        made = trainer(options.format, data, model, scratch, options.steps, options.rate, options.batch)
        made.train()
        made.model.save_pretrained(scratch, safe_serialization=True)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(scratch) / "model.safetensors", out / "model.safetensors")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, out / name)
    print(out, f"{len(data)} rows, {options.steps} steps of {options.batch}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", help="a file, or a folder of files with --check")
    parser.add_argument("--as", dest="format", choices=TRAINERS, default="trl-sft")
    parser.add_argument("--model", required=True, help="the folder of a checkpoint")
    parser.add_argument("--out", help="where the trained weights go")
    parser.add_argument("--check", action="store_true", help="two steps of every trl-*.jsonl in the folder")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    if options.check:
        return check(Path(options.rows), Path(options.model))
    if not options.out:
        parser.error("--out says where the trained weights go")
    train(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
