"""A server of four model APIs and embeddings that counts by itself, in words, and asks for tools as agents expect it.

It shares no code with `searchkit.wire`: bodies and events are written here as the official APIs document them, and the
official clients, which read them, are the oracle that they are right. A prompt has as many tokens as the JSON of its
messages and tools has words; an answer as many as its text and its calls' arguments have words. Where tools are
offered, the first two answers of a conversation call the first of them, and the next is a text.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from searchkit import Budget

ROUNDS = 2
WORDS = ["all", "of", "the", "sides", "are", "equal", "so", "that", "sum", "must", "be", "even", "and", "then", "half"]
Event = tuple[str, dict[str, Any]]


def counted(value: Any) -> int:
    """Words in the strings of a JSON value."""
    return len(re.findall(r"\w+", json.dumps(value)))


class ModelServer:
    """A context manager. `bodies`: what was asked, in order of arrival.

    latency: seconds before an answer. slow: the latency is only that of requests which have this text; others wait
    until `least` of these are in flight. refusal: a status and a message, of all answers; {key} stands for the key that
    came. wait: seconds before a refusal. `prompt_tokens` and `generated_tokens` are sums over the answers that were
    sent; `aborted`: clients that left.
    """

    def __init__(
        self,
        latency: float = 0.0,
        *,
        slow: str = "",
        least: int = 0,
        refusal: tuple[int, str] | None = None,
        wait: float = 0.0,
    ) -> None:
        self.latency, self.slow, self.least = latency, slow, least
        self.refusal, self.wait = refusal, wait
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str] = []
        self.prompt_tokens = self.generated_tokens = self.in_flight = self.aborted = 0
        routes = [
            Route(path, self._answer, methods=["POST"])
            for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
        ]
        routes.append(Route("/v1/models", self._models))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.root = "http://{}:{}".format(*self._socket.getsockname())
        self.url = f"{self.root}/v1"
        config = uvicorn.Config(
            _proxied(Starlette(routes=routes)), log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    @property
    def calls(self) -> int:
        return len(self.bodies)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "o"}]})

    async def _answer(self, request: Request) -> Response:
        body = json.loads(await request.body())
        route = request.url.path.removeprefix("/v1/")
        self.bodies.append((route, body))
        self.keys.append(request.headers.get("x-api-key") or request.headers.get("authorization", ""))
        if self.refusal is not None:
            await asyncio.sleep(self.wait)
            status, message = self.refusal
            error = {"message": message.replace("{key}", self.keys[-1]), "type": "e", "code": None, "param": None}
            return JSONResponse({"type": "error", "error": error}, status)
        waits = self.slow in json.dumps(body)
        while not waits and self.in_flight < self.least:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self.in_flight += 1
        try:
            if self.latency and waits and await self._left(request):
                self.aborted += 1
                return Response(status_code=499)
        finally:
            self.in_flight -= 1
        read, made, answer, events = SPOKEN[route](body, f"{len(self.bodies)}")
        self.prompt_tokens += read
        self.generated_tokens += made
        if not body.get("stream"):
            return JSONResponse(answer)
        return StreamingResponse(_sent(events), media_type="text/event-stream")

    async def _left(self, request: Request) -> bool:
        """Whether the client leaves within the latency."""
        gone = asyncio.ensure_future(request.receive())
        done, _ = await asyncio.wait({gone}, timeout=self.latency)
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({gone})
        return bool(done)


def _proxied(app: Any) -> Any:
    """`app`, which takes requests that are sent to it as to a proxy for its own."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": re.sub(r"^https?://[^/]*", "", scope["path"])}, receive, send)

    return called


