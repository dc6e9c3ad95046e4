"""What a decoder has computed, kept for texts that begin alike: keys and values, one slot a token.

Texts share the slots of what they have in common: the entry (slot of the token before, token) -> slot makes a trie out
of one dictionary.

A text is a prompt, which was read in one piece, and the tokens fed after it one by one. The two ways round differently
(by 1e-6 in the shipped model), so the bits of a token depend on where its prompt ends, and a text continues only what
has the same whole prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from searchkit.generators.embedded.decoder import Decoder

START = -1  # stands where a text's first token has no slot before it


class PrefixCache:
    """At most `tokens` tokens; the ends of texts that were used least recently go first. 0 keeps nothing.

    Memory: layers * 2 * H * D * 4 bytes a token (4 KiB for the shipped model), taken from the system as it fills.
    Rows hold copies, so a text in flight misses nothing that is dropped here. Not thread-safe.
    """

    def __init__(self, decoder: Decoder, tokens: int) -> None:
        layers, _, heads, _, head = decoder.cache.shape
        self._decoder, self._size = decoder, tokens
        self._pool = np.zeros((tokens, layers, heads, head), np.float32)
        # Least recently used first. Using a token uses all before it, which count as used later than it: so the first
        # entry is the end of a text, and no slot is given away while the token of another slot follows on it.
        self._slots: OrderedDict[tuple[int, Any], int] = OrderedDict()
        self._logits: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = {}  # [V], by the slot of a prompt's last token

    def __len__(self) -> int:
        """The tokens that are kept."""
        return len(self._slots)

    def fork(self, row: int, prompt: Sequence[int], rest: Sequence[int]) -> int:
        """Start `row` with the longest known beginning of `prompt` + `rest`; returns its length in tokens.

        The last token of `rest` is left to be computed, for its logits; a prompt alone comes with them. 0, and the row
        is untouched, unless the whole prompt is known. Cost: a look-up a token, and its keys and values copied twice.
        """
        names = _names(prompt, rest[:-1])
        slots = self._known(names)
        n = len(slots)
        if n < len(prompt) or (not rest and slots[-1] not in self._logits):
            return 0
        self._touch(names, slots)
        self._decoder.cache[:, row, :, :n] = self._pool[slots].transpose(1, 2, 0, 3)
        self._decoder.lengths[row] = n
        if not rest:
            self._decoder.logits[row] = self._logits[slots[-1]]
        return n

    def keep(self, row: int, prompt: Sequence[int], rest: Sequence[int]) -> None:
        """Keep what `row` holds, `prompt` + `rest`; as much of the end as there is no room for is left out."""
        names = _names(prompt, rest)[: self._size]
        if len(names) < len(prompt):
            return
        slots = self._known(names)
        known, room = len(slots), self._size - len(self._slots)
        if len(names) - known > room:
            self._touch(names, slots)  # so that they are not among those dropped
        for n in range(len(names) - known):  # as long as there is room, the slots in use are the first ones
            slots.append(len(self._slots) + n if n < room else self._drop())
        self._touch(names, slots)
        if known < len(slots):
            held = self._decoder.cache[:, row, :, known : len(slots)]
            self._pool[slots[known:]] = held.transpose(2, 0, 1, 3)
        if not rest:
            self._logits[slots[-1]] = self._decoder.logits[row].copy()

    def _known(self, names: Sequence[Any]) -> list[int]:
        """The slots of the longest known beginning of a text."""
        slots, before = [], START
        for name in names:
            slot = self._slots.get((before, name))
            if slot is None:
                break
            slots.append(slot)
            before = slot
        return slots

    def _touch(self, names: Sequence[Any], slots: Sequence[int]) -> None:
        """Make the beginning of a text that `slots` hold the latest used, and enter what of it is new."""
        for i in range(len(slots) - 1, -1, -1):
            key = (slots[i - 1] if i else START, names[i])
            self._slots[key] = slots[i]
            self._slots.move_to_end(key)

    def _drop(self) -> int:
        """Forget the least recently used token; its slot is free."""
        _, slot = self._slots.popitem(last=False)
        self._logits.pop(slot, None)
        return slot


def _names(prompt: Sequence[int], rest: Sequence[int]) -> tuple[Any, ...]:
    """What stands for each token in the trie: itself, but for the first, which stands for its whole prompt."""
    return tuple(prompt), *prompt[1:], *rest
