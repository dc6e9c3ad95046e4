"""Any causal language model that Hugging Face transformers loads, for people who have PyTorch; exact, not fast."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import inspect
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.calls import CallError, Request
from searchkit.confidence import Fall
from searchkit.errors import ConfigError
from searchkit.types import ConfidenceFloor, Finish, Image, Message, Params, Prompt, Sample, Text, Token, Usage

_OPENING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Transformers:
    """A `Backend` around a Hugging Face causal model; requests run one after another, with a key-value cache each.

    model: a hub name, a folder, or a loaded model (then `tokenizer` is needed too). device: "cpu", "cuda", ...; None
    leaves a loaded model where it is and puts a named one on the CPU. Conversations go through the tokenizer's chat
    template; without one, the texts are joined. A prefix continues the assistant turn that the template opened.

    Sampling is that of `Embedded` (noise keyed by seed, position and token), so both give the same text for the same
    checkpoint unless two scores agree to rounding. `token_ids` and `logprobs` cover every sampled token, those of the
    end token and a stop string included. A `ConfidenceFloor` ends a text. Loading happens at the first use and blocks
    no event loop; `name` loads too.

    `ConfigError` if PyTorch or transformers is missing, or the model cannot be loaded.
    """

    model: Any
    tokenizer: Any = None
    device: str | None = None
    ends_at_floor: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if any(importlib.util.find_spec(package) is None for package in ("torch", "transformers")):
            raise ConfigError("Transformers needs PyTorch: pip install 'searchkit[transformers]'")
        if not isinstance(self.model, str) and self.tokenizer is None:
            raise ConfigError("a loaded model needs its tokenizer: Transformers(model, tokenizer)")

    @property
    def name(self) -> str:
        """The model's name and a digest of its weights (one pass over them, once)."""
        return self._loaded().name

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One sample or `CallError` a request, in order, in a worker thread. Cancelling stops at the next token."""
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(self._complete, requests, cancelled)
        finally:
            cancelled.set()

    def _complete(self, requests: Sequence[Request], cancelled: threading.Event) -> list[Sample[str] | CallError]:
        loaded = self._loaded()
        return [loaded.sample(request, cancelled) for request in requests]

    def _loaded(self) -> _Loaded:
        with _OPENING:
            return _load(self.model, self.tokenizer, self.device)


@functools.lru_cache(maxsize=4)
def _load(model: Any, tokenizer: Any, device: str | None) -> _Loaded:
    import torch
    import transformers

    name = model if isinstance(model, str) else model.config._name_or_path or type(model).__name__
    try:
        if isinstance(model, str):
            tokenizer = tokenizer or transformers.AutoTokenizer.from_pretrained(model)
            model = transformers.AutoModelForCausalLM.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ConfigError(f"transformers cannot load {name!r}: {error}") from error
    if device is not None:
        model = model.to(device)
    digest = hashlib.sha256()
    with torch.no_grad():
        for key, value in model.state_dict().items():
            digest.update(f"{key} {tuple(value.shape)} {value.double().sum().item()!r}\n".encode())
    return _Loaded(model.eval(), tokenizer, f"transformers/{name}@{digest.hexdigest()[:12]}")


class _Loaded:
    """A model with its tokenizer, used by one thread at a time."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.context: int | None = getattr(model.config, "max_position_embeddings", None)
        ends = model.generation_config.eos_token_id
        self.ends = frozenset(ends if isinstance(ends, list) else () if ends is None else (ends,))
        # What newer and older versions call the keys and values of the tokens so far, going in and coming out.
        named = "cache" in inspect.signature(model.forward).parameters
        self.cache: str = "cache" if named else "past_key_values"
        self._lock = threading.Lock()

    def sample(self, request: Request, cancelled: threading.Event) -> Sample[str] | CallError:
        try:
            prompt = self.encode(request.prompt)
        except ValueError as error:
            return CallError(str(error), kind="bad_request", request=request)
        limit = request.params.max_tokens
        if self.context is not None:
            room = self.context - len(prompt)
            if room < 1:
                message = f"the prompt has {len(prompt)} tokens and the model holds {self.context}: shorten the prompt"
                return CallError(message, kind="bad_request", request=request)
            limit = min(limit or room, room)
        if limit is None:
            message = "this model states no context length: set max_tokens"
            return CallError(message, kind="bad_request", request=request)
        with self._lock:
            return self.generate(prompt, limit, request, cancelled)

    def encode(self, prompt: Prompt) -> list[int]:
        """The conversation and the prefix as token ids; `ValueError` says what cannot be expressed."""
        if prompt.tools or any(isinstance(part, Image) for message in prompt.messages for part in message.parts):
            raise ValueError("Transformers takes text without tools and images: use a server for those")
        prefix = "" if prompt.prefix_ids is not None else prompt.prefix
        if self.tokenizer.chat_template:
            turns = [{"role": message.role, "content": message.text} for message in prompt.messages]
            text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            ids = self.tokenizer(text + prefix, add_special_tokens=False).input_ids
        else:
            ids = self.tokenizer("".join(message.text for message in prompt.messages) + prefix).input_ids
        return [*ids, *(prompt.prefix_ids or ())]

    def generate(
        self, prompt: list[int], limit: int, request: Request, cancelled: threading.Event
    ) -> Sample[str] | CallError:
        """Token by token, until an end token, a stop string, the floor, `limit` or a cancellation."""
        import torch

        params, tokens, logprobs = request.params, list[int](), list[Token]()
        chunk, cache, stop = prompt, None, ""
        finish: Finish = "length"
        fall, fell = None if params.floor is None else Fall(params.floor), False
        begun = self.text(prompt)
        while len(tokens) < limit:
            if cancelled.is_set():
                return CallError("the call was cancelled", kind="failed", request=request)
            with torch.inference_mode():
                ids = torch.tensor([chunk], device=self.model.device)
                out = self.model(input_ids=ids, use_cache=True, **{self.cache: cache})
            cache, logits = out[self.cache], out.logits[:, -1].double().cpu().numpy()
            token = _choose(logits, params, request.seed, len(prompt) + len(tokens))
            tokens.append(token)
            if params.logprobs is not None:
                logprobs.append(self.token(logits, token, params.logprobs))
            if params.stop:
                stop = _first(self.text([*prompt, *tokens])[len(begun) :], params.stop)
            if fall is not None and (fell := fall.at([log for _, log in logprobs[-1].top])):
                break
            if stop or token in self.ends:
                finish = "stop"
                break
            chunk = [token]
        whole = self.text([*prompt, *tokens])[len(begun) :]
        text = whole[: whole.index(stop)] if stop else whole
        return Sample(
            text,
            message=Message("assistant", (Text(text),)),
            finish=finish,
            stop_reason=ConfidenceFloor.FELL if fell else stop or None,
            usage=Usage(
                model_calls=1,
                prompt_tokens=len(prompt),
                generated_tokens=len(tokens),
                longest_context=len(prompt) + len(tokens),
            ),
            token_ids=tuple(tokens) if whole == text + stop else None,
            logprobs=None if params.logprobs is None else tuple(logprobs),
        )

    def text(self, ids: list[int]) -> str:
        """Decoded together with what stands before, so that a tokenizer's word-initial spaces survive."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def token(self, logits: Any, token: int, top: int) -> Token:
        import numpy as np

        from searchkit.generators.embedded.sampler import log_softmax

        table = log_softmax(logits)[0]
        best = np.argsort(-table, kind="stable")[:top].tolist()
        return Token(self.text([token]), float(table[token]), tuple((self.text([i]), float(table[i])) for i in best))


def _choose(logits: Any, params: Params, seed: int, position: int) -> int:
    import numpy as np

    from searchkit.generators.embedded import sampler

    temperature = np.array([params.temperature])
    if params.temperature > 0 and (params.top_k or params.top_p < 1 or params.min_p):
        filters = np.array([params.top_k]), np.array([params.top_p]), np.array([params.min_p])
        logits = np.where(sampler.allowed(logits, temperature, *filters), logits, -np.inf)
    noise = sampler.gumbel(np.array([seed % 2**64], np.uint64), np.array([position]), logits.shape[1])
    return int(sampler.choose(logits, noise, temperature)[0])


def _first(text: str, stops: tuple[str, ...]) -> str:
    """The stop string that begins first in `text` (the longest of those), "" if none occurs."""
    found = [(text.index(stop), -len(stop), stop) for stop in stops if stop in text]
    return min(found)[2] if found else ""
