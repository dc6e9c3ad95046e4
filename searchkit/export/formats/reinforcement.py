"""verl and OpenRLHF. Sources: verl's docs/preparation/prepare_data.rst, OpenRLHF's openrlhf/datasets.

The names of OpenRLHF's columns are arguments of its commands: they are told with the file (`Format.flags`).
"""

from __future__ import annotations

from searchkit.export.formats.shape import (
    MESSAGES,
    Format,
    Row,
    Shape,
    Unfit,
    asked,
    columns,
    plain,
    prompted,
    string,
    turns,
)
from searchkit.export.formats.trl import PAIRED, TRL, dpo, kto, sft
from searchkit.export.labelling import StepLabels
from searchkit.export.recipes import Groups, Tasks, Traces, Verdicts
from searchkit.export.records import Demonstration, Group, Labelled, Stepwise, Target, Task
from searchkit.export.values import Values

PLACEHOLDER = "<|step|>"


def verl(record: Task, shape: Shape) -> Row:
    """`data_source`, `prompt`, `ability`, `reward_model` with the truth as text, `extra_info`."""
    return {
        "data_source": record.origin.name or "searchkit", "prompt": turns(record.prompt), "ability": "reasoning",
        "reward_model": {"style": "rule", "ground_truth": string(record.reference)},
        "extra_info": {"index": record.origin.problem, "split": "train", "solved": record.solved},
    }  # fmt: skip


def orlhf_sft(record: Demonstration, shape: Shape) -> Row:
    row = sft(record, shape)
    return {"input": row["prompt"], "output": row["completion"]}


def orlhf_kto(record: Labelled, shape: Shape) -> Row:
    """`label` is 1 or 0."""
    row = kto(record, shape)
    return {"input": row["prompt"], "output": row["completion"], "label": int(record.label)}


def orlhf_ppo(record: Task, shape: Shape) -> Row:
    return {"input": asked(record.prompt, shape), "label": string(record.reference)}


def orlhf_prm(record: Stepwise, shape: Shape) -> Row:
    """`input`: prompt and steps, a placeholder at the end of each; `value`: "+" or "-" for each."""
    if any(PLACEHOLDER in text for text in (plain(record.prompt), *record.steps)):
        raise Unfit("a step that holds the placeholder")
    text = plain(record.prompt) + "".join(step + PLACEHOLDER for step in record.steps)
    return {"input": text, "value": ["+" if label else "-" for label in record.labels]}


def groups(record: Group, shape: Shape) -> Row:
    """A group as it was sampled, for trainers that learn offline. `prefix` is given, `advantages` one a text."""
    return {
        "prompt": asked(record.prompt, shape), "prefix": record.prefix, "texts": list(record.texts),
        "rewards": list(record.rewards), "advantages": list(record.advantages), "reference": string(record.reference),
    }  # fmt: skip


def values(record: Target, shape: Shape) -> Row:
    """A text so far and what its value is."""
    return {"prompt": asked(record.prompt, shape), "text": record.text, "value": record.value}


_TASK = {
    "data_source": "string", "prompt": MESSAGES, "ability": "string",
    "reward_model": {"style": "string", "ground_truth": "string"},
    "extra_info": {"index": "string", "split": "string", "solved": "double"},
}  # fmt: skip
_CHAT = "--apply_chat_template (of messages)"
REINFORCEMENT = {
    "verl": Format("problems with references, for Parquet", Tasks(), verl, lambda shape: columns(_TASK), ("messages",)),
    "openrlhf-sft": Format("texts to imitate", Traces(), orlhf_sft, prompted("input", "output"),
                           flags=f"--input_key input --output_key output {_CHAT}"),
    "openrlhf-dpo": Format("preference pairs", PAIRED, dpo,
                           TRL["trl-dpo"].columns,
                           flags=f"--prompt_key prompt --chosen_key chosen --rejected_key rejected {_CHAT}"),
    "openrlhf-kto": Format("texts that are good or bad", Verdicts(), orlhf_kto,
                           prompted("input", "output", label="int64"),
                           flags=f"--input_key input --output_key output --label_key label {_CHAT}"),
    "openrlhf-ppo": Format("problems with references", Tasks(), orlhf_ppo, prompted("input", label="string"),
                           flags=f"--input_key input --label_key label {_CHAT}"),
    "openrlhf-prm": Format("steps with labels", StepLabels(), orlhf_prm,
                           lambda shape: columns({"input": "string", "value": ["string"]}), ("text",),
                           "--input_key input --label_key value --reward_tokens + - "
                           f"--placeholder_token '{PLACEHOLDER}'"),
    "groups": Format("samples of a prompt with rewards and advantages", Groups(), groups,
                     prompted("prompt", prefix="string", texts=["string"], rewards=["double"], advantages=["double"],
                              reference="string")),
    "values": Format("texts so far with their values", Values(), values,
                     prompted("prompt", text="string", value="double")),
}  # fmt: skip
