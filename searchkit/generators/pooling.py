"""Reward models behind vLLM's HTTP routes, as a backend whose text is their scores.

    steps = Pooling("http://localhost:8000", "Qwen/Qwen2.5-Math-PRM-7B", tag="<extra_0>")
    whole = Pooling("http://localhost:8001", "Skywork/Skywork-Reward-V2-Llama-3.1-8B", route="classify")

Nothing is retried, limited or cached here: wrap it as any backend, `Cached(Retrying(Limited(backend)), path)`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.generators.openai import errors
from searchkit.generators.openai.backend import OpenAI
from searchkit.http import HTTPReply
from searchkit.kinds import printable
from searchkit.types import Message, Params, Prompt, Sample, Text, Usage
from searchkit.wire.chat.requests import render
from searchkit.wire.fields import read_answer

PATHS: Mapping[str, str] = {"pooling": "/pooling", "classify": "/classify"}
NO_PARAMS = Params()


@dataclass(frozen=True)
class Pooling:
    """A `Backend` for one reward model behind ``vllm serve``; its samples' text is a JSON list of scores.

    - base_url: where the server answers, as in ``http://localhost:8000``: these routes are not below ``/v1``.
    - model: the server's name of it.
    - route: "pooling", or "classify" for outcome models served as classifiers.
    - tag: for a process reward model, the text of the token that ends a step; it is put after every step, whose own
      surrounding white space is dropped, and the list has one score a step. None: an outcome model, which has one
      score; it is asked for without activation (``use_activation: false``), because servers squash logits by default.
      Which token the server looks for is its own setting (``--pooler-config``), not the request's.
    - column: which number of a row is the score; by default the last, which of ``[p_bad, p_good]`` is the good one.
    - api_key: else OPENAI_API_KEY at the time of the call; it is pickled with the backend, and in no `repr`, error or
      log.
    - timeout: seconds for a whole call.
    - revision: distinguishes what servers call by the same name, in journals.

    The last message of a request is the answer that is to be scored, a `Text` part a step. All messages are sent, and
    the server applies the model's chat template.

    A tag inside of a step is replaced by a space: an answer cannot add steps. Whether there is a row for each step is
    for the verifier to check. Rows that are flat numbers although a tag was sent, a known fault of some versions with
    short inputs (vllm-project/vllm issue 33873), are a `CallError` of kind "failed". Cost: one model call a request and
    its prompt tokens; the server reads the whole text each time (it keeps no prefix for this task).
    """

    base_url: str
    model: str
    _: KW_ONLY
    route: Literal["pooling", "classify"] = "pooling"
    tag: str | None = None
    column: int = -1
    api_key: str | None = field(default=None, repr=False, compare=False)
    timeout: float = 600.0
    revision: str = ""
    _server: OpenAI = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.route not in PATHS:
            raise ConfigError(f'route must be "pooling" or "classify", got {self.route!r}')
        if self.route == "classify" and self.tag is not None:
            raise ConfigError('the classify route has one score a text: use route="pooling" with tag=')
        if self.tag is not None and not self.tag.strip():
            raise ConfigError('tag must be the text of the token that ends a step, such as "<extra_0>"')
        server = OpenAI(self.base_url, self.model, api_key=self.api_key, timeout=self.timeout)
        object.__setattr__(self, "base_url", server.base_url)
        object.__setattr__(self, "_server", server)

    @property
    def name(self) -> str:
        tag = "" if self.tag is None else f"/{self.tag}"
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.route}/{self.model}{revision}{tag}[{self.column}]"

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One HTTP call a request, concurrently."""
        return await each(self._one, requests)

    async def close(self) -> None:
        """Close the connections of this event loop; asyncio.run does it too. The backend stays usable."""
        await self._server.close()

    async def _one(self, request: Request) -> Sample[str] | CallError:
        body = {
            "model": self.model,
            "messages": render(self.model, self._marked(request.prompt), NO_PARAMS, 0)["messages"],
            "add_generation_prompt": False,
            "use_activation": self.tag is not None,
        }
        with (await self._server._here()).transport.room.call() as held:
            found = await self._server._exchange(PATHS[self.route], body, errors.ONE_CALL, held)
            if isinstance(found, CallError):
                entry: Sample[str] | CallError = found
            else:
                reply = found
                entry = await held.read(reply.body, lambda: self._read(reply))
        if isinstance(entry, CallError):
            entry.request = request
        return entry

    def _marked(self, prompt: Prompt) -> Prompt:
        """The prompt with the steps of its last message joined, each with the tag after it."""
        *conversation, answer = prompt.messages
        parts = [part.text for part in answer.parts if isinstance(part, Text)]
        if self.tag is not None:
            parts = [part.replace(self.tag, " ").strip() + self.tag for part in parts]
        return replace(prompt, messages=(*conversation, Message("assistant", (Text("".join(parts)),))))

    def _read(self, reply: HTTPReply) -> Sample[str] | CallError:
        where = f"{self.base_url}{PATHS[self.route]}"
        if reply.status == 404:
            message = (
                f"there is no {self.model!r} or no such route at {where} (404): is it served with --runner pooling, is "
                "that its name, and is base_url without /v1?"
            )
            return CallError(message, kind="bad_request", usage=errors.ONE_CALL)
        if not 200 <= reply.status < 300:
            has_key = bool(self._server._key())
            return errors.of_status(where, reply, has_key=has_key, redact=self._server._redact)
        try:
            answer = read_answer(reply.body)
            [entry] = answer["data"]
            found = entry["probs" if self.route == "classify" else "data"]
            tokens = int(answer["usage"]["prompt_tokens"])
        except (ValueError, KeyError, TypeError) as error:
            message = f"{where} sent an answer that is no list of scores: {errors.beginning(f'{error!r:.200}', reply)}"
            return CallError(printable(self._server._redact(message)), kind="malformed", usage=errors.ONE_CALL)
        usage = Usage(model_calls=1, prompt_tokens=tokens)
        try:
            return Sample(json.dumps(self._scores(found)), usage=usage)
        except (ValueError, TypeError, IndexError) as error:
            return CallError(printable(self._server._redact(f"{where}: {error}")), kind="failed", usage=usage)

    def _scores(self, found: Any) -> list[float]:
        """One score a step, or one in all. Raises if the shape is another."""
        if self.tag is None:
            return [self._score(found)]
        if not isinstance(found, list) or not all(isinstance(row, list) for row in found):
            raise ValueError(
                f"one row a step is needed, got {found!r:.80}: does the server know the tag {self.tag!r} (see "
                "step_tag_id in --pooler-config)? Some versions of vLLM flatten the rows of short inputs"
            )
        return [self._score(row) for row in found]

    def _score(self, row: Any) -> float:
        if not isinstance(row, list) or not all(isinstance(x, (int, float)) and math.isfinite(x) for x in row):
            raise ValueError(f"a list of finite numbers is needed, got {row!r:.80}")
        if not -len(row) <= self.column < len(row):
            raise ValueError(f"a row has {len(row)} numbers, and column={self.column} was asked for")
        return float(row[self.column])
