"""What each sample of an answer is charged: as the server counted, or by the limit or the text where it did not."""

from __future__ import annotations

from collections.abc import Sequence

from searchkit.types import Params, Sample, Usage
from searchkit.wire.estimates import written
from searchkit.wire.usage import Counts, Price

HIDDEN = 2**17  # tokens of thoughts that are counted, but neither seen nor within the limit: the longest of any model
UNLIMITED = 2**20  # tokens that an answer without a limit can have
ADDED = 2**20  # tokens that a server can add to a prompt: templates, tools, images, pages that it searched
_OVER = 64  # tokens over a limit: those that end a text, and steps in which several are drafted
_SPELLED = 256  # characters that one token can spell: the longest runs of blanks
_UNSEEN = 16  # tokens for each that is estimated of a prompt: those of rare scripts


def charged(
    drawn: Sequence[Sample[str]], counts: Counts, params: Params, price: Price | None, prompt: int = 0, choices: int = 1
) -> list[Sample[str]]:
    """`drawn`, the choices of one answer, with what they cost. The first carries the call and the prompt.

    - counts: what the server says, as far as it can be (`doubts`); generated tokens are split over the choices by their
      log-probability rows if there are any, else evenly.
    - params: those of the request. Generated tokens that nobody counted are `max_tokens` for each choice; where that is
      None they are estimated from the text. Either is marked in `estimated_tokens`, as is a guessed prompt.
    - prompt: the tokens to charge for a prompt that the server did not count.
    - choices: how many were generated, if more than were sent.
    """
    total = None if _cannot_be_written(drawn, counts, params, choices) else counts.generated
    if not total and any(_text(sample) for sample in drawn):
        total = None  # 0 is what some servers say that do not count
    told = counts.prompt and not _cannot_be_read(counts, prompt)
    read, guessed = (counts.prompt or 0, 0) if told else (prompt, prompt)
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


def doubts(drawn: Sequence[Sample[str]], counts: Counts, params: Params, prompt: int = 0, choices: int = 1) -> str:
    """What of a server's counts cannot be, and is not charged, in words; "" if all of it can. See `charged`."""
    found = list[str]()
    if _cannot_be_written(drawn, counts, params, choices):
        limit = "" if params.max_tokens is None else f" where at most {params.max_tokens} were asked for"
        length = sum(len(said(sample)) for sample in drawn)
        found.append(f"{counts.generated} tokens generated{limit}, for {length} characters")
    if _cannot_be_read(counts, prompt):
        found.append(f"{counts.prompt} tokens of a prompt")
    return "; ".join(found)


def _cannot_be_written(drawn: Sequence[Sample[str]], counts: Counts, params: Params, choices: int) -> bool:
    """Whether a count of generated tokens is too great for what was asked, or too small for what came.

    Twice the limit is possible, and a little more; so is whatever the text itself can have, a token a byte. Thoughts
    may come on top, which some servers do not limit: as many as are said, or any where some are seen.
    """
    total, many = counts.generated, max(choices, len(drawn))
    if not total:
        return False
    texts = [said(sample) for sample in drawn]
    hidden = counts.reasoning
    if hidden is None and any(sample.message and sample.message.reasoning for sample in drawn):
        hidden = HIDDEN
    most = UNLIMITED if params.max_tokens is None else 2 * params.max_tokens + _OVER
    if total > many * (most + min(hidden or 0, HIDDEN)):
        return total > sum(len(text.encode(errors="replace")) for text in texts)
    return total * _SPELLED < sum(map(len, texts))


def _cannot_be_read(counts: Counts, prompt: int) -> bool:
    """Whether a count of prompt tokens is too great for any server. prompt: what is estimated of it."""
    return (counts.prompt or 0) > _UNSEEN * prompt + ADDED


def said(sample: Sample[str]) -> str:
    """All that is seen of what a model wrote: reasoning, text and calls."""
    message = sample.message
    if message is None:
        return sample.value
    calls = "".join(f"{call.name}({call.arguments})" for call in message.tool_calls)
    return message.reasoning + sample.value + ((sample.stop_reason or "") if sample.finish == "stop" else "") + calls


def _text(sample: Sample[str]) -> str:
    """What is read of it. Some servers count no tool calls."""
    return sample.value if sample.message is None else sample.message.reasoning + sample.value


def _shares(drawn: Sequence[Sample[str]], total: int | None, most: int | None, choices: int) -> tuple[list[int], bool]:
    """The generated tokens of each sample, and whether they are known."""
    rows = [None if s.logprobs is None or (s.value and not s.logprobs) else len(s.logprobs) for s in drawn]
    counted = [n for n in rows if n is not None]
    if total is None:
        if len(counted) == len(drawn) >= choices and not any(_beyond_rows(sample) for sample in drawn):
            return counted, True
        each = [_estimated(said(sample), most) for sample in drawn]
        return [-(-share * max(choices, len(drawn)) // len(drawn)) for share in each], False
    if len(counted) == len(drawn) and sum(counted) == total:
        return counted, True
    share, rest = divmod(total, len(drawn))
    return [share + (i < rest) for i in range(len(drawn))], True


def _estimated(text: str, most: int | None) -> int:
    """The tokens of a text that nobody counted: its limit, unless the server went beyond that for certain."""
    return written(text) if most is None or len(text) > most * _SPELLED else most


def _beyond_rows(sample: Sample[str]) -> bool:
    """Whether a model wrote what its log-probabilities do not list."""
    return sample.message is not None and bool(sample.message.tool_calls or sample.message.reasoning)
