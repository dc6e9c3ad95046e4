"""The lab's tokenizer: one token a character, stored as a Hugging Face ``tokenizer.json``.

The file is a byte-level BPE without merges, which `transformers`, vLLM and llama.cpp load as it stands; here it is
read without any of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAD, BOS, EOS = 0, 1, 2
SPECIAL = ("<pad>", "<s>", "</s>")
_BYTE_LEVEL = {" ": "Ġ", "\n": "Ċ"}  # how byte-level BPE spells the two characters that are not printable


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """`vocabulary` maps each character to its token id."""

    vocabulary: dict[str, int]

    @classmethod
    def of(cls, characters: str) -> Tokenizer:
        return cls({c: i for i, c in enumerate(characters, len(SPECIAL))})

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        spelt = {v: k for k, v in _BYTE_LEVEL.items()}
        return cls({spelt.get(c, c): i for c, i in stored.items() if c not in SPECIAL})

    @property
    def size(self) -> int:
        return len(SPECIAL) + len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without special tokens; `ValueError` names the first character the model lacks."""
        try:
            return [self.vocabulary[c] for c in text]
        except KeyError as error:
            known = "".join(self.vocabulary)
            raise ValueError(f"the embedded model cannot read {error.args[0]!r}: it knows only {known!r}") from None

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; special tokens are left out."""
        characters = {i: c for c, i in self.vocabulary.items()}
        return "".join(characters.get(i, "") for i in ids)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``."""
        vocabulary = {name: i for i, name in enumerate(SPECIAL)}
        vocabulary |= {_BYTE_LEVEL.get(c, c): i for c, i in self.vocabulary.items()}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        write(folder, byte_level, byte_level, {"type": "BPE", "vocab": vocabulary, "merges": []})


def write(folder: Path, pre_tokenizer: dict[str, Any], decoder: dict[str, Any], model: dict[str, Any]) -> None:
    """The two files of a Hugging Face tokenizer that puts the begin token before a text."""
    begin = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    stored = {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": name, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False} for i, name in enumerate(SPECIAL)
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing", "single": begin,
            "pair": [*begin, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}},
        },
        "decoder": decoder,
        "model": model,
    }  # fmt: skip
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
        "pad_token": "<pad>", "clean_up_tokenization_spaces": False,
        "chat_template": "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}",
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
