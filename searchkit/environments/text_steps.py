"""TextSteps: a text that is written step by step, cut at a separator."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from searchkit.errors import ConfigError
from searchkit.protocols import Run
from searchkit.quick import quick
from searchkit.types import Message, Params, Prompt, Sample, StepSpan, Text, Transition

NO_PARAMS = Params()


@quick
@dataclass(frozen=True, slots=True)
class Written:
    """A text so far. pieces: its steps. ids: its tokens, where the generator told them.

    ended: no step can follow; cut: it ended by truncation, not by itself.
    """

    prompt: Prompt
    text: str = ""
    pieces: tuple[StepSpan, ...] = ()
    ids: tuple[int, ...] | None = field(default=None, compare=False)
    ended: bool = False
    cut: bool = False


@dataclass(frozen=True)
class TextSteps:
    """States are texts, an action adds a step: what the generator writes up to the next `separator`.

    "Step ended" and "answer ended" are told apart by why the generator stopped: at the separator the text goes on, at
    its own end it is finished, at its token limit it is cut off and cannot be continued honestly. params: for each
    step, None takes the generator's; the separator is added to the stop strings. max_steps: a text this long is cut
    off. Needs a generator that continues an assistant turn (`Prompt.prefix`). The whole text so far is sent as that
    prefix, so that servers and the embedded engine can reuse what they have read; as token ids too where the generator
    tells them, so that nothing is tokenised anew.
    """

    separator: str = "\n"
    params: Params | None = None
    max_steps: int = 40

    def __post_init__(self) -> None:
        if not self.separator:
            raise ConfigError("TextSteps needs a separator, such as a line break")
        if self.max_steps < 1:
            raise ConfigError(f"max_steps must be >= 1, got {self.max_steps}")

    async def start(self, prompt: Prompt, run: Run) -> Written:
        return Written(prompt, prompt.prefix, ids=prompt.prefix_ids if prompt.prefix else ())

    def prompt(self, state: Written) -> Prompt:
        return Prompt(state.prompt.messages, state.prompt.tools, state.text, state.ids if state.text else None)

    def step_params(self, run: Run) -> Params:
        return _stopping(self.finish_params(run), self.separator)

    def finish_params(self, run: Run) -> Params:
        return self.params or run.params or NO_PARAMS

    async def step(self, state: Written, action: Sample[Any], run: Run) -> Transition[Written]:
        """The text with one more step; a step at the separator ends with it."""
        if state.ended:
            raise ConfigError("a finished text has no next step")
        goes_on = action.stop_reason == self.separator
        added = action.text + (self.separator if goes_on else "")
        text = state.text + added
        pieces = (*state.pieces, *([StepSpan(len(state.text), len(text))] if added else []))
        too_long = goes_on and len(pieces) >= self.max_steps
        ids = None
        if goes_on and state.ids is not None and action.token_ids is not None:
            ids = (*state.ids, *action.token_ids)
        after = Written(state.prompt, text, pieces, ids, not goes_on or too_long, action.truncated or too_long)
        return Transition(after, terminal=after.ended)

    async def finish(self, state: Written, rest: Sample[Any], run: Run) -> Written:
        """The text that `rest`, drawn without a separator, completes; its steps are cut at the separators."""
        pieces, at = list(state.pieces), len(state.text)
        for line in _cut(rest.text, self.separator):
            pieces.append(StepSpan(at, at + len(line)))
            at += len(line)
        return Written(state.prompt, state.text + rest.text, tuple(pieces), None, True, rest.truncated)

    def candidate(self, state: Written) -> Sample[str]:
        """The text so far as a sample, with its steps."""
        message = Message("assistant", (Text(state.text),))
        return Sample(state.text, message, "length" if state.cut else "stop", step_spans=state.pieces)


@lru_cache(maxsize=64)
def _stopping(params: Params, separator: str) -> Params:
    """`params` that stop at the separator, too. Remembered, because checking them anew takes a twentieth of a step."""
    return replace(params, stop=tuple(dict.fromkeys((*params.stop, separator))))


def _cut(text: str, separator: str) -> list[str]:
    parts = text.split(separator)
    return [part + separator for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
