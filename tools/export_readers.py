"""Let the trainers' own readers load files of `searchkit export`, and look at what they would learn.

    python tools/export_readers.py axolotl FOLDER

FOLDER holds ``messages/FORMAT.jsonl`` and ``text/FORMAT.jsonl`` (of ``--text``). A reader runs where its package is:
openrlhf, axolotl or verl. Prints the versions and a row a format; a format whose file or reader is absent
is skipped with the reason. The tokenizer is one of bytes made here, so that what is learnt can be decoded exactly; its
chat template ends an answer by a token. The exit code says whether what was read is what the rows say.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}"
    "{% else %}{{ m['role'] }}: {{ m['content'] }}|{% endif %}{% endfor %}"
)
END, STEP = "</s>", "<|step|>"
Read = Iterator[tuple[str, str]]  # what the reader learns from, what the row says is to be learnt


@cache
def tokenizer() -> Any:
    """A token a byte, and the special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<s>", END, STEP, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    found = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token=END, additional_special_tokens=[STEP],
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    found.chat_template = TEMPLATE
    return found


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def dataset(path: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("json", data_files=str(path), cache_dir=tempfile.mkdtemp())["train"]


def spoken(value: Any) -> str:
    """What the model wrote, of a text, a message or a list that ends with one."""
    last = value[-1] if isinstance(value, list) else value
    return str(last["content"] if isinstance(last, dict) else last)


def kept(ids: Any, labels: Any) -> str:
    """What the loss is on, without the end of the answer."""
    return str(tokenizer().decode([i for i, label in zip(ids, labels, strict=True) if label != -100])).removesuffix(END)


# OpenRLHF ------------------------------------------------------------------------------------------------------------


def strategy(shape: str, **more: Any) -> Any:
    """OpenRLHF's arguments, flat as older versions have them and below `data` as newer ones do."""
    names = {**more, "apply_chat_template": shape == "messages", "tokenizer_chat_template": None}
    args = SimpleNamespace(**names, data=SimpleNamespace(**names))
    return SimpleNamespace(args=args, is_rank_0=lambda: False)


def ended(text: str) -> str:
    """OpenRLHF strips line breaks, and puts a blank before an end that is not there yet."""
    return text.removesuffix(END).rstrip("\n ")


def openrlhf_sft(path: Path, shape: str) -> Read:
    from openrlhf.datasets import SFTDataset

    made = SFTDataset(
        dataset(path), tokenizer(), 4096, strategy(shape, input_key="input", output_key="output"), num_processors=1
    )
    for i, row in enumerate(rows(path)):
        ids, _, mask = made[i]
        learnt = [0, *(int(m) for m in mask.flatten()[:-1])]  # the mask is of the place that predicts
        text = tokenizer().decode([t for t, m in zip(ids.flatten().tolist(), learnt, strict=True) if m])
        yield ended(text), ended(spoken(row["output"]))


def openrlhf_dpo(path: Path, shape: str) -> Read:
    from openrlhf.datasets import RewardDataset

    keys = strategy(shape, prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")
    made = RewardDataset(dataset(path), tokenizer(), 4096, keys, is_dpo=True, num_processors=1)
    for i, row in enumerate(rows(path)):
        chosen, _, rejected, _, prompt = made[i]
        for ids, side in ((chosen, "chosen"), (rejected, "rejected")):
            yield ended(tokenizer().decode(ids.flatten().tolist()[prompt:])), ended(spoken(row[side]))


def openrlhf_kto(path: Path, shape: str) -> Read:
    from openrlhf.datasets import UnpairedPreferenceDataset

    keys = strategy(shape, input_key="input", output_key="output", label_key="label")
    made = UnpairedPreferenceDataset(dataset(path), tokenizer(), 4096, keys, num_processors=1)
    for i, row in enumerate(rows(path)):
        ids, _, labels, prompts = made.collate_fn([made[i]])
        answer = tokenizer().decode([t for t in ids[0].tolist()[prompts[0] :] if t != 0])
        yield f"{int(labels[0])} {ended(answer)}", f"{row['label']} {ended(spoken(row['output']))}"


def openrlhf_ppo(path: Path, shape: str) -> Read:
    from openrlhf.datasets import PromptDataset

    made = PromptDataset(dataset(path), tokenizer(), strategy(shape, input_key="input", label_key="label"))
    for i, row in enumerate(rows(path)):
        _, prompt, label, *_ = made[i]
        asked = row["input"]
        said = asked if shape == "text" else tokenizer().apply_chat_template(asked, tokenize=False)
        yield f"{prompt} {label}", f"{said} {row['label']}"


def openrlhf_prm(path: Path, shape: str) -> Read:
    from openrlhf.datasets import ProcessRewardDataset

    keys = strategy(shape, input_key="input", label_key="value", placeholder_token=STEP, reward_tokens=["+", "-"])
    made = ProcessRewardDataset(dataset(path), tokenizer(), 4096, keys)
    for i, row in enumerate(rows(path)):
        ids, _, labels = (tensor.flatten().tolist() for tensor in made[i])
        at = [k for k, label in enumerate(labels) if label != -100]
        yield (
            str([(ids[k], tokenizer().decode([labels[k]])) for k in at]),
            str([(tokenizer().convert_tokens_to_ids(STEP), value) for value in row["value"]]),
        )


# axolotl -------------------------------------------------------------------------------------------------------------


def tokenized(path: Path, row: Any, **config: Any) -> Any:
    """A row as the strategy of axolotl that the configuration names tokenises it."""
    from axolotl.prompt_strategies import load
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault({"sequence_len": 4096, "train_on_inputs": False})
    return load(config["type"], tokenizer(), cfg, DictDefault({"path": str(path), **config})).tokenize_prompt(row)


def axolotl(path: Path, shape: str) -> Read:
    for row in rows(path):
        made = tokenized(
            path, {"messages": row["messages"]}, type="chat_template", field_messages="messages",
            message_field_training="train", message_field_training_detail="train_detail", roles_to_train=[],
        )  # fmt: skip
        last = row["messages"][-1]
        text = last["content"]
        whole = [{"begin_offset": 0, "end_offset": len(text) - 1, "train": True}]
        parts = [part for part in last["train_detail"] or whole if part["train"]]
        yield (
            kept(made["input_ids"], made["labels"]),
            "".join(text[part["begin_offset"] : part["end_offset"] + 1] for part in parts),
        )


def sharegpt(path: Path, shape: str) -> Read:
    for row in rows(path):
        made = tokenized(
            path, {"conversations": row["conversations"]}, type="chat_template", field_messages="conversations",
            message_property_mappings={"role": "from", "content": "value"}, roles_to_train=["assistant"],
        )  # fmt: skip
        yield kept(made["input_ids"], made["labels"]), row["conversations"][-1]["value"]


def axolotl_dpo(path: Path, shape: str) -> Read:
    from axolotl.prompt_strategies.dpo import load
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault({"rl": "dpo", "datasets": [{"path": str(path), "type": "chat_template.default"}]})
    made, _ = load("chat_template.default", cfg, dataset_idx=0)
    for row in rows(path):
        found = made(dict(row), tokenizer=tokenizer())
        yield found["prompt"], tokenizer().apply_chat_template(row["messages"], tokenize=False)
        for side in ("chosen", "rejected"):
            yield found[side], spoken(row[side]) + END


def axolotl_kto(path: Path, shape: str) -> Read:
    """Without a `type` the rows go to TRL's trainer as they are; one longer than the limit would be dropped."""
    from axolotl.utils.data.rl import _drop_long_sequences
    from axolotl.utils.schemas.enums import RLType

    for row in rows(path):
        yield str(_drop_long_sequences(row, RLType.KTO, tokenizer(), 4096)), "True"


def axolotl_prm(path: Path, shape: str) -> Read:
    for row in rows(path):
        made = tokenized(path, row, type="stepwise_supervised")
        ids, labels, read, at = made["input_ids"], made["labels"], [], 0
        for i, label in enumerate(labels):
            if label != -100:
                read.append((tokenizer().decode(ids[at : i + 1], skip_special_tokens=True), label))
                at = i + 1
        meant = [(step + "\n", int(label)) for step, label in zip(row["completions"], row["labels"], strict=True)]
        meant[0] = (row["prompt"] + meant[0][0], meant[0][1])
        yield str(read), str(meant)


# verl ----------------------------------------------------------------------------------------------------------------


def verl(path: Path, shape: str) -> Read:
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = OmegaConf.create({"max_prompt_length": 4096, "cache_dir": tempfile.mkdtemp()})
    made = RLHFDataset(str(path), tokenizer(), config)
    for i, row in enumerate(rows(path)):
        found = made[i]
        yield (
            str([found["raw_prompt"], found["reward_model"], found["data_source"], found["index"]]),
            str([row["prompt"], row["reward_model"], row["data_source"], row["extra_info"]["index"]]),
        )


READERS: dict[str, dict[str, Callable[[Path, str], Read]]] = {
    "openrlhf": {"openrlhf-sft": openrlhf_sft, "openrlhf-dpo": openrlhf_dpo, "openrlhf-kto": openrlhf_kto,
                 "openrlhf-ppo": openrlhf_ppo, "openrlhf-prm": openrlhf_prm},
    "axolotl": {"axolotl": axolotl, "sharegpt": sharegpt, "axolotl-dpo": axolotl_dpo, "axolotl-kto": axolotl_kto,
                "axolotl-prm": axolotl_prm},
    "verl": {"verl": verl},
}  # fmt: skip


def verdict(read: Callable[[Path, str], Read], path: Path, shape: str) -> tuple[bool, str]:
    """Whether all that was read is what was meant, and what to print."""
    try:
        found = list(read(path, shape))
    except ImportError as error:
        return True, f"skipped: {error}"
    except Exception as error:
        return False, f"FAILED: {type(error).__name__}: {str(error)[:200]}"
    other = [pair for pair in found if pair[0] != pair[1]]
    if other or not found:
        return False, f"FAILED: {len(other)} of {len(found)} differ, first: {other[:1]}"
    return True, f"{len(rows(path))} rows, {len(found)} looked at, all as meant"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        packages = [f"{name} {version(name)}" for name in (options.reader, "transformers", "torch", "datasets")]
    except PackageNotFoundError as error:
        print(f"{options.reader}: skipped, {error}")
        return 0
    print(time.strftime("%Y-%m-%d"), *packages)
    good = True
    for name, read in READERS[options.reader].items():
        for shape in ("messages", "text"):
            path = options.folder / shape / f"{name}.jsonl"
            if path.exists():
                fine, said = verdict(read, path, shape)
                good &= fine
                print(f"{name} ({shape}): {said}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
