"""vLLM inside this process: no server, no HTTP, token ids in and out. For a server use `OpenAI`."""

from __future__ import annotations

import asyncio
import atexit
import functools
import hashlib
import importlib.util
import itertools
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators.in_order import each
from searchkit.types import Finish, Image, Message, Params, Prompt, Sample, Text, Token, Usage

# Options that decide where and how fast a text is computed, not which: they are no part of a name.
_NEUTRAL = frozenset({
    "block_size", "data_parallel_size", "disable_log_stats", "distributed_executor_backend", "download_dir",
    "enable_chunked_prefill", "enable_prefix_caching", "enforce_eager", "gpu_memory_utilization",
    "kv_cache_memory_bytes", "max_logprobs", "max_num_batched_tokens", "max_num_seqs", "pipeline_parallel_size",
    "revision", "swap_space", "tensor_parallel_size",
})  # fmt: skip
_WEIGHTS = frozenset({".bin", ".gguf", ".jinja", ".json", ".model", ".pt", ".safetensors", ".txt"})
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}

# Engines of this process, by model and options: backends that are equal share one.
_ENGINES: dict[str, _Engine] = {}
_OPENING = threading.Lock()


@dataclass(frozen=True, init=False, repr=False)
class VLLM:
    """A `Backend` around vLLM's asynchronous engine, started at the first call in a process of its own.

        VLLM("Qwen/Qwen3-4B", dtype="bfloat16", max_model_len=8192)

    model: a hub name or a folder. options: any of vLLM's engine arguments, by the names of `AsyncEngineArgs`
    (`revision`, `dtype`, `quantization`, `tensor_parallel_size`, `gpu_memory_utilization`, ...); the prefix cache is on
    unless they say otherwise. Equal backends share an engine; `close` ends it, and so does the end of the program.
    Starting takes half a minute and more, and a script needs ``if __name__ == "__main__":`` around it.

    One request is one sample with a seed of its own. Prompts are sent as token ids: the conversation through the
    tokenizer's chat template (without one, the texts are joined), then `Prompt.prefix_ids` if given, else the prefix.
    So a text continued with the `token_ids` of a sample is read from the cache and never tokenised anew. A text is a
    function of prompt, parameters and seed up to rounding, which depends on what else is in the batch: where two tokens
    are almost equally likely, another one may be drawn.

    `token_ids`, `logprobs` and `Usage.generated_tokens` cover every sampled token, the end token and a stop string's
    included; the text ends before the stop string that begins first. `logprobs` are natural logarithms before
    temperature; more rivals than vLLM's `max_logprobs` (20) are refused. `Usage.cached_tokens` counts whole blocks of
    the prefix cache (`block_size`: 16 tokens on GPUs, 128 on CPUs).

    A cancelled call is aborted in the engine. What the engine cannot do comes back as `CallError`s: "bad_request" for
    images, tools and prompts that are too long, "rate_limit" for a full queue, "server" for an engine that died (the
    next call starts another). Safe from several event loops at once. Pickles as its configuration.

    `ConfigError` if vLLM is missing, or cannot open the model with these options.
    """

    model: str
    options: Mapping[str, Any] = field(hash=False)

    def __init__(self, model: str, **options: Any) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise ConfigError("VLLM needs vLLM, which runs on Linux: pip install 'searchkit[vllm]'")
        if not model:
            raise ConfigError("model must be a hub name or a folder")
        if "logprobs_mode" in options:
            raise ConfigError("log-probabilities are always those before temperature: leave logprobs_mode out")
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "options", options)

    def __repr__(self) -> str:
        return f"VLLM({', '.join([repr(self.model), *(f'{k}={v!r}' for k, v in self.options.items())])})"

    @property
    def name(self) -> str:
        """Model, revision (a commit of the hub, or a digest of the folder's files) and the options that matter."""
        matter = (f",{key}={value!r}" for key, value in sorted(self.options.items()) if key not in _NEUTRAL)
        return f"vllm/{self._model}@{self._revision[:12]}{''.join(matter)}"

    @property
    def _model(self) -> str:
        return Path(self.model).name if Path(self.model).exists() else self.model

    @property
    def _revision(self) -> str:
        path = Path(self.model)
        if path.exists():
            return _digest(path.resolve(), tuple((s.st_mtime_ns, s.st_size) for s in map(Path.stat, _files(path))))
        return _commit(self.model, self.options.get("revision"))

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """One sample or `CallError` a request, in order; all are in the engine at once, and its batches."""
        engine = self._engine()
        if not engine.opened.done():
            for request in requests:
                request.waiting(True)
            await asyncio.shield(asyncio.wrap_future(engine.opened))  # whoever gives up, others wait for it too
            for request in requests:
                request.waiting(False)
        engine.opened.result()
        return await each(engine.call, requests)

    async def close(self) -> None:
        """End the engine and free its memory; calls in flight fail. The next call starts another."""
        with _OPENING:
            engine = _ENGINES.pop(self._key(), None)
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def _key(self) -> str:
        return f"{self.model} {self._revision} {sorted(self.options.items())!r}"

    def _engine(self) -> _Engine:
        key = self._key()
        with _OPENING:
            engine = _ENGINES.get(key)
            if engine is None or engine.dead:
                options = {"enable_prefix_caching": True, **self.options}
                if not Path(self.model).exists():
                    options["revision"] = self._revision  # what is named is what is loaded
                engine = _ENGINES[key] = _Engine(self.model, options)
            return engine


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in _WEIGHTS and p.is_file())


