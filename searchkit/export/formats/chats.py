"""ShareGPT and axolotl: conversations. Sources: axolotl's docs/dataset-formats; what LLaMA-Factory and others read."""

from __future__ import annotations

from itertools import pairwise

from searchkit.export.formats.shape import MESSAGE, MESSAGES, Format, Row, Shape, Unfit, columns, said, turns
from searchkit.export.formats.trl import PAIRED, TRL, kto, prm
from searchkit.export.labelling import StepLabels
from searchkit.export.recipes import Both, Traces, Verdicts
from searchkit.export.records import Demonstration, Preference
from searchkit.export.revisions import Revisions

_FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def sharegpt(record: Demonstration, shape: Shape) -> Row:
    """`conversations` of {"from", "value"}: a system turn or none, then human and gpt in turn, the last one gpt."""
    if record.masked:
        raise Unfit("a text with a part that is not learnt: use axolotl")
    said_by = [*turns(record.prompt), said(record.text)]
    roles = [turn["role"] for turn in said_by]
    spoken = roles[1:] if roles[0] == "system" else roles
    if spoken[0] != "user" or "system" in spoken or any(a == b for a, b in pairwise(spoken)):
        raise Unfit("a conversation that does not alternate")
    return {"conversations": [{"from": _FROM[turn["role"]], "value": turn["content"]} for turn in said_by]}


def axolotl(record: Demonstration, shape: Shape) -> Row:
    """`messages` with `train`, and `train_detail` where a part is not learnt: characters, both ends included."""
    told = [{**turn, "train": False, "train_detail": None} for turn in turns(record.prompt)]
    detail, at = [], 0
    for piece in record.pieces:
        if piece.text:
            end = at + len(piece.text) - 1
            detail.append({"begin_offset": at, "end_offset": end, "train": piece.learn})
            at = end + 1
    last = {**said(record.text), "train": True, "train_detail": detail if record.masked else None}
    return {"messages": [*told, last]}


def axolotl_dpo(record: Preference, shape: Shape) -> Row:
    """For ``type: chat_template.default``: `messages`, and `chosen` and `rejected` as one message each."""
    chosen, rejected = (said(record.prefix + text) for text in (record.chosen, record.rejected))
    return {"messages": turns(record.prompt), "chosen": chosen, "rejected": rejected}


_DETAIL = {"begin_offset": "int64", "end_offset": "int64", "train": "bool"}
_TRAINED = {**MESSAGE, "train": "bool", "train_detail": [_DETAIL]}
_PAIR = {"messages": MESSAGES, "chosen": MESSAGE, "rejected": MESSAGE}
_ONLY: tuple[Shape, ...] = ("messages",)
CHATS = {
    "sharegpt": Format("conversations to imitate", Traces(), sharegpt,
                       lambda shape: columns({"conversations": [{"from": "string", "value": "string"}]}), _ONLY,
                       "mask_history: true (LLaMA-Factory learns all turns of gpt else; only the last one is ours)"),
    "axolotl": Format("conversations to imitate, revisions with a loss mask", Both((Traces(), Revisions())), axolotl,
                      lambda shape: columns({"messages": [_TRAINED]}), _ONLY,
                      "type: chat_template, field_messages: messages, message_field_training: train, "
                      "message_field_training_detail: train_detail, roles_to_train: []"),
    "axolotl-dpo": Format("preference pairs", PAIRED, axolotl_dpo,
                          lambda shape: columns(_PAIR, other=True),
                          _ONLY, "rl: dpo, type: chat_template.default"),
    "axolotl-kto": Format("texts that are good or bad", Verdicts(), kto, TRL["trl-kto"].columns, ("text",), "rl: kto"),
    "axolotl-prm": Format("steps with labels", StepLabels(), prm, TRL["trl-prm"].columns, ("text",),
                          "type: stepwise_supervised"),
}  # fmt: skip
