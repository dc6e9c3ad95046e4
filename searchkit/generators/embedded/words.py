"""The tokenizer of search traces: one token a number, a line break, or a fixed phrase of the format.

The file is a Hugging Face ``tokenizer.json`` (a split by one regular expression, then a word-level vocabulary), which
`transformers` loads as it stands; here it is read without any library. Numbers are never split: one that is not in the
vocabulary cannot be read.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from searchkit.generators.embedded.tokenizer import SPECIAL, write

# Longer phrases win. A line break is always a token of its own, so a text that is cut at the end of a line, or goes on
# behind one, has the tokens that it has in one piece.
PHRASES = (
    "\n", "+", "-", "*", "/", "=", ",", ", ", "[", "]", ":[", "'", "', '", "']", ">", " ]",
    "[Token Budget: ", "[Sub Call Budget: ", "Current State: ", "], Operations: []", "], Operations: ['",
    "Exploring Operation: ", ", Resulting Numbers: [", "Generated Node #0,", "] Operation: ", ": ",
    "Moving to Node #", "Moving to Node #0,",
    " unequal: No Solution", " equal: Goal Reached", "No solution found.",
    "Start Sub Search at level ", ": Moving to Node #0,", "Exit Sub Search at level ",
    "No solution found in sub search",
    "<Calling Sub Searches>", "<Start Sub Search ", " at level 1> Moving to Node #0,", "<End Calling Sub Searches>",
    "<Sub Searches>", "<No Solution in Sub Search ", "<Goal Reached in Sub Search ", " at level 1 at Node #0,",
    "<End Sub Searches>",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """`vocabulary` maps each phrase and each number, in decimal, to its token id.

    Text is split from left to right into runs of digits and the longest phrases. Decoding what was encoded gives the
    text back. Encoding what was decoded gives the tokens back unless two numbers, or two parts of a longer phrase,
    stand next to each other, which happens in no text of the format.
    """

    vocabulary: dict[str, int]

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Words:
        """The phrases of search traces, and these numbers."""
        pieces = (*PHRASES, *map(str, sorted(set(numbers))))
        return cls({piece: i for i, piece in enumerate(pieces, len(SPECIAL))})

    @classmethod
    def load(cls, folder: Path) -> Words:
        stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        return cls({piece: i for piece, i in stored.items() if piece not in SPECIAL})

    @property
    def size(self) -> int:
        return len(SPECIAL) + len(self.vocabulary)

    @property
    def pattern(self) -> str:
        """A regular expression for one piece, which Python and Hugging Face's engine read alike."""
        phrases = sorted((p for p in self.vocabulary if not p.isdigit()), key=lambda p: (-len(p), p))
        return "|".join(["[0-9]+", *(re.sub(r"([][*+.()?|/\\-])", r"\\\1", phrase) for phrase in phrases)])

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without special tokens; `ValueError` names the first place that cannot be read."""
        ids, at = list[int](), 0
        for piece in _compiled(self.pattern).finditer(text):
            if piece.start() != at or piece[0] not in self.vocabulary:
                break
            ids.append(self.vocabulary[piece[0]])
            at = piece.end()
        if at < len(text):
            raise ValueError(f"the embedded model cannot read {text[at : at + 40]!r}: it knows search traces only")
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; special tokens are left out."""
        pieces = {i: piece for piece, i in self.vocabulary.items()}
        return "".join(pieces.get(i, "") for i in ids)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``."""
        split = {"type": "Split", "pattern": {"Regex": self.pattern}, "behavior": "Isolated", "invert": False}
        vocabulary = {name: i for i, name in enumerate(SPECIAL)} | self.vocabulary
        # The unknown token is not in the vocabulary: what cannot be read is an error there, as it is here.
        model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
        write(folder, split, {"type": "Fuse"}, model)


@functools.lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
