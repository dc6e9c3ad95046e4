"""Which URLs are those of the four APIs, and which only end alike."""

from __future__ import annotations

import pytest

from searchkit.wire import Route, is_batch, is_certain, is_embeddings, route_of

CERTAIN: list[tuple[str, Route]] = [
    ("/v1/chat/completions", "chat"),
    ("/chat/completions", "chat"),
    ("/v1beta/openai/chat/completions", "chat"),
    ("/api/v1/chat/completions/", "chat"),
    ("/api/paas/v4/chat/completions", "chat"),
    ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", "chat"),
    ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", "chat"),
    ("/v1/account/gateway/compat/chat/completions", "chat"),
    ("/models/org/name/v1/chat/completions", "chat"),
    ("/team/chat/completions", "chat"),
    ("/v1/completions", "completions"),
    ("/openai/deployments/NAME/completions", "completions"),
    ("/v1/engines/davinci/completions", "completions"),
    ("/v1/responses", "responses"),
    ("/openai/v1/responses", "responses"),
    ("/openai/responses", "responses"),
    ("/v1/messages", "messages"),
    ("/v1/messages?beta=true", "messages"),
    ("/anthropic/v1/messages", "messages"),
    ("//v1//messages", "messages"),
    ("/r/token/v1/messages", "messages"),
]
LIKELY: list[tuple[str, Route]] = [
    ("/messages", "messages"),
    ("/responses", "responses"),
    ("/completions", "completions"),
    ("/team/messages", "messages"),
    ("/proxy/llm/responses", "responses"),
]
OTHERS = [
    "/v1/threads/thread_1/messages",
    "/v1/threads/v1/messages",
    "/v1/threads/runs",
    "/v1/threads/thread_1/runs",
    "/api/conversations/42/messages",
    "/api/v10/channels/42/messages",
    "/v1/chat/completions/id/messages",
    "/v1/forms/f1/responses",
    "/v1/responses/resp_1/cancel",
    "/v1/responses/resp_1/messages",
    "/v1/messages/count_tokens",
    "/v1/messages/batches",
    "/v1/fim/completions",
    "/v1/agents/completions",
    "/v1/xmessages",
    "/v1/embeddings",
    "/",
    "",
]


@pytest.mark.parametrize(("path", "route"), CERTAIN)
def test_paths_that_can_be_nothing_else(path: str, route: Route) -> None:
    assert (route_of(path), is_certain(path)) == (route, True)


@pytest.mark.parametrize(("path", "route"), LIKELY)
def test_paths_whose_body_decides(path: str, route: Route) -> None:
    assert (route_of(path), is_certain(path)) == (route, False)


@pytest.mark.parametrize("path", OTHERS)
def test_paths_of_other_apis(path: str) -> None:
    assert route_of(path) is None


def test_embeddings_and_batches() -> None:
    for path in ("/v1/embeddings", "/api/embeddings/", "/openai/deployments/e/embeddings?a=b"):
        assert is_embeddings(path)
    assert not is_embeddings("/v1/threads/t/embeddings")
    for path in ("/v1/batches", "/v1/messages/batches", "/openai/batches"):
        assert is_batch(path)
    for path in ("/v1/messages", "/v1/batches/b1", "/shop/batches"):
        assert not is_batch(path)