async def _sent(events: list[tuple[str, Any]]) -> AsyncIterator[bytes]:
    for name, value in events:
        data = value if isinstance(value, str) else json.dumps(value)
        yield (f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n").encode()
        await asyncio.sleep(0)


def _said(body: Any, most: int) -> str:
    """An answer that depends on the whole body, seed included: of 3 to 10 words, and at most `most`."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    return " ".join(WORDS[byte % len(WORDS)] for byte in digest[: min(most, 3 + digest[-1] % 8)])


def _asks(tools: list[str], rounds: int, body: Any) -> tuple[str, str] | None:
    """The tool that is called, with its arguments."""
    if not tools or rounds >= ROUNDS:
        return None
    return tools[0], json.dumps({"a": len(json.dumps(body)) % 7, "b": rounds})


def _chat(body: dict[str, Any], id: str) -> tuple[int, int, Any, list[tuple[str, Any]]]:
    read = counted([body["messages"], body.get("tools")])
    most = body.get("max_completion_tokens") or body.get("max_tokens") or 99
    rounds = sum(message["role"] == "tool" for message in body["messages"])
    asked = _asks([tool["function"]["name"] for tool in body.get("tools") or ()], rounds, body)
    call = asked and {"id": f"call_{id}", "type": "function", "function": {"name": asked[0], "arguments": asked[1]}}
    text = None if asked else _said(body, most)
    made = counted(asked[1]) if asked else counted(text)
    message = {"role": "assistant", "content": text, "refusal": None} | ({"tool_calls": [call]} if call else {})
    reason = "tool_calls" if asked else "length" if made == most else "stop"
    usage = {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}
    head = {"id": f"chatcmpl-{id}", "created": 1, "model": body["model"]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}

    def chunk(delta: Any, reason: str | None = None) -> tuple[str, Any]:
        said = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        return "", {**head, "object": "chat.completion.chunk", "choices": said}

    events = [chunk({"role": "assistant", "content": None if asked else ""})]
    if call and asked:
        opened = {**call, "index": 0, "function": {"name": asked[0], "arguments": ""}}
        events += [chunk({"tool_calls": [opened]})]
        events += [chunk({"tool_calls": [{"index": 0, "function": {"arguments": c}}]}) for c in _pieces(asked[1])]
    events += [chunk({"content": piece}) for piece in _pieces(text or "")]
    events += [chunk({}, reason)]
    if (body.get("stream_options") or {}).get("include_usage"):
        events += [("", {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})]
    return read, made, whole, [*events, ("", "[DONE]")]


def _completion(body: dict[str, Any], id: str) -> tuple[int, int, Any, list[tuple[str, Any]]]:
    read, text = counted(body["prompt"]), _said(body, body.get("max_tokens") or 16)
    made = counted(text)
    head = {"id": f"cmpl-{id}", "object": "text_completion", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}

    def choice(said: str, reason: str | None) -> dict[str, Any]:
        return {"index": 0, "text": said, "logprobs": None, "finish_reason": reason}

    events = [("", {**head, "choices": [choice(piece, None)]}) for piece in _pieces(text)]
    events += [("", {**head, "choices": [choice("", "stop")]})]
    if (body.get("stream_options") or {}).get("include_usage"):
        events += [("", {**head, "choices": [], "usage": usage})]
    return read, made, {**head, "choices": [choice(text, "stop")], "usage": usage}, [*events, ("", "[DONE]")]


def _response(body: dict[str, Any], id: str) -> tuple[int, int, Any, list[tuple[str, Any]]]:
    asked_input = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    read = counted([asked_input, body.get("instructions"), body.get("tools")])
    rounds = sum(item.get("type") == "function_call_output" for item in asked_input)
    asked = _asks([tool["name"] for tool in body.get("tools") or ()], rounds, body)
    text = "" if asked else _said(body, body.get("max_output_tokens") or 99)
    made = counted(asked[1]) if asked else counted(text)
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item: dict[str, Any] = (
        {"type": "function_call", "id": f"fc_{id}", "call_id": f"call_{id}", "name": asked[0], "arguments": asked[1]}
        if asked
        else {"type": "message", "id": f"msg_{id}", "role": "assistant", "content": [part]}
    ) | {"status": "completed"}
    usage = {
        "input_tokens": read, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": read + made,
    }  # fmt: skip
    whole = {
        "id": f"resp_{id}", "object": "response", "created_at": 1, "status": "completed", "model": body["model"],
        "output": [item], "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": body.get("tools") or [], "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "temperature": 1.0, "top_p": 1.0,
    }  # fmt: skip
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    empty = {**item, "status": "in_progress"} | ({"arguments": ""} if asked else {"content": []})
    at: dict[str, Any] = {"output_index": 0, "item_id": item["id"]}
    inside = {**at, "content_index": 0}
    said: list[Event] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": empty}),
    ]
    if asked:
        said += [("response.function_call_arguments.delta", {**at, "delta": p}) for p in _pieces(asked[1])]
        said += [("response.function_call_arguments.done", {**at, "arguments": asked[1], "name": asked[0]})]
    else:
        said += [("response.content_part.added", {**inside, "part": {**part, "text": ""}})]
        said += [("response.output_text.delta", {**inside, "delta": p, "logprobs": []}) for p in _pieces(text)]
        said += [("response.output_text.done", {**inside, "text": text, "logprobs": []})]
        said += [("response.content_part.done", {**inside, "part": part})]
    said += [("response.output_item.done", {"output_index": 0, "item": item})]
    said += [("response.completed", {"response": whole})]
    return read, made, whole, [(name, {"type": name, "sequence_number": i, **v}) for i, (name, v) in enumerate(said)]


def _message(body: dict[str, Any], id: str) -> tuple[int, int, Any, list[tuple[str, Any]]]:
    read = counted([body["messages"], body.get("system"), body.get("tools")])
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    rounds = sum(block.get("type") == "tool_result" for block in blocks)
    asked = _asks([tool["name"] for tool in body.get("tools") or ()], rounds, body)
    text = "" if asked else _said(body, body["max_tokens"])
    made = counted(asked[1]) if asked else counted(text)
    block: dict[str, Any] = (
        {"type": "tool_use", "id": f"toolu_{id}", "name": asked[0], "input": json.loads(asked[1])}
        if asked
        else {"type": "text", "text": text}
    )
    reason = "tool_use" if asked else "end_turn"
    usage = {"input_tokens": read, "output_tokens": made}
    whole = {
        "id": f"msg_{id}", "type": "message", "role": "assistant", "model": body["model"], "content": [block],
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    begun = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": read, "output_tokens": 1}}
    opened = {**block, "input": {}} if asked else {"type": "text", "text": ""}
    deltas = [
        {"type": "input_json_delta", "partial_json": p} if asked else {"type": "text_delta", "text": p}
        for p in _pieces(asked[1] if asked else text)
    ]
    ended = {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": made}}
    said: list[Event] = [
        ("message_start", {"message": begun}),
        ("content_block_start", {"index": 0, "content_block": opened}),
        ("ping", {}),
        *(("content_block_delta", {"index": 0, "delta": delta}) for delta in deltas),
        ("content_block_stop", {"index": 0}),
        ("message_delta", ended),
        ("message_stop", {}),
    ]
    return read, made, whole, [(name, {"type": name, **value}) for name, value in said]


def _embedding(body: dict[str, Any], id: str) -> tuple[int, int, Any, list[tuple[str, Any]]]:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    read = counted(texts)
    rows = [{"object": "embedding", "index": i, "embedding": [0.5, len(text)]} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": read, "total_tokens": read}
    return read, 0, {"object": "list", "data": rows, "model": body["model"], "usage": usage}, []


def _pieces(text: str) -> Iterator[str]:
    """`text` in pieces that do not end where words do."""
    yield from (text[at : at + 5] for at in range(0, len(text), 5))


SPOKEN = {
    "chat/completions": _chat,
    "completions": _completion,
    "responses": _response,
    "messages": _message,
    "embeddings": _embedding,
}


def assert_within(server: ModelServer, budget: Budget) -> None:
    """Something was asked, and no ceiling was exceeded, by the server's own count."""
    assert 0 < server.calls <= (budget.model_calls or 99)
    assert server.generated_tokens <= (budget.generated_tokens or 999)
    assert server.generated_tokens + server.prompt_tokens <= (budget.total_tokens or 9999)