@functools.lru_cache(maxsize=8)
def _digest(path: Path, _: tuple[tuple[int, int], ...]) -> str:
    """Of every file that a model is loaded from: one pass over the weights, again when a file has changed."""
    digest = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as content:
            digest.update(file.name.encode() + hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


@functools.lru_cache(maxsize=8)
def _commit(model: str, revision: str | None) -> str:
    """The commit that a branch or tag of a hub model stands for: asked of the hub, else of the local cache."""
    if revision is not None and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model, "config.json", revision=revision)).parent.name
    except (OSError, ValueError) as error:
        fix = "name a folder, or pass revision= with a commit"
        raise ConfigError(f"there is no model {model!r} here or on the hub: {fix} ({error})") from error


class _Engine:
    """One vLLM engine on a thread with an event loop: it belongs to that loop, and backends are called from several."""

    def __init__(self, model: str, options: Mapping[str, Any]) -> None:
        self.opened: Future[None] = Future()
        self._model: str = model
        self._options: Mapping[str, Any] = options
        self._llm: Any = None
        self._loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._stop: asyncio.Event = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()
        self._ids: Iterator[int] = itertools.count()
        self._closing: bool = False
        self._submitting: threading.Lock = threading.Lock()
        self._thread: threading.Thread = threading.Thread(target=self._run, name="searchkit-vllm", daemon=True)
        self._thread.start()

    @property
    def dead(self) -> bool:
        """True if it could not be opened, was closed, or has crashed."""
        failed = self.opened.done() and self.opened.exception() is not None
        return failed or self._closing or (self._llm is not None and self._llm.errored)

    async def call(self, request: Request) -> Sample[str] | CallError:
        """`_sample` on the engine's loop. Cancelling it cancels that, which aborts the request in the engine."""
        with self._submitting:
            if self._closing:
                return CallError("the vLLM engine was closed", kind="server", request=request, usage=Usage())
            future = asyncio.run_coroutine_threadsafe(self._sample(request), self._loop)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Fail what is in flight, end the engine's process, and wait for that."""
        with self._submitting:
            self._closing = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    # ---------------------------------------------------------------- on the engine's thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        try:
            self._llm = _open(self._model, self._options)
        except (Exception, SystemExit) as error:
            message = (
                f"vLLM cannot open {self._model!r} with {dict(self._options)}: {str(error) or type(error).__name__}"
            )
            self.opened.set_exception(ConfigError(message))
            return
        # Registered after vLLM's own, so it runs before them: they would wait for the engine's process to end.
        atexit.register(self.close)
        self.opened.set_result(None)
        await self._stop.wait()
        atexit.unregister(self.close)
        for call in self._calls:
            call.cancel()
        while self._calls:
            await asyncio.wait(self._calls)
        self._llm.shutdown()
        self._llm = None

    async def _sample(self, request: Request) -> Sample[str] | CallError:
        from vllm.sampling_params import RequestOutputKind

        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        lost = Usage(model_calls=1)
        try:
            ids = self._encode(request.prompt)
            wanted = _sampling(request.params, request.seed % 2**63, RequestOutputKind.FINAL_ONLY)
            prompt = {"type": "token", "prompt_token_ids": ids}
            async for answer in self._llm.generate(prompt, wanted, f"searchkit-{next(self._ids)}"):
                return self._told(request, len(ids), answer)
            return CallError("vLLM gave no answer", kind="server", request=request, usage=lost)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            return CallError("the vLLM engine was closed", kind="server", request=request, usage=lost)
        except Exception as error:
            kind, cause = _kind(error), error.__cause__ or error
            used = lost if kind == "server" else Usage()
            return CallError(f"vLLM: {str(cause) or type(cause).__name__}", kind=kind, request=request, usage=used)
        finally:
            self._calls.discard(call)

    def _encode(self, prompt: Prompt) -> list[int]:
        """The conversation and the prefix as token ids; `ValueError` says what cannot be expressed."""
        if prompt.tools or any(isinstance(part, Image) for message in prompt.messages for part in message.parts):
            raise ValueError("the in-process engine takes text without tools and images: use `vllm serve` for those")
        tokenizer, prefix = self._llm.tokenizer, "" if prompt.prefix_ids is not None else prompt.prefix
        if getattr(tokenizer, "chat_template", None):
            turns = [{"role": message.role, "content": message.text} for message in prompt.messages]
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            ids = tokenizer.encode(text + prefix, add_special_tokens=False)
        else:
            ids = tokenizer.encode("".join(message.text for message in prompt.messages) + prefix)
        ids, known = [*ids, *(prompt.prefix_ids or ())], self._llm.model_config.get_vocab_size()
        if not all(0 <= i < known for i in ids):  # the engine's process would not survive it
            raise ValueError(f"prefix_ids must be token ids in 0..{known - 1}")
        room = self._llm.model_config.max_model_len
        if len(ids) >= room:
            raise ValueError(f"the prompt has {len(ids)} tokens and the model holds {room}: shorten the prompt")
        return ids

    def _told(self, request: Request, given: int, answer: Any) -> Sample[str] | CallError:
        said, params = answer.outputs[0], request.params
        used = len(said.token_ids)
        usage = Usage(
            model_calls=1,
            prompt_tokens=given,
            cached_tokens=answer.num_cached_tokens or 0,
            generated_tokens=used,
            longest_context=given + used,
        )
        if said.finish_reason not in _FINISHES:
            message = f"vLLM gave up on it ({said.finish_reason})"
            return CallError(message, kind="server", request=request, usage=usage)
        ids, text, stop = tuple(said.token_ids), said.text, None
        if isinstance(said.stop_reason, str):
            text, stop = _cut(text + said.stop_reason, params.stop)
        return Sample(
            text,
            message=Message("assistant", (Text(text),)),
            finish=_FINISHES[said.finish_reason],
            stop_reason=stop,
            usage=usage,
            token_ids=ids if stop is None or self._llm.tokenizer.decode(ids).endswith(stop) else None,
            logprobs=None if params.logprobs is None else self._logprobs(said, params.logprobs),
        )

    def _logprobs(self, said: Any, top: int) -> tuple[Token, ...]:
        special = self._llm.tokenizer.all_special_ids  # they have no text

        def text(token: int, entry: Any) -> str:
            return "" if token in special else entry.decoded_token or ""

        rows = []
        for token, row in zip(said.token_ids, said.logprobs, strict=False):
            best = sorted(row.items(), key=lambda item: item[1].rank)[:top]
            rivals = tuple((text(i, entry), float(entry.logprob)) for i, entry in best)
            rows.append(Token(text(token, row[token]), float(row[token].logprob), rivals))
        return tuple(rows)


def _open(model: str, options: Mapping[str, Any]) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_engine_args(AsyncEngineArgs(model=model, **options))


def _sampling(params: Params, seed: int, kind: Any) -> Any:
    from vllm.sampling_params import SamplingParams

    return SamplingParams(
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=params.top_k,
        min_p=params.min_p,
        max_tokens=params.max_tokens,
        stop=list(params.stop),
        logprobs=params.logprobs,
        seed=seed,
        output_kind=kind,
    )


def _kind(error: Exception) -> str:
    """By the names of its classes: their places in vLLM change from release to release."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"ValueError", "VLLMClientError"}:
        return "bad_request"
    return "rate_limit" if "GracefulHTTPError" in names else "server"


def _cut(text: str, stops: tuple[str, ...]) -> tuple[str, str]:
    """The text before the stop string that begins first, and that string (the longest of several)."""
    at, _, stop = min((text.index(stop), -len(stop), stop) for stop in stops if stop in text)
    return text[:at], stop
