"""What each sample of an answer is charged: as the server counted, or by the limit or the text where it did not."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.types import Params, Sample, Usage
from searchkit.wire.estimates import written
from searchkit.wire.usage import Counts, Price


def charged(
    drawn: Sequence[Sample[str]], counts: Counts, params: Params, price: Price | None, prompt: int = 0, choices: int = 1
) -> list[Sample[str]]:
    """`drawn`, the choices of one answer, with what they cost. The first carries the call and the prompt.

    - counts: what the server says; generated tokens are split over the choices by their log-probability rows if there
      are any, else evenly.
    - params: those of the request. Generated tokens that nobody counted are `max_tokens` for each choice; where that is
      None they are estimated from the text. Either is marked in `estimated_tokens`, as is a guessed prompt.
    - prompt: the tokens to charge for a prompt that the server did not count.
    - choices: how many were generated, if more than were sent.
    """
    total = counts.generated
    if not total and any(_text(sample) for sample in drawn):
        total = None  # 0 is what some servers say that do not count
    read, guessed = (counts.prompt, 0) if counts.prompt else (prompt, prompt)
    cached = min(counts.cached, read)
    shares, known = _shares(drawn, total, params.max_tokens, choices)
    found = list[Sample[str]]()
    for sample, share in zip(drawn, shares, strict=True):
        usage = Usage(
            model_calls=0 if found else 1,
            prompt_tokens=read,
            cached_tokens=cached,
            generated_tokens=share,
            estimated_tokens=guessed + (0 if known else share),
            usd=price.usd(read, cached, share) if price else 0.0,
            longest_context=read + share,
        )
        # Built anew: dataclasses.replace is several times slower, and this is the path of every call.
        found.append(
            Sample(sample.value, sample.message, sample.finish, sample.stop_reason, usage, None, sample.logprobs)
        )
        read = cached = guessed = 0
    return found


def said(sample: Sample[str]) -> str:
    """All that is seen of what a model wrote: reasoning, text and calls."""
    message = sample.message
    if message is None:
        return sample.value
    calls = "".join(f"{call.name}({call.arguments})" for call in message.tool_calls)
    return message.reasoning + sample.value + (sample.stop_reason or "") + calls


def _text(sample: Sample[str]) -> str:
    """What is read of it. Some servers count no tool calls."""
    return sample.value if sample.message is None else sample.message.reasoning + sample.value


def _shares(drawn: Sequence[Sample[str]], total: int | None, most: int | None, choices: int) -> tuple[list[int], bool]:
    """The generated tokens of each sample, and whether they are known."""
    rows = [None if sample.logprobs is None else len(sample.logprobs) for sample in drawn]
    counted = [n for n in rows if n is not None]
    if total is None:
        if len(counted) == len(drawn) >= choices and not any(_beyond_rows(sample) for sample in drawn):
            return counted, True
        each = [written(said(sample)) if most is None else most for sample in drawn]
        return [-(-share * max(choices, len(drawn)) // len(drawn)) for share in each], False
    if len(counted) == len(drawn) and sum(counted) == total:
        return counted, True
    share, rest = divmod(total, len(drawn))
    return [share + (i < rest) for i in range(len(drawn))], True


def _beyond_rows(sample: Sample[str]) -> bool:
    """Whether a model wrote what its log-probabilities do not list."""
    return sample.message is not None and bool(sample.message.tool_calls or sample.message.reasoning)
