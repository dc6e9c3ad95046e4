"""TRL: SFT, DPO, reward, KTO, PRM, GRPO. Source: docs/source/dataset_formats.md of huggingface/trl.

As messages, a prefix stands at the beginning of both answers of a pair, where its log-probabilities cancel out; as
text it is a part of the prompt. Of masks TRL's format knows none but that of the prompt.
"""

from __future__ import annotations

from typing import Any

from searchkit.export.formats.shape import Format, Row, Shape, Unfit, answered, asked, columns, plain, prompted, string
from searchkit.export.labelling import StepLabels
from searchkit.export.recipes import Both, Pairs, Siblings, Tasks, Traces, Verdicts
from searchkit.export.records import Demonstration, Labelled, Preference, Stepwise, Task


def sft(record: Demonstration, shape: Shape) -> Row:
    """`prompt` and `completion`: the loss is on the completion alone."""
    prefix, text = given(record)
    if shape == "text":
        return {"prompt": plain(record.prompt) + prefix, "completion": text}
    if prefix:
        raise Unfit("a text with a part that is not learnt, as messages: use axolotl")
    return {"prompt": asked(record.prompt, shape), "completion": answered(text, shape)}


def given(record: Demonstration) -> tuple[str, str]:
    """What is read and what is learnt, where the first is a beginning; `Unfit` for masks in the middle."""
    learnt = next(i for i, piece in enumerate(record.pieces) if piece.learn)
    if not all(piece.learn for piece in record.pieces[learnt:]):
        raise Unfit("a text with a part that is not learnt: use axolotl")
    texts = [piece.text for piece in record.pieces]
    return "".join(texts[:learnt]), "".join(texts[learnt:])


def dpo(record: Preference, shape: Shape) -> Row:
    """`prompt`, `chosen`, `rejected`; `margin` is that of Step-APO."""
    prompt, chosen, rejected = sides(record, shape)
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "margin": record.margin}


def sides(record: Preference, shape: Shape) -> tuple[Any, Any, Any]:
    if shape == "text":
        return plain(record.prompt) + record.prefix, record.chosen, record.rejected
    chosen, rejected = (answered(record.prefix + text, shape) for text in (record.chosen, record.rejected))
    return asked(record.prompt, shape), chosen, rejected


def reward(record: Preference, shape: Shape) -> Row:
    """`chosen` and `rejected` whole, the prompt in both; `margin`."""
    prompt, chosen, rejected = sides(record, shape)
    return {"chosen": prompt + chosen, "rejected": prompt + rejected, "margin": record.margin}


def kto(record: Labelled, shape: Shape) -> Row:
    """`prompt`, `completion`, `label`, a boolean."""
    return {"prompt": asked(record.prompt, shape), "completion": answered(record.text, shape), "label": record.label}


def prm(record: Stepwise, shape: Shape) -> Row:
    """`prompt`, `completions`, a step each without its line break, which TRL puts there itself, and `labels`."""
    steps = [step.removesuffix("\n") for step in record.steps]
    return {
        "prompt": plain(record.prompt),
        "completions": steps,
        "labels": list(record.labels),
        "values": list(record.values),
    }


def grpo(record: Task, shape: Shape) -> Row:
    """`prompt` and `reference`, which reward functions are passed by name, a text; `solved`: how often it was."""
    return {"prompt": asked(record.prompt, shape), "reference": string(record.reference), "solved": record.solved}


PAIRED = Both((Siblings(), Pairs()))
TRL = {
    "trl-sft": Format("texts to imitate", Traces(), sft, prompted("prompt", "completion")),
    "trl-dpo": Format("preference pairs: siblings of trees, right against wrong answers", PAIRED, dpo,
                      prompted("prompt", "chosen", "rejected", margin="double", other=True)),
    "trl-reward": Format("pairs for a reward model, the prompt in both", PAIRED, reward,
                         prompted("chosen", "rejected", margin="double", other=True)),
    "trl-kto": Format("texts that are good or bad", Verdicts(), kto, prompted("prompt", "completion", label="bool")),
    "trl-prm": Format("steps with labels", StepLabels(), prm, lambda shape: columns(
        {"prompt": "string", "completions": ["string"], "labels": ["bool"], "values": ["double"]}), ("text",)),
    "trl-grpo": Format("prompts with references; the trainer samples", Tasks(), grpo,
                       prompted("prompt", reference="string", solved="double")),
}  # fmt: skip
